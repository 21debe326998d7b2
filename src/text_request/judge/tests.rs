//! What is made of a client that is right, and of each mistake by itself.

use std::time::Instant;

use super::packet::{acknowledgement, publish, suback};
use super::*;

/// A client as it is told what to do.
#[derive(Clone)]
struct Told {
    level: u8,
    client_id: &'static str,
    filter: &'static str,
    subscribe_qos: u8,
    topic: &'static str,
    publish_first: u8,
    payload: &'static [u8],
    is_early: bool,
    acknowledges: bool,
    disconnects: bool,
    door: Door,
    end: End,
    stdout: &'static [u8],
    stderr: &'static [u8],
}

/// What a right client does in [`RUN`].
const RIGHT: Told = Told {
    level: 4,
    client_id: "abcd01",
    filter: "abcd01/uppercase/response",
    subscribe_qos: 1,
    topic: "abcd01/uppercase/request",
    publish_first: 0x32,
    payload: b"Hello",
    is_early: false,
    acknowledges: true,
    disconnects: true,
    door: Door::Named,
    end: End::Exit(0),
    stdout: b"HELLO\n",
    stderr: b"",
};

const RUN: Run = RUNS[3];

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(body.len()).unwrap()], body].concat()
}

fn connect(level: u8, client_id: &str) -> Vec<u8> {
    let flags = [level, 2, 0, 60];
    framed(
        0x10,
        &[&text("MQTT")[..], &flags, &text(client_id)].concat(),
    )
}

/// Plays it against the broker, a packet at a time.
fn play(told: &Told) -> Connection {
    let now = Instant::now();
    let mut broker = Conversation::new(RUN, 1);
    let connack = broker.take(now, &connect(told.level, told.client_id));
    assert_eq!(connack[..2], [0x20, 2]);
    let subscribe = [&[0, 1][..], &text(told.filter), &[told.subscribe_qos]].concat();
    let subscribe = framed(0x82, &subscribe);
    let pkid: &[u8] = match told.publish_first & 6 {
        0 => &[],
        _ => &[0, 2],
    };
    let request = [&text(told.topic)[..], pkid, told.payload].concat();
    let request = framed(told.publish_first, &request);
    let both = match told.is_early {
        true => [request, subscribe],
        false => [subscribe, request],
    };
    let mut out = Vec::new();
    for packet in both {
        // As it may come over a network.
        for byte in packet {
            out.extend(broker.take(now, &[byte]));
        }
    }
    if told.acknowledges {
        broker.take(now, &acknowledgement(0x40, 1));
    }
    if told.disconnects {
        broker.take(now, &[0xe0, 0]);
    }
    let is_over = broker.is_over();
    Connection {
        door: told.door,
        seen: broker.into_seen(),
        closed: match is_over {
            true => Closed::ByBroker,
            false => Closed::ByClient,
        },
    }
}

fn record(told: &Told) -> Record {
    Record {
        run: RUN,
        connections: vec![play(told)],
        end: told.end,
        stdout: told.stdout.to_vec(),
        stderr: told.stderr.to_vec(),
    }
}

fn examined(record: &Record) -> Verdicts {
    let mut verdicts = Verdicts::default();
    verdicts.examine(record);
    verdicts.conclude();
    verdicts
}

/// What is said, each with the name of its check.
fn said(verdicts: &Verdicts) -> Vec<String> {
    let wrong = |check: &Check| verdicts.of(*check).state() == State::Wrong;
    let said = Check::ALL.into_iter().filter(wrong).flat_map(|check| {
        let sentences = verdicts.of(check).sentences();
        sentences
            .into_iter()
            .map(move |text| format!("{}: {text}", check.name()))
    });
    said.collect()
}

