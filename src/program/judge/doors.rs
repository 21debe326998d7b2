//! Where the judge's broker listens: for one run on a port of its own, and for all runs on that of the defaults.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::cli::PORT;
use crate::role::{Failure, Kind};
use crate::text_request::judge::{Door, Purpose};

/// An address of the loopback interface that is not localhost. Linux has it everywhere; where there is none, it is not
/// used.
const OTHER_HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// localhost:1883, taken as long as this lives.
pub struct DefaultPort(Vec<TcpListener>);

impl DefaultPort {
    /// Takes it; `None` where another process has it. `localhost` may be either address; there may be no IPv6.
    pub fn open() -> Option<Self> {
        let first = listen((Ipv4Addr::LOCALHOST, PORT).into()).ok()?;
        match listen((std::net::Ipv6Addr::LOCALHOST, PORT).into()) {
            Ok(second) => Some(Self(vec![first, second])),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            Err(_) => Some(Self(vec![first])),
        }
    }
}

/// More than the kernel keeps for a listener (listen(2), std asks for 128).
const MOST_LEFT: u32 = 1000;

impl DefaultPort {
    /// Closes the connections of an earlier run that nobody has taken: they are not the next one's.
    pub fn clear(&self) {
        for listener in &self.0 {
            let _ = (0..MOST_LEFT)
                .take_while(|_| listener.accept().is_ok())
                .count();
        }
    }
}

/// Where the broker of one run listens.
pub struct Doors {
    own: Vec<(Door, TcpListener)>,
    /// As `--host` says it.
    pub host: String,
    /// As `-p` says it.
    pub port: u16,
}

impl Doors {
    /// Opens what the run needs.
    ///
    /// # Errors
    /// There is no port.
    pub fn open(purpose: Purpose) -> Result<Self, Failure> {
        let none = |error: io::Error| {
            let text = format!("cannot listen on 127.0.0.1: {error}");
            Failure::new(Kind::Config, text)
        };
        let localhost = Ipv4Addr::LOCALHOST;
        if purpose == Purpose::NoBroker {
            return Ok(Self {
                own: Vec::new(),
                host: localhost.to_string(),
                port: nobodys_port(),
            });
        }
        let first = listen((localhost, 0).into()).map_err(none)?;
        let port = first.local_addr().map_err(none)?.port();
        let mut own = vec![(Door::Named, first)];
        let mut host = localhost;
        if purpose == Purpose::OtherHost {
            if let Ok(other) = listen((OTHER_HOST, port).into()) {
                own[0].0 = Door::Localhost;
                own.push((Door::Named, other));
                host = OTHER_HOST;
            }
        }
        Ok(Self {
            own,
            host: host.to_string(),
            port,
        })
    }

    /// All of them, with those of the defaults.
    pub fn all<'a>(
        &'a self,
        purpose: Purpose,
        default_port: Option<&'a DefaultPort>,
    ) -> Vec<(Door, &'a TcpListener)> {
        let door = match purpose {
            Purpose::Defaults => Door::Named,
            _ => Door::DefaultPort,
        };
        let own = self.own.iter().map(|(door, listener)| (*door, listener));
        let default_port = default_port.into_iter().flat_map(|port| &port.0);
        own.chain(default_port.map(|listener| (door, listener)))
            .collect()
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A port on which nobody listens. Not one of those that the system hands out: it could become the client's own, and the
/// client would be connected to itself.
fn nobodys_port() -> u16 {
    let is_free = |port: &u16| {
        let address = (Ipv4Addr::LOCALHOST, *port).into();
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
    };
    (1..20).find(is_free).unwrap_or(1)
}
