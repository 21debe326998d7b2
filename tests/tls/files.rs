//! Certificate and key files that are not there, or not what they should be.

use crate::certificates::{Authority, Validity, text};
use harness::folder::Folder;
use harness::needed::{OPENSSL, missing};
use harness::outcome::assert_fails;
use harness::process::{mqtt_client, run};

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

#[test]
fn a_file_that_is_no_use_is_named() {
    if missing(&[OPENSSL]) {
        return;
    }
    let authority = Authority::new("Good");
    let trusted = authority.certificate();
    let alice = authority.sign("alice", "DNS:alice", Validity::Now);
    let bob = authority.sign("bob", "DNS:bob", Validity::Now);
    let locked = authority.locked(&alice.key);
    let folder = Folder::new();
    let put = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let absent = folder.path().join("absent.pem");
    let empty = put("empty.pem", b"");
    let garbage = put("garbage.pem", b"\xff\x00 no PEM at all\n");
    let broken = put(
        "broken.pem",
        b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    let hollow = put(
        "hollow.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let whole = std::fs::read(&trusted).unwrap();
    let cut = put("cut.pem", &whole[..whole.len() / 2]);
    let no_file = folder.path();
    let (certificate, key) = (&*alice.certificate, &*alice.key);
    for wrong in [
        &*absent, no_file, &empty, &garbage, &broken, &hollow, &cut, key,
    ] {
        let args = ["--cafile", text(wrong)].into_iter().chain(REQUEST);
        assert_fails(&run(mqtt_client(args)), 78, &[text(wrong)]);
    }
    let pairs = [
        (certificate, &*absent, "absent.pem"),
        (certificate, no_file, text(no_file)),
        (certificate, &empty, "empty.pem"),
        (certificate, &garbage, "garbage.pem"),
        (certificate, certificate, "alice.pem"),
        (certificate, &bob.key, "bob.key"),
        (certificate, &locked, "unencrypted"),
        (&absent, key, "absent.pem"),
        (no_file, key, text(no_file)),
        (&empty, key, "empty.pem"),
        (&garbage, key, "garbage.pem"),
        (&broken, key, "broken.pem"),
        (&hollow, key, "hollow.pem"),
        (key, key, "alice.key"),
    ];
    for (certificate, key, named) in pairs {
        let files = ["--cert", text(certificate), "--key", text(key)];
        let args = ["--cafile", text(&trusted)].into_iter().chain(files);
        let ended = run(mqtt_client(args.chain(REQUEST)));
        assert_fails(&ended, 78, &[named]);
    }
}

#[test]
fn a_file_named_by_the_environment_is_named_as_well() {
    for role in [REQUEST.as_slice(), &["device", "alice"], &["responder"]] {
        let mut command = mqtt_client(role.iter().copied());
        command.env("MQTT_CLIENT_CAFILE", "/nonexistent/authority.pem");
        assert_fails(&run(command), 78, &["/nonexistent/authority.pem"]);
    }
}

#[test]
fn a_system_without_authorities_is_told_which_package_brings_them() {
    let folder = Folder::new();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for file in ["/dev/null", text(&empty)] {
        for role in [REQUEST.as_slice(), &["device", "alice"]] {
            let mut command = mqtt_client(["--tls"].into_iter().chain(role.iter().copied()));
            command
                .env("SSL_CERT_FILE", file)
                .env("SSL_CERT_DIR", "/nonexistent");
            assert_fails(&run(command), 78, &["ca-certificates", "--cafile"]);
        }
    }
}

#[test]
fn a_system_whose_authorities_cannot_be_read_says_why() {
    let folder = Folder::new();
    let absent = folder.path().join("absent.pem");
    let garbage = folder.path().join("garbage.pem");
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    std::fs::write(&garbage, broken).unwrap();
    for (file, why) in [(&absent, text(&absent)), (&garbage, "PEM")] {
        let mut command = mqtt_client(["--tls"].into_iter().chain(REQUEST));
        command
            .env("SSL_CERT_FILE", file)
            .env("SSL_CERT_DIR", "/nonexistent");
        let words = ["ca-certificates", "--cafile", why];
        assert_fails(&run(command), 78, &words);
    }
}

#[test]
fn half_an_identity_is_a_wrong_command_line() {
    for (args, words) in [
        (["--cert", "x.pem"], ["--cert", "without --key"]),
        (["--key", "x.key"], ["--key", "without --cert"]),
    ] {
        let ended = run(mqtt_client(args.into_iter().chain(REQUEST)));
        assert_fails(&ended, 64, &words);
    }
}
