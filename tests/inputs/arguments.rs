//! Any command line in any environment: understood, or refused with one line that says why.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use fastrand::Rng;
use mqtt_client::cli::{
    ClientId, ConnectionConfig, Invocation, PasswordSource, Patient, Text, parse,
};
use mqtt_client::mqtt::MAX_BYTES;
use mqtt_client::role::Kind;
use mqtt_client::text_request::MAX_TEXT;

use crate::source::{bytes, choice, inputs, mutate, text};

/// What the help text names, whatever that is by now.
fn options() -> Vec<&'static str> {
    let words = mqtt_client::cli::HELP.split([' ', ',', '\n', '|', ';']);
    let mut options: Vec<_> = words.filter(|word| word.starts_with('-')).collect();
    options.sort_unstable();
    options.dedup();
    assert!(options.len() > 30, "{options:?}");
    options
}

const COMMANDS: [&str; 12] = [
    "net",
    "doctor",
    "judge",
    "device",
    "controller",
    "responder",
    "fleet",
    "demo",
    "request",
    "alice",
    "uppercase",
    "title-case",
];

/// Values that some option takes, and values at the edge of that. No file that exists and has no end.
const VALUES: [&str; 42] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "0.2",
    "1e9",
    "1e300",
    "NaN",
    "inf",
    "65535",
    "65536",
    "5-15",
    "15-5",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "100000",
    "pi.local",
    "[::1]",
    "::1",
    "/run/mosquitto.sock",
    "mqtt://pi",
    "mqtts://a:b@[::1]:1",
    "mqtt://%00@h",
    "mqtt://@",
    "://",
    "",
    "alice",
    "-",
    "--",
    "-h",
    "=",
    "a b",
    "a/b",
    "#",
    "%c/status",
    "clear",
    "/nonexistent/file",
    "/dev/null",
    "/",
    "äöü",
];

