//! TLS where the broker speaks none, and none where it speaks TLS.

use crate::certificates::{Authority, HERE, Validity, broker, client};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, OPENSSL, missing};
use harness::outcome::{assert_fails, assert_plain};
use harness::process::{Process, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

#[test]
fn tls_to_a_port_without_it_is_explained() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = Mosquitto::open();
    let ended = run(client(&broker, &authority.certificate(), REQUEST));
    let words = ["TLS on this port", &broker.port()];
    assert_fails(&ended, 69, &words);
    // The broker's administrator may change its settings: a device waits for that.
    let args = ["-v", "--reconnect-delay", "0.05", "device", "alice"];
    let device = client(&broker, &authority.certificate(), args);
    assert_waits(Process::start(device), &words);
}

#[test]
fn no_tls_to_a_port_with_it_is_explained() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("here", HERE, Validity::Now);
    let broker = broker(&authority, &signed, "");
    let words = ["without TLS", &broker.port()];
    assert_fails(&run(broker.client(REQUEST)), 69, &words);
    let args = ["-v", "--reconnect-delay", "0.05", "device", "alice"];
    assert_waits(Process::start(broker.client(args)), &words);
}

fn assert_waits(device: Process, words: &[&str]) {
    let warning = device.wait_for_stderr("trying again");
    for word in words {
        assert!(warning.contains(word), "no `{word}`: {warning}");
    }
    device.wait_for_stderr("attempt 2");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
    assert_plain(&ended.stderr);
}