#[test]
fn a_right_client_is_right() {
    let verdicts = examined(&record(&RIGHT));
    assert_eq!(said(&verdicts), [""; 0]);
    for check in [
        Check::Uppercase,
        Check::HostAndPort,
        Check::Stdout,
        Check::ExitCode,
        Check::Ends,
        Check::Connect,
        Check::ClientId,
        Check::Subscribe,
        Check::SubscribeQos,
        Check::Order,
        Check::Publish,
        Check::PublishQos,
        Check::NotRetained,
        Check::PubAck,
        Check::Disconnect,
        Check::Packets,
    ] {
        assert_eq!(verdicts.of(check).state(), State::Ok, "{check:?}");
    }
    assert_eq!(verdicts.of(Check::Help).state(), State::NotTried);
}

#[test]
fn what_mqtt_allows_is_no_mistake() {
    let now = Instant::now();
    let mut broker = Conversation::new(RUN, 1);
    broker.take(now, &connect(4, "abcd01"));
    let topic = "abcd01/uppercase/response";
    let subscribe = framed(0x82, &[&[0, 1][..], &text(topic), &[1]].concat());
    let request = publish("abcd01/uppercase/request", 1, 2, b"Hello");
    // SUBSCRIBE and PUBLISH at once, and the request once more, as where no answer came; a PINGREQ, an UNSUBSCRIBE.
    broker.take(now, &[subscribe, request.clone()].concat());
    let mut again = request;
    again[0] |= 8;
    broker.take(now, &again);
    let pong = broker.take(now, &[0xc0, 0]);
    assert_eq!(pong, [0xd0, 0]);
    for pkid in [1, 2] {
        broker.take(now, &acknowledgement(0x40, pkid));
    }
    let gone = broker.take(now, &framed(0xa2, &[&[0, 3][..], &text(topic)].concat()));
    assert_eq!(gone, acknowledgement(0xb0, 3));
    broker.take(now, &[0xe0, 0]);
    let mut record = record(&RIGHT);
    record.connections[0].seen = broker.into_seen();
    record.stderr = b"DeprecationWarning: HELLO\n".to_vec();
    assert_eq!(said(&examined(&record)), [""; 0]);
}

#[test]
fn each_mistake_has_a_sentence_of_its_own() {
    let right = || RIGHT.clone();
    #[rustfmt::skip]
    let cases = [
        (Told { level: 5, ..right() }, "MQTT 3.1.1: it speaks MQTT 5; the course asks for 3.1.1"),
        (Told { level: 3, ..right() }, "MQTT 3.1.1: it speaks MQTT 3.1;"),
        (Told { level: 6, ..right() }, "MQTT 3.1.1: its CONNECT has the protocol level 6"),
        (Told { client_id: "x", ..right() }, "client id: the client id is `x`; expected the NETID abcd01"),
        (Told { client_id: "", ..right() }, "client id: the client id is empty"),
        (Told { filter: "#", ..right() }, "SUBSCRIBE topic: it subscribed to `#`; expected abcd01/uppercase/response"),
        (Told { filter: "abcd01/uppercase/answer", ..right() }, "SUBSCRIBE topic: it subscribed to `abcd01/uppercase/answer`"),
        (Told { subscribe_qos: 2, ..right() }, "SUBSCRIBE QoS: SUBSCRIBE asked for QoS 2; expected QoS 1"),
        (Told { subscribe_qos: 0, acknowledges: false, ..right() }, "SUBSCRIBE QoS: SUBSCRIBE asked for QoS 0"),
        (Told { topic: "abcd01/uppercase/Request", ..right() }, "PUBLISH topic: it published on `abcd01/uppercase/Request`; expected abcd01/uppercase/request"),
        (Told { topic: "uppercase", ..right() }, "PUBLISH topic: it published on `uppercase`"),
        (Told { publish_first: 0x30, acknowledges: false, ..right() }, "PUBLISH QoS: PUBLISH had QoS 0; expected QoS 1"),
        (Told { publish_first: 0x34, ..right() }, "PUBLISH QoS: PUBLISH had QoS 2"),
        (Told { publish_first: 0x33, ..right() }, "not retained: the request was retained"),
        (Told { is_early: true, ..right() }, "order: PUBLISH came before SUBSCRIBE"),
        (Told { acknowledges: false, ..right() }, "PUBACK: the response came with QoS 1, and DISCONNECT followed without PUBACK"),
        (Told { disconnects: false, ..right() }, "DISCONNECT: the connection ended without DISCONNECT"),
        (Told { door: Door::Localhost, ..right() }, "--host and -p: it connected to localhost, and --host named another address"),
        (Told { door: Door::DefaultPort, ..right() }, "--host and -p: it connected to localhost:1883"),
        (Told { end: End::Exit(1), ..right() }, "exit code: exit code 1 and nothing on standard error came after the response"),
        (Told { end: End::Signal(11), ..right() }, "exit code: its end by signal 11"),
        (Told { end: End::Late(Duration::from_secs(15)), ..right() }, "ends: for uppercase of `Hello` it had the response and did not end within 15 s"),
        (Told { stdout: b"HELLO", ..right() }, "standard output: `HELLO` came without a line feed"),
        (Told { stdout: b"Response: HELLO\n", ..right() }, "standard output: `Response: HELLO\\n` came; expected `HELLO` and a line feed, and nothing else"),
        (Told { stdout: b"HELLO\r\n", ..right() }, "standard output: `HELLO\\r\\n` came"),
        (Told { stdout: b"b'HELLO'\n", ..right() }, "standard output: `b'HELLO'\\n` came; expected `HELLO`: the payload is bytes"),
        (Told { stdout: b"hello\n", ..right() }, "uppercase: `hello\\n` came; expected the response `HELLO`"),
        (Told { stdout: b"\xff\n", ..right() }, "uppercase: what came is not UTF-8"),
        (Told { stdout: b"", ..right() }, "uppercase: nothing came on standard output; expected the response `HELLO`"),
    ];
    for (told, expected) in cases {
        let said = said(&examined(&record(&told)));
        assert_eq!(said.len(), 1, "{expected}: {said:#?}");
        assert!(said[0].starts_with(expected), "{expected}: {said:#?}");
    }
}

