//! `doctor` finds what is wrong with a certificate, or with the clock, at the step `tls`, and names dates and names.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::certificates::{Authority, HERE, Validity, broker, client};
use harness::clock::Clock;
use harness::mosquitto::Mosquitto;
use harness::needed::{FAKETIME, MOSQUITTO, OPENSSL, missing};
use harness::process::{line_with, mqtt_client, run};

/// The first failure is at `tls`, with these words, and nothing comes after it.
fn assert_fails(command: Command, words: &[&str]) {
    let ended = run(command);
    assert_eq!((ended.code, &*ended.stderr), (Some(69), ""), "{ended:?}");
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("FAIL  tls "), "{ended:?}");
    assert_eq!(ended.stdout.matches("FAIL").count(), 1, "{ended:?}");
    for word in words {
        assert!(last.contains(word), "no `{word}`: {last}");
    }
}

fn doctor(broker: &Mosquitto, trusted: &Path) -> Command {
    client(broker, trusted, ["doctor", "device", "alice"])
}

#[test]
fn a_good_certificate_is_told_with_its_dates() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = broker(&authority, &authority.sign("here", HERE, Validity::Now), "");
    let ended = run(doctor(&broker, &authority.certificate()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let tls = line_with(&ended.stdout, "ok    tls ").unwrap();
    for word in ["localhost", "from 2020-01-01 to 2049-12-31", "TLS 1.3"] {
        assert!(tls.contains(word), "no `{word}`: {tls}");
    }
    assert!(
        line_with(&ended.stdout, "ok    qos2 ").is_some(),
        "{ended:?}"
    );
}

#[test]
fn an_authority_that_is_not_trusted_is_found() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (good, other) = (Authority::new("Good"), Authority::new("Other"));
    let broker = broker(&good, &good.sign("here", HERE, Validity::Now), "");
    let words = ["not trusted", "--cafile"];
    assert_fails(doctor(&broker, &other.certificate()), &words);
}

#[test]
fn a_certificate_that_has_expired_is_found() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = broker(&authority, &authority.sign("old", HERE, Validity::Past), "");
    let words = ["expired on 2020-02-01", "renew it", "clock here"];
    assert_fails(doctor(&broker, &authority.certificate()), &words);
}

#[test]
fn a_certificate_for_another_host_is_found_with_the_names_in_it() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let names = "DNS:pi.example,IP:192.0.2.7";
    let broker = broker(
        &authority,
        &authority.sign("other", names, Validity::Now),
        "",
    );
    let words = ["another name", "(pi.example, 192.0.2.7)"];
    assert_fails(doctor(&broker, &authority.certificate()), &words);
}

#[test]
fn a_clock_that_was_never_set_is_found() {
    if missing(&[MOSQUITTO, FAKETIME, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = broker(&authority, &authority.sign("now", HERE, Validity::Now), "");
    let clock = Clock::unset();
    let doctor = clock.over(doctor(&broker, &authority.certificate()));
    let words = [
        "from 2020-01-01 on",
        "is the clock here set? it says 1970-01-01",
    ];
    assert_fails(doctor, &words);
}

#[test]
fn a_port_that_does_not_answer_the_handshake_is_found() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let command = mqtt_client(["-h", "127.0.0.1", "-p", &port, "--tls", "doctor"]);
    assert_fails(command, &["did not answer the TLS handshake", "8883"]);
}
