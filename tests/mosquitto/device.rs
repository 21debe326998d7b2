//! Our device, led through its session by a controller in Python.

use crate::json::Json;
use crate::peer;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::outcome::assert_fails;
use harness::process::{Ended, Process};

/// The table of the mission, written down here once more, so that a slip in the program's own shows.
pub const TABLE: [(&str, &str); 7] = [
    ("CMD1", "Apple"),
    ("CMD2", "Cat"),
    ("CMD3", "Dog"),
    ("CMD4", "Rat"),
    ("CMD5", "Boy"),
    ("CMD6", "Girl"),
    ("CMD7", "Toy"),
];

/// The UNIQUE ID that `controller.py` hands out.
const UNIQUE_ID: &str = "4e1d-unique";

/// The replies to these commands, each with topic, word and QoS, as the controller should see them.
fn replies(commands: &[&str], qos: f64) -> Vec<(String, String, f64)> {
    let known = |command: &&str| TABLE.into_iter().find(|(known, _)| known == command);
    commands
        .iter()
        .filter_map(known)
        .map(|(command, word)| (format!("{UNIQUE_ID}/{command}"), word.to_owned(), qos))
        .collect()
}

fn replies_seen(report: &Json) -> Vec<(String, String, f64)> {
    let reply = |reply: &Json| {
        let text = |name| reply.get(name).text().to_owned();
        (text("topic"), text("word"), reply.get("qos").number())
    };
    report.get("replies").list().iter().map(reply).collect()
}

/// A session of a device called alice: how the device ended, and what the controller saw.
fn session(qos: &str, commands: &[&str], device: &[&str]) -> (Ended, Json) {
    let broker = Mosquitto::open();
    let controller = peer::controller(&broker, qos, commands.iter().copied());
    let args = ["device", "alice"].iter().chain(device).copied();
    let ended = Process::start(broker.client(args)).end();
    (ended, peer::report(controller))
}

/// `%H`: under the name of this machine, where that is one of its own.
#[test]
fn a_device_goes_by_the_name_of_its_machine() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = name.trim();
    let broker = Mosquitto::open();
    let plan = "-v controller --sessions 1 --commands 1 --delay 1 --report -";
    let controller = Process::start(broker.client(plan.split(' ')));
    controller.wait_for_stderr("waiting for logins");
    let device = Process::start(broker.client(["device", "%H"])).end();
    if ["(none)", "localhost"].contains(&name) {
        return assert_fails(&device, 78, &[name, "hostnamectl set-hostname"]);
    }
    assert_eq!(device.code, Some(0), "{device:?}");
    let report = Json::read(&controller.end().stdout);
    assert_eq!(report.get("user_id").text(), name);
}

fn assert_every_reply_once_and_in_order(qos: &str, commands: &[&str]) {
    let (device, report) = session(qos, commands, &[]);
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n");
    assert_eq!(device.stderr, "");
    assert_eq!(report.get("user_id").text(), "alice");
    let expected = replies(commands, qos.parse().unwrap());
    assert_eq!(expected.len(), commands.len());
    assert_eq!(replies_seen(&report), expected);
}

/// The same commands in every run.
fn burst(length: usize) -> Vec<&'static str> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..length)
        .map(|_| TABLE[random.usize(..TABLE.len())].0)
        .collect()
}

#[test]
fn a_device_answers_a_python_controller_at_qos_0() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_every_reply_once_and_in_order("0", &burst(15));
}

#[test]
fn a_device_answers_a_python_controller_at_qos_1() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_every_reply_once_and_in_order("1", &burst(15));
}

#[test]
fn a_device_answers_a_python_controller_at_qos_2() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_every_reply_once_and_in_order("2", &burst(15));
}

#[test]
fn a_burst_of_2000_commands_at_qos_1_gets_every_reply_once_and_in_order() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_every_reply_once_and_in_order("1", &burst(2000));
}

#[test]
fn a_burst_of_2000_commands_at_qos_2_gets_every_reply_once_and_in_order() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    assert_every_reply_once_and_in_order("2", &burst(2000));
}

#[test]
fn unknown_commands_are_named_and_skipped() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let commands = ["CMD1", "CMD8", "", "cmd2", "CMD1 CMD2", "Well done", "CMD7"];
    let (device, report) = session("2", &commands, &[]);
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n");
    assert_eq!(replies_seen(&report), replies(&["CMD1", "CMD7"], 2.0));
    let lines: Vec<&str> = device.stderr.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (line, unknown) in lines.iter().zip(&commands[1..6]) {
        let named = match unknown.is_empty() {
            true => "empty message".to_owned(),
            false => format!("`{unknown}`"),
        };
        assert!(line.contains(&named), "{line}");
    }
}

#[test]
fn a_device_with_a_lower_qos_gets_and_answers_at_that() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let (device, report) = session("2", &["CMD3", "CMD3", "CMD5"], &["-q", "1"]);
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(
        replies_seen(&report),
        replies(&["CMD3", "CMD3", "CMD5"], 1.0)
    );
}

/// Two sessions of one process, each under a UNIQUE ID of its own, and a third that a stop ends.
#[test]
fn a_device_that_is_to_log_in_again_does_so_until_it_is_stopped() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let plan = "-v controller --sessions 2 --commands 3 --delay 1 --report -";
    let controller = Process::start(broker.client(plan.split(' ')));
    controller.wait_for_stderr("waiting for logins");
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let again = ["device", "alice", "--again", "0.1", "--state-dir", state];
    let device = Process::start(broker.client(again));
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    let reports: Vec<&str> = controller.stdout.lines().collect();
    assert_eq!(reports.len(), 2, "{reports:?}");
    let unique_id = |report: &&str| Json::read(report).get("unique_id").text().to_owned();
    assert_ne!(unique_id(&reports[0]), unique_id(&reports[1]));
    device.wait_in_stdout("the last words twice", |said| {
        (said.lines().count() == 2).then_some(())
    });
    device.signal("TERM");
    let device = device.end();
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n".repeat(2));
    assert_eq!(device.stderr, "");
}