#[test]
fn several_mistakes_are_all_told() {
    let told = Told {
        payload: b"Hell",
        stdout: b"",
        stderr: b"HELL\n",
        acknowledges: false,
        disconnects: false,
        ..RIGHT
    };
    let said = said(&examined(&record(&told)));
    let expected = [
        "uppercase: `Hell` was published; expected the MESSAGE `Hello`",
        "uppercase: nothing came on standard output",
        "standard error: the response `HELL` came on standard error",
        "PUBACK: the response came with QoS 1 and was not acknowledged",
        "DISCONNECT: the connection ended without DISCONNECT",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_mistake_of_every_run_is_told_once() {
    let mut verdicts = Verdicts::default();
    for stdout in [&b"HELLO"[..], b"HELLO", b"HELLO!\n"] {
        verdicts.examine(&record(&Told { stdout, ..RIGHT }));
    }
    assert_eq!(
        verdicts.of(Check::Stdout).sentences(),
        [
            "`HELLO` came without a line feed at its end (and 1 more of this kind)",
            "`HELLO!\\n` came; expected `HELLO` and a line feed, and nothing else",
        ]
    );
}

#[test]
fn a_refused_command_line_or_broker_ends_in_an_error() {
    let no_arguments = Record {
        run: RUNS[0],
        connections: Vec::new(),
        end: End::Exit(2),
        stdout: Vec::new(),
        stderr: b"usage\n".to_vec(),
    };
    assert_eq!(said(&examined(&no_arguments)), [""; 0]);
    for (end, stdout, stderr, expected) in [
        (End::Exit(0), "", "usage", "exit code 0; expected another"),
        (End::Exit(1), "usage", "usage", "`usage` on standard output"),
        (End::Exit(1), "", " \n", "nothing on standard error"),
        (End::Signal(6), "", "usage", "its end by signal 6"),
    ] {
        let record = Record {
            end,
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..no_arguments.clone()
        };
        let said = said(&examined(&record));
        assert_eq!(said.len(), 1, "{said:#?}");
        let expected = format!("no arguments: {expected}");
        assert!(said[0].starts_with(&expected), "{said:#?}");
    }
}

#[test]
fn who_never_connects_is_not_praised_for_ending_without_a_broker() {
    let mut verdicts = Verdicts::default();
    for run in [RUNS[3], RUNS[14]] {
        verdicts.examine(&Record {
            run,
            connections: Vec::new(),
            end: End::Exit(2),
            stdout: Vec::new(),
            stderr: b"can't open file 'client.py'\n".to_vec(),
        });
    }
    verdicts.conclude();
    assert_eq!(verdicts.of(Check::NoBroker).state(), State::NotTried);
    let why =
        "it did not connect; exit code 2 and `can't open file 'client.py'` on standard error came";
    assert_eq!(verdicts.of(Check::Uppercase).sentences(), [why]);
}

/// That it connects nowhere is no mistake of the place.
#[test]
fn who_refuses_an_option_or_a_message_is_told_that_alone() {
    for (run, check) in [(RUNS[10], "empty message"), (RUNS[11], "-v")] {
        let mut verdicts = Verdicts::default();
        verdicts.examine(&record(&RIGHT));
        verdicts.examine(&Record {
            run,
            connections: Vec::new(),
            end: End::Exit(2),
            stdout: Vec::new(),
            stderr: b"usage\n".to_vec(),
        });
        let said = said(&verdicts);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].starts_with(&format!(
            "{check}: it did not connect; exit code 2 and `usage`"
        )));
    }
}

