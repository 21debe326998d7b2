//! Both protocols over TLS, by every way to ask for it.

use crate::certificates::{Authority, HERE, Validity, broker, client, text};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, OPENSSL, missing};
use harness::outcome::{assert_answered, ready};
use harness::process::{Process, mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "Hello, wörld"];
const ANSWER: &str = "dlröw ,olleH";

fn good_broker() -> (Authority, Mosquitto) {
    let authority = Authority::new("Good");
    let signed = authority.sign("here", HERE, Validity::Now);
    let broker = broker(&authority, &signed, "");
    (authority, broker)
}

#[test]
fn a_request_is_answered_over_tls_by_every_way_to_ask_for_it() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (authority, broker) = good_broker();
    let trusted = authority.certificate();
    let port = broker.port();
    let _responder = ready(client(&broker, &trusted, ["responder", "-v"]));
    for qos in ["0", "1", "2"] {
        let args = ["-q", qos].into_iter().chain(REQUEST);
        assert_answered(&run(client(&broker, &trusted, args)), ANSWER);
    }
    let address = ["-h", "127.0.0.1", "-p", &port, "--cafile", text(&trusted)];
    assert_answered(
        &run(mqtt_client(address.into_iter().chain(REQUEST))),
        ANSWER,
    );
    let url = format!("mqtts://localhost:{port}");
    let url = ["-L", &url, "--cafile", text(&trusted)];
    assert_answered(&run(mqtt_client(url.into_iter().chain(REQUEST))), ANSWER);
    // Where the system's authorities are.
    let mut by_system = mqtt_client(["-h", "localhost", "-p", &port, "--tls"]);
    by_system.args(REQUEST).env("SSL_CERT_FILE", &trusted);
    assert_answered(&run(by_system), ANSWER);
    let mut by_environment = mqtt_client(REQUEST);
    by_environment
        .env("MQTT_CLIENT_URL", format!("mqtts://localhost:{port}"))
        .env("MQTT_CLIENT_CAFILE", &trusted);
    assert_answered(&run(by_environment), ANSWER);
}

#[test]
fn a_device_session_at_qos_2_passes_over_tls() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (authority, broker) = good_broker();
    let trusted = authority.certificate();
    let args = ["controller", "-v", "-q", "2", "--sessions", "1"];
    let controller = Process::start(client(&broker, &trusted, args));
    controller.wait_for_stderr("waiting for logins");
    let url = format!("mqtts://localhost:{}", broker.port());
    let args = ["-L", &url, "--cafile", text(&trusted), "-q", "2"];
    let device = run(mqtt_client(args.into_iter().chain(["device", "alice"])));
    assert_answered(&device, "Well done my IoT!");
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
}
