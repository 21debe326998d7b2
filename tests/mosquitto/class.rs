//! A class: our controller with a roster, and what is seen of it.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::outcome::assert_fails;
use harness::port;
use harness::process::{Process, mqtt_client};

/// Writes a file into `folder`; its path.
fn file(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A controller with this roster that waits for logins.
fn controller(broker: &Mosquitto, roster: &str, args: &[&str]) -> Process {
    let usual = ["controller", "-v", "--delay", "1", "--roster", roster];
    let controller = Process::start(broker.client(usual.iter().chain(args).copied()));
    controller.wait_for_stderr("waiting for logins");
    controller
}

/// A table in which one word is wrong.
const WRONG: &str = "CMD1=Ape\nCMD2=Cat\nCMD3=Dog\nCMD4=Rat\nCMD5=Boy\nCMD6=Girl\nCMD7=Toy\n";

#[test]
fn a_class_ends_when_each_has_passed_once() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "\u{feff}# 7b\n\nalice Alice\nbob\n");
    let wrong = file(&folder, "wrong", WRONG);
    let class = controller(&broker, &roster, &[]);
    let device = |args: &[&str]| {
        let args = ["device"].iter().chain(args).copied();
        Process::start(broker.client(args)).end().code
    };
    assert_eq!(device(&["alice"]), Some(0));
    assert_eq!(device(&["bob", "--replies", &wrong, "-W", "2"]), Some(75));
    class.wait_for_stderr("of bob failed");
    assert_eq!(device(&["guest"]), Some(0), "is served like any other");
    assert_eq!(device(&["bob"]), Some(0));
    assert_eq!(class.end().code, Some(0));
}

#[test]
fn a_stop_before_the_end_of_a_class_says_who_has_not_passed_and_a_later_run_goes_on() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\nbob\ncarol\n");
    let wrong = file(&folder, "wrong", WRONG);
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let state = ["--state-dir", state.to_str().unwrap()];
    let class = controller(&broker, &roster, &state);
    let alice = Process::start(broker.client(["device", "alice"]));
    assert_eq!(alice.end().code, Some(0));
    let bob = ["device", "bob", "--replies", &wrong];
    let bob = Process::start(broker.client(bob));
    class.wait_for_stderr("of bob failed");
    drop(bob);
    class.signal("TERM");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        "mqtt_client: 1 of 3 on the roster have passed, and not bob (failed), carol (awaited)"
    );
    let class = controller(&broker, &roster, &state);
    for user_id in ["bob", "carol"] {
        let device = Process::start(broker.client(["device", user_id]));
        assert_eq!(device.end().code, Some(0), "{user_id}");
    }
    let ended = class.end();
    assert_eq!(ended.code, Some(0), "alice has passed before: {ended:?}");
}

#[test]
fn a_class_without_a_broker_is_told_from_one_that_has_passed() {
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice");
    let port = port::free().to_string();
    let args = ["controller", "-v", "-p", &port, "--roster", &roster];
    let class = Process::start(mqtt_client(args));
    class.wait_for_stderr("refused the connection");
    class.signal("INT");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.stderr.contains("not alice (awaited)"), "{ended:?}");
}

#[test]
fn a_bad_roster_is_named_with_its_line() {
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\na/b\n");
    let ended = harness::process::run(mqtt_client(["controller", "--roster", &roster]));
    assert_fails(&ended, 78, &["roster", "line 2", "`a/b`", "it has a `/`"]);
}

/// The verdict, the commands and all the rest have the prefix: none of the three hears anything of another's.
#[test]
fn classes_with_prefixes_of_their_own_share_a_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\n");
    let prefixes: [&[&str]; 3] = [&["--prefix", "7b"], &["--prefix", "school/7c"], &[]];
    let classes = prefixes.map(|prefix| {
        let args = [&["--verdict"], prefix].concat();
        controller(&broker, &roster, &args)
    });
    let devices = prefixes.map(|prefix| {
        let args = [&["device", "alice", "--verdict"], prefix].concat();
        Process::start(broker.client(args))
    });
    for device in devices {
        let ended = device.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let passed = "mqtt_client: the controller's verdict: passed\n";
        assert_eq!(ended.stderr, passed, "{ended:?}");
    }
    for class in classes {
        let ended = class.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("failed"), "{ended:?}");
        assert_eq!(ended.stderr.matches("logged in").count(), 1, "{ended:?}");
    }
}

#[test]
fn a_device_that_leaves_the_prefix_out_is_told_so() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\n");
    let class = controller(&broker, &roster, &["--prefix", "7b"]);
    let _alice = Process::start(broker.client(["device", "alice"]));
    class.wait_for_stderr("`alice` came on login instead of 7b/login: the prefix is missing");
    class.signal("TERM");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.stderr.contains("not alice (no login)"), "{ended:?}");
}
