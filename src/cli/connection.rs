//! The options that lead to a broker: where it is, how to reach it, as whom.

use std::path::PathBuf;
use std::time::Duration;

use super::url::{self, BrokerUrl};
use super::values::{self, Host, Values};
use super::{secret, usage};
use crate::link::{Address, Options, Session, Tls, TlsFiles};
use crate::role::Failure;

/// MQTT's port, and MQTT's port over TLS, as IANA has them.
const PORT: u16 = 1883;
const PORT_TLS: u16 = 8883;

/// This machine's name (proc_sys_kernel(5)).
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// The options as given, before it is known which command they are for.
pub struct Given {
    url: Option<BrokerUrl>,
    hosts: Vec<Host>,
    port: Option<u16>,
    tls: bool,
    cafile: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_id: Option<String>,
    keep_alive: Option<Duration>,
    pub timeout: Option<Option<Duration>>,
    reconnect_delay: Option<Duration>,
    login: secret::Given,
}

impl Given {
    pub fn read(values: &mut Values<'_>) -> Result<Self, Failure> {
        let typed_url = values.is_typed(["-L", "--url"]);
        let typed_host = values.is_typed(["-h", "--host"]) || values.is_typed(["-p", "--port"]);
        if typed_url && typed_host {
            return Err(usage(
                "--url names host and port; leave --host and --port away".to_owned(),
            ));
        }
        let hosts = values.get_all(["-h", "--host"], values::hosts)?;
        let port = values.get(["-p", "--port"], values::port)?;
        // What was typed wins over the environment, whichever way round.
        let url = match typed_host {
            true => None,
            false => values.get_secret(["-L", "--url"], url::parse)?,
        };
        let hides = |given: &Option<BrokerUrl>| typed_url && given.is_some();
        let (hosts, port) = match hides(&url) {
            true => (Vec::new(), None),
            false => (hosts, port),
        };
        let file = |text: &str| values::text(text).map(PathBuf::from);
        Ok(Self {
            hosts,
            port,
            tls: values.flag("--tls")?,
            cafile: values.get(["--cafile"; 2], file)?,
            cert: values.get(["--cert"; 2], file)?,
            key: values.get(["--key"; 2], file)?,
            client_id: values.get(["-i", "--id"], values::client_id)?,
            keep_alive: values.get(["-k", "--keepalive"], values::keep_alive)?,
            timeout: values.get(["-W", "--timeout"], values::limit)?,
            reconnect_delay: values.get(["--reconnect-delay"; 2], values::reconnect_delay)?,
            login: secret::Given::read(values, url.as_ref())?,
            url,
        })
    }

    /// A service's client id, unless --id names another. In a group each needs one of its own, and the
    /// same after a restart: a cluster keeps the place of one that is gone until its id is back.
    pub fn member_id(&self, role: &str, in_a_group: bool) -> Result<String, Failure> {
        let name = format!("mqtt_client-{role}");
        if !in_a_group || self.client_id.is_some() {
            return Ok(name);
        }
        let machine = std::fs::read_to_string(HOSTNAME).unwrap_or_default();
        match values::client_id(machine.trim()) {
            Ok(machine) => Ok(format!("{name}-{machine}")),
            Err(_) => Err(usage(format!(
                "--share needs an --id of its own for each of the group: {HOSTNAME} has no name for this machine"
            ))),
        }
    }

    pub fn options(&self, client_id: &str, session: Session) -> Result<Options, Failure> {
        let url = self.url.as_ref();
        let tls = self.tls()?;
        let usual = if tls.is_some() { PORT_TLS } else { PORT };
        let named = match (self.hosts.is_empty(), url) {
            (true, Some(url)) => &url.hosts,
            _ => &self.hosts,
        };
        let mut brokers = self.brokers(named, usual)?;
        let client_id = self.client_id.as_deref().unwrap_or(client_id);
        let first = brokers.remove(0);
        let mut options = Options::new(first.host, first.port, client_id);
        options.others = brokers;
        if options.is_unix_socket() && tls.is_some() {
            return Err(usage("TLS over a Unix socket: leave --tls away".to_owned()));
        }
        options.tls = tls;
        options.session = session;
        options.login = self.login.resolve()?;
        options.keep_alive = self.keep_alive.unwrap_or(options.keep_alive);
        options.reconnect_delay = self.reconnect_delay.unwrap_or(options.reconnect_delay);
        Ok(options)
    }

    /// The brokers named, at least one, each once.
    fn brokers(&self, named: &[Host], usual: u16) -> Result<Vec<Address>, Failure> {
        let mut brokers: Vec<Address> = Vec::new();
        for host in named {
            let port = host.port.or(self.port).unwrap_or(usual);
            let broker = Address::new(&host.name, port);
            if !brokers.contains(&broker) {
                brokers.push(broker);
            }
        }
        if let Some(socket) = brokers.iter().find(|broker| broker.host.starts_with('/')) {
            if brokers.len() > 1 {
                return Err(usage(format!(
                    "the Unix socket {} stands alone: name no other --host with it",
                    socket.host
                )));
            }
        }
        if brokers.is_empty() {
            brokers.push(Address::new("localhost", self.port.unwrap_or(usual)));
        }
        Ok(brokers)
    }

    /// Any option about certificates asks for TLS.
    fn tls(&self) -> Result<Option<Tls>, Failure> {
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => return Err(usage("--cert without --key".to_owned())),
            (None, Some(_)) => return Err(usage("--key without --cert".to_owned())),
        };
        let by_url = self.url.as_ref().is_some_and(|url| url.tls);
        if !(self.tls || by_url || self.cafile.is_some() || identity.is_some()) {
            return Ok(None);
        }
        let authorities = self.cafile.clone();
        Tls::load(&TlsFiles {
            authorities,
            identity,
        })
        .map(Some)
    }
}
