//! A broker's Unix socket as host.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::outcome::{assert_answered, assert_fails, ready};
use harness::process::{Process, mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

#[test]
fn both_protocols_work_over_a_unix_socket() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let folder = Folder::new();
    let socket = folder.path().join("socket");
    let socket = socket.to_str().unwrap().to_owned();
    let settings = format!("allow_anonymous true\nlistener 0 {socket}\n");
    let broker = Mosquitto::with(folder, &settings);
    let host = ["-h", &*socket];
    let client = |args: &[&'static str]| mqtt_client(host.into_iter().chain(args.iter().copied()));
    let responder = ready(client(&["responder", "-v"]));
    let connected = format!("connected to {socket}, ");
    assert!(responder.stderr().contains(&connected));
    for qos in ["0", "1", "2"] {
        assert_answered(&run(client(&["-q", qos, "net", "reverse", "abc"])), "cba");
    }
    // A port is of no account, wherever it comes from.
    let mut by_environment = mqtt_client(REQUEST);
    by_environment
        .env("MQTT_CLIENT_HOST", &socket)
        .env("MQTT_CLIENT_PORT", "1");
    assert_answered(&run(by_environment), "cba");
    let controller = Process::start(broker.client(["controller", "-v", "--sessions", "1"]));
    controller.wait_for_stderr("waiting for logins");
    assert_answered(&run(client(&["device", "alice"])), "Well done my IoT!");
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
}

#[test]
fn a_socket_that_is_not_there_is_named() {
    let folder = Folder::new();
    let socket = folder.path().join("socket");
    let socket = socket.to_str().unwrap();
    let ended = run(mqtt_client(["-h", socket].into_iter().chain(REQUEST)));
    assert_fails(&ended, 69, &["no socket", socket]);
    let device = ["-h", socket, "device", "alice"];
    let device = Process::start(mqtt_client(device));
    let warning = device.wait_for_stderr("trying again");
    assert!(warning.contains(socket), "{warning}");
    device.signal("TERM");
    assert_eq!(device.end().code, Some(0));
}

#[test]
fn a_socket_that_nobody_serves_is_named() {
    let folder = Folder::new();
    let socket = folder.path().join("socket");
    let named = socket.to_str().unwrap();
    // The file stays, as after a broker's crash.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let ended = run(mqtt_client(["-h", named].into_iter().chain(REQUEST)));
    assert_fails(&ended, 69, &["refused", named]);
    let file = folder.path().join("file");
    let named = file.to_str().unwrap();
    std::fs::write(&file, "no socket").unwrap();
    let ended = run(mqtt_client(["-h", named].into_iter().chain(REQUEST)));
    assert_fails(&ended, 69, &[named]);
    let long = format!("/{}", "x".repeat(150));
    let ended = run(mqtt_client(["-h", &long].into_iter().chain(REQUEST)));
    assert_fails(&ended, 69, &[&long]);
}

#[test]
#[cfg(feature = "tls")]
fn tls_over_a_unix_socket_is_a_wrong_command_line() {
    let args = ["-h", "/run/mqtt", "--tls"];
    let ended = run(mqtt_client(args.into_iter().chain(REQUEST)));
    assert_fails(&ended, 64, &["Unix socket", "--tls"]);
}
