//! User name and password: which option or variable has them. Where the password is in a file, only the
//! file's name is known here.

use std::fmt;
use std::path::PathBuf;

use super::url::BrokerUrl;
use super::values::{self, Values};
use crate::link::Login;
use crate::mqtt::MAX_BYTES;
use crate::role::{Failure, Kind};

/// User name and password, as the command line and the environment describe them.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// The user name.
    pub username: Option<String>,
    /// Where the password is.
    pub password: PasswordSource,
}

/// Where a password is.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// No option names one.
    Absent,
    /// On the command line, in the environment or in a URL.
    Typed(String),
    /// In the first line of this file, which others must not be able to read.
    File(PathBuf),
    /// In this credential of systemd, if it is there and not empty (systemd.exec(5), LoadCredential).
    Credential(PathBuf),
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "Absent"),
            Self::Typed(_) => write!(f, "Typed(***)"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Credential(path) => write!(f, "Credential({path:?})"),
        }
    }
}

impl LoginConfig {
    /// The login with the password that its source gave; `None` where the broker is to ask for none.
    ///
    /// # Errors
    /// Where MQTT has no such login: a password without a user name, or one of them too long.
    pub fn with_password(&self, password: Option<String>) -> Result<Option<Login>, Failure> {
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > MAX_BYTES);
        if too_long(&self.username) || too_long(&password) {
            let text = format!("user name or password is longer than MQTT's {MAX_BYTES} bytes");
            return Err(Failure::new(Kind::Usage, text));
        }
        match (&self.username, password) {
            (Some(username), password) => Ok(Some(Login {
                username: username.clone(),
                password: password.unwrap_or_default(),
            })),
            (None, Some(_)) => Err(Failure::new(
                Kind::Usage,
                "a password without a user name: MQTT has no such login; give --username",
            )),
            (None, None) => Ok(None),
        }
    }
}

/// The options about the login, as they were given.
#[derive(Default)]
pub struct LoginOptions {
    username: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    credential: Option<PathBuf>,
}

impl LoginOptions {
    /// `url` may name user and password, too; options of their own win.
    pub fn read(values: &mut Values<'_>, url: Option<&BrokerUrl>) -> Result<Self, Failure> {
        let any = |text: &str| Ok(text.to_owned());
        let typed = values.typed("-P")?;
        let long = values.typed("--password")?;
        let file = values.typed("--password-file")?;
        if [&typed, &long, &file].into_iter().flatten().count() > 1 {
            let text = "more than one of -P, --password and --password-file".to_owned();
            return Err(Failure::new(Kind::Usage, text));
        }
        let username = values.get("--username", values::text)?;
        let typed = typed.or(long);
        // A password that was typed, in whatever way, wins over the environment as a whole.
        let (password, password_file) = match (&typed, &file) {
            (None, None) => {
                let password = values.get("--password", any)?;
                let file = values.get("--password-file", values::path)?;
                if password.is_some() && file.is_some() {
                    return Err(values.contradiction("--password", "--password-file"));
                }
                (password, file)
            }
            _ => (typed, file.map(PathBuf::from)),
        };
        // A password belongs to the user that it stands beside.
        let (username, password) = match (username, url) {
            (None, Some(url)) => {
                let by_url = url.password.clone().filter(|_| password_file.is_none());
                (url.username.clone(), password.or(by_url))
            }
            (username, _) => (username, password),
        };
        Ok(Self {
            username,
            password,
            password_file,
            credential: values.credential("password"),
        })
    }

    /// The login. A password that is at hand is checked here, and one in a file when that is read.
    pub fn config(self) -> Result<LoginConfig, Failure> {
        let password = match (self.password, self.password_file, self.credential) {
            (Some(password), _, _) => PasswordSource::Typed(password),
            (None, Some(path), _) => PasswordSource::File(path),
            (None, None, Some(path)) => PasswordSource::Credential(path),
            (None, None, None) => PasswordSource::Absent,
        };
        let login = LoginConfig {
            username: self.username,
            password,
        };
        match &login.password {
            PasswordSource::Absent => login.with_password(None)?,
            PasswordSource::Typed(password) => login.with_password(Some(password.clone()))?,
            PasswordSource::File(_) | PasswordSource::Credential(_) => None,
        };
        Ok(login)
    }
}
