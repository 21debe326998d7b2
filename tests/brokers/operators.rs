//! mosquitto as operators set it: limits, rights, other people's ideas of a client id. Each run ends well, or with the
//! line that names what to change.

use std::process::Command;

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::outcome::{assert_answered, responder};
use harness::process::{Ended, Process, run};

const LAST_WORDS: &str = "Well done my IoT!\n";

fn with(settings: &str) -> Mosquitto {
    Mosquitto::with(
        Folder::new(),
        &format!("allow_anonymous true\n{settings}\n"),
    )
}

/// A device and a controller, each with its own arguments, over this broker.
fn session(broker: &Mosquitto, device: &[&str], controller: &[&str]) -> (Ended, Ended) {
    let client = |usual: &[&str], args: &[&str], role: &[&str]| {
        broker.client(usual.iter().chain(args).chain(role).copied())
    };
    // The device waits longer: where both miss the same message, the controller is to say so.
    session_of(
        client(&["-v", "-W", "20"], device, &["device", "alice"]),
        client(
            &["-v", "-W", "15"],
            controller,
            &["--sessions", "1", "controller"],
        ),
    )
}

fn session_of(device: Command, controller: Command) -> (Ended, Ended) {
    let controller = Process::start(controller);
    controller.wait_in_stderr("a controller that waits, or has ended", |said| {
        (said.contains("waiting for logins") || said.contains("-q ")).then_some(())
    });
    let device = Process::start(device).end();
    if device.code != Some(0) {
        controller.signal("TERM");
    }
    (device, controller.end())
}

/// Both ends passed; or one of them ended with a line that has these words.
#[track_caller]
fn assert_passed_or_told((device, controller): (Ended, Ended), words: &[&str]) {
    let passed =
        device.code == Some(0) && device.stdout == LAST_WORDS && controller.code == Some(0);
    let told = |ended: &Ended| {
        let names = |line: &str| words.iter().any(|word| line.contains(word));
        ended.code != Some(0) && ended.stderr.lines().any(names)
    };
    assert!(
        passed || told(&device) || told(&controller),
        "device {:?}\n{}\ncontroller {:?}\n{}",
        device.code,
        device.stderr,
        controller.code,
        controller.stderr
    );
}

#[test]
fn one_message_in_flight_is_enough_for_a_session_or_the_limit_is_named() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_inflight_messages 1");
    for qos in ["1", "2"] {
        let ends = session(&broker, &["-q", qos], &["-q", qos, "--delay", "0.1"]);
        assert_passed_or_told(ends, &["max_inflight_messages"]);
    }
    let _responder = responder(&broker);
    let mut lines = Process::start(broker.client(["--lines", "net", "uppercase"]));
    lines.write("line\n".repeat(50).as_bytes());
    lines.close_stdin();
    let ended = lines.end();
    assert_eq!((ended.code, ended.stdout), (Some(0), "LINE\n".repeat(50)));
}

#[test]
fn ten_queued_messages_are_enough_for_a_session_or_the_limit_is_named() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_queued_messages 10");
    for commands in ["15", "60"] {
        let controller = ["--delay", "0.1", "--commands", commands];
        let ends = session(&broker, &[], &controller);
        assert_passed_or_told(ends, &["max_queued_messages"]);
    }
}

/// An answer that is longer than its request: the broker closes the connection at it, every time.
#[test]
fn an_answer_above_max_packet_size_silences_nobody_else_and_is_named() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_packet_size 500");
    let responder = responder(&broker);
    // Two bytes in lower case, six in upper case.
    let bad =
        Process::start(broker.client(["-W", "5", "bad", "uppercase", &"\u{390}".repeat(150)]));
    responder.wait_for_stderr("bad asked for uppercase");
    for number in 0..6 {
        let text = format!("abc{number}");
        let ended = run(broker.client(["-W", "20", "good", "uppercase", &text]));
        assert_answered(&ended, &text.to_uppercase());
    }
    assert_ne!(bad.end().code, Some(0));
    let said = responder.stderr();
    let names = |line: &str| line.contains("warning") && line.contains("bad/uppercase/response");
    assert!(said.lines().any(names), "{said}");
}

#[test]
fn a_request_above_max_packet_size_ends_with_its_topic_and_its_size() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_packet_size 500");
    let _responder = responder(&broker);
    let ended = run(broker.client(["-W", "20", "bad", "uppercase", &"x".repeat(600)]));
    assert_ne!(ended.code, Some(0), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    for word in ["bad/uppercase/request", "600"] {
        assert!(last.contains(word), "{ended:?}");
    }
}

