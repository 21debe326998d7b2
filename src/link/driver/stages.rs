//! The way to a broker, one stage at a time, for whoever wants to see at which of them it ends: the look-up of the name,
//! TCP to one address, the TLS handshake. A run goes the same way by itself, and its errors have the same words.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rumqttc::ConnectionError;

use super::errors;
use super::way::{Failed, LOOK_UP};
use crate::link::thread::spawn_alike;
use crate::link::{Address, Options};
use crate::role::{Failure, Kind};

/// What one address may take to accept, and a broker for one flight of the TLS handshake.
const LIMIT: Duration = Duration::from_secs(5);

/// The addresses of the broker's name.
///
/// # Errors
/// The name is not known, or no name server answers.
pub fn look_up(options: &Options) -> Result<Vec<SocketAddr>, Failure> {
    let (sender, found) = mpsc::channel();
    let (host, port) = (options.host.clone(), options.port);
    // The resolver's own limits may be minutes, and nothing ends it.
    let started = spawn_alike(Box::new(move || {
        let addresses = (&*host, port).to_socket_addrs();
        let _ = sender.send(addresses.map(Iterator::collect::<Vec<_>>));
    }));
    if let Err(error) = started {
        let text = format!("cannot start a thread: {error}");
        return Err(Failure::new(Kind::Config, text));
    }
    match found.recv_timeout(LOOK_UP) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Err(RecvTimeoutError::Timeout) => Err(failure(&Failed::NoLookUp, options)),
        _ => Err(failure(&Failed::Unknown, options)),
    }
}

/// A TCP connection to one address of the broker.
///
/// # Errors
/// Nothing accepts there.
pub fn dial(options: &Options, address: SocketAddr) -> Result<TcpStream, Failure> {
    TcpStream::connect_timeout(&address, LIMIT).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            failure(&Failed::NoTcp(vec![address]), options)
        }
        _ => failure(&ConnectionError::Io(error).into(), options),
    })
}

/// Whether the broker's Unix socket takes connections.
///
/// # Errors
/// It does not.
pub fn dial_socket(options: &Options) -> Result<(), Failure> {
    UnixStream::connect(&options.host)
        .map(drop)
        .map_err(|error| failure(&ConnectionError::Io(error).into(), options))
}

fn failure(failed: &Failed, options: &Options) -> Failure {
    let to = Address::new(&options.host, options.port);
    let trouble = errors::read(failed, options, &to, false, LIMIT);
    Failure::new(trouble.fatal.unwrap_or(Kind::Unreachable), trouble.text)
}

/// What a TLS handshake has shown.
#[derive(Debug)]
pub struct Handshake {
    /// The version and the certificate's dates, in words.
    pub text: String,
    /// The certificate's last day, where that is near.
    pub ends_soon: Option<String>,
}

#[cfg(not(feature = "tls"))]
mod absent {
    use super::{Failure, Handshake, Options, TcpStream};

    /// Never called: a build without TLS loads no configuration for it.
    ///
    /// # Errors
    /// None.
    pub fn shake_hands(options: &Options, _: TcpStream) -> Result<Option<Handshake>, Failure> {
        match &options.tls {
            Some(tls) => match *tls {},
            None => Ok(None),
        }
    }
}

#[cfg(not(feature = "tls"))]
pub use absent::shake_hands;

#[cfg(feature = "tls")]
mod present {

    use rumqttc::TlsError;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConnection, ProtocolVersion};

    use super::super::certificate;
    use super::*;
    use crate::utc;

    /// A certificate that ends within so many seconds is worth a word.
    const SOON: u64 = 14 * 86_400;

    /// The TLS handshake over this connection, which it ends; `None` where the options ask for no TLS.
    ///
    /// # Errors
    /// What the other end shows is not accepted, or it does not answer.
    pub fn shake_hands(
        options: &Options,
        mut stream: TcpStream,
    ) -> Result<Option<Handshake>, Failure> {
        let Some(tls) = &options.tls else {
            return Ok(None);
        };
        let failed = |error: TlsError| failure(&ConnectionError::Tls(error).into(), options);
        let name = ServerName::try_from(options.host.clone());
        let name = name.map_err(|error| failed(TlsError::DNSName(error)))?;
        let session = ClientConnection::new(tls.config(), name);
        let mut session = session.map_err(|error| failed(TlsError::TLS(error)))?;
        for direction in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
            direction(&stream, Some(LIMIT)).map_err(|error| failed(TlsError::Io(error)))?;
        }
        while session.is_handshaking() {
            session.complete_io(&mut stream).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    let text = format!(
                        "broker at {} accepted TCP, but did not answer the TLS handshake within {} s: does it speak TLS on this port? (usually 8883)",
                        options.address(),
                        LIMIT.as_secs()
                    );
                    Failure::new(Kind::Unreachable, text)
                }
                _ => failed(TlsError::Io(error)),
            })?;
        }
        session.send_close_notify();
        // The handshake is over, and so is what this connection was for.
        let _ = session.write_tls(&mut stream);
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        };
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let dates = shown.and_then(|shown| certificate::validity(shown));
        let now = utc::since_1970().as_secs();
        let today = utc::date(now);
        let text = match &dates {
            None => version.to_owned(),
            Some(dates) => format!(
                "{version}, a certificate for {}, valid from {} to {}; the clock here says {today}",
                options.host, dates.from, dates.until
            ),
        };
        let ends = dates.map(|dates| dates.until);
        Ok(Some(Handshake {
            text,
            ends_soon: ends.filter(|ends| *ends <= utc::date(now + SOON)),
        }))
    }
}

#[cfg(feature = "tls")]
pub use present::shake_hands;
