//! `doctor`: what is wrong is found at the step where it is wrong, and nothing that runs is touched.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::json::Json;
use crate::subscription::broker_that_refuses;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{DYNAMIC_SECURITY, MOSQUITTO, MOSQUITTO_PASSWD, missing};
use harness::process::{Ended, NO_BROKER, Process, mqtt_client, run};

/// The steps of a run: mark, name, and the rest of the line.
fn steps(ended: &Ended) -> Vec<(&str, &str, &str)> {
    assert_eq!(ended.stderr, "", "{ended:?}");
    let lines = ended.stdout.lines();
    lines
        .map(|line| {
            let (mark, rest) = line.split_at(6);
            let (name, text) = rest.split_at(11);
            (mark.trim(), name.trim(), text)
        })
        .collect()
}

/// The first step that failed is this one, with these words, and the exit code is the failure's.
fn assert_fails_at(ended: &Ended, code: i32, step: &str, words: &[&str]) {
    let steps = steps(ended);
    let first = steps.iter().find(|(mark, _, _)| *mark == "FAIL");
    let (_, name, text) = first.unwrap_or_else(|| panic!("nothing failed: {ended:?}"));
    assert_eq!((*name, ended.code), (step, Some(code)), "{ended:?}");
    for word in words {
        assert!(text.contains(word), "no `{word}`: {text}");
    }
}

fn assert_healthy(ended: &Ended, expected: &[&str]) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let steps = steps(ended);
    let names: Vec<&str> = steps.iter().map(|(_, name, _)| *name).collect();
    for name in expected {
        assert!(names.contains(name), "no {name}: {ended:?}");
    }
}

#[test]
fn a_healthy_broker_passes_every_step_for_every_role() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let all = [
        "setting", "settings", "name", "tcp", "connect", "qos0", "qos1", "qos2", "retained",
        "size", "share",
    ];
    let roles: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&["device", "alice"], &["subscribe", "session", "other end"]),
        (&["controller"], &["subscribe", "session"]),
        (&["--share", "west", "responder"], &["subscribe"]),
    ];
    for (role, more) in roles {
        let ended = run(broker.client(["doctor"].iter().chain(role).copied()));
        assert_healthy(&ended, &all);
        assert_healthy(&ended, more);
        assert!(!ended.stdout.contains("note  qos"), "{ended:?}");
    }
    let log = broker.log();
    // A client of a group would have taken a message from it.
    assert!(!log.contains("$share/west"), "{log}");
}

#[test]
fn a_responder_is_asked_under_a_netid_of_the_doctors_own() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let doctor = ["doctor", "abcd01", "reverse"];
    let ended = run(broker.client(doctor));
    assert_fails_at(&ended, 75, "responder", &["mqtt_client responder"]);
    let responder = Process::start(broker.client(["-v", "responder"]));
    responder.wait_for_stderr("subscribed to +/shuffle/request");
    let ended = run(broker.client(doctor));
    assert_healthy(&ended, &["subscribe", "responder"]);
    assert!(!responder.stderr().contains("abcd01 asked"));
}

#[test]
fn a_wrong_host_a_closed_port_and_a_missing_socket_are_told_apart() {
    let wrong = mqtt_client(["-h", "nowhere.invalid", "doctor"]);
    let words = ["nowhere.invalid", "--host"];
    assert_fails_at(&run(wrong), 69, "name", &words);
    let closed = mqtt_client(NO_BROKER.into_iter().chain(["doctor", "device", "alice"]));
    let words = ["refused the connection", "is it running?"];
    assert_fails_at(&run(closed), 69, "tcp", &words);
    let socket = mqtt_client(["-h", "/nowhere/mqtt.sock", "doctor"]);
    assert_fails_at(&run(socket), 69, "socket", &["no socket"]);
}

#[test]
fn a_silent_port_is_found_at_connect() {
    // The kernel accepts, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let ended = run(mqtt_client(["-h", "127.0.0.1", "-p", &port, "doctor"]));
    assert_fails_at(&ended, 69, "connect", &["no CONNACK", "MQTT broker's"]);
}

#[test]
fn a_wrong_password_is_found_at_connect_and_never_said() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = Mosquitto::with_login("alice", "right");
    let doctor = ["-u", "alice", "-P", "wrong-secret", "doctor"];
    let ended = run(broker.client(doctor));
    assert_fails_at(&ended, 77, "connect", &["user alice", "password"]);
    assert!(!ended.stdout.contains("secret"), "{ended:?}");
    let url = format!("mqtt://alice:right@127.0.0.1:{}", broker.port());
    let mut command = mqtt_client(["doctor"]);
    command.env("MQTT_CLIENT_URL", &url);
    let ended = run(command);
    assert_healthy(&ended, &["qos2"]);
    let said = "url = mqtt://alice:***@127.0.0.1";
    assert!(ended.stdout.contains(said), "{ended:?}");
    assert!(ended.stdout.contains("(MQTT_CLIENT_URL)"), "{ended:?}");
}

