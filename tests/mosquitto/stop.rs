//! Signals: what ends, with which exit code, and what it leaves on the broker, which is nothing.

use std::io::Read;
use std::net::TcpListener;

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::process::{NO_BROKER, Process, in_shell, mqtt_client};

/// Stops a service role that has come as far as to say `ready`, and looks at what is left of it.
fn assert_leaves_nothing(role: &[&str], client_id: &str, ready: &str) {
    let broker = Mosquitto::open();
    let args = role.iter().copied().chain(["-v", "-i", client_id]);
    let process = Process::start(broker.client(args));
    process.wait_for_stderr(ready);
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_left_cleanly(&broker, client_id);
    assert!(!broker.session_present(client_id), "a session is left");
    assert!(broker.session_present(client_id), "none is ever found");
}

/// Every connection of this client ended with DISCONNECT.
fn assert_left_cleanly(broker: &Mosquitto, client_id: &str) {
    let log = broker.log();
    let count = |what: &[&str]| {
        let all = |line: &&str| what.iter().all(|what| line.contains(what));
        log.lines().filter(all).count()
    };
    let connected = count(&["New client connected", &format!(" as {client_id} (")]);
    let said_so = count(&[&format!("Received DISCONNECT from {client_id}")]);
    let left = count(&[&format!("Client {client_id}"), " disconnected"]);
    assert!(connected > 0, "{log}");
    assert_eq!((said_so, left), (connected, connected), "{log}");
    for rude in ["closed its connection", "ocket error"] {
        assert!(!log.contains(rude), "{log}");
    }
}

#[test]
fn a_stopped_device_leaves_nothing_on_the_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let login = "published on login, confirmed";
    assert_leaves_nothing(&["device", "alice"], "thing-1", login);
}

#[test]
fn a_stopped_controller_leaves_nothing_on_the_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    assert_leaves_nothing(&["controller"], "boss-1", "waiting for logins");
}

#[test]
fn a_stopped_responder_leaves_nothing_on_the_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let last = "subscribed to +/shuffle/request";
    assert_leaves_nothing(&["responder"], "server-1", last);
}

#[test]
fn a_device_and_a_controller_whose_session_is_done_leave_nothing_on_the_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let controller = Process::start(broker.client(["controller", "-v", "--sessions", "1"]));
    controller.wait_for_stderr("waiting for logins");
    let device = Process::start(broker.client(["device", "alice"]));
    for (process, client_id) in [
        (device, "device-alice"),
        (controller, "mqtt_client-controller"),
    ] {
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_left_cleanly(&broker, client_id);
        assert!(!broker.session_present(client_id), "{client_id}");
    }
}

/// As nohup(1), `trap '' HUP` and the background of a script start a program.
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for (ignored, stops) in [("HUP", "TERM"), ("INT", "HUP"), ("TERM", "INT")] {
        let args = ["-v", "--reconnect-delay", "0.05", "responder"];
        let command = mqtt_client(NO_BROKER.into_iter().chain(args));
        let ignoring = format!("trap '' {ignored}; exec \"$@\"");
        let responder = Process::start(in_shell(&ignoring, &command));
        responder.wait_for_stderr("attempt 1");
        responder.signal(ignored);
        let attempts = |said: &str| said.matches("trying again").count();
        let so_far = attempts(&responder.stderr());
        responder.wait_in_stderr("three attempts more", |said| {
            (attempts(said) > so_far + 3).then_some(())
        });
        responder.signal(stops);
        let ended = responder.end();
        assert_eq!(ended.code, Some(0), "{ignored}: {ended:?}");
        assert_eq!(ended.stderr.matches(": stopping\n").count(), 1, "{ended:?}");
    }
}

#[test]
fn a_device_that_is_stopped_while_it_waits_for_a_broker_ends_well() {
    let args = NO_BROKER.into_iter().chain(["device", "alice"]);
    let device = Process::start(mqtt_client(args));
    device.wait_for_stderr("trying again");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_device_that_is_stopped_while_a_broker_keeps_silent_ends_well() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let args = ["-h", "127.0.0.1", "-p", &port, "device", "alice"];
    let device = Process::start(mqtt_client(args));
    let (mut connection, _) = silent.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    device.signal("TERM");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_request_that_is_interrupted_says_so_by_its_exit_code() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let request = Process::start(broker.client(["-v", "-W", "0", "net", "reverse", "abc"]));
    request.wait_for_stderr("published on net/reverse/request, confirmed");
    request.signal("INT");
    let ended = request.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_left_cleanly(&broker, "net");
}
