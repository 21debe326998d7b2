//! Readiness, status, watchdog and the end, as the program tells its service manager.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::process::Command;

use crate::notices::Notices;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB, missing};
use harness::process::{Ended, NO_BROKER, Process, mqtt_client, run};

/// What a pipe takes until somebody reads (pipe(7)).
const PIPE: usize = 65_536;

/// The program where no broker listens.
pub fn without_broker<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    mqtt_client(NO_BROKER.into_iter().chain(args))
}

/// What the controller says, from a client that plays it.
pub fn publish(broker: &Mosquitto, topic: &str, payload: &str) {
    broker.publish("2", topic, payload);
}

#[test]
fn a_service_is_ready_without_any_broker() {
    for role in [&["device", "alice"][..], &["controller"], &["responder"]] {
        let notices = Notices::new();
        let service = Process::start(notices.of(without_broker(role.iter().copied())));
        assert_eq!(notices.next(), "READY=1\n", "{role:?}");
        notices.wait_for("STATUS=connecting to 127.0.0.1:1");
        service.signal("TERM");
        assert_eq!(service.end().code, Some(0), "{role:?}");
    }
}

/// What a service that ends before it is ready tells systemd: why, as it tells the journal.
fn assert_fails_as_it_says(notices: &Notices, ended: &Ended) {
    let why = ended.stderr.lines().find_map(|line| {
        let line = line.strip_prefix("mqtt_client: ")?;
        (!line.starts_with("warning: ")).then_some(line)
    });
    let why = why.unwrap_or_else(|| panic!("{ended:?}"));
    let [notice] = &notices.arrived()[..] else {
        panic!("not one notice for {ended:?}");
    };
    assert!(notice.starts_with(&format!("STATUS={why}")), "{notice}");
}

#[test]
fn a_service_that_is_told_nonsense_is_never_ready() {
    let folder = Folder::new();
    let bad = folder.path().join("bad");
    fs::write(&bad, "no equals sign\n").unwrap();
    let bad = bad.to_str().unwrap();
    let unwritable = folder.path().join("none/report");
    let unwritable = unwritable.to_str().unwrap();
    for (code, args) in [
        (64, &["device", ""][..]),
        (64, &["device", "alice", "--no-such-option"]),
        (78, &["device", "alice", "--password-file", "/nonexistent"]),
        (78, &["device", "alice", "--replies", bad]),
        (78, &["controller", "--report", unwritable]),
    ] {
        let notices = Notices::new();
        let ended = run(notices.of(without_broker(args.iter().copied())));
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert_fails_as_it_says(&notices, &ended);
    }
}

#[test]
fn a_wrong_variable_of_the_environment_file_is_never_ready() {
    let notices = Notices::new();
    let mut command = notices.of(without_broker(["device", "alice"]));
    command.env("MQTT_CLIENT_QOS", "3");
    let ended = run(command);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("MQTT_CLIENT_QOS"), "{ended:?}");
    assert_fails_as_it_says(&notices, &ended);
}

#[test]
fn variables_that_contradict_each_other_are_never_ready() {
    let notices = Notices::new();
    let mut command = notices.of(mqtt_client(["device", "alice"]));
    command.env("MQTT_CLIENT_HOST", "a");
    command.env("MQTT_CLIENT_URL", "mqtt://b");
    let ended = run(command);
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.stderr.contains("contradict"), "{ended:?}");
    assert_fails_as_it_says(&notices, &ended);
}

/// A slip in the name of a variable: the journal has a warning at the start, and the status has it for as long as the
/// program runs.
#[test]
fn the_status_names_the_settings_that_do_nothing() {
    let notices = Notices::new();
    let mut command = notices.of(without_broker(["device", "alice"]));
    command.env("MQTT_CLIENT_HOTS", "pi.local");
    let device = Process::start(command);
    notices.wait_for("STATUS=connecting to 127.0.0.1:1; 1 setting is ignored: MQTT_CLIENT_HOTS");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warning = "mqtt_client: warning: the variable MQTT_CLIENT_HOTS stands in for no option";
    assert!(ended.stderr.starts_with(warning), "{ended:?}");
}

