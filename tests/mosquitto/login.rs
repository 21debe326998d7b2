//! Logins that mosquitto takes and logins that it refuses.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB, missing};
use harness::process::{Ended, Process, mqtt_client, run};

const USER: &str = "alice";
const PASSWORD: &str = "pass wörd";

/// A broker that wants [`USER`] and [`PASSWORD`].
fn locked_broker() -> Mosquitto {
    Mosquitto::with_login(USER, PASSWORD)
}

/// A password file with these permissions.
fn password_file(folder: &Folder, mode: u32) -> PathBuf {
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    file
}

/// The broker let it in: it subscribed, which this broker allows no client without a login.
fn assert_let_in(command: Command) {
    let responder = Process::start(command);
    responder.wait_for_stderr("subscribed to +/uppercase/request");
}

fn assert_refused(ended: &Ended, what: &[&str]) {
    assert_eq!(ended.code, Some(77), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    for what in what {
        assert!(ended.stderr.contains(what), "{ended:?}");
    }
}

#[test]
fn the_right_password_is_let_in_by_every_way_to_give_it() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = locked_broker();
    let folder = Folder::new();
    let file = password_file(&folder, 0o600);
    let responder = ["responder", "-v"];
    let with =
        |args: &[&'static str]| broker.client(responder.into_iter().chain(args.iter().copied()));
    assert_let_in(with(&["-u", USER, "-P", PASSWORD]));
    assert_let_in(with(&["--username", USER, "--password", PASSWORD]));
    let mut by_file = with(&["-u", USER]);
    by_file.arg("--password-file").arg(&file);
    assert_let_in(by_file);
    let mut by_environment = with(&[]);
    by_environment
        .env("MQTT_CLIENT_USERNAME", USER)
        .env("MQTT_CLIENT_PASSWORD", PASSWORD);
    assert_let_in(by_environment);
    let mut by_both = with(&["-u", USER]);
    by_both.env("MQTT_CLIENT_PASSWORD_FILE", &file);
    assert_let_in(by_both);
}

#[test]
fn a_wrong_password_or_none_is_a_refusal_and_ends_every_role_at_once() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = locked_broker();
    for role in [
        ["net", "reverse", "abc"].as_slice(),
        &["device", "alice"],
        &["controller"],
        &["responder"],
    ] {
        let wrong = ["-u", USER, "-P", "guess"];
        let ended = run(broker.client(role.iter().copied().chain(wrong)));
        assert_refused(&ended, &[&broker.port(), USER, "password"]);
        assert!(!ended.stderr.contains("guess"), "{ended:?}");
        let ended = run(broker.client(role.iter().copied()));
        assert_refused(&ended, &[&broker.port(), "--username"]);
    }
}

#[test]
fn a_password_file_that_others_can_read_is_refused_before_anything_is_sent() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    for mode in [0o644, 0o640, 0o604, 0o620] {
        let folder = Folder::new();
        let file = password_file(&folder, mode);
        let mut command = mqtt_client(["-h", "127.0.0.1", "-p", &port, "device", "alice"]);
        command.args(["-u", USER, "--password-file"]).arg(&file);
        let ended = run(command);
        assert_eq!(ended.code, Some(78), "{mode:o}: {ended:?}");
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(ended.stderr.contains(file.to_str().unwrap()), "{ended:?}");
    }
    let untouched = server.accept().unwrap_err();
    assert_eq!(untouched.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_wrong_password_leaves_what_a_killed_device_has_left() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB]) {
        return;
    }
    let broker = locked_broker();
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let device = |password: &'static str| {
        let args = ["-v", "device", "alice", "--state-dir", state];
        broker.client(args.into_iter().chain(["-u", USER, "-P", password]))
    };
    let killed = Process::start(device(PASSWORD));
    killed.wait_for_stderr("subscribed to alice/UUID");
    let message = ["-q", "1", "-t", "alice/UUID", "-m", "U1"];
    let login = ["-u", USER, "-P", PASSWORD];
    let published = run(broker.mosquitto_client(MOSQUITTO_PUB, message.into_iter().chain(login)));
    assert_eq!(published.code, Some(0), "{published:?}");
    killed.wait_for_stderr("subscribed to U1,");
    killed.signal("KILL");
    killed.end();
    let journal = || std::fs::read(folder.path().join("journal")).unwrap();
    let left = journal();
    assert_eq!(run(device("wrong")).code, Some(77));
    assert_eq!(journal(), left);
    let later = Process::start(device(PASSWORD));
    later.wait_for_stderr("U1");
}
