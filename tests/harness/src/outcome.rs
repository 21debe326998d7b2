//! What every failure has in common, whatever went wrong.

use crate::mosquitto::Mosquitto;
use crate::process::{Ended, Process};

const POINTER: &str = "mqtt_client: try `mqtt_client --help`\n";

/// One line on standard error with all of `words`, for a wrong command line a second one that points to
/// the help, and not a byte on standard output.
#[track_caller]
pub fn assert_fails(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    let line = match code {
        64 => ended.stderr.strip_suffix(POINTER).unwrap_or_default(),
        _ => &ended.stderr,
    };
    assert!(line.starts_with("mqtt_client: "), "{ended:?}");
    assert_eq!(line.matches('\n').count(), 1, "{ended:?}");
    assert!(line.ends_with('\n'), "{ended:?}");
    assert_plain(&ended.stderr);
    for word in words {
        assert!(line.contains(word), "no `{word}`: {ended:?}");
    }
}

/// No panic, no colour and nothing else that a terminal would take for an order.
#[track_caller]
pub fn assert_plain(text: &str) {
    assert!(!text.contains("panicked"), "{text}");
    let odd = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(odd), "{text:?}");
}

/// The answer with a line feed, and not a word besides.
#[track_caller]
pub fn assert_answered(ended: &Ended, answer: &str) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{answer}\n"));
    assert_eq!(ended.stderr, "");
}

/// A responder of `command`, with `-v`, once the broker has granted its five subscriptions.
pub fn ready(command: std::process::Command) -> Process {
    let responder = Process::start(command);
    responder.wait_in_stderr("five subscriptions", |said| {
        (said.matches("subscribed to +/").count() == 5).then_some(())
    });
    responder
}

/// Our responder on this broker.
pub fn responder(broker: &Mosquitto) -> Process {
    ready(broker.client(["responder", "-v"]))
}