/// As the unit starts a device whose name was written under a wrong one.
#[test]
fn a_device_without_a_name_says_which_setting_was_ignored() {
    let notices = Notices::new();
    let mut command = notices.of(without_broker(["device", ""]));
    command.env("MQTT_CLIENT_USERID", "alice");
    command.env("MQTT_CLIENT_HOTS", "pi.local");
    let ended = run(command);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    let meant = "did you mean MQTT_CLIENT_USER_ID?";
    assert!(ended.stderr.contains(meant), "{ended:?}");
    let [notice] = &notices.arrived()[..] else {
        panic!("not one notice for {ended:?}");
    };
    assert!(notice.starts_with("STATUS=USER_ID is empty"), "{notice}");
    let end = "; 2 settings are ignored: MQTT_CLIENT_HOTS, MQTT_CLIENT_USERID\n";
    assert!(notice.ends_with(end), "{notice}");
}

#[test]
fn a_request_is_no_service_and_says_nothing() {
    let notices = Notices::new();
    let ended = run(notices.of(without_broker(["net", "reverse", "abc"])));
    assert_eq!(ended.code, Some(69), "{ended:?}");
    assert_eq!(notices.arrived(), Vec::<String>::new());
}

#[test]
fn the_status_says_in_words_where_a_session_stands() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let notices = Notices::new();
    let device = Process::start(notices.of(broker.client(["device", "alice"])));
    notices.wait_for("STATUS=waiting for a unique id");
    publish(&broker, "alice/UUID", "U1");
    notices.wait_for("STATUS=0 commands answered");
    publish(&broker, "U1", "CMD1");
    notices.wait_for("STATUS=1 command answered");
    publish(&broker, "U1", "CMD7");
    notices.wait_for("STATUS=2 commands answered");
    publish(&broker, "U1", "Well done my IoT!");
    assert_eq!(device.end().code, Some(0));
}

/// For a person the same is the end, with exit code 77.
#[test]
fn a_refused_login_of_a_service_is_tried_again_later() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = Mosquitto::with_login("pi", "secret");
    for role in [&["device", "alice"][..], &["controller"], &["responder"]] {
        let notices = Notices::new();
        let service = Process::start(notices.of(broker.client(role.iter().copied())));
        let why = format!(
            "broker at 127.0.0.1:{} refused the login without a user name: give --username and --password-file; trying again within 2 min",
            broker.port()
        );
        notices.wait_for(&format!("STATUS={why}"));
        service.signal("TERM");
        let ended = service.end();
        assert_eq!(ended.code, Some(0), "{role:?}");
        assert_eq!(ended.stderr, format!("mqtt_client: warning: {why}\n"));
    }
}

/// A time limit ends it all the same: as a refusal, and not as a controller that is silent.
#[test]
fn a_refused_login_of_a_service_with_a_time_limit_ends_as_a_refusal() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = Mosquitto::with_login("pi", "secret");
    let notices = Notices::new();
    let wrong = ["-u", "pi", "-P", "wrong", "-W", "1", "device", "alice"];
    let ended = run(notices.of(broker.client(wrong)));
    assert_eq!(ended.code, Some(77), "{ended:?}");
    let why = format!(
        "broker at 127.0.0.1:{} refused the login as user pi: check --username and the password",
        broker.port()
    );
    let last = format!("mqtt_client: {why}\n");
    assert!(ended.stderr.ends_with(&last), "{ended:?}");
    notices.wait_for(&format!("STATUS={why}"));
}

/// The pause is an hour: the status says so, the watchdog is fed, nothing is left in the state folder, and a stop ends
/// it.
#[test]
fn between_two_sessions_a_device_waits_and_says_so() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let notices = Notices::new();
    let again = ["device", "alice", "--again", "3600", "--state-dir", state];
    let device = Process::start(notices.watched(broker.client(again)));
    notices.wait_for("STATUS=waiting for a unique id");
    publish(&broker, "alice/UUID", "U1");
    notices.wait_for("STATUS=0 commands answered");
    publish(&broker, "U1", "Well done my IoT!");
    notices.wait_for("STATUS=the session is over, the next login 3600 s later");
    for _ in 0..3 {
        notices.wait_for("WATCHDOG=1");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(!broker.session_present("device-alice"));
    device.signal("TERM");
    notices.wait_for("STOPPING=1");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "Well done my IoT!\n");
}

