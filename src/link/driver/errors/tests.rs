//! One row for each error: what the user reads, and whether the run ends.

use super::*;
use crate::link::Login;

fn options() -> Options {
    Options::new("pi", 1883, "me")
}

fn with_login(options: Options) -> Options {
    let login = Login {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    };
    Options {
        login: Some(login),
        ..options
    }
}

fn with_keep_alive(seconds: u64) -> Options {
    Options {
        keep_alive: Duration::from_secs(seconds),
        ..options()
    }
}

/// What `error` means before CONNACK, without the broker's address.
#[track_caller]
fn before_connack(error: ConnectionError, options: &Options) -> (String, Option<Kind>) {
    explained(error, options, false)
}

#[track_caller]
fn explained(error: ConnectionError, options: &Options, online: bool) -> (String, Option<Kind>) {
    let to = Address::new(&options.host, options.port);
    let trouble = read(&error.into(), options, &to, online, Duration::from_secs(5));
    let text = trouble.text.strip_prefix("broker at pi:1883 ");
    (text.unwrap_or(&trouble.text).to_owned(), trouble.fatal)
}

fn broken_packet(error: PacketError) -> ConnectionError {
    ConnectionError::MqttState(StateError::Deserialization(error))
}

fn reason_code(code: u8) -> ConnectionError {
    broken_packet(PacketError::InvalidConnectReturnCode(code))
}

/// As rumqttc reports an I/O error of an established connection.
fn io_error(kind: io::ErrorKind, text: &str) -> ConnectionError {
    broken_packet(PacketError::Io(io::Error::new(kind, text.to_owned())))
}

/// As rustls reports the end of a connection without close_notify.
fn end_without_close_notify() -> ConnectionError {
    let text = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/";
    io_error(io::ErrorKind::UnexpectedEof, text)
}

#[test]
fn a_refused_client_id_may_mean_the_keep_alive() {
    let rejected = || ConnectionError::ConnectionRefused(ConnectReturnCode::BadClientId);
    let id = "refused the client id me: choose another with --id";
    for (seconds, keep_alive) in [
        (15, ""),
        (1, ""),
        (16, ", or a keep alive below 16 s with -k"),
        (65_535, ", or a keep alive below 65535 s with -k"),
        (0, ", or a keep alive other than 0 with -k"),
    ] {
        let expected = (format!("{id}{keep_alive}"), Some(Kind::Refused));
        let options = with_keep_alive(seconds);
        assert_eq!(before_connack(rejected(), &options), expected, "{seconds}");
    }
}

#[test]
fn a_reason_code_of_mqtt_5_means_what_the_return_code_of_mqtt_3_means() {
    let refused = Some(Kind::Refused);
    for (code, text, kind) in [
        (
            0x84,
            "does not speak MQTT 3.1.1: allow it there, or use another broker",
            Some(Kind::Protocol),
        ),
        (
            0x85,
            "refused the client id me: choose another with --id",
            refused,
        ),
        (
            0x86,
            "refused the login as user alice: check --username and the password",
            refused,
        ),
        (
            0x87,
            "refused the login as user alice: check --username and the password",
            refused,
        ),
    ] {
        let explained = before_connack(reason_code(code), &with_login(options()));
        assert_eq!(explained, (text.to_owned(), kind), "{code:#x}");
    }
    for code in [0x88, 0x89] {
        let to = Address::new("pi", 1883);
        let failed = reason_code(code).into();
        let trouble = read(&failed, &options(), &to, false, Duration::from_secs(5));
        assert_eq!(
            trouble.text,
            "broker at pi:1883 says it is not available now: try later"
        );
        assert!(trouble.temporarily_unavailable && trouble.fatal.is_none());
    }
    let (text, kind) = before_connack(reason_code(0x87), &options());
    assert!(text.contains("without a user name"), "{text}");
    assert_eq!(kind, refused);
}

#[test]
fn a_subscription_refused_with_a_reason_code_of_mqtt_5_is_refused() {
    for (code, says, kind) in [
        (0x87, "right to read", Some(Kind::Refused)),
        (0x9e, "leave out --share", Some(Kind::Refused)),
        (0x97, "0x97): try later", None),
    ] {
        let error = broken_packet(PacketError::InvalidSubscribeReasonCode(code));
        let (text, fatal) = explained(error, &options(), true);
        assert!(text.contains(says), "{text}");
        assert_eq!(fatal, kind, "{text}");
    }
}

