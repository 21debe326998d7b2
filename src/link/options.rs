//! Which broker the link connects to, with which login, and with what kind of session.

use std::fmt;
use std::time::Duration;

use super::{Presence, Tls};
use crate::mqtt::Message;
use crate::role::{Failure, Kind};

/// What the broker remembers of this client between two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Nothing (CleanSession 1): what comes for this client while a connection is lost is lost too, and a message of its
    /// own at QoS 2 may arrive twice.
    Clean,
    /// The subscriptions, and the messages for them (CleanSession 0).
    Persistent {
        /// Continue the session that an earlier run has left, instead of beginning with an empty one.
        resume: bool,
        /// Leave the session, and the journal, to the next run if a stop or a failure ends this one; but not
        /// [`Kind::NoAnswer`](crate::role::Kind::NoAnswer), since the other end is gone, nor
        /// [`Kind::Protocol`](crate::role::Kind::Protocol), since what it sent would end the next run, too.
        keep: bool,
    },
}

impl Session {
    /// What comes while a connection is lost is delivered later; nothing is left on the broker after the run.
    pub const WHILE_RUNNING: Self = Self::Persistent {
        resume: false,
        keep: false,
    };
    /// What comes while no run is there is delivered to the next one, too. The broker keeps the session for as long as it
    /// keeps sessions.
    pub const LASTING: Self = Self::Persistent {
        resume: true,
        keep: true,
    };
}

/// User name and password (MQTT 3.1.1, section 3.1.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name; not empty.
    pub username: String,
    /// The password; the link sends none if it is empty.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?}, ***)", self.username)
    }
}

/// The address of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 or an IPv6 address; or the path of a Unix socket, which begins with `/`.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// The address of this host and port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Whether the host is the path of a Unix socket.
    #[must_use]
    pub fn is_unix_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

/// Host and port, or the socket's path, in the form that texts for the user have.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.parse::<std::net::Ipv6Addr>() {
            Ok(address) => write!(f, "[{address}]:{port}"),
            Err(_) if self.is_unix_socket() => f.write_str(host),
            Err(_) => write!(f, "{host}:{port}"),
        }
    }
}

/// What a run does while every broker refuses its login or a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// It ends: a person reads why, and tries again.
    End,
    /// It asks again after a minute or two, and then at intervals of up to half an hour: whoever mends the broker's list of users
    /// does not have to know of every board.
    RetrySlowly,
}

/// How the link reaches the broker, and what it tells the broker about this client.
#[derive(Debug, Clone)]
pub struct Options {
    /// A name, an IPv4 or an IPv6 address; or the path of a Unix socket, which begins with `/`.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The other brokers of the cluster. When one broker fails, the link tries the next.
    pub others: Vec<Address>,
    /// How the connection is encrypted; `None` if it is not.
    pub tls: Option<Tls>,
    /// The client id; not empty.
    pub client_id: String,
    /// The login, for a broker that wants one.
    pub login: Option<Login>,
    /// The keep alive interval: whole seconds, 1 or more; 0 for none.
    pub keep_alive: Duration,
    /// What the broker remembers between two connections: [`Session::WHILE_RUNNING`] unless told otherwise.
    pub session: Session,
    /// The shortest wait before a new attempt to connect.
    pub reconnect_delay: Duration,
    /// End the run if the very first attempt to connect fails.
    pub give_up_at_once: bool,
    /// What becomes of the run while the brokers refuse it.
    pub refusals: Refusals,
    /// What the run says of its own presence; `None` for nothing.
    pub presence: Option<Presence>,
    /// The last will: what the broker publishes where the connection ends without DISCONNECT (MQTT 3.1.1, section
    /// 3.1.2.5). Its payload has at most 65,535 bytes. A run with a [`Presence`] says that in its last will, and not this.
    pub will: Option<Message>,
}

impl Options {
    /// The keep alive interval that [`Options::new`] sets: 15 s.
    pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
    /// The wait before a new attempt to connect that [`Options::new`] sets: 1 s.
    pub const RECONNECT_DELAY: Duration = Duration::from_secs(1);

