//! The way to the broker: what the command line says of it, and what the files say that it names.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use log::warn;

use super::prompt::ask_password;
use super::systemd::Systemd;
use super::{machine, password};
use crate::cli::{ClientId, ConnectionConfig};
use crate::link::{Login, Options, Presence, Refusals, Session, Stop, Tls};
use crate::role::{Failure, Kind};

/// A connection whose files have been read. Only a password may be missing, which a person can type.
pub struct Connection {
    config: ConnectionConfig,
    client_id: String,
    tls: Option<Tls>,
    login: Option<Login>,
}

impl Connection {
    /// Reads what `config` names: the machine's name, certificates, the password.
    ///
    /// # Errors
    /// Names the file that cannot be read or is not what it should be.
    pub fn load(config: ConnectionConfig) -> Result<Self, Failure> {
        let client_id = client_id(config.client_id.clone())?;
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        if let Some((_, key)) = config.tls.as_ref().and_then(|tls| tls.identity.as_ref()) {
            look_at_key(key);
        }
        let login = password::login(&config.login)?;
        Ok(Self {
            client_id,
            tls,
            login,
            config,
        })
    }

    /// The address of the first broker, for a person.
    #[must_use]
    pub fn address(&self) -> String {
        self.config.broker.to_string()
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What a service of this role says of its presence, if it is to.
    ///
    /// # Errors
    /// Where the client id cannot be part of a topic name.
    pub fn presence(&self, role: &str) -> Result<Option<Presence>, Failure> {
        let Some(config) = &self.config.presence else {
            return Ok(None);
        };
        let topic = config.topic(&self.client_id)?;
        Ok(Some(Presence {
            at_end: config.at_end,
            ..Presence::new(topic, role, Instant::now())
        }))
    }

    /// The options of a service, which tries again where the first attempt to connect fails. On a terminal a
    /// missing password is asked for; `None` when the answer is a signal.
    ///
    /// # Errors
    /// When the terminal cannot be asked.
    pub fn for_service(self, session: Session, stop: &Stop) -> Result<Option<Options>, Failure> {
        self.options(session, false, stop)
    }

    /// The same for a person who waits: the first attempt that fails ends the run.
    ///
    /// # Errors
    /// When the terminal cannot be asked.
    pub fn for_person(self, session: Session, stop: &Stop) -> Result<Option<Options>, Failure> {
        self.options(session, true, stop)
    }

    fn options(
        self,
        session: Session,
        give_up_at_once: bool,
        stop: &Stop,
    ) -> Result<Option<Options>, Failure> {
        let login = match self.login {
            None => None,
            Some(login) => match ask_password(login, stop)? {
                None => return Ok(None),
                Some(login) => Some(login),
            },
        };
        let broker = self.config.broker;
        // Under systemd nobody waits for the end, and after that one nothing starts the service again.
        let refusals = match !give_up_at_once && Systemd::is_present() {
            true => Refusals::RetrySlowly,
            false => Refusals::End,
        };
        Ok(Some(Options {
            host: broker.host,
            port: broker.port,
            others: self.config.others,
            tls: self.tls,
            client_id: self.client_id,
            login,
            keep_alive: self.config.keep_alive,
            session,
            reconnect_delay: self.config.reconnect_delay,
            give_up_at_once,
            refusals,
            presence: None,
            will: None,
        }))
    }
}

/// Warns of a key that everybody on the machine can read. A group is often meant to read it: Debian's `ssl-cert`.
fn look_at_key(key: &Path) {
    let mode = std::fs::metadata(key).map_or(0, |metadata| metadata.mode());
    if mode & 0o004 != 0 {
        let key = key.display();
        warn!("--key {key}: others can read it; `chmod o= {key}`");
    }
}

fn client_id(id: ClientId) -> Result<String, Failure> {
    let machine = match id {
        ClientId::Is(_) => String::new(),
        ClientId::WithMachine(_) => machine::name(),
    };
    id.on_machine(&machine).ok_or_else(|| {
        let text =
            "--share needs an --id of its own for each of the group: this machine has no name";
        Failure::new(Kind::Usage, text)
    })
}
