//! What went wrong with a connection: in words that name a remedy, and whether waiting can mend it.

use std::io;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

#[cfg(feature = "tls")]
use super::tls;
use crate::link::engine::Trouble;
use crate::link::{Address, Options};
use crate::role::Kind;

/// Reads rumqttc's error; `online` says whether the broker had accepted the connection.
#[must_use]
pub fn read(error: &ConnectionError, options: &Options, to: &Address, online: bool) -> Trouble {
    let broker = format!("broker at {to}");
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code, options, &broker),
        ConnectionError::NetworkTimeout => Trouble::new(format!(
            "{broker} did not answer within 5 s: is the host up, the port an MQTT broker's, no firewall between?"
        )),
        ConnectionError::FlushTimeout => Trouble::new(format!(
            "{broker} takes nothing any more: connection given up"
        )),
        ConnectionError::NotConnAck(_) => not_a_broker(&broker),
        ConnectionError::Io(error) if !online && cut_off(error) => no_answer(&broker),
        ConnectionError::Io(error) => io_trouble(error, options, to, &broker),
        #[cfg(feature = "tls")]
        ConnectionError::Tls(error) => match (tls::inside_rumqttc(error), error) {
            (Some(error), _) => tls_trouble(error, options, &broker),
            (None, rumqttc::TlsError::Io(error)) => handshake_trouble(error, options, to, &broker),
            (None, error) => Trouble::new(format!("{broker}: {error}")),
        },
        ConnectionError::MqttState(error) => state_trouble(error, options, to, &broker, online),
        other => Trouble::new(format!("{broker}: {other}")),
    }
}

fn refused(code: ConnectReturnCode, options: &Options, broker: &str) -> Trouble {
    let client_id = &options.client_id;
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            let remedy = match &options.login {
                Some(login) => format!(
                    "as user {}: check --username and the password",
                    login.username
                ),
                None => "without a user name: give --username and --password-file".to_owned(),
            };
            Trouble::fatal(
                Kind::Refused,
                format!("{broker} refused the login {remedy}"),
            )
        }
        ConnectReturnCode::BadClientId => Trouble::fatal(
            Kind::Refused,
            format!("{broker} refused the client id {client_id}: choose another with --id"),
        ),
        ConnectReturnCode::RefusedProtocolVersion => Trouble::fatal(
            Kind::Protocol,
            format!("{broker} does not speak MQTT 3.1.1: allow it there, or use another broker"),
        ),
        _ => Trouble {
            temporarily_unavailable: true,
            ..Trouble::new(format!("{broker} says it is not available now: try later"))
        },
    }
}

fn no_answer(broker: &str) -> Trouble {
    Trouble::new(format!(
        "{broker} closed the connection without an answer: does it speak MQTT, and without TLS?"
    ))
}

fn cut_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

/// The other end closed the connection after bytes that were no whole packet: HTTP's and SSH's greetings
/// look like the beginning of one. tokio-util's words for it, there is no kind.
fn cut_short(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.to_string() == "bytes remaining on stream"
}

fn not_a_broker(broker: &str) -> Trouble {
    Trouble::new(format!(
        "what answers at {} is not an MQTT broker: check --host and --port",
        broker.trim_start_matches("broker at ")
    ))
}

#[cfg(feature = "tls")]
fn tls_trouble(error: &rustls::Error, options: &Options, broker: &str) -> Trouble {
    let explained = options
        .tls
        .as_ref()
        .and_then(|tls| tls::explain(error, tls));
    match explained {
        Some((text, fatal)) => Trouble {
            fatal,
            ..Trouble::new(format!("{broker} {text}"))
        },
        None => Trouble::new(format!("{broker}: TLS: {error}")),
    }
}

/// The connection ended in the middle of the handshake.
#[cfg(feature = "tls")]
fn handshake_trouble(error: &io::Error, options: &Options, to: &Address, broker: &str) -> Trouble {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted => Trouble::new(format!(
            "{broker} ended the TLS handshake: does it speak TLS on this port? (usually 8883)"
        )),
        _ => io_trouble(error, options, to, broker),
    }
}

#[cfg_attr(
    not(feature = "tls"),
    expect(unused_variables, reason = "only TLS errors depend on the options")
)]
fn io_trouble(error: &io::Error, options: &Options, to: &Address, broker: &str) -> Trouble {
    #[cfg(feature = "tls")]
    if let Some(error) = tls::inside(error) {
        return tls_trouble(error, options, broker);
    }
    Trouble::new(io_text(error, to, broker))
}

fn io_text(error: &io::Error, to: &Address, broker: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if to.is_unix_socket() => {
            format!("there is no socket {}: is the broker running?", to.host)
        }
        io::ErrorKind::ConnectionRefused => format!(
            "{broker} refused the connection: is it running? try `systemctl status mosquitto` there"
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            format!("{broker} closed the connection")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("{broker} cannot be reached: no route; is the network up?")
        }
        io::ErrorKind::TimedOut => {
            format!(
                "{broker} did not answer: is the host up, the port an MQTT broker's, no firewall between?"
            )
        }
        _ if error.to_string().contains("lookup") => format!(
            "the name {} is not known: check --host, or the name server",
            to.host
        ),
        _ => format!("{broker}: {error}"),
    }
}

fn state_trouble(
    error: &StateError,
    options: &Options,
    to: &Address,
    broker: &str,
    online: bool,
) -> Trouble {
    match error {
        StateError::Io(error) | StateError::Deserialization(PacketError::Io(error))
            if !online && cut_off(error) =>
        {
            no_answer(broker)
        }
        StateError::Deserialization(PacketError::Io(error)) if !online && cut_short(error) => {
            not_a_broker(broker)
        }
        StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)) => {
            io_trouble(error, options, to, broker)
        }
        StateError::ConnectionAborted if online => {
            Trouble::new(format!("{broker} closed the connection"))
        }
        StateError::ConnectionAborted => no_answer(broker),
        StateError::AwaitPingResp => Trouble::new(format!(
            "{broker} did not answer a ping within {} s: connection given up",
            options.keep_alive.as_secs()
        )),
        StateError::Deserialization(PacketError::PayloadSizeLimitExceeded(size)) => Trouble {
            too_large: true,
            ..Trouble::new(format!(
                "{broker} sent a packet of {size} bytes, more than this program takes: look for its publisher"
            ))
        },
        StateError::Deserialization(_) if !online => not_a_broker(broker),
        other => Trouble::new(format!("{broker} broke the MQTT protocol: {other}")),
    }
}
