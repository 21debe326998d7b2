//! Brokers that refuse the TLS handshake itself, and what for.

use std::process::Command;

use crate::certificates::{Authority, HERE, Signed, Validity, broker, client, old_broker, text};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, OPENSSL, missing};
use harness::outcome::assert_fails;
use harness::process::run;

/// Every role's failure, with a certificate of its own or without.
fn every_role(broker: &Mosquitto, authority: &Authority, alice: Option<&Signed>) -> Vec<Command> {
    let roles: [&[&str]; 3] = [
        &["net", "reverse", "abc"],
        &["device", "alice"],
        &["responder"],
    ];
    let command = |role: &[&str]| {
        let mut command = client(broker, &authority.certificate(), role.iter().copied());
        if let Some(alice) = alice {
            command.args(["--cert", text(&alice.certificate)]);
            command.args(["--key", text(&alice.key)]);
        }
        command
    };
    roles.map(command).into()
}

#[test]
fn tls_1_2_calls_a_missing_certificate_a_failed_handshake_and_means_the_certificate() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("here", HERE, Validity::Now);
    let broker = old_broker(&authority, &signed, "TLSv1.2", "require_certificate true\n");
    for command in every_role(&broker, &authority, None) {
        let words = ["wants a certificate", "--cert", "--key", &broker.port()];
        assert_fails(&run(command), 77, &words);
    }
}

#[test]
fn ciphers_that_do_not_match_are_not_taken_for_a_missing_certificate() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("here", HERE, Validity::Now);
    let alice = authority.sign("alice", "DNS:alice", Validity::Now);
    let odd = "tls_version tlsv1.3\nciphers_tls1.3 TLS_AES_128_CCM_SHA256\n";
    for broker in [
        broker(&authority, &signed, odd),
        old_broker(&authority, &signed, "TLSv1.2", "ciphers AES128-SHA256\n"),
    ] {
        for command in every_role(&broker, &authority, None) {
            let ended = run(command);
            assert_fails(
                &ended,
                69,
                &["refused the TLS handshake", "ciphers", &broker.port()],
            );
            assert!(!ended.stderr.contains("--cert"), "{ended:?}");
        }
        for command in every_role(&broker, &authority, Some(&alice)) {
            let words = [
                "refused the TLS handshake",
                "ciphers",
                "--cert",
                &broker.port(),
            ];
            assert_fails(&run(command), 69, &words);
        }
    }
}

#[test]
fn a_broker_that_is_too_old_for_tls_1_2_is_called_so() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("here", HERE, Validity::Now);
    let broker = old_broker(&authority, &signed, "TLSv1.1", "");
    for command in every_role(&broker, &authority, None) {
        let words = ["no TLS newer than 1.1", "TLS 1.2", &broker.port()];
        assert_fails(&run(command), 69, &words);
    }
}
