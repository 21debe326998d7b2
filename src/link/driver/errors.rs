//! Translates rumqttc's errors: says in words what went wrong with a connection and what the user can do about it,
//! and tells the engine whether waiting can mend it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

#[cfg(feature = "tls")]
use super::tls;
use super::way::{Failed, LOOK_UP};
use crate::link::engine::Trouble;
use crate::link::{Address, Options};
use crate::role::Kind;

/// Says why there is no connection; `online` says whether the broker had accepted the connection, and `limit` how long the
/// attempt could take.
#[must_use]
pub fn read(
    failed: &Failed,
    options: &Options,
    to: &Address,
    online: bool,
    limit: Duration,
) -> Trouble {
    let broker = format!("broker at {to}");
    let error = match failed {
        Failed::Unknown => return Trouble::new(unknown_name(to)),
        Failed::NoLookUp => {
            return Trouble::new(format!(
                "no name server answered for the name {} within {} s: is the network up, and the name server?",
                to.host,
                LOOK_UP.as_secs()
            ));
        }
        Failed::NoTcp(addresses) => {
            return Trouble::new(no_tcp(addresses, to, &broker, limit));
        }
        Failed::NoConnAck => {
            return Trouble::new(format!(
                "{broker} accepted TCP, but sent no CONNACK within {} s: is the port an MQTT broker's, or is the broker too busy?",
                limit.as_secs()
            ));
        }
        Failed::Rumqttc(error) => error,
    };
    match error {
        ConnectionError::ConnectionRefused(code) => refused(*code, options, &broker),
        ConnectionError::NetworkTimeout => Trouble::new(format!(
            "{broker} did not answer within {} s: is the host up, the port an MQTT broker's, no firewall between?",
            limit.as_secs()
        )),
        ConnectionError::NotConnAck(_) => not_a_broker(&broker),
        ConnectionError::Io(error) if !online && cut_off(error) => no_answer(options, &broker),
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

fn unknown_name(to: &Address) -> String {
    format!(
        "the name {} is not known: check --host, or the name server",
        to.host
    )
}

/// An address that is not the one of the command line is named.
fn no_tcp(addresses: &[SocketAddr], to: &Address, broker: &str, limit: Duration) -> String {
    let tried: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .filter(|address| *address != to.host)
        .collect();
    let tried = match tried.is_empty() {
        true => String::new(),
        false => format!(" at {}", tried.join(" and ")),
    };
    format!(
        "{broker} did not answer{tried} within {} s: is the host up, the port right, no firewall between?",
        limit.as_secs()
    )
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
        ConnectReturnCode::BadClientId => {
            // mosquitto (after 2.0.11) gives the same code for a keep alive above its `max_keepalive`, because MQTT
            // 3.1.1 has no code for that, and takes 0 for longer than any limit. The text mentions only a keep alive
            // that the user has made longer than the default, because that is the likelier reason then.
            let keep_alive = match options.keep_alive.as_secs() {
                0 => ", or a keep alive other than 0 with -k".to_owned(),
                seconds if seconds > Options::KEEP_ALIVE.as_secs() => {
                    format!(", or a keep alive below {seconds} s with -k")
                }
                _ => String::new(),
            };
            let remedy = format!("choose another with --id{keep_alive}");
            Trouble::fatal(
                Kind::Refused,
                format!("{broker} refused the client id {client_id}: {remedy}"),
            )
        }
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

/// The MQTT 3.1.1 return code for an MQTT 5 reason code, which some brokers send to a client of any version
/// (MQTT 5.0, section 3.2.2.2).
fn return_code(reason_code: u8) -> Option<ConnectReturnCode> {
    Some(match reason_code {
        0x84 => ConnectReturnCode::RefusedProtocolVersion,
        0x85 => ConnectReturnCode::BadClientId,
        0x86 => ConnectReturnCode::BadUserNamePassword,
        0x87 => ConnectReturnCode::NotAuthorized,
        // Server unavailable, and server busy.
        0x88 | 0x89 => ConnectReturnCode::ServiceUnavailable,
        _ => return None,
    })
}

/// The trouble when a SUBACK has a reason code of MQTT 5 (section 3.9.3) instead of 0x80, the only refusal of 3.1.1.
fn not_subscribed(reason_code: u8, broker: &str) -> Trouble {
    let refused = |remedy| {
        let text = format!("{broker} refused a subscription: {remedy}");
        Trouble::fatal(Kind::Refused, text)
    };
    match reason_code {
        0x87 => refused("has the user the right to read it?"),
        0x9e => refused("it has no shared subscriptions; leave out --share, or use another broker"),
        _ => Trouble::new(format!(
            "{broker} granted no subscription now (reason code {reason_code:#x}): try later"
        )),
    }
}

/// The other end closed the connection before CONNACK. That is no refusal, because a server of another protocol
/// does it, too. But NanoMQ and rumqttd answer a wrong login like this.
fn no_answer(options: &Options, broker: &str) -> Trouble {
    let encryption = match options.tls {
        Some(_) => "",
        None => ", and without TLS",
    };
    let login = match &options.login {
        Some(login) => format!(
            "it may have refused the login as user {}: check --username and the password",
            login.username
        ),
        None => "it may want a login: give --username and --password-file".to_owned(),
    };
    Trouble {
        is_unanswered: true,
        ..Trouble::new(format!(
            "{broker} closed the connection without an answer: does it speak MQTT{encryption}? if so, {login}"
        ))
    }
}

/// Whether the other end closed the connection: by a reset, or under TLS without its close_notify, which many TLS
/// libraries leave out.
fn cut_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
    )
}

/// Whether the other end closed the connection after bytes that are not a whole packet: the greetings of HTTP and SSH
/// look like the beginning of one. The text is tokio-util's, which has no kind for this error.
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

/// The trouble when the connection ended in the middle of the TLS handshake.
#[cfg(feature = "tls")]
fn handshake_trouble(error: &io::Error, options: &Options, to: &Address, broker: &str) -> Trouble {
    match cut_off(error) {
        true => Trouble::new(format!(
            "{broker} ended the TLS handshake: does it speak TLS on this port? (usually 8883)"
        )),
        false => io_trouble(error, options, to, broker),
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
    if cut_off(error) {
        return Trouble::closed(format!("{broker} closed the connection"));
    }
    let is_down = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
    );
    Trouble {
        is_down,
        ..Trouble::new(io_text(error, to, broker))
    }
}

fn io_text(error: &io::Error, to: &Address, broker: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if to.is_unix_socket() => {
            format!("there is no socket {}: is the broker running?", to.host)
        }
        io::ErrorKind::ConnectionRefused => format!(
            "{broker} refused the connection: is it running? try `systemctl status mosquitto` there"
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("{broker} cannot be reached: no route; is the network up?")
        }
        io::ErrorKind::TimedOut => {
            format!(
                "{broker} did not answer: is the host up, the port an MQTT broker's, no firewall between?"
            )
        }
        _ if error.to_string().contains("lookup") => unknown_name(to),
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
            no_answer(options, broker)
        }
        StateError::Deserialization(PacketError::Io(error)) if !online && cut_short(error) => {
            not_a_broker(broker)
        }
        StateError::Io(error) | StateError::Deserialization(PacketError::Io(error)) => {
            io_trouble(error, options, to, broker)
        }
        StateError::ConnectionAborted if online => {
            Trouble::closed(format!("{broker} closed the connection"))
        }
        StateError::ConnectionAborted => no_answer(options, broker),
        StateError::Deserialization(PacketError::PayloadSizeLimitExceeded(size)) => Trouble {
            too_large: true,
            ..Trouble::new(format!(
                "{broker} sent a packet of {size} bytes, more than this program takes: look for its publisher"
            ))
        },
        StateError::Deserialization(PacketError::InvalidConnectReturnCode(code)) if !online => {
            match return_code(*code) {
                Some(code) => refused(code, options, broker),
                None => not_a_broker(broker),
            }
        }
        StateError::Deserialization(PacketError::InvalidSubscribeReasonCode(code))
            if online && *code >= 0x80 =>
        {
            not_subscribed(*code, broker)
        }
        StateError::Deserialization(_) if !online => not_a_broker(broker),
        other => Trouble::new(format!("{broker} broke the MQTT protocol: {other}")),
    }
}

#[cfg(test)]
mod tests;
