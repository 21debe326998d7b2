//! Text requests, against responders and requesters by other hands and by ours.

use crate::peer;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_RR, PAHO, missing};
use harness::outcome::responder;
use harness::process::{Ended, Process, mqtt_client, run};

/// The answer on standard output with a line feed, and not a word besides.
fn assert_answered(ended: &Ended, answer: &str) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{answer}\n"));
    assert_eq!(ended.stderr, "");
}

fn sorted(text: &str) -> Vec<char> {
    let mut all: Vec<char> = text.chars().collect();
    all.sort_unstable();
    all
}

#[test]
fn a_python_responder_answers_all_five_actions() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    for (action, text, answer) in [
        ("uppercase", "Hello, world", "HELLO, WORLD"),
        ("lowercase", "Hello, World", "hello, world"),
        ("title-case", "hello world", "Hello World"),
        ("reverse", "Hello, world", "dlrow ,olleH"),
    ] {
        let ended = run(broker.client(["abcd01", action, text]));
        assert_answered(&ended, answer);
    }
    let text = "the quick brown fox jumps over the lazy dog";
    let shuffled = run(broker.client(["abcd01", "shuffle", text]));
    let answer = shuffled.stdout.trim_end_matches('\n');
    assert_answered(&shuffled, answer);
    assert_eq!(sorted(answer), sorted(text));
    assert_ne!(answer, text);
}

#[test]
fn host_and_port_may_stand_anywhere() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    let port = &broker.port();
    let host = "127.0.0.1";
    for args in [
        ["-h", host, "-p", port, "net", "reverse", "abc"].as_slice(),
        &["net", "reverse", "abc", "--host", host, "--port", port],
        &["--host", host, "net", "reverse", "-p", port, "abc"],
        &["net", "--port", port, "reverse", "abc", "-h", host],
        &["-p", port, "request", "net", "reverse", "abc"],
    ] {
        assert_answered(&run(mqtt_client(args.iter().copied())), "cba");
    }
}

#[test]
fn after_two_dashes_nothing_is_an_option() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    for (args, answer) in [
        (["--", "NETID", "reverse", "-v"], "v-"),
        (["NETID", "reverse", "--", "--host=x"], "x=tsoh--"),
        (["NETID", "uppercase", "--", "--"], "--"),
    ] {
        assert_answered(&run(broker.client(args)), answer);
    }
}

#[test]
fn the_message_may_come_from_standard_input() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    for (input, answer) in [
        ("from a pipe\n", "FROM A PIPE"),
        ("without a line feed", "WITHOUT A LINE FEED"),
        ("two\nlines\n", "TWO\nLINES"),
        ("\n", ""),
    ] {
        let mut request = Process::start(broker.client(["net", "uppercase", "-"]));
        request.write(input.as_bytes());
        request.close_stdin();
        assert_answered(&request.end(), answer);
    }
}

#[test]
fn text_beyond_ascii_arrives_as_it_was_sent() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    for (action, text, answer) in [
        ("uppercase", "grüße, ÿ, δεξιά", "GRÜSSE, Ÿ, ΔΕΞΙΆ"),
        ("lowercase", "ÀÉÎ ЖУК", "àéî жук"),
        ("reverse", "日本語 🦀", "🦀 語本日"),
    ] {
        assert_answered(&run(broker.client(["nét-é1", action, text])), answer);
    }
}

#[test]
fn a_message_of_60000_bytes_is_answered_in_full() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    let text: String = ('a'..='z').cycle().take(60_000).collect();
    let ended = run(broker.client(["net", "uppercase", &text]));
    assert_answered(&ended, &text.to_uppercase());
}

#[test]
fn our_responder_answers_our_requester() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    for (action, text, answer) in [
        ("uppercase", "straße", "STRASSE"),
        ("lowercase", "ΟΔΟΣ", "οδος"),
        ("title-case", "hELLO  wORLD\tit's", "Hello  World\tIt's"),
        ("reverse", "e\u{301}a👩‍👩‍👧🇩🇪", "🇩🇪👩‍👩‍👧ae\u{301}"),
        ("shuffle", "aaaa", "aaaa"),
    ] {
        for qos in ["0", "1", "2"] {
            let ended = run(broker.client(["-q", qos, "net", action, text]));
            assert_answered(&ended, answer);
        }
    }
}

#[test]
fn our_responder_answers_mosquitto_rr() {
    if missing(&[MOSQUITTO, MOSQUITTO_RR]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    for qos in ["0", "1", "2"] {
        let topics = ["-t", "net/reverse/request", "-e", "net/reverse/response"];
        let rest = [
            "-m",
            "Hello, wörld",
            "-q",
            qos,
            "-V",
            "mqttv311",
            "-W",
            "30",
        ];
        let ended = run(broker.mosquitto_client(MOSQUITTO_RR, topics.into_iter().chain(rest)));
        assert_answered(&ended, "dlröw ,olleH");
    }
}
