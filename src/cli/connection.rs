//! The options that lead to a broker: where it is, how to reach it, with which client id and login.

use std::path::PathBuf;
use std::time::Duration;

use super::login::{LoginConfig, LoginOptions};
use super::presence::PresenceConfig;
use super::url::{self, BrokerUrl};
use super::usage;
use super::values::{self, Host, Values};
use crate::link::{Address, Options, TlsFiles};
use crate::role::Failure;

/// The broker where no option names one.
pub const HOST: &str = "localhost";

/// MQTT's port, and MQTT's port over TLS, as IANA has them.
pub const PORT: u16 = 1883;
#[expect(missing_docs, reason = "both are described above")]
pub const PORT_TLS: u16 = 8883;

/// The way to a broker, as the command line and the environment describe it. Files are named, not read.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// The broker; of a cluster the first that was named.
    pub broker: Address,
    /// The other brokers of its cluster, each once. A Unix socket stands alone.
    pub others: Vec<Address>,
    /// The files for an encrypted connection; `None` for one that is not encrypted.
    pub tls: Option<TlsFiles>,
    /// The client id.
    pub client_id: ClientId,
    /// User name and password.
    pub login: LoginConfig,
    /// The keep alive interval: whole seconds, 1 or more; 0 for none.
    pub keep_alive: Duration,
    /// The shortest wait before a new attempt to connect.
    pub reconnect_delay: Duration,
    /// Where a service says that it is there.
    pub presence: Option<PresenceConfig>,
}

/// The client id of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientId {
    /// This one.
    Is(String),
    /// This, a hyphen and the machine's name. Each service of a group needs an id of its own, and the same
    /// after a restart: a cluster keeps the place of a client that is gone until its id is back. So does a device that
    /// goes by its machine.
    WithMachine(String),
}

impl ClientId {
    /// The id on the machine that has this name; `None` where the name cannot be part of a client id.
    #[must_use]
    pub fn on_machine(self, machine: &str) -> Option<String> {
        match self {
            Self::Is(id) => Some(id),
            Self::WithMachine(prefix) => values::client_id(machine.trim())
                .ok()
                .map(|machine| format!("{prefix}-{machine}")),
        }
    }
}

/// The options, read before it is known which command they are for.
#[derive(Default)]
pub struct ConnectionOptions {
    url: Option<BrokerUrl>,
    hosts: Vec<Host>,
    port: Option<u16>,
    tls: Option<bool>,
    cafile: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_id: Option<String>,
    keep_alive: Option<Duration>,
    /// For the role; `Some(None)` for no limit.
    pub timeout: Option<Option<Duration>>,
    reconnect_delay: Option<Duration>,
    presence: Option<PresenceConfig>,
    login: LoginOptions,
}

impl ConnectionOptions {
    pub fn read(values: &mut Values<'_>) -> Result<Self, Failure> {
        let typed_url = values.is_typed("--url");
        let typed_host = values.is_typed("--host") || values.is_typed("--port");
        if typed_url && typed_host {
            return Err(usage(
                "--url names host and port; leave --host and --port away".to_owned(),
            ));
        }
        if !typed_url && !typed_host && values.is_by_variable("--url")? {
            for option in ["--host", "--port"] {
                if values.is_by_variable(option)? {
                    return Err(values.contradiction("--url", option));
                }
            }
        }
        let mut options = Self {
            hosts: values.get_all("--host", values::hosts)?,
            ..Self::default()
        };
        options.port = values.get("--port", values::port)?;
        // What was typed wins over the environment, whichever way round.
        if !typed_host {
            options.url = values.get_secret("--url", url::parse)?;
        }
        if typed_url && options.url.is_some() {
            options.hosts.clear();
            options.port = None;
        }
        options.tls = values.switch("--tls")?;
        if options.tls == Some(false) {
            let by_url = !typed_url && options.url.as_ref().is_some_and(|url| url.tls);
            let asks = ["--url", "--cafile", "--cert", "--key"];
            for option in asks.into_iter().skip(usize::from(!by_url)) {
                if values.is_by_variable(option)? {
                    return Err(values.contradiction("--tls", option));
                }
            }
        }
        options.cafile = values.get("--cafile", values::path)?;
        options.cert = values.get("--cert", values::path)?;
        options.key = values.get("--key", values::path)?;
        if options.key.is_none() && options.cert.is_some() {
            // Under systemd the key of a certificate may be a credential, as the password may.
            options.key = values.credential("key");
        }
        options.client_id = values.get("--id", values::client_id)?;
        options.keep_alive = values.get("--keepalive", values::keep_alive)?;
        options.timeout = values.get("--timeout", values::limit)?;
        options.reconnect_delay = values.get("--reconnect-delay", values::reconnect_delay)?;
        options.presence = PresenceConfig::read(values)?;
        options.login = LoginOptions::read(values, options.url.as_ref())?;
        Ok(options)
    }

