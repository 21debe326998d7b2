//! Every exit code that the help names: one way to it, and the line that comes with it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::url::locked_broker;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB, missing};
use harness::outcome::{assert_answered, assert_fails, responder};
use harness::process::{NO_BROKER, Process, in_shell, mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

fn with_environment(name: &str, value: &str) -> Command {
    let mut command = mqtt_client(NO_BROKER[..2].iter().copied().chain(REQUEST));
    command.env(name, value);
    command
}

fn raw(mut command: Command, arg: &[u8]) -> Command {
    command.arg(OsStr::from_bytes(arg));
    command
}

/// Failures that need no broker.
fn without_broker(folder: &Folder) -> Vec<(i32, Vec<&'static str>, Command)> {
    let replies = folder.path().join("replies");
    std::fs::write(&replies, "CMD1=yes\nwhat is this\n").unwrap();
    let client = |args: &[&str]| mqtt_client(args.iter().copied());
    let mut bad_replies = client(&["device", "alice", "--replies"]);
    bad_replies.arg(&replies);
    vec![
        (64, vec!["what to do?"], client(&[])),
        (
            64,
            vec!["louder", "uppercase"],
            client(&["net", "louder", "x"]),
        ),
        (64, vec!["--bogus"], client(&["--bogus", "responder"])),
        (
            64,
            vec!["--password"],
            client(&["-P", "x", "--password-file", "y", "responder"]),
        ),
        (65, vec!["MESSAGE", "UTF-8"], {
            raw(client(&["net", "reverse"]), b"\xff\xfe")
        }),
        (
            69,
            vec!["127.0.0.1:1 ", "refused"],
            client(&[NO_BROKER.as_slice(), &REQUEST].concat()),
        ),
        (78, vec!["MQTT_CLIENT_PORT", "99999"], {
            with_environment("MQTT_CLIENT_PORT", "99999")
        }),
        (78, vec!["MQTT_CLIENT_QOS", "QoS level"], {
            with_environment("MQTT_CLIENT_QOS", "3")
        }),
        (78, vec!["MQTT_CLIENT_VERBOSE"], {
            with_environment("MQTT_CLIENT_VERBOSE", "loud")
        }),
        (78, vec!["replies", "line 2"], bad_replies),
        (
            78,
            vec!["/nonexistent/replies"],
            client(&["device", "alice", "--replies", "/nonexistent/replies"]),
        ),
        (
            78,
            vec!["/nonexistent/password"],
            client(&[
                "-u",
                "u",
                "--password-file",
                "/nonexistent/password",
                "responder",
            ]),
        ),
        (
            78,
            vec!["/nonexistent/report"],
            client(&["controller", "--report", "/nonexistent/report"]),
        ),
    ]
}

#[test]
fn every_exit_code_of_the_help_has_its_line() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB]) {
        return;
    }
    let mut seen = BTreeSet::new();
    let folder = Folder::new();
    for (code, words, command) in without_broker(&folder) {
        assert_fails(&run(command), code, &words);
        seen.insert(code);
    }
    for (content, words) in [
        (&b"\xff\xfe"[..], "UTF-8"),
        (&vec![b'x'; 300_000], "262144 bytes"),
    ] {
        let file = folder.path().join("message");
        std::fs::write(&file, content).unwrap();
        // From a file, which stays there for a program that does not read all of it.
        let request = mqtt_client(["net", "reverse", "-"]);
        let mut shell = in_shell("exec \"$@\" <\"$INPUT\"", &request);
        shell.env("INPUT", &file);
        assert_fails(&run(shell), 65, &["MESSAGE", words]);
    }
    let broker = Mosquitto::open();
    let unanswered = run(broker.client(["-W", "1", "net", "reverse", "abc"]));
    assert_fails(&unanswered, 75, &["net/reverse/response", "1 s"]);
    let args = ["-W", "1", "device", "alice"];
    assert_fails(&run(broker.client(args)), 75, &["alice/UUID", "1 s"]);
    seen.insert(75);
    let ended = run(locked_broker().client(REQUEST));
    assert_fails(&ended, 77, &["refused the login", "--username"]);
    seen.insert(77);
    seen.insert(unusable_unique_id(&broker));
    failed_session(&broker);
    seen.insert(interrupted(&broker));
    let _responder = responder(&broker);
    assert_answered(&run(broker.client(REQUEST)), "cba");
    seen.insert(0);
    let full = in_shell("exec \"$@\" >/dev/full", &mqtt_client(["--version"]));
    assert_fails(&run(full), 74, &["standard output"]);
    seen.insert(74);
    assert_eq!(seen, named_by_the_help());
}

fn unusable_unique_id(broker: &Mosquitto) -> i32 {
    let device = Process::start(broker.client(["-v", "-i", "thing", "device", "alice"]));
    device.wait_for_stderr("published on login, confirmed");
    broker.publish("1", "alice/UUID", "#");
    let ended = device.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(76), ""), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("UNIQUE ID `#`"), "{ended:?}");
    76
}

fn failed_session(broker: &Mosquitto) {
    let args = ["-v", "-W", "1", "--delay", "0", "--sessions", "1"];
    let controller = args.into_iter().chain(["controller"]);
    let controller = Process::start(broker.client(controller));
    controller.wait_for_stderr("waiting for logins");
    broker.publish("1", "login", "ghost");
    let ended = controller.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(76), ""), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("1 of 1 sessions failed"), "{ended:?}");
}

fn interrupted(broker: &Mosquitto) -> i32 {
    let request = Process::start(broker.client(["-v", "-W", "0", "net", "reverse", "abc"]));
    request.wait_for_stderr("published on net/reverse/request, confirmed");
    request.signal("INT");
    let ended = request.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(130), ""), "{ended:?}");
    130
}

fn named_by_the_help() -> BTreeSet<i32> {
    let help = run(mqtt_client(["--help"])).stdout;
    let (_, codes) = help.split_once("Exit codes:").unwrap();
    let (codes, _) = codes.split_once("\n\n").unwrap();
    let numbers = codes.split_whitespace().flat_map(str::parse);
    numbers.collect()
}

/// As somebody starts a device by hand under the folder of the service that runs.
#[test]
fn a_second_device_in_one_state_folder_ends_and_says_so() {
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let args = ["device", "alice", "--state-dir", state];
    let command = || mqtt_client(NO_BROKER.into_iter().chain(args));
    let first = Process::start(command());
    first.wait_for_stderr("trying again");
    assert_fails(
        &run(command()),
        75,
        &["another mqtt_client is running", state],
    );
    first.signal("TERM");
    assert_eq!(first.end().code, Some(0));
    let next = Process::start(command());
    next.wait_for_stderr("trying again");
}

#[test]
fn a_variable_that_does_nothing_is_a_warning() {
    let mut command = mqtt_client(NO_BROKER.into_iter().chain(["net", "reverse", "abc"]));
    command.env("MQTT_CLIENT_HSOT", "pi.local");
    let ended = run(command);
    assert_eq!(ended.code, Some(69), "{ended:?}");
    let warning = "mqtt_client: warning: the variable MQTT_CLIENT_HSOT stands in for no option, and does nothing: did you mean MQTT_CLIENT_HOST?\n";
    assert!(ended.stderr.starts_with(warning), "{ended:?}");
    assert!(!ended.stderr.contains("pi.local"), "{ended:?}");
}
