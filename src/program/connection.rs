//! The way to the broker: what the command line says of it, and what the files say that it names.

use super::password;
use super::prompt::ask_password;
use crate::cli::{ClientId, ConnectionConfig};
use crate::link::{Login, Options, Session, Stop, Tls};
use crate::role::{Failure, Kind};

/// This machine's name (proc_sys_kernel(5)).
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

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
        let login = password::login(&config.login)?;
        Ok(Self {
            client_id,
            tls,
            login,
            config,
        })
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
        }))
    }
}

fn client_id(id: ClientId) -> Result<String, Failure> {
    let machine = match id {
        ClientId::Is(_) => String::new(),
        ClientId::WithMachine(_) => std::fs::read_to_string(HOSTNAME).unwrap_or_default(),
    };
    id.on_machine(&machine).ok_or_else(|| {
        let text = format!(
            "--share needs an --id of its own for each of the group: {HOSTNAME} has no name for this machine"
        );
        Failure::new(Kind::Usage, text)
    })
}
