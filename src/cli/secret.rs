//! User name and password: where they come from, and who else may read them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::url::BrokerUrl;
use super::values::{self, Values};
use crate::link::Login;
use crate::mqtt::MAX_BYTES;
use crate::role::{Failure, Kind};

/// The options about the login, as given.
pub struct Given {
    username: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
    /// systemd's credential `password`, where the unit has one (systemd.exec(5), LoadCredential).
    credential: Option<PathBuf>,
}

impl Given {
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
        let username = values.get(["-u", "--username"], values::text)?;
        let typed = typed.or(long);
        // A password that was typed, in whatever way, wins over the environment as a whole.
        let (password, password_file) = match (&typed, &file) {
            (None, None) => (
                values.get(["--password"; 2], any)?,
                values.get(["--password-file"; 2], values::text)?,
            ),
            _ => (typed, file),
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

    pub fn resolve(&self) -> Result<Option<Login>, Failure> {
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(path)) => Some(read_password(path, true)?),
            (None, None) => self.read_credential()?,
        };
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

impl Given {
    /// An empty credential is none: a unit cannot say "if there is one".
    fn read_credential(&self) -> Result<Option<String>, Failure> {
        match &self.credential {
            Some(path) if path.exists() => {
                let path = path.to_string_lossy();
                // systemd guards it, with an ACL that looks like a mode for the group.
                read_password(&path, false).map(|word| Some(word).filter(|word| !word.is_empty()))
            }
            _ => Ok(None),
        }
    }
}

/// The file's first line. Opened first and looked at then, so that it is the same file.
fn read_password(path: &str, guarded_by_mode: bool) -> Result<String, Failure> {
    let wrong = |why: String| Failure::new(Kind::Config, format!("password file {path}: {why}"));
    let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if guarded_by_mode && metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(wrong(format!("others can read it; `chmod 600 {path}`")));
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(MAX_BYTES as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.len() > MAX_BYTES {
        return Err(wrong("the password is too long".to_owned()));
    }
    Ok(line.to_owned())
}
