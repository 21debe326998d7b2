//! Standard output: full, gone, or on its way to a file, and when the help goes there.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::outcome::{assert_plain, responder};
use harness::process::{Ended, NO_BROKER, Process, in_shell, mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

/// A device on which nothing can be written.
fn full() -> Stdio {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    full.into()
}

/// A pipe whose reader has gone.
fn gone() -> Stdio {
    let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let writer = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    writer.into()
}

/// To the end, with this standard output. The program's own time limit bounds it.
fn run_into(stdout: Stdio, mut command: Command) -> Ended {
    let output = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn assert_output_lost(ended: &Ended) {
    assert_eq!(ended.code, Some(74), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("standard output"), "{ended:?}");
    assert_plain(&ended.stderr);
}

#[track_caller]
fn assert_content(ended: &Ended) {
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
}

#[test]
fn an_answer_that_cannot_be_written_is_an_output_lost() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    assert_output_lost(&run_into(full(), broker.client(REQUEST)));
    assert_output_lost(&run_into(full(), mqtt_client(["--help"])));
    assert_output_lost(&run_into(full(), mqtt_client(["--version"])));
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    assert_content(&run_into(gone(), broker.client(REQUEST)));
    assert_content(&run_into(gone(), mqtt_client(["--help"])));
}

#[test]
fn a_session_whose_last_words_and_report_cannot_be_written_takes_place() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let args = ["-v", "controller", "--sessions", "1", "--report", "-"];
    let controller = broker.client(args);
    let controller = Process::start(in_shell("exec \"$@\" >/dev/full", &controller));
    controller.wait_for_stderr("waiting for logins");
    let device = run_into(full(), broker.client(["device", "alice"]));
    assert_output_lost(&device);
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    let lost = controller.stderr.matches("warning: the report on session ");
    assert_eq!(lost.count(), 1, "{controller:?}");
    assert_plain(&controller.stderr);
}

#[test]
fn help_is_a_result_and_a_lone_h_is_a_cry_for_it() {
    let help = run(mqtt_client(["--help"]));
    assert_content(&help);
    for words in ["Usage: mqtt_client ", "Exit codes: ", "--cafile", "--url"] {
        assert!(help.stdout.contains(words), "{words}");
    }
    for args in [
        ["-h"].as_slice(),
        &["device", "-h"],
        &["device", "alice", "-h"],
        &["-p", "1", "net", "reverse", "abc", "-h"],
    ] {
        let ended = run(mqtt_client(args.iter().copied()));
        assert_content(&ended);
        assert_eq!(ended.stdout, help.stdout, "{args:?}");
    }
    // With a host it is none.
    let args = NO_BROKER.into_iter().chain(REQUEST);
    let ended = Process::start(mqtt_client(args)).end();
    assert_eq!((ended.code, &*ended.stdout), (Some(69), ""), "{ended:?}");
}
