//! What a person at a terminal is asked, and sees.

use std::process::Command;

use crate::url::{PASSWORD, USER, locked_broker, responder};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, PYTHON, missing};
use harness::process::{Ended, NO_BROKER, mqtt_client, run, through};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program/terminal.py");

/// The same command on a terminal, where a person types `typed` when asked.
fn at_terminal(command: &Command, typed: &str) -> Ended {
    at_terminal_until(command, typed, "")
}

/// The same, and then it is sent this signal.
fn at_terminal_until(command: &Command, typed: &str, signal: &str) -> Ended {
    let mut terminal = Command::new(PYTHON.path());
    terminal
        .arg(SCRIPT)
        .env("TYPED", typed)
        .env("SENT", signal)
        .env("TERM", "xterm-256color");
    run(through(terminal, command))
}

/// A request of [`USER`], who types `typed` when asked for the password.
fn asked(broker: &Mosquitto, typed: &str) -> Ended {
    at_terminal(&broker.client(["-u", USER, "net", "reverse", "abc"]), typed)
}

const PROMPT: &str = "password of al@ice";

#[test]
fn a_user_without_a_password_is_asked_and_nobody_can_read_along() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, PYTHON]) {
        return;
    }
    let broker = locked_broker();
    let _responder = responder(&broker);
    let ended = asked(&broker, &format!("{PASSWORD}\n"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(PROMPT), "{ended:?}");
    assert!(ended.stdout.ends_with("\r\ncba\r\n"), "{ended:?}");
    assert!(!ended.stdout.contains(PASSWORD), "{ended:?}");
    assert!(!ended.stdout.contains("echo"), "{ended:?}");
    for typed in ["guess\n", "\n"] {
        let ended = asked(&broker, typed);
        assert_eq!(ended.code, Some(77), "{ended:?}");
        assert!(ended.stdout.contains("refused the login"), "{ended:?}");
        assert!(!ended.stdout.contains("guess"), "{ended:?}");
    }
}

/// Ctrl-C in the middle of a password.
fn interrupted() -> Ended {
    let ended = asked(&locked_broker(), "half\u{3}");
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stdout.contains(PROMPT), "{ended:?}");
    ended
}

#[test]
fn ctrl_c_at_the_prompt_ends_it() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, PYTHON]) {
        return;
    }
    let ended = interrupted();
    for wrong in ["half", "did not end", "echo", "left over", "panicked"] {
        assert!(!ended.stdout.contains(wrong), "{ended:?}");
    }
}

#[test]
fn ctrl_c_at_the_prompt_leaves_the_terminal_as_it_was() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, PYTHON]) {
        return;
    }
    let ended = interrupted();
    assert!(!ended.stdout.contains("echo is still off"), "{ended:?}");
}

#[test]
fn a_signal_at_the_prompt_ends_it_and_leaves_the_terminal_as_it_was() {
    if missing(&[PYTHON]) {
        return;
    }
    let client = |role: &[&'static str]| {
        let user = NO_BROKER.into_iter().chain(["-u", USER]);
        mqtt_client(user.chain(role.iter().copied()))
    };
    for signal in ["SIGTERM", "SIGINT", "SIGHUP"] {
        for (role, code) in [(&["net", "reverse", "abc"][..], 130), (&["responder"], 0)] {
            let ended = at_terminal_until(&client(role), "", signal);
            assert_eq!(ended.code, Some(code), "{signal}: {ended:?}");
            assert!(ended.stdout.contains(PROMPT), "{signal}: {ended:?}");
            for wrong in ["did not end", "echo", "panicked"] {
                assert!(!ended.stdout.contains(wrong), "{signal}: {ended:?}");
            }
        }
    }
}

#[test]
fn a_password_that_is_given_is_not_asked_for() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, PYTHON]) {
        return;
    }
    let broker = locked_broker();
    let _responder = responder(&broker);
    let command = broker.client(["-u", USER, "-P", PASSWORD, "net", "reverse", "abc"]);
    let ended = at_terminal(&command, "");
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "cba\r\n"));
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = locked_broker();
    let ended = run(broker.client(["-u", USER, "net", "reverse", "abc"]));
    harness::outcome::assert_fails(&ended, 77, &[USER, "password"]);
}

#[test]
fn not_even_a_terminal_gets_colours() {
    if missing(&[MOSQUITTO, PYTHON]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = harness::outcome::responder(&broker);
    let request = ["net", "reverse", "abc"];
    let talkative = broker.client(["-vv"].into_iter().chain(request));
    let said = at_terminal(&talkative, "");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("ConnAck"), "{said:?}");
    let help = at_terminal(&mqtt_client(["--help"]), "");
    assert_eq!(help.code, Some(0), "{help:?}");
    let wrong = at_terminal(&mqtt_client(["--bogus"]), "");
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    for ended in [said, help, wrong] {
        assert!(!ended.stdout.is_empty());
        let odd = |c: char| c.is_control() && c != '\n' && c != '\r';
        assert!(!ended.stdout.contains(odd), "{:?}", ended.stdout);
    }
}

/// A pipe gets the answer byte for byte; a terminal would do what it says.
#[test]
fn a_terminal_is_shown_the_control_characters_of_an_answer() {
    if missing(&[MOSQUITTO, PYTHON]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = harness::outcome::responder(&broker);
    let command = || broker.client(["net", "uppercase", "a\u{1b}[2j\tß"]);
    let ended = run(command());
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "A\u{1b}[2J\tSS\n"));
    let ended = at_terminal(&command(), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("A\\u{1b}[2J"), "{ended:?}");
    assert!(!ended.stdout.contains('\u{1b}'), "{ended:?}");
}
