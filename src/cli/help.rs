//! The help text: what every option means, once.

/// What `--help` prints.
pub const HELP: &str = "\
Usage: mqtt_client [OPTIONS] NETID ACTION MESSAGE
       mqtt_client [OPTIONS] device USER_ID
       mqtt_client [OPTIONS] controller
       mqtt_client [OPTIONS] responder
       mqtt_client [OPTIONS] fleet [FILTER]
       mqtt_client [OPTIONS] doctor [COMMAND]
       mqtt_client [OPTIONS] judge CLIENT [ARG...]
       mqtt_client demo

  NETID ACTION MESSAGE   ask the text service on the broker, print the answer;
                         ACTION is uppercase, lowercase, title-case, reverse or
                         shuffle; MESSAGE - is standard input, less a line feed
                         at its end (also: request NETID ACTION MESSAGE)
  device USER_ID         log in, answer commands until \"Well done my IoT!\";
                         USER_ID %H is the machine's name
  controller             hand out unique ids, send commands, check the replies
  responder              answer text requests
  fleet [FILTER]         a live table of who is up, by their --presence; FILTER
                         has + and # (mqtt_client/+/status)
  doctor [COMMAND]       find out why COMMAND (device USER_ID, controller,
                         responder, NETID ACTION) does not work: a line a step,
                         the first that fails with its remedy
  judge CLIENT [ARG...]  judge a client of the text service that takes [-v]
                         [--host HOST] [-p PORT] NETID ACTION MESSAGE, against
                         a broker of the judge's own: a line a check; options
                         after CLIENT are the client's
  demo                   all of it around an embedded broker (feature `demo`)

Options may stand anywhere; after -- nothing is an option.

Connection:
  -h, --host HOST        broker's name or address (localhost), or the path of
                         its Unix socket; several, of a cluster: a,b:1884,c,
                         or repeated; one that fails gives way to the next
  -p, --port PORT        broker's port (1883; 8883 with TLS)
  -L, --url URL          both in one: mqtt[s]://[user[:password]@]host[:port],
                         with more host[:port] after commas
  -i, --id ID            client id (NETID, device-USER_ID,
                         mqtt_client-controller, mqtt_client-responder; when
                         it has a --share, - and the machine's name after it;
                         fleet: mqtt_client-fleet- and a random number)
  -k, --keepalive S      seconds between signs of life, 0 for none (15)
  -W, --timeout S        request: seconds for all of it (10); device: seconds
                         without a word from the controller (60); controller:
                         seconds without the next reply (60); fleet --once:
                         seconds for all of it (10); 0 for no limit; judge:
                         seconds for each run of CLIENT (15)
      --reconnect-delay S
                         seconds before a new attempt, doubling to 60 (1)
      --service          doctor: with the settings of the systemd unit

Login:
  -u, --username NAME    user name
      --password-file F  first line of F; F must not be readable by others
  -P, --password WORD    password; others on this machine can see it
                         (with -u alone, on a terminal, it is asked for)

TLS:
      --tls              encrypt, and trust the system's certificate authorities
      --cafile FILE      trust the authorities in FILE instead (PEM)
      --cert FILE        show this certificate, where the broker asks for one,
      --key FILE         and prove it with this key (both PEM)

Message:
  -q, --qos LEVEL        0, 1 or 2 (request, responder: 1; others: 2)
      --lines            request: each line of standard input is a MESSAGE, sent
                         as it comes and one at a time, with -W for each
      --replies FILE     device, controller: lines CMD=word instead of the table
      --again S          device: log in again S seconds after the last words,
                         as a new device would; 0: end there (0)
      --state-dir DIR    device, controller, responder: keep what is open in DIR
                         and go on with it after a crash; a folder for each
      --sync             device, controller, responder: with --state-dir, on the
                         disk before it is sent, so that a power cut repeats
                         nothing at QoS 2
      --commands WHAT    device, controller: of a device the folder of programs
                         that answer commands, NAME [ARGUMENT...]; of a
                         controller, N or A-B, commands a session (7-15),
                         each of the table once at least, unless N is
                         smaller than the table; more for a longer --replies
      --delay S          controller: seconds before the first command (3)
      --seed N           controller: repeat the choice of commands and ids
      --sessions N       controller: exit after N sessions
      --roster FILE      controller: exit when each USER_ID in FILE, one a line
                         and a name after it, has passed once
      --page FILE        controller: show the class in FILE, a page of HTML that
                         loads itself anew
      --report FILE      controller: a line of JSON a session, - for stdout;
                         comma-separated values where FILE ends in .csv
      --prefix PREFIX    device, controller: put PREFIX/ before every topic, so
                         that several controllers share one broker
      --verdict          device, controller: the controller publishes what it
                         makes of a session on USER_ID/verdict; the device
                         shows that, and exits with 76 where it has failed
      --share GROUP      controller, responder: share logins or requests with
                         the others of GROUP, on this machine or elsewhere
      --presence TOPIC   device, controller, responder: keep \"online\" or
                         \"offline\" retained there, the latter as last will,
                         and details on TOPIC/about; %c is the client id
      --presence-end offline|clear
                         device, controller, responder: leave \"offline\" after
                         the end, or nothing (offline)

Programs:
      --actions DIR      responder: the folder of programs that answer actions,
                         MESSAGE on standard input
      --program-time S   device, responder: seconds that a program may run (10)
      --program-output N
                         device, responder: bytes of its output that are
                         answered, the rest is cut off (65536)
      --programs-at-once N
                         device, responder: how many may run at once (1)
      --at-most-once     device, responder: with --state-dir, a program that may
                         have run when a crash came does not run again
      --any-action       request: ACTION may be one of the responder's --actions

Output:
      --once             fleet: print the table once, and exit
      --json             fleet, doctor, judge: a line of JSON for each, and for
                         each change; an object of JSON a step; one a check
  -v, --verbose          say what happens; -vv: every packet
      --quiet            no warnings
      --help             this text
      --version          the version

Each option has an environment variable, MQTT_CLIENT_ and its long name
(MQTT_CLIENT_PASSWORD_FILE), yes or no for those without a value; the command
line wins. RUST_LOG works, too.

Exit codes: 0 done; 64 bad command line; 65 bad message; 69 no broker;
74 output lost; 75 no answer in time, or judge: a check not tried; 76 protocol
broken by the other end, a session failed, one of --roster has not passed, or
judge: a check is wrong; 77 login or subscription refused; 78 bad configuration;
130 request interrupted.

Examples:
  mqtt_client abcd01 uppercase 'Hello, world'
  mqtt_client -h pi.local -u alice --password-file ~/.mqtt -v device alice
";