fn argument(random: &mut Rng, options: &[&'static str]) -> OsString {
    let mut argument = match random.u8(..16) {
        0..=5 => choice(random, options).as_bytes().to_vec(),
        6..=8 => choice(random, &COMMANDS).as_bytes().to_vec(),
        9..=12 => choice(random, &VALUES).as_bytes().to_vec(),
        13 => [choice(random, options), "=", choice(random, &VALUES)]
            .concat()
            .into(),
        14 => bytes(random, &VALUES),
        _ => text(random, &VALUES).into(),
    };
    if random.u8(..16) == 0 {
        mutate(random, &mut argument);
    }
    OsString::from_vec(argument)
}

/// A command that is right but for what is thrown in.
fn arguments(random: &mut Rng, options: &[&'static str]) -> Vec<OsString> {
    let right: [&[&str]; 7] = [
        &["net", "reverse", "text"],
        &["device", "alice"],
        &["controller"],
        &["responder"],
        &["fleet"],
        &["judge", "client"],
        &[],
    ];
    let right = choice(random, &right).iter();
    let mut arguments: Vec<_> = right.map(OsString::from).collect();
    for _ in 0..random.u8(..6) {
        let at = random.usize(..=arguments.len());
        arguments.insert(at, argument(random, options));
        if random.bool() {
            arguments.insert(at + 1, OsString::from(choice(random, &VALUES)));
        }
    }
    arguments
}

fn environment(random: &mut Rng, options: &[&'static str]) -> BTreeMap<String, OsString> {
    let mut environment = BTreeMap::new();
    while random.u8(..3) == 0 {
        let name = choice(random, options)
            .trim_start_matches('-')
            .replace('-', "_");
        let name = match random.u8(..8) {
            0 => "STATE_DIRECTORY".to_owned(),
            1 => "CREDENTIALS_DIRECTORY".to_owned(),
            _ => format!("MQTT_CLIENT_{}", name.to_uppercase()),
        };
        let mut value = choice(random, &VALUES).as_bytes().to_vec();
        if random.u8(..16) == 0 {
            mutate(random, &mut value);
        }
        environment.insert(name, OsString::from_vec(value));
    }
    environment
}

/// What the link and rumqttc take for granted: it would panic, or speak no MQTT.
fn assert_usable(options: &ConnectionConfig) {
    let ConnectionConfig {
        broker,
        client_id: ClientId::Is(client_id) | ClientId::WithMachine(client_id),
        keep_alive,
        reconnect_delay,
        login,
        presence,
        ..
    } = options;
    if let Some(topic) = presence.as_ref().and_then(|p| p.topic(client_id).ok()) {
        assert!(!topic.as_str().contains(['+', '#', '\0']), "{options:?}");
    }
    assert!(
        !broker.host.is_empty() && !broker.host.contains(char::is_whitespace),
        "{options:?}"
    );
    assert!(broker.port > 0, "{options:?}");
    assert!(
        !client_id.is_empty() && client_id.len() <= MAX_BYTES,
        "{options:?}"
    );
    assert!(!client_id.contains(char::is_control), "{options:?}");
    assert_eq!(keep_alive.subsec_nanos(), 0, "{options:?}");
    assert!(keep_alive.as_secs() <= u16::MAX.into(), "{options:?}");
    assert!(*reconnect_delay >= Duration::from_millis(10), "{options:?}");
    assert!(login.username.as_ref().is_none_or(|name| !name.is_empty()));
}

#[test]
fn any_command_line_is_understood_or_refused() {
    let all = options();
    let mut understood = BTreeMap::new();
    inputs("command lines", |random| {
        let arguments = arguments(random, &all);
        let environment = environment(random, &all);
        let parse = |arguments: &[OsString]| {
            let lookup = |name: &str| environment.get(name).cloned();
            parse(arguments.iter().cloned(), &lookup)
        };
        let (name, options) = match parse(&arguments) {
            Err(failure) => {
                assert!(!failure.text.is_empty());
                let kinds = [Kind::Usage, Kind::Input, Kind::Config];
                assert!(kinds.contains(&failure.kind), "{arguments:?}: {failure:?}");
                ("refused", None)
            }
            Ok((_, Invocation::Help)) => ("help", None),
            Ok((_, Invocation::Version)) => ("version", None),
            Ok((_, Invocation::Demo)) => ("demo", None),
            Ok((
                _,
                Invocation::Request {
                    connection: options,
                    message,
                    ..
                },
            )) => {
                if let Text::Typed(text) = message {
                    assert!(text.len() <= MAX_TEXT);
                }
                ("request", Some(options))
            }
            Ok((
                _,
                Invocation::Device {
                    connection: options,
                    ..
                },
            )) => ("device", Some(options)),
            Ok((
                _,
                Invocation::Controller {
                    connection: options,
                    plan,
                    ..
                },
            )) => {
                assert!(
                    plan.commands
                        .as_ref()
                        .is_none_or(|range| range.start() <= range.end()),
                    "{plan:?}"
                );
                assert!(plan.replies.commands().len() > 0);
                ("controller", Some(options))
            }
            Ok((
                _,
                Invocation::Responder {
                    connection: options,
                    ..
                },
            )) => ("responder", Some(options)),
            Ok((
                _,
                Invocation::Fleet {
                    connection: options,
                    ..
                },
            )) => ("fleet", Some(options)),
            Ok((_, Invocation::Judge(config))) => {
                assert!(!config.client.is_empty() && !config.time.is_zero());
                ("judge", None)
            }
            Ok((_, Invocation::Doctor { patient, .. })) => match patient {
                Patient::Unit(_) => ("doctor", None),
                Patient::Run { run, .. } => ("doctor", run.connection().cloned()),
            },
        };
        *understood.entry(name).or_insert(0) += 1;
        if let Some(options) = &options {
            assert_usable(options);
        }
        // After -- nothing is an option, and nothing after it changes nothing.
        if !arguments.iter().any(|argument| argument == "--") {
            let with = parse(&[&arguments[..], &["--".into()]].concat());
            assert_eq!(with.is_ok(), name != "refused", "{arguments:?}: {with:?}");
        }
    });
    eprintln!("{understood:?}");
    for name in [
        "refused",
        "help",
        "request",
        "device",
        "controller",
        "responder",
        "fleet",
        "judge",
    ] {
        assert!(understood.contains_key(name), "{understood:?}");
    }
}

fn refusal(arguments: &[&str]) -> Option<String> {
    let arguments = arguments.iter().map(OsString::from);
    parse(arguments, &|_| None)
        .err()
        .map(|failure| failure.text)
}

/// 256 times `-v` is verbose.
#[test]
fn a_flag_may_stand_there_very_often() {
    for (flag, times) in [("-v", 256), ("-vv", 128), ("--help", 256), ("--quiet", 256)] {
        let mut arguments = vec![flag; times];
        arguments.push("responder");
        assert_eq!(refusal(&arguments), None, "{flag}");
    }
}

/// What is longer than a string of MQTT's would make a CONNECT that says something else.
#[test]
fn user_name_and_password_fit_into_a_connect() {
    let long = "x".repeat(MAX_BYTES + 1);
    let url = format!("mqtt://{long}@h");
    for arguments in [
        &["-u", &long, "responder"][..],
        &["-u", "alice", "-P", &long, "responder"],
        &["-L", &url, "responder"],
    ] {
        assert!(refusal(arguments).is_some());
    }
}

/// It goes to a terminal, or into a journal.
#[test]
fn a_refusal_is_one_line_that_a_terminal_can_show() {
    for arguments in [
        &["net", "\x1b[2J", "x"][..],
        &["--bo\ngus", "net", "reverse", "x"],
        &["-p", "1\n2", "responder"],
        &["controller", "\u{7}"],
        &["net\u{9b}/", "reverse", "x"],
        &["device", "alice", "--replies", "/nonexistent/\n"],
        &["-u", "a\nb", "responder"],
    ] {
        let refusal = refusal(arguments).unwrap();
        assert!(!refusal.contains(char::is_control), "{refusal:?}");
    }
}

/// A terminal shows it to all who stand behind the chair, and a script's log to more.
#[test]
fn a_refusal_does_not_repeat_a_mistyped_secret() {
    for (arguments, says) in [
        (&["-Ps3cret", "responder"][..], "put a blank after -P"),
        (
            &["-u", "a", "-pws3cret", "responder"],
            "put a blank after -p",
        ),
        (
            &["-Lmqtt://a:s3cret@h", "responder"],
            "put a blank after -L",
        ),
        (&["-xs3cret", "responder"], "unknown option -x"),
        (&["-ßs3cret", "responder"], "unknown option -ß"),
        (
            &["--passwd=s3cret", "responder"],
            "unknown option --passwd, did you mean --password?",
        ),
        (
            &["--passwd", "s3cret", "responder"],
            "unknown option --passwd, did you mean --password?",
        ),
        (
            &["--Password=s3cret", "responder"],
            "unknown option --Password, did you mean --password?",
        ),
        (&["-h", "mqtt://a:s3cret@h", "responder"], "--url"),
        (&["mqtt://a:s3cret@h", "device", "alice"], "--url"),
        (&["device", "mqtt://a:s3cret@h"], "--url"),
        (&["-i", "x\n", "-P", "s3cret", "responder"], "client id"),
    ] {
        let refusal = refusal(arguments).unwrap();
        assert!(!refusal.contains("s3cret"), "{arguments:?}: {refusal}");
        assert!(refusal.contains(says), "{arguments:?}: {refusal}");
    }
}

/// As some type it out of habit from other programs.
#[test]
fn a_short_option_takes_its_value_after_an_equals_sign_too() {
    let arguments = ["-u=alice", "-P=s3cret", "-h=pi", "-p=1884", "responder"];
    let parsed = parse(arguments.map(OsString::from), &|_| None);
    let Ok((_, Invocation::Responder { connection, .. })) = parsed else {
        panic!("{parsed:?}");
    };
    let login = connection.login;
    assert_eq!(login.username.as_deref(), Some("alice"));
    assert_eq!(login.password, PasswordSource::Typed("s3cret".to_owned()));
    let broker = connection.broker;
    assert_eq!((&*broker.host, broker.port), ("pi", 1884));
}
