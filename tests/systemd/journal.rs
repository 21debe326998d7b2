//! Lines for the journal (sd-daemon(3)): a priority, and nothing that the journal adds itself.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::notify::without_broker;
use harness::folder::Folder;
use harness::process::{in_shell, run};

/// What a command writes to its standard error, which is a file.
fn lines(folder: &Folder, command: &Command, stream: Option<String>) -> Vec<String> {
    let log = folder.path().join("log");
    // Not truncated by the shell, so that the inode is the one in JOURNAL_STREAM.
    let mut shell = in_shell("exec \"$@\" 2>>\"$LOG\"", command);
    shell.env("LOG", &log);
    match stream {
        Some(stream) => shell.env("JOURNAL_STREAM", stream),
        None => shell.env_remove("JOURNAL_STREAM"),
    };
    let ended = run(shell);
    assert_eq!(ended.stderr, "");
    let lines = fs::read_to_string(&log).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// The name of a file as JOURNAL_STREAM has it.
fn stream_of(log: &Path) -> String {
    let metadata = File::create(log).unwrap().metadata().unwrap();
    format!("{}:{}", metadata.dev(), metadata.ino())
}

/// A device that says something at every priority: packets, troubles, more troubles, its end.
fn talkative(seconds: &str) -> Command {
    let patience = ["-W", seconds, "--reconnect-delay", "0.05"];
    without_broker(["-vv", "device", "alice"].into_iter().chain(patience))
}

#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let folder = Folder::new();
    let stream = stream_of(&folder.path().join("log"));
    let lines = lines(&folder, &talkative("5"), Some(stream));
    for (priority, text) in [
        ("<7>", "connecting to 127.0.0.1:1"),
        ("<4>", "broker at 127.0.0.1:1 "),
        ("<6>", "broker at 127.0.0.1:1 "),
        ("<3>", "broker at 127.0.0.1:1 "),
    ] {
        let begin = format!("{priority}{text}");
        assert!(
            lines.iter().any(|line| line.starts_with(&begin)),
            "{begin}: {lines:?}"
        );
    }
    for line in &lines {
        let text = line.strip_prefix('<').and_then(|rest| {
            let (priority, text) = rest.split_once('>')?;
            ["3", "4", "6", "7"].contains(&priority).then_some(text)
        });
        // Neither a time nor the program's name nor another prefix of its own.
        let bare = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && !text.starts_with("mqtt_client")
                && !text.contains('\u{1b}')
        };
        assert!(text.is_some_and(bare), "{line}");
    }
}

#[test]
fn a_refused_command_line_is_an_error_to_the_journal() {
    let folder = Folder::new();
    let stream = stream_of(&folder.path().join("log"));
    let lines = lines(&folder, &without_broker(["device", ""]), Some(stream));
    assert!(!lines.is_empty());
    for line in &lines {
        assert!(line.starts_with("<3>"), "{lines:?}");
    }
}

#[test]
fn lines_for_anybody_else_begin_with_the_name() {
    let folder = Folder::new();
    // The second: the journal listens, but not to this standard error.
    for stream in [None, Some("1:1".to_owned()), Some("nonsense".to_owned())] {
        let lines = lines(&folder, &talkative("1"), stream);
        assert!(lines.len() > 1, "{lines:?}");
        for line in &lines {
            assert!(line.starts_with("mqtt_client: "), "{line}");
        }
    }
}
