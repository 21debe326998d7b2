//! Our controller, with devices that behave and devices that do not.

use crate::device::TABLE;
use crate::json::Json;
use crate::peer;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::peers;
use harness::process::{Ended, Process};

/// A controller of one session that waits for logins and reports on standard output.
fn controller(broker: &Mosquitto, args: &[&str]) -> Process {
    let usual = ["controller", "-v", "--sessions", "1", "--report", "-"];
    let controller = Process::start(broker.client(usual.iter().chain(args).copied()));
    controller.wait_for_stderr("waiting for logins");
    controller
}

/// The one line that a controller reported.
fn report(ended: &Ended) -> Json {
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    Json::read(&ended.stdout)
}

fn word(command: &str) -> &'static str {
    TABLE.iter().find(|(known, _)| *known == command).unwrap().1
}

#[test]
fn our_controller_and_our_device_end_a_session_well_at_each_qos() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    // All at the same time: most of it is the controller's pause.
    let sessions = ["0", "1", "2"].map(|qos| {
        let broker = Mosquitto::open();
        let controller = controller(&broker, &["-q", qos, "--commands", "40"]);
        let device = Process::start(broker.client(["device", "alice", "-q", qos]));
        (broker, controller, device)
    });
    for (_broker, controller, device) in sessions {
        let device = device.end();
        assert_eq!(device.code, Some(0), "{device:?}");
        assert_eq!(device.stdout, "Well done my IoT!\n");
        assert_eq!(device.stderr, "");
        let controller = controller.end();
        assert_eq!(controller.code, Some(0), "{controller:?}");
        let report = report(&controller);
        assert_eq!(report.get("user_id").text(), "alice");
        assert_eq!(report.get("verdict").text(), "passed");
        assert!(!report.get("unique_id").text().is_empty());
        assert!(report.get("duration_s").number() >= 3.0, "{report:?}");
        let commands = report.get("commands").texts();
        assert_eq!(commands.len(), 40);
        let words: Vec<&str> = commands.into_iter().map(word).collect();
        assert_eq!(report.get("replies").texts(), words);
    }
}

#[test]
fn the_first_command_comes_3_s_after_the_unique_id_and_not_before() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let controller = controller(&broker, &["--commands", "5-15"]);
    let device = peers::start("device.py", &broker.port(), ["alice", "right"]);
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    let seen = peer::report(device);
    let report = report(&controller);
    assert_eq!(seen.get("unique_id").text(), report.get("unique_id").text());
    let heard = seen.get("heard").list();
    let texts: Vec<&str> = heard.iter().map(|m| m.get("text").text()).collect();
    let (last, commands) = texts.split_last().unwrap();
    assert_eq!(*last, "Well done my IoT!");
    assert_eq!(commands, report.get("commands").texts());
    assert!((5..=15).contains(&commands.len()), "{commands:?}");
    assert!(heard.iter().all(|m| m.get("qos").number() == 2.0));
    // From the login on: the UNIQUE ID comes after it, but may be delayed on its way more than the
    // command, and then the device would see a pause that is shorter than the controller's.
    let pause = heard[0].get("at").number() - seen.get("login_at").number();
    assert!(pause >= 3.0, "{pause} s");
}

/// A session with a device that misbehaves: fails for this reason, and the device is not praised.
fn assert_fails(mode: &str, args: &[&str], why: &str) {
    let broker = Mosquitto::open();
    let args = ["--commands", "1"].iter().chain(args).copied();
    let controller = controller(&broker, &args.collect::<Vec<_>>());
    let device = peers::start("device.py", &broker.port(), ["mallory", mode]);
    let controller = controller.end();
    assert_eq!(controller.code, Some(76), "{controller:?}");
    let report = report(&controller);
    assert_eq!(report.get("verdict").text(), "failed");
    assert_eq!(report.get("user_id").text(), "mallory");
    let reason = report.get("reason").text();
    assert!(reason.contains(why), "{reason}");
    assert!(controller.stderr.contains(reason), "{controller:?}");
    let seen = peer::report(device);
    let heard: Vec<&str> = seen
        .get("heard")
        .list()
        .iter()
        .map(|message| message.get("text").text())
        .collect();
    assert_eq!(heard, report.get("commands").texts());
}

#[test]
fn a_wrong_word_fails_the_session() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_fails("wrong-word", &[], "`Ape` came on");
}

#[test]
fn a_missing_reply_fails_the_session() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_fails("missing-reply", &["-W", "1"], "missing");
}

#[test]
fn a_reply_too_many_fails_the_session() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_fails("extra-reply", &[], "too many");
}

#[test]
fn a_reply_at_another_qos_fails_the_session() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_fails("wrong-qos", &[], "QoS 1");
}
