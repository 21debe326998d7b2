//! Brokers that are not there, not found, or silent.

use std::io::Read;
use std::net::TcpListener;

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::process::{Ended, NO_BROKER, Process, mqtt_client, run};

fn assert_unreachable(ended: &Ended, named: &str) {
    assert_eq!(ended.code, Some(69), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains(named), "{ended:?}");
}

#[test]
fn a_refused_connection_names_host_and_port() {
    let request = ["net", "reverse", "abc"];
    let ended = run(mqtt_client(NO_BROKER.into_iter().chain(request)));
    assert_unreachable(&ended, "127.0.0.1:1 ");
    assert!(ended.stderr.contains("refused"), "{ended:?}");
}

#[test]
fn an_unknown_host_is_named() {
    // RFC 6761: no name server knows a name in `invalid`.
    let ended = run(mqtt_client([
        "-h",
        "nosuch.invalid",
        "net",
        "reverse",
        "abc",
    ]));
    assert_unreachable(&ended, "nosuch.invalid");
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_time_limit() {
    // The kernel accepts; no process ever reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let request = ["-p", &port, "-W", "2", "net", "reverse", "abc"];
    let ended = run(mqtt_client(["-h", "127.0.0.1"].into_iter().chain(request)));
    assert_unreachable(&ended, &format!("127.0.0.1:{port}"));
}

#[test]
fn no_responder_within_the_time_limit_is_no_answer() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let ended = run(broker.client(["-W", "2", "net", "reverse", "abc"]));
    assert_eq!(ended.code, Some(75), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    for named in ["net/reverse/response", "2 s"] {
        assert!(ended.stderr.contains(named), "{ended:?}");
    }
}

#[test]
fn a_device_without_a_broker_says_so_once_and_then_rarely() {
    let device = ["--reconnect-delay", "0.05", "-W", "4", "device", "alice"];
    let ended = run(mqtt_client(NO_BROKER.into_iter().chain(device)));
    assert_eq!(ended.code, Some(69), "{ended:?}");
    let lines = ended.stderr.lines().count();
    assert!((1..=3).contains(&lines), "{ended:?}");
    let first = ended.stderr.lines().next().unwrap();
    for named in ["127.0.0.1:1 ", "trying again"] {
        assert!(first.contains(named), "{ended:?}");
    }
}

#[test]
fn a_device_keeps_trying_while_it_keeps_quiet() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let device = ["-p", &port, "--reconnect-delay", "0.05", "device", "alice"];
    let device = Process::start(mqtt_client(["-h", "127.0.0.1"].into_iter().chain(device)));
    for _ in 0..6 {
        let (mut connection, _) = server.accept().unwrap();
        // Its CONNECT has arrived: this attempt has got as far as it can.
        connection.read_exact(&mut [0]).unwrap();
    }
    device.signal("TERM");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.stderr.lines().count();
    assert!((1..=3).contains(&lines), "{ended:?}");
}