#[test]
fn a_subscription_that_is_refused_is_found_for_the_role_that_needs_it() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    let broker = broker_that_refuses("alice/UUID");
    let ended = run(broker.client(["doctor", "device", "alice"]));
    assert_fails_at(&ended, 77, "subscribe", &["alice/UUID"]);
    let ended = run(broker.client(["doctor", "device", "bob"]));
    assert_healthy(&ended, &["subscribe"]);
}

/// mosquitto grants every subscription under an `acl_file`, confirms every message, and delivers nothing.
#[test]
fn rights_that_let_nothing_through_are_found_where_nothing_comes_back() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let with_rights = |rights: &str| {
        let folder = Folder::new();
        let file = folder.path().join("rights");
        std::fs::write(&file, rights).unwrap();
        let settings = format!("allow_anonymous true\nacl_file {}\n", file.display());
        Mosquitto::with(folder, &settings)
    };
    let broker = with_rights("topic readwrite other/#\n");
    let ended = run(broker.client(["doctor", "device", "alice"]));
    assert_fails_at(&ended, 77, "qos0", &["alice/doctor-", "acl_file"]);
    // Enough that one of its topics is allowed.
    let broker = with_rights("topic readwrite mqtt_client/#\n");
    let ended = run(broker.client(["doctor", "device", "alice"]));
    assert_healthy(&ended, &["qos0", "qos2"]);
    assert!(
        ended.stdout.contains("published on mqtt_client/"),
        "{ended:?}"
    );
}

#[test]
fn a_broker_without_qos_2_fails_those_who_need_it() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::with(Folder::new(), "allow_anonymous true\nmax_qos 1\n");
    let ended = run(broker.client(["doctor", "device", "alice"]));
    assert_fails_at(&ended, 77, "qos2", &["-q 1"]);
    for args in [
        &["doctor", "responder"][..],
        &["-q", "1", "doctor", "device", "alice"],
    ] {
        let ended = run(broker.client(args.iter().copied()));
        assert_healthy(&ended, &["qos1"]);
        assert!(ended.stdout.contains("note  qos2"), "{ended:?}");
    }
}

#[test]
fn the_largest_packet_is_told() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    for setting in ["max_packet_size", "message_size_limit"] {
        let settings = format!("allow_anonymous true\n{setting} 20000\n");
        let broker = Mosquitto::with(Folder::new(), &settings);
        let ended = run(broker.client(["doctor"]));
        assert_healthy(&ended, &["size"]);
        let said = "at least 4 kB, but not 64 kB";
        assert!(ended.stdout.contains(said), "{ended:?}");
    }
}

#[test]
fn a_session_that_runs_goes_on_and_nothing_is_left() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let device = Process::start(broker.client(["-v", "device", "alice"]));
    device.wait_for_stderr("published on login, confirmed");
    let ended = run(broker.client(["doctor", "device", "alice"]));
    assert_healthy(&ended, &["qos2", "session"]);
    let (_, id) = ended.stdout.split_once("accepts client ").unwrap();
    let (id, _) = id.split_once(' ').unwrap();
    assert!(id.starts_with("device-alice-doctor-"), "{id}");
    let log = broker.log();
    let connects = log.matches(" as device-alice (").count();
    assert_eq!(connects, 1, "{log}");
    assert!(!log.contains("Client device-alice disconnected"), "{log}");
    assert!(
        !log.contains("Client device-alice already connected"),
        "{log}"
    );
    // What it had retained is retained no more, and of all that it published nothing reached the device.
    let by_doctor = format!("Received PUBLISH from {id} (");
    let mut retained = log
        .lines()
        .filter(|line| line.contains(&by_doctor) && line.contains(", r1,"));
    let last = retained.next_back().unwrap_or_default();
    assert!(last.contains("(0 bytes)"), "{last}");
    assert!(!log.contains("Sending PUBLISH to device-alice ("), "{log}");
    for id in [id, &format!("{id}-session")] {
        assert!(log.contains(&format!(" as {id} (")), "{log}");
        assert!(!broker.session_present(id), "{id}");
    }
    let controller = ["controller", "--sessions", "1", "--delay", "0.1"];
    let controller = Process::start(broker.client(controller));
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "Well done my IoT!\n");
    assert_eq!(controller.end().code, Some(0));
}

