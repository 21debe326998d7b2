//! `--lines`: each line is sent as it comes, and answered before the next one has to be there.

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PUB, missing};
use harness::outcome::{assert_fails, ready, responder};
use harness::process::{Ended, Process, in_shell, run};

const LINES: [&str; 3] = ["--lines", "net", "uppercase"];

/// To its end, with this standard input, of which it need not read all.
fn run_on(broker: &Mosquitto, options: &[&str], input: &[u8]) -> Ended {
    let folder = harness::folder::Folder::new();
    let file = folder.path().join("input");
    std::fs::write(&file, input).unwrap();
    let client = broker.client(options.iter().copied().chain(LINES));
    let mut shell = in_shell("exec \"$@\" <\"$INPUT\"", &client);
    shell.env("INPUT", &file);
    run(shell)
}

#[test]
fn each_line_is_answered_before_the_next_is_written() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    for qos in ["0", "1", "2"] {
        let args = ["-q", qos, "-W", "40"].into_iter().chain(LINES);
        let mut request = Process::start(broker.client(args));
        for line in ["first", "second", "", "third\r"] {
            request.write(format!("{line}\n").as_bytes());
            request.wait_for_stdout(&line.trim_end().to_uppercase());
        }
        // The last one has no line feed.
        request.write(b"fourth");
        request.close_stdin();
        let ended = request.end();
        let expected = (Some(0), "FIRST\nSECOND\n\nTHIRD\nFOURTH\n");
        assert_eq!((ended.code, &*ended.stdout), expected, "{ended:?}");
        assert_eq!(ended.stderr, "");
    }
    let log = broker.log();
    let connections = log.matches(" as net (").count();
    assert_eq!(connections, 3, "a connection for each line: {log}");
    assert_eq!(log.matches("Received DISCONNECT from net\n").count(), 3);
}

#[test]
fn many_lines_are_answered_in_order_and_no_line_is_none() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let lines: Vec<_> = (0..300).map(|n| format!("LINE {n}\n")).collect();
    let ended = run_on(&broker, &[], lines.concat().to_lowercase().as_bytes());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    assert_eq!(ended.stdout, lines.concat());
    let ended = run_on(&broker, &[], b"");
    let nothing = (Some(0), "", "");
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), nothing);
}

#[test]
fn a_line_that_cannot_be_sent_is_named_when_the_others_are_answered() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let long = [&b"a\n"[..], &[b'x'; 300_000]].concat();
    for (input, why) in [(&b"a\n\xff\nb\n"[..], "not UTF-8"), (&long, "262144 bytes")] {
        let mut ended = run_on(&broker, &[], input);
        assert_eq!(ended.stdout, "A\n", "{ended:?}");
        ended.stdout.clear();
        assert_fails(&ended, 65, &["line 2 on standard input", why]);
    }
}

#[test]
fn a_line_without_an_answer_is_named() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let ended = run_on(&broker, &["-W", "1"], b"a\nb\n");
    assert_fails(&ended, 75, &["line 1: no answer", "net/uppercase/response"]);
    // The first is answered by a client that then goes.
    let args = ["-v", "-W", "1"].into_iter().chain(LINES);
    let mut request = Process::start(broker.client(args));
    request.write(b"a\n");
    request.wait_for_stderr("published on net/uppercase/request, confirmed");
    broker.publish("1", "net/uppercase/response", "A");
    request.wait_for_stdout("A");
    request.write(b"b\n");
    let ended = request.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(75), "A\n"), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("line 2: no answer"), "{ended:?}");
}

#[test]
fn nobody_is_hurried_to_write_a_line_and_ctrl_c_says_goodbye() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let args = ["-v", "-W", "1"].into_iter().chain(LINES);
    let mut request = Process::start(broker.client(args));
    request.wait_for_stderr("subscribed to net/uppercase/response");
    // More than -W: so long takes another one's time limit.
    let args = ["-W", "1.5", "-i", "other", "device", "nobody"];
    let device = run(broker.client(args));
    assert_eq!(device.code, Some(75), "{device:?}");
    request.write(b"late\n");
    request.wait_for_stdout("LATE");
    request.signal("INT");
    let ended = request.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(130), "LATE\n"));
    assert!(ended.stderr.ends_with("disconnected\n"), "{ended:?}");
}

#[test]
fn a_reader_that_has_gone_ends_it_though_more_lines_could_come() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let client = broker.client(LINES);
    // `yes` has no end of its own.
    let ended = run(in_shell("(yes | \"$@\"; echo $? >&2) | head -n 2", &client));
    assert_eq!((&*ended.stdout, &*ended.stderr), ("Y\nY\n", "0\n"));
}

#[test]
fn a_broker_that_restarts_between_two_lines_is_found_again() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = ready(broker.client(["responder", "-v"]));
    let args = ["-v", "--reconnect-delay", "0.05"].into_iter().chain(LINES);
    let mut request = Process::start(broker.client(args));
    request.write(b"first\n");
    request.wait_for_stdout("FIRST");
    // Takes the connection away, and gives it back.
    broker.session_present("net");
    request.wait_for_stderr("connected to");
    request.write(b"second\n");
    request.wait_for_stdout("SECOND");
    request.close_stdin();
    let ended = request.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "FIRST\nSECOND\n"));
    assert!(
        ended.stderr.contains("again, no session present"),
        "{ended:?}"
    );
}