#[test]
fn the_status_of_a_controller_counts_its_sessions() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let notices = Notices::new();
    let plan = ["-v", "controller", "--commands", "1"];
    let controller = Process::start(notices.of(broker.client(plan)));
    notices.wait_for("STATUS=sessions: 0 under way, 0 passed, 0 failed");
    controller.wait_for_stderr("waiting for logins");
    let device = Process::start(broker.client(["device", "alice"]));
    notices.wait_for("STATUS=sessions: 1 under way, 0 passed, 0 failed");
    notices.wait_for("STATUS=sessions: 0 under way, 1 passed, 0 failed");
    assert_eq!(device.end().code, Some(0));
}

#[test]
fn the_watchdog_is_fed_without_a_broker() {
    let waiting = Notices::new();
    let _waiting = Process::start(waiting.watched(without_broker(["device", "alice"])));
    waiting.wait_for("READY=1");
    for _ in 0..10 {
        waiting.wait_for("WATCHDOG=1");
    }
}

#[test]
fn the_watchdog_is_fed_with_a_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    for role in [&["device", "alice"][..], &["controller"], &["responder"]] {
        let notices = Notices::new();
        let args = role.iter().copied();
        let _service = Process::start(notices.watched(broker.client(args)));
        notices.wait_for("READY=1");
        for _ in 0..10 {
            notices.wait_for("WATCHDOG=1");
        }
    }
}

#[test]
fn a_unit_without_a_watchdog_feeds_none() {
    let notices = Notices::new();
    let device = Process::start(notices.of(without_broker(["device", "alice"])));
    let mut said = notices.wait_for("STATUS=connecting to 127.0.0.1:1");
    device.signal("TERM");
    assert_eq!(device.end().code, Some(0));
    said.extend(notices.arrived());
    assert!(
        !said.iter().any(|notice| notice.contains("WATCHDOG")),
        "{said:?}"
    );
}

#[test]
fn a_frozen_program_does_not_feed_the_watchdog() {
    let (healthy, frozen) = (Notices::new(), Notices::new());
    let _healthy = Process::start(healthy.watched(without_broker(["device", "bob"])));
    let device = Process::start(frozen.watched(without_broker(["device", "alice"])));
    frozen.wait_for("WATCHDOG=1");
    device.signal("STOP");
    frozen.wait_for_silence(&healthy);
    device.signal("CONT");
    for _ in 0..3 {
        frozen.wait_for("WATCHDOG=1");
    }
}

/// The process lives, its main thread too; only the loop is stuck: in writing its report to a pipe that is full.
#[test]
fn a_stuck_loop_in_a_living_process_does_not_feed_the_watchdog() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let pipe = folder.path().join("report");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Both ends of it, so that neither waits for the other (fifo(7)).
    let mut ends = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    ends.write_all(&[b' '; PIPE]).unwrap();
    let (healthy, stuck) = (Notices::new(), Notices::new());
    let _healthy = Process::start(healthy.watched(without_broker(["device", "bob"])));
    let session = [
        "--commands",
        "0",
        "--delay",
        "0",
        "--report",
        pipe.to_str().unwrap(),
    ];
    let controller = broker.client(["controller"].into_iter().chain(session));
    let _controller = Process::start(stuck.watched(controller));
    stuck.wait_for("STATUS=sessions: 0 under way, 0 passed, 0 failed");
    stuck.wait_for("WATCHDOG=1");
    publish(&broker, "login", "alice");
    stuck.wait_for_silence(&healthy);
    ends.read_exact(&mut [0; PIPE]).unwrap();
    stuck.wait_for("WATCHDOG=1");
}

#[test]
fn the_end_is_announced() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    for role in [&["device", "alice"][..], &["controller"], &["responder"]] {
        let notices = Notices::new();
        let service = Process::start(notices.of(broker.client(role.iter().copied())));
        notices.wait_for("READY=1");
        service.signal("TERM");
        notices.wait_for("STOPPING=1");
        assert_eq!(service.end().code, Some(0), "{role:?}");
    }
}