#[test]
fn below_max_qos_2_a_session_passes_or_names_the_qos_to_use() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    for (most, words) in [("1", "use -q 1"), ("0", "use -q 0")] {
        let broker = with(&format!("max_qos {most}"));
        let ends = session(&broker, &[], &["--delay", "0.1"]);
        assert_passed_or_told(ends, &[words]);
        let ends = session(&broker, &["-q", most], &["-q", most, "--delay", "0.1"]);
        assert_passed_or_told(ends, &[]);
    }
}

#[test]
fn below_max_qos_1_a_request_is_answered_or_names_the_qos_to_use() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_qos 0");
    let _responder = responder(&broker);
    let ended = run(broker.client(["net", "reverse", "abc"]));
    let told = ended.code != Some(0) && ended.stderr.contains("use -q 0");
    assert!(told || ended.stdout == "cba\n", "{ended:?}");
}

#[test]
fn a_session_passes_although_the_broker_upgrades_the_qos() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("upgrade_outgoing_qos true");
    for (device, controller) in [("2", "0"), ("2", "1"), ("1", "0"), ("1", "2"), ("2", "2")] {
        let ends = session(
            &broker,
            &["-q", device],
            &["-q", controller, "--delay", "0.1"],
        );
        assert_passed_or_told(ends, &[]);
    }
}

/// mosquitto with this list of what its clients may do. Without a limit to its queue, mosquitto 2.0.11 closes the
/// connection at each message that it refuses.
fn with_rights(rights: &str) -> Mosquitto {
    let folder = Folder::new();
    let file = folder.path().join("rights");
    std::fs::write(&file, rights).unwrap();
    let settings = format!(
        "allow_anonymous true\nmax_queued_messages 1000\nacl_file {}\n",
        file.display()
    );
    Mosquitto::with(folder, &settings)
}

/// At QoS 1 the broker confirms what it drops, so that only the silence tells; at QoS 2 it closes the connection.
#[test]
fn where_it_may_not_publish_a_run_ends_in_time_and_names_the_topic() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with_rights("topic read #\n");
    for (role, topic) in [
        (&["-q", "1", "device", "alice"][..], "login"),
        (&["-q", "2", "device", "alice"], "login"),
        (&["net", "reverse", "abc"], "net/reverse/response"),
    ] {
        let ended = run(broker.client(["-W", "8"].iter().chain(role).copied()));
        assert!(matches!(ended.code, Some(69 | 75 | 77)), "{ended:?}");
        assert_eq!(ended.stdout, "");
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(topic), "{ended:?}");
    }
}

/// mosquitto 2.0.11 grants the subscription all the same, and delivers nothing; later ones refuse it.
#[test]
fn where_it_may_not_hear_a_run_ends_in_time_and_names_the_topic() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with_rights("topic write #\n");
    for (role, topic) in [
        (&["device", "alice"][..], "alice/UUID"),
        (&["net", "reverse", "abc"], "net/reverse/response"),
    ] {
        let ended = run(broker.client(["-W", "2"].iter().chain(role).copied()));
        assert!(matches!(ended.code, Some(75 | 77)), "{ended:?}");
        assert!(ended.stderr.contains(topic), "{ended:?}");
    }
}

/// For MQTT 3.1.1 a broker can only refuse the client id, which is not what is wrong; mosquitto 2.0.11 does not look.
#[test]
fn a_keep_alive_above_max_keepalive_is_let_in_or_named() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("max_keepalive 10");
    let ended = run(broker.client(["-W", "5", "device", "alice"]));
    let let_in = ended.code == Some(75) && ended.stderr.contains("no UNIQUE ID");
    assert!(let_in || ended.stderr.contains("-k"), "{ended:?}");
    let short = ["-k", "10"];
    let controller = ["-k", "10", "--delay", "0.1"];
    assert_passed_or_told(session(&broker, &short, &controller), &[]);
}

#[test]
fn where_the_user_name_is_the_client_id_two_users_pass_and_one_for_both_is_named() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = with("use_username_as_clientid true");
    let ends = session(
        &broker,
        &["-u", "alice", "-P", "x"],
        &["-u", "bob", "-P", "x", "--delay", "0.1"],
    );
    assert_passed_or_told(ends, &[]);
    let same = ["-u", "alice", "-P", "x", "--reconnect-delay", "0.1"];
    let controller = Process::start(broker.client(same.iter().chain(&["controller"]).copied()));
    let device = Process::start(broker.client(same.iter().chain(&["device", "alice"]).copied()));
    let told = |process: &Process| process.stderr().contains("another client");
    device.wait_in_stderr("who else it may be", |said| {
        (said.contains("another client") || told(&controller)).then_some(())
    });
}