#[test]
fn a_return_code_that_no_version_has_comes_from_no_broker() {
    for code in [6, 0x80, 0x83, 0xff] {
        let (text, kind) = before_connack(reason_code(code), &options());
        let expected = "what answers at pi:1883 is not an MQTT broker: check --host and --port";
        assert_eq!((&*text, kind), (expected, None), "{code:#x}");
    }
}

#[test]
fn a_connection_that_ends_before_connack_may_mean_the_login() {
    let ends = || {
        [
            ConnectionError::MqttState(StateError::ConnectionAborted),
            io_error(io::ErrorKind::ConnectionReset, "reset"),
            end_without_close_notify(),
            ConnectionError::Io(io::ErrorKind::ConnectionReset.into()),
        ]
    };
    let says =
        "closed the connection without an answer: does it speak MQTT, and without TLS? if so, ";
    for (options, login) in [
        (
            with_login(options()),
            "it may have refused the login as user alice: check --username and the password",
        ),
        (
            options(),
            "it may want a login: give --username and --password-file",
        ),
    ] {
        for error in ends() {
            let name = format!("{error:?}");
            let expected = (format!("{says}{login}"), None);
            assert_eq!(before_connack(error, &options), expected, "{name}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_client_that_uses_tls_is_not_asked_whether_the_broker_does_without() {
    let options = Options {
        tls: Some(crate::link::Tls::that_trusts_no_authority()),
        ..options()
    };
    let (text, kind) = before_connack(end_without_close_notify(), &options);
    let expected = "closed the connection without an answer: does it speak MQTT? if so, \
                    it may want a login: give --username and --password-file";
    assert_eq!((&*text, kind), (expected, None));
}

#[cfg(feature = "tls")]
#[test]
fn an_end_within_the_handshake_is_called_so() {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    for kind in [ConnectionAborted, ConnectionReset, UnexpectedEof] {
        let error = ConnectionError::Tls(rumqttc::TlsError::Io(kind.into()));
        let text = "ended the TLS handshake: does it speak TLS on this port? (usually 8883)";
        let expected = (text.to_owned(), None);
        assert_eq!(before_connack(error, &options()), expected, "{kind:?}");
    }
}

#[test]
fn the_end_of_a_connection_is_called_so_with_close_notify_and_without() {
    for error in [
        ConnectionError::MqttState(StateError::ConnectionAborted),
        io_error(io::ErrorKind::ConnectionReset, "reset"),
        end_without_close_notify(),
    ] {
        let name = format!("{error:?}");
        let expected = ("closed the connection".to_owned(), None);
        assert_eq!(explained(error, &options(), true), expected, "{name}");
    }
}

#[test]
fn the_step_at_which_an_attempt_failed_is_named() {
    let after_5_s = |failed: Failed| {
        let to = Address::new("pi", 1883);
        let trouble = read(&failed, &options(), &to, false, Duration::from_secs(5));
        assert_eq!(trouble.fatal, None);
        trouble.text
    };
    let tried = ["192.0.2.7:1883", "[2001:db8::7]:1883"].map(|address| address.parse().unwrap());
    for (failed, step) in [
        (Failed::Unknown, "the name pi is not known: "),
        (
            Failed::NoLookUp,
            "no name server answered for the name pi within 8 s: ",
        ),
        (
            Failed::NoTcp(tried.to_vec()),
            "broker at pi:1883 did not answer at 192.0.2.7 and 2001:db8::7 within 5 s: ",
        ),
        (
            Failed::NoConnAck,
            "broker at pi:1883 accepted TCP, but sent no CONNACK within 5 s: ",
        ),
        (
            ConnectionError::NetworkTimeout.into(),
            "broker at pi:1883 did not answer within 5 s: ",
        ),
    ] {
        let text = after_5_s(failed);
        assert!(text.starts_with(step), "{text}");
    }
    let to = Address::new("192.0.2.7", 1883);
    let failed = Failed::NoTcp(tried[..1].to_vec());
    let text = read(&failed, &options(), &to, false, Duration::from_secs(5)).text;
    assert!(text.starts_with("broker at 192.0.2.7:1883 did not answer within 5 s: "));
}
