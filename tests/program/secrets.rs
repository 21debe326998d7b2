//! Passwords: in no line, however much is said, whether the login works or not.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::url::{LOGIN, PASSWORD, USER, locked_broker, responder};
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, missing};
use harness::outcome::{assert_fails, assert_plain};
use harness::process::{Ended, mqtt_client, run};

const WRONG: &str = "gu3ss-w0rk";

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

#[track_caller]
fn assert_hides(ended: &Ended, secret: &str) {
    assert!(!ended.stderr.contains(secret), "{ended:?}");
    assert!(!ended.stdout.contains(secret), "{ended:?}");
    assert_plain(&ended.stderr);
}

/// Requests that give `password` in every way there is; `encoded` is user and password in a URL.
fn every_way(broker: &Mosquitto, folder: &Folder, password: &str, encoded: &str) -> Vec<Command> {
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let url = format!("mqtt://{encoded}@127.0.0.1:{}", broker.port());
    let user = ["-u", USER];
    let mut by_file = broker.client(user);
    by_file.arg("--password-file").arg(&file);
    let mut by_environment = broker.client(user);
    by_environment.env("MQTT_CLIENT_PASSWORD", password);
    let mut by_url_in_environment = mqtt_client([]);
    by_url_in_environment.env("MQTT_CLIENT_URL", &url);
    let mut by_credential = broker.client(user);
    by_credential.env("CREDENTIALS_DIRECTORY", folder.path());
    let mut commands = vec![
        broker.client(user.into_iter().chain(["-P", password])),
        mqtt_client(["-L", &url]),
        by_file,
        by_environment,
        by_url_in_environment,
        by_credential,
    ];
    for command in &mut commands {
        command.args(["-vv"]).args(REQUEST);
    }
    commands
}

#[test]
fn no_log_ever_shows_a_password() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = locked_broker();
    let folder = Folder::new();
    let _responder = responder(&broker);
    for trace in [false, true] {
        let start = |mut command: Command| {
            if trace {
                command.env("RUST_LOG", "trace");
            }
            run(command)
        };
        for command in every_way(&broker, &folder, PASSWORD, LOGIN) {
            let ended = start(command);
            assert_eq!((ended.code, &*ended.stdout), (Some(0), "cba\n"));
            // Otherwise the log would hide it by saying nothing.
            assert!(ended.stderr.contains("ConnAck"), "{ended:?}");
            assert_hides(&ended, PASSWORD);
            assert_hides(&ended, LOGIN);
        }
        let encoded = format!("al%40ice:{WRONG}");
        for command in every_way(&broker, &folder, WRONG, &encoded) {
            let ended = start(command);
            assert_eq!((ended.code, &*ended.stdout), (Some(77), ""));
            assert_hides(&ended, WRONG);
        }
    }
}

#[test]
fn a_wrong_command_line_is_explained_without_the_password() {
    let bad_url = |rest: &str| format!("mqtt://{USER}:{WRONG}{rest}");
    let urls = [
        "@127.0.0.1:x",
        "@127.0.0.1/topic",
        "/half@127.0.0.1",
        "@",
        "%ff@127.0.0.1",
    ]
    .map(bad_url);
    for url in &urls {
        let ended = run(mqtt_client(["-L", url].into_iter().chain(REQUEST)));
        assert_fails(&ended, 64, &["--url"]);
        assert_hides(&ended, WRONG);
    }
    for args in [
        ["-P", WRONG, "-h", "127.0.0.1"].as_slice(),
        &["-P", WRONG, "-P", WRONG],
        &["-u", USER, "-P", WRONG, "--password-file", "x"],
        &["-u", USER, "--password", WRONG, "-p", "0"],
    ] {
        let ended = run(mqtt_client(args.iter().copied().chain(REQUEST)));
        assert_fails(&ended, 64, &[]);
        assert_hides(&ended, WRONG);
    }
}