#[test]
fn what_is_no_mqtt_is_said_and_ends_the_connection() {
    let now = Instant::now();
    for (bytes, expected) in [
        (&b"\x30\x03\x00\x01a"[..], "the first packet"),
        (b"\x00\x00", "the byte 0x00"),
        (b"\x80\x06\x00\x01\x00\x01a\x01", "SUBSCRIBE has the flags"),
    ] {
        let mut broker = Conversation::new(RUN, 1);
        broker.take(now, bytes);
        assert!(broker.is_over());
        let Some(Seen::Broken(why)) = broker.into_seen().pop() else {
            panic!("{bytes:?}");
        };
        assert!(why.starts_with(expected), "{why}");
    }
    let mut broker = Conversation::new(RUN, 1);
    for _ in 0..2 {
        broker.take(now, &connect(4, "x"));
    }
    assert!(broker.is_over());
    // One that sends on and on is cut off.
    let mut broker = Conversation::new(RUN, 1);
    broker.take(now, &connect(4, "x"));
    broker.take(now, &[0xc0, 0].repeat(100_000));
    assert!(broker.is_over() && broker.into_seen().len() < 2000);
}

#[test]
fn a_broker_that_refuses_says_so_and_one_that_is_not_there_says_nothing() {
    let now = Instant::now();
    let mut refusing = Conversation::new(RUNS[15], 1);
    let out = refusing.take(now, &connect(4, "abcd01"));
    assert_eq!((out, refusing.is_over()), (vec![0x20, 2, 0, 5], true));
    let mut absent = Conversation::new(RUNS[14], 1);
    assert!(absent.take(now, &connect(4, "abcd01")).is_empty() && absent.is_over());
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let mut broker = Conversation::new(RUN, 1);
    broker.take(Instant::now(), &connect(4, "x"));
    let subscribe = framed(
        0x82,
        &[&[0, 9][..], &text("a#"), &[1], &text("a"), &[2]].concat(),
    );
    let out = broker.take(Instant::now(), &subscribe);
    assert_eq!(out, suback(9, &[0x80, 1]));
}

#[test]
fn the_runs_are_what_the_tests_take_them_for() {
    let purposes = [3, 14, 15].map(|at| RUNS[at].purpose);
    assert_eq!(
        purposes,
        [Purpose::Action, Purpose::NoBroker, Purpose::Refused]
    );
    let line = |at: usize| RUNS[at].arguments("h", 1).join(" ");
    assert_eq!(line(0), "");
    assert_eq!(line(1), "--help");
    assert_eq!(line(3), "--host h -p 1 abcd01 uppercase Hello");
    assert_eq!(line(11), "-v --host h -p 1 abcd01 uppercase loud");
    assert_eq!(line(13), "abcd01 uppercase default");
}
