//! Brokers that want to see a certificate of the client, and whose.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::certificates::{Authority, HERE, Signed, Validity, broker, client, text};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, OPENSSL, missing};
use harness::outcome::{assert_answered, assert_fails, ready};
use harness::process::{Ended, run};

fn strict_broker(authority: &Authority) -> Mosquitto {
    let signed = authority.sign("here", HERE, Validity::Now);
    broker(authority, &signed, "require_certificate true\n")
}

fn with<'a>(signed: &'a Signed, role: &[&'a str]) -> Vec<&'a str> {
    let files = [
        "--cert",
        text(&signed.certificate),
        "--key",
        text(&signed.key),
    ];
    files.into_iter().chain(role.iter().copied()).collect()
}

#[test]
fn the_right_certificate_is_let_in() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = strict_broker(&authority);
    let trusted = authority.certificate();
    let alice = authority.sign("alice", "DNS:alice", Validity::Now);
    let args = with(&alice, &["responder", "-v"]);
    let _responder = ready(client(&broker, &trusted, args));
    let args = with(&alice, &["net", "uppercase", "abc"]);
    assert_answered(&run(client(&broker, &trusted, args)), "ABC");
}

#[test]
fn a_key_that_everybody_can_read_is_a_warning() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = strict_broker(&authority);
    let trusted = authority.certificate();
    let alice = authority.sign("alice", "DNS:alice", Validity::Now);
    let args = with(&alice, &["responder", "-v"]);
    let _responder = ready(client(&broker, &trusted, args));
    for (mode, warns) in [(0o604, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&alice.key, Permissions::from_mode(mode)).unwrap();
        let args = with(&alice, &["net", "uppercase", "abc"]);
        let ended = run(client(&broker, &trusted, args));
        assert_eq!((ended.code, &*ended.stdout), (Some(0), "ABC\n"));
        let found = ended.stderr.contains("others can read it; `chmod o= ");
        assert_eq!(found, warns, "{mode:o} {ended:?}");
    }
}

/// What each role says to a broker that does not let it in. The alert comes after the handshake's end
/// (TLS 1.3), together with, or instead of, the CONNACK.
fn every_role(broker: &Mosquitto, trusted: &Path, signed: Option<&Signed>, words: &[&str]) {
    for role in [
        ["net", "reverse", "abc"].as_slice(),
        &["device", "alice"],
        &["controller"],
        &["responder"],
    ] {
        let args = match signed {
            Some(signed) => with(signed, role),
            None => role.to_vec(),
        };
        let ended: Ended = run(client(broker, trusted, args));
        assert_fails(&ended, 77, words);
    }
}

#[test]
fn without_a_certificate_every_role_is_refused_and_told_the_options() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = strict_broker(&authority);
    let words = ["--cert", "--key", &broker.port()];
    every_role(&broker, &authority.certificate(), None, &words);
}

#[test]
fn a_certificate_that_the_broker_does_not_accept_is_a_refusal() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (authority, other) = (Authority::new("Good"), Authority::new("Other"));
    let broker = strict_broker(&authority);
    let trusted = authority.certificate();
    let strange = other.sign("mallory", "DNS:alice", Validity::Now);
    let expired = authority.sign("alice", "DNS:alice", Validity::Past);
    for signed in [strange, expired] {
        let words = ["--cert", "refused", &broker.port()];
        every_role(&broker, &trusted, Some(&signed), &words);
    }
}