    /// Options for this broker and client id: no TLS, no login, [`Session::WHILE_RUNNING`], [`Refusals::End`], no last
    /// will.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, client_id: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            others: Vec::new(),
            tls: None,
            client_id: client_id.into(),
            login: None,
            keep_alive: Self::KEEP_ALIVE,
            session: Session::WHILE_RUNNING,
            reconnect_delay: Self::RECONNECT_DELAY,
            give_up_at_once: false,
            refusals: Refusals::End,
            presence: None,
            will: None,
        }
    }

    /// What no broker could make anything of.
    ///
    /// # Errors
    /// The first field that is wrong, and what it may be.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let has_no_name = self.login.as_ref().is_some_and(|l| l.username.is_empty());
        let will = self.will.as_ref().map_or(0, |will| will.payload.len());
        let is_too_long = self.keep_alive.as_secs() > u16::MAX.into();
        let wrong = if self.client_id.is_empty() {
            "the client id is empty".to_owned()
        } else if has_no_name {
            "the user name is empty".to_owned()
        } else if is_too_long || self.keep_alive.subsec_nanos() > 0 {
            let keep_alive = self.keep_alive;
            format!(
                "a keep alive of {keep_alive:?}: whole seconds, {} at the most",
                u16::MAX
            )
        } else if will > u16::MAX.into() {
            format!("a last will of {will} bytes: {} at the most", u16::MAX)
        } else {
            return Ok(());
        };
        Err(Failure::new(Kind::Usage, wrong))
    }

    /// The first broker's address, in the form that texts for the user have.
    #[must_use]
    pub fn address(&self) -> String {
        Address::new(&self.host, self.port).to_string()
    }

    /// The addresses of all brokers, the first one first.
    #[must_use]
    pub fn brokers(&self) -> Vec<Address> {
        let first = Address::new(&self.host, self.port);
        std::iter::once(first).chain(self.others.clone()).collect()
    }

    /// Whether the host is the path of a Unix socket.
    #[must_use]
    pub fn is_unix_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        let shown = |host, port| Address::new(host, port).to_string();
        assert_eq!(shown("::1", 1883), "[::1]:1883");
        assert_eq!(shown("pi.local", 1), "pi.local:1");
        assert_eq!(shown("/run/mqtt", 1), "/run/mqtt");
    }

    #[test]
    fn what_no_broker_takes_is_an_error_before_any_attempt() {
        let wrong = |change: fn(&mut Options)| {
            let mut options = Options::new("h", 1, "x");
            assert_eq!(options.check(), Ok(()));
            change(&mut options);
            options.check().unwrap_err().text
        };
        let will = |length| {
            let topic = crate::mqtt::TopicName::new("gone").unwrap();
            Message::new(topic, vec![b'x'; length], crate::mqtt::QoS::AtLeastOnce)
        };
        assert_eq!(wrong(|o| o.client_id.clear()), "the client id is empty");
        let half = wrong(|o| o.keep_alive = Duration::from_millis(500));
        assert!(half.starts_with("a keep alive of 500ms"), "{half}");
        let long = wrong(|o| o.keep_alive = Duration::from_secs(65_536));
        assert!(long.starts_with("a keep alive of 65536s"), "{long}");
        let nameless = wrong(|o| {
            o.login = Some(Login {
                username: String::new(),
                password: String::new(),
            });
        });
        assert_eq!(nameless, "the user name is empty");
        let mut options = Options::new("h", 1, "x");
        options.will = Some(will(65_535));
        assert_eq!(options.check(), Ok(()));
        options.will = Some(will(65_536));
        assert!(options.check().is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut options = Options::new("h", 1, "x");
        options.login = Some(Login {
            username: "u".to_owned(),
            password: "secret".to_owned(),
        });
        assert!(!format!("{options:?}").contains("secret"));
    }
}
