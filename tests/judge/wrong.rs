//! Clients with mistakes: each mistake is told, and nothing besides.

use harness::needed::{PAHO, PYTHON, missing};
use harness::process::{Ended, run};

use crate::{alone, judge, named, no_networks, peer, table};

/// The checks that are wrong are these, each with these words.
#[track_caller]
fn assert_wrong(ended: &Ended, expected: &[(&str, &[&str])]) {
    let table = table(ended);
    let mut names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(named(&table, "WRONG"), names, "{}", ended.stdout);
    for (name, words) in expected {
        for word in *words {
            let text = &table[*name].text;
            assert!(text.contains(word), "{name}: no `{word}`: {text}");
        }
    }
    assert_eq!(ended.code, Some(76), "{ended:?}");
    // A client that was killed may have had too little time, and the judge says so.
    let is_late = ended.stdout.contains("it was killed") || ended.stdout.contains("no end within");
    assert_eq!(ended.stderr.contains("-W SECONDS"), is_late, "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), usize::from(is_late));
}

#[test]
fn a_client_that_publishes_first_and_never_says_goodbye() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    let ended = run(alone(&judge(&[], &peer("hasty.py"))));
    let usage: &[&str] = &[
        "exit code 0",
        "on standard output",
        "nothing on standard error",
    ];
    assert_wrong(
        &ended,
        &[
            ("no arguments", usage),
            ("unknown action", usage),
            ("--help", &["exit code 1", "nothing on standard output"]),
            ("Unicode", &["decode it"]),
            ("standard output", &["`b'HELLO'\\n` came", "decode it"]),
            ("-v", &["decode it"]),
            (
                "login refused",
                &["exit code 0", "nothing on standard error"],
            ),
            (
                "client id",
                &["`hasty-client`", "expected the NETID abcd01"],
            ),
            (
                "SUBSCRIBE topic",
                &["`abcd01/uppercase/#`", "expected abcd01/uppercase/response"],
            ),
            ("SUBSCRIBE QoS", &["QoS 0; expected QoS 1"]),
            ("order", &["PUBLISH came before SUBSCRIBE"]),
            (
                "PUBLISH topic",
                &[
                    "`abcd01/uppercase/Request`",
                    "expected abcd01/uppercase/request",
                ],
            ),
            ("PUBLISH QoS", &["QoS 0; expected QoS 1"]),
            ("not retained", &["was retained"]),
            ("DISCONNECT", &["ended without DISCONNECT"]),
        ],
    );
    assert_eq!(named(&table(&ended), "not tried"), ["PUBACK"]);
}

#[test]
fn a_client_that_says_too_much_and_never_gives_up() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    let ended = run(alone(&judge(&["-W", "10"], &peer("stubborn.py"))));
    let hangs: &[&str] = &["no end within 10 s", "nothing on standard error"];
    assert_wrong(
        &ended,
        &[
            ("spaces", &["`thequickbrownfox,again` was published"]),
            ("Unicode", &["was published; expected the MESSAGE `Grüße, "]),
            (
                "standard output",
                &["`Response: HELLO\\n` came", "nothing else"],
            ),
            ("-v", &["`Response: LOUD\\n` came"]),
            ("exit code", &["exit code 1", "after the response had come"]),
            (
                "ends",
                &["where no broker listens", "where the broker refuses"],
            ),
            ("no broker", hangs),
            ("login refused", hangs),
            ("client id", &["is empty"]),
            ("SUBSCRIBE QoS", &["QoS 2; expected QoS 1"]),
            ("PUBLISH QoS", &["QoS 2; expected QoS 1"]),
            ("PUBACK", &["DISCONNECT followed without PUBACK"]),
        ],
    );
}

#[test]
fn a_client_with_another_encoding_and_another_host() {
    if missing(&[PYTHON, PAHO]) || no_networks() {
        return;
    }
    let ended = run(alone(&judge(&[], &peer("latin.py"))));
    let silent: &[&str] = &["nothing on standard error"];
    assert_wrong(
        &ended,
        &[
            ("no arguments", silent),
            ("unknown action", silent),
            ("--host and -p", &["127.0.0.2"]),
            ("Unicode", &["was published, which is not UTF-8"]),
            ("standard output", &["`HELLO` came without a line feed"]),
            ("-v", &["`connected\\nLOUD` came"]),
            (
                "no broker",
                &["exit code 0", "`no broker: ", "on standard output"],
            ),
            ("SUBSCRIBE topic", &["it subscribed to `#`"]),
            ("packets", &["UNSUBSCRIBE has the flags 0000"]),
        ],
    );
    let table = table(&ended);
    assert_eq!(table["DISCONNECT"].text, "see packets");
}

/// One sentence, and not one for each check.
#[test]
fn a_client_that_speaks_another_version() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    let ended = run(alone(&judge(&[], &peer("five.py"))));
    let words: &[&str] = &["it speaks MQTT 5; the course asks for 3.1.1"];
    assert_wrong(&ended, &[("MQTT 3.1.1", words)]);
}
