//! Brokers whose certificate must not be accepted, and clocks that are wrong.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::certificates::{Authority, HERE, Signed, Validity, broker, client, text};
use harness::clock::Clock;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{FAKETIME, MOSQUITTO, OPENSSL, missing};
use harness::outcome::assert_fails;
use harness::process::{Ended, Process, mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

const ROLES: [&[&str]; 4] = [
    &REQUEST,
    &["device", "alice"],
    &["controller"],
    &["responder"],
];

/// Every role gives up at the first try: waiting would not mend it.
fn assert_distrusted(broker: &Mosquitto, trusted: &Path, words: &[&str]) {
    let address = format!("localhost:{}", broker.port());
    let words: Vec<&str> = words.iter().copied().chain([&*address]).collect();
    for role in ROLES {
        let ended = run(client(broker, trusted, role.iter().copied()));
        assert_fails(&ended, 69, &words);
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_ends_every_role_and_names_the_option() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (good, other) = (Authority::new("Good"), Authority::new("Other"));
    let broker = broker(&good, &good.sign("here", HERE, Validity::Now), "");
    let words = ["not trusted", "--cafile"];
    assert_distrusted(&broker, &other.certificate(), &words);
    // No --cafile: the system's authorities, which do not know ours.
    let mut command = mqtt_client(["-h", "localhost", "-p", &broker.port(), "--tls"]);
    command
        .args(REQUEST)
        .env("SSL_CERT_FILE", other.certificate());
    assert_fails(&run(command), 69, &words);
    // Perhaps it is among those of the system's that cannot be read.
    let folder = Folder::new();
    let half = folder.path().join("half.pem");
    let mut content = std::fs::read(other.certificate()).unwrap();
    content.extend(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    std::fs::write(&half, content).unwrap();
    let mut command = mqtt_client(["-h", "localhost", "-p", &broker.port(), "--tls"]);
    command.args(REQUEST).env("SSL_CERT_FILE", &half);
    let words = ["not trusted", "--cafile", "could be read", "PEM"];
    assert_fails(&run(command), 69, &words);
}

#[test]
fn an_authority_of_the_same_name_is_not_the_same_authority() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let (good, impostor) = (Authority::new("Good"), Authority::new("Good"));
    let signed = impostor.sign("here", HERE, Validity::Now);
    let broker = broker(&impostor, &signed, "");
    let ended = run(client(&broker, &good.certificate(), REQUEST));
    assert_fails(&ended, 69, &["--cafile", &broker.port()]);
}

/// Shows a certificate that is wrong in one respect, to every role.
fn assert_refused_for(sign: impl Fn(&Authority) -> Signed, words: &[&str]) {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let broker = broker(&authority, &sign(&authority), "");
    assert_distrusted(&broker, &authority.certificate(), words);
}

#[test]
fn an_expired_certificate_is_refused() {
    assert_refused_for(
        |authority| authority.sign("old", HERE, Validity::Past),
        &["certificate", "expired", "clock"],
    );
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    assert_refused_for(
        |authority| authority.sign("elsewhere", "DNS:pi.example", Validity::Now),
        &["certificate", "another name"],
    );
}

#[test]
fn a_certificate_without_host_names_is_refused() {
    let sign = |authority: &Authority| {
        // The name is in the subject only, which has not counted for years (RFC 6125).
        authority.sign_with("localhost", "basicConstraints = CA:FALSE\n", Validity::Now)
    };
    assert_refused_for(sign, &["certificate", "subjectAltName"]);
}

#[test]
fn a_certificate_of_version_1_as_mosquittos_manual_makes_it_is_refused() {
    let sign = |authority: &Authority| authority.sign_with("localhost", "", Validity::Now);
    assert_refused_for(sign, &["certificate", "subjectAltName"]);
}

#[test]
fn an_authority_that_shows_its_own_certificate_is_refused() {
    let sign = |authority: &Authority| {
        let extensions = format!("subjectAltName = {HERE}\nbasicConstraints = CA:TRUE\n");
        authority.sign_with("both", &extensions, Validity::Now)
    };
    assert_refused_for(sign, &["certificate", "CA:FALSE"]);
}

#[test]
fn a_certificate_for_clients_is_none_for_a_broker() {
    let sign = |authority: &Authority| {
        let extensions = format!("subjectAltName = {HERE}\nextendedKeyUsage = clientAuth\n");
        authority.sign_with("client", &extensions, Validity::Now)
    };
    assert_refused_for(sign, &["certificate", "client"]);
}

#[test]
fn a_certificate_from_the_future_ends_a_request() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("future", HERE, Validity::Future);
    let broker = broker(&authority, &signed, "");
    let ended: Ended = run(client(&broker, &authority.certificate(), REQUEST));
    assert_fails(&ended, 69, &["not valid yet", "clock"]);
}

/// A port whose connections go to whichever broker is chosen at the time.
struct Switch {
    port: u16,
    to: Arc<AtomicU16>,
}

impl Switch {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = Arc::new(AtomicU16::new(to));
        let chosen = Arc::clone(&to);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let broker = TcpStream::connect(("127.0.0.1", chosen.load(Ordering::SeqCst)));
                let broker = broker.unwrap();
                let back = (broker.try_clone().unwrap(), client.try_clone().unwrap());
                for (mut from, mut to) in [(client, broker), back] {
                    std::thread::spawn(move || {
                        // Whichever end fails, the other has to hear of it.
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self { port, to }
    }
}

#[test]
fn a_device_whose_clock_is_not_set_yet_warns_and_waits_until_it_is() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    // Only root can set the clock: instead the certificate becomes the right one.
    let authority = Authority::new("Good");
    let future = authority.sign("future", HERE, Validity::Future);
    let future = broker(&authority, &future, "");
    let now = broker(&authority, &authority.sign("now", HERE, Validity::Now), "");
    let switch = Switch::start(future.port().parse().unwrap());
    let port = switch.port.to_string();
    let trusted = authority.certificate();
    let args = ["-h", "localhost", "-p", &port, "--cafile", text(&trusted)];
    let rest = ["-v", "--reconnect-delay", "0.05", "device", "alice"];
    let device = Process::start(mqtt_client(args.into_iter().chain(rest)));
    let warning = device.wait_for_stderr("trying again");
    for word in ["warning: ", "not valid yet", "clock", &port] {
        assert!(warning.contains(word), "no `{word}`: {warning}");
    }
    device.wait_for_stderr("attempt 2");
    let to = now.port().parse().unwrap();
    switch.to.store(to, Ordering::SeqCst);
    device.wait_for_stderr("published on login, confirmed");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
}

#[test]
fn a_device_whose_clock_is_never_set_can_be_stopped() {
    if missing(&[MOSQUITTO, OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let signed = authority.sign("future", HERE, Validity::Future);
    let broker = broker(&authority, &signed, "");
    let device = client(&broker, &authority.certificate(), ["device", "alice"]);
    let device = Process::start(device);
    device.wait_for_stderr("clock");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
}

#[test]
fn a_device_that_begins_in_1970_gets_on_when_its_clock_is_set() {
    if missing(&[MOSQUITTO, FAKETIME, OPENSSL]) {
        return;
    }
    let clock = Clock::unset();
    let authority = Authority::new("Good");
    let signed = authority.sign("now", HERE, Validity::Now);
    let broker = broker(&authority, &signed, "");
    let args = ["-v", "--reconnect-delay", "0.05", "device", "alice"];
    let device = client(&broker, &authority.certificate(), args);
    let device = Process::start(clock.over(device));
    let warning = device.wait_for_stderr("trying again");
    for word in ["warning: ", "not valid yet", "clock", &broker.port()] {
        assert!(warning.contains(word), "no `{word}`: {warning}");
    }
    device.wait_for_stderr("attempt 2");
    clock.set("+0");
    device.wait_for_stderr("published on login, confirmed");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
}