#[test]
fn each_step_is_an_object_of_json() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let ended = run(broker.client(["doctor", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in ended.stdout.lines() {
        let step = Json::read(line);
        assert_eq!(step.get("ok"), &Json::Bool(true), "{line}");
    }
    let command = NO_BROKER.into_iter().chain(["doctor", "--json"]);
    let ended = run(mqtt_client(command));
    let last = Json::read(ended.stdout.lines().last().unwrap());
    assert_eq!(last.get("step").text(), "tcp");
    assert_eq!(last.get("ok"), &Json::Bool(false));
    assert!(last.get("remedy").text().starts_with("is it running?"));
    assert!(last.get("ms").number() >= 0.0);
}

/// Of several brokers each is examined, and each line says which.
#[test]
fn each_of_several_brokers_is_examined() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let hosts = format!("127.0.0.1:1,127.0.0.1:{}", broker.port());
    let ended = run(mqtt_client(["-h", &hosts, "doctor"]));
    assert_fails_at(&ended, 69, "tcp", &["127.0.0.1:1: ", "refused"]);
    let good = format!("127.0.0.1:{}: what is published", broker.port());
    assert!(ended.stdout.contains(&good), "{ended:?}");
}

/// A `systemctl` that says this, in a folder of its own.
fn with_systemctl(folder: &Folder, script: &str, args: &[&str]) -> Command {
    let file = folder.path().join("systemctl");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = mqtt_client(args.iter().copied());
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    command
}

#[test]
fn a_service_is_examined_with_its_units_settings() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = Mosquitto::with_login("alice", "right");
    let folder = Folder::new();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let port = broker.port();
    let settings = file(
        "settings",
        format!(
            "MQTT_CLIENT_USER_ID=alice\nMQTT_CLIENT_PORT={port}\nMQTT_CLIENT_USERNAME=alice\nMQTT_CLIENT_HOTS=x\n"
        ),
    );
    let password = file("password", "right\n".to_owned());
    let unit = file(
        "unit",
        format!("[Service]\nLoadCredential=password:{password}\n"),
    );
    let script = format!(
        "cat <<'END'\nLoadState=loaded\nEnvironment=MQTT_CLIENT_HOST=127.0.0.1 MQTT_CLIENT_TIMEOUT=0\n\
         EnvironmentFiles={settings} (ignore_errors=yes)\n\
         ExecStart={{ path=/usr/bin/mqtt_client ; argv[]=/usr/bin/mqtt_client device ${{MQTT_CLIENT_USER_ID}} ; ignore_errors=no }}\n\
         StateDirectory=mqtt_client\nFragmentPath={unit}\nEND"
    );
    let ended = run(with_systemctl(&folder, &script, &["doctor", "--service"]));
    assert_healthy(&ended, &["unit", "subscribe", "qos2"]);
    for said in [
        "host = 127.0.0.1 (MQTT_CLIENT_HOST in the unit)".to_owned(),
        format!("port = {port} (MQTT_CLIENT_PORT in {settings})"),
        "did you mean MQTT_CLIENT_HOST?".to_owned(),
        "settings   device alice".to_owned(),
        "as user alice".to_owned(),
    ] {
        assert!(ended.stdout.contains(&said), "no `{said}`: {ended:?}");
    }
    std::fs::write(&password, "wrong\n").unwrap();
    let ended = run(with_systemctl(&folder, &script, &["doctor", "--service"]));
    assert_fails_at(&ended, 77, "connect", &["user alice"]);
    std::fs::write(&settings, "MQTT_CLIENT_PORT=x\n").unwrap();
    let ended = run(with_systemctl(&folder, &script, &["doctor", "--service"]));
    assert_fails_at(&ended, 78, "settings", &["MQTT_CLIENT_PORT"]);
}

#[test]
fn without_systemd_or_without_the_unit_there_are_no_settings() {
    let folder = Folder::new();
    let doctor = ["doctor", "--service"];
    let none = "echo 'System has not been booted with systemd' >&2; exit 1";
    let ended = run(with_systemctl(&folder, none, &doctor));
    assert_fails_at(&ended, 78, "settings", &["exit code 1", "as options"]);
    let missing = "echo LoadState=not-found";
    let ended = run(with_systemctl(&folder, missing, &doctor));
    assert_fails_at(&ended, 78, "settings", &["no unit mqtt_client.service"]);
    let mut command = mqtt_client(doctor);
    command.env("PATH", folder.path().join("none"));
    assert_fails_at(&run(command), 78, "settings", &["systemctl", "as options"]);
}