    /// The connection of a command whose client id is `name`, unless --id names another.
    pub fn named(self, name: &str) -> Result<ConnectionConfig, Failure> {
        self.config(ClientId::Is(name.to_owned()))
    }

    /// The connection of a service, alone or in a group.
    pub fn service(self, role: &str, in_a_group: bool) -> Result<ConnectionConfig, Failure> {
        let name = format!("mqtt_client-{role}");
        self.config(match in_a_group {
            true => ClientId::WithMachine(name),
            false => ClientId::Is(name),
        })
    }

    /// The connection of a command whose client id is `usual_id`, unless --id names another.
    pub fn config(self, usual_id: ClientId) -> Result<ConnectionConfig, Failure> {
        let tls = self.tls()?;
        let usual = if tls.is_some() { PORT_TLS } else { PORT };
        let named = match (self.hosts.is_empty(), &self.url) {
            (true, Some(url)) => &url.hosts,
            _ => &self.hosts,
        };
        let (broker, others) = self.brokers(named, usual)?;
        if tls.is_some() && is_socket(&broker) {
            return Err(usage("TLS over a Unix socket: leave --tls away".to_owned()));
        }
        Ok(ConnectionConfig {
            broker,
            others,
            tls,
            client_id: self.client_id.map_or(usual_id, ClientId::Is),
            login: self.login.config()?,
            keep_alive: self.keep_alive.unwrap_or(Options::KEEP_ALIVE),
            reconnect_delay: self.reconnect_delay.unwrap_or(Options::RECONNECT_DELAY),
            presence: self.presence,
        })
    }

    /// The first of the brokers named, and the others, each once.
    fn brokers(&self, named: &[Host], usual: u16) -> Result<(Address, Vec<Address>), Failure> {
        let mut brokers: Vec<Address> = Vec::new();
        for host in named {
            let port = host.port.or(self.port).unwrap_or(usual);
            let broker = Address::new(&host.name, port);
            if !brokers.contains(&broker) {
                brokers.push(broker);
            }
        }
        if let Some(socket) = brokers.iter().find(|broker| is_socket(broker)) {
            if brokers.len() > 1 {
                return Err(usage(format!(
                    "the Unix socket {} stands alone: name no other --host with it",
                    socket.host
                )));
            }
        }
        let mut brokers = brokers.into_iter();
        let usual = || Address::new(HOST, self.port.unwrap_or(usual));
        Ok((brokers.next().unwrap_or_else(usual), brokers.collect()))
    }

    /// Any option about certificates asks for TLS.
    fn tls(&self) -> Result<Option<TlsFiles>, Failure> {
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(usage("--cert without --key".to_owned())),
            (None, Some(_)) => return Err(usage("--key without --cert".to_owned())),
        };
        let by_url = self.url.as_ref().is_some_and(|url| url.tls);
        let wanted =
            self.tls == Some(true) || by_url || self.cafile.is_some() || identity.is_some();
        Ok(wanted.then(|| TlsFiles {
            authorities: self.cafile.clone(),
            identity,
        }))
    }
}

fn is_socket(broker: &Address) -> bool {
    broker.host.starts_with('/')
}
