//! The password, where a file has it: read, and checked that no other user of the machine can read it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cli::{LoginConfig, PasswordSource};
use crate::link::Login;
use crate::mqtt::MAX_BYTES;
use crate::role::{Failure, Kind};

/// The login that `config` describes; `None` where the broker is to ask for none.
///
/// # Errors
/// When the file cannot be used, or MQTT has no such login.
pub fn login(config: &LoginConfig) -> Result<Option<Login>, Failure> {
    let password = match &config.password {
        PasswordSource::Absent => None,
        PasswordSource::Typed(password) => Some(password.clone()),
        PasswordSource::File(path) => Some(first_line(path, true)?),
        // An empty credential is none: a unit cannot say "if there is one".
        PasswordSource::Credential(path) if path.exists() => {
            // systemd guards it, with an ACL that looks like a mode for the group.
            Some(first_line(path, false)?).filter(|word| !word.is_empty())
        }
        PasswordSource::Credential(_) => None,
    };
    config.with_password(password)
}

/// The file's first line. The file is opened first and then looked at, so that both are of the same file.
fn first_line(path: &Path, guarded_by_mode: bool) -> Result<String, Failure> {
    let shown = path.display();
    let wrong = |why: String| Failure::new(Kind::Config, format!("password file {shown}: {why}"));
    let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if guarded_by_mode && metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(wrong(format!("others can read it; `chmod 600 {shown}`")));
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn password(source: PasswordSource) -> Result<Option<String>, Failure> {
        let config = LoginConfig {
            username: Some("u".to_owned()),
            password: source,
        };
        login(&config).map(|login| login.map(|login| login.password))
    }

    #[test]
    fn a_password_file_is_read_with_care() {
        let folder =
            std::env::temp_dir().join(format!("mqtt_client-password-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("secret");
        for (content, mode, expected) in [
            (&b"p\xc3\xa4ss word\nmore"[..], 0o600, Ok("päss word")),
            (b"", 0o400, Ok("")),
            (b"x", 0o640, Err("others can read it")),
            (b"x", 0o604, Err("chmod 600")),
            (b"\xff", 0o600, Err("not UTF-8")),
        ] {
            let _ = fs::remove_file(&file);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            match (password(PasswordSource::File(file.clone())), expected) {
                (Ok(found), Ok(password)) => assert_eq!(found.as_deref(), Some(password)),
                (Err(failure), Err(words)) => {
                    assert_eq!(failure.kind, Kind::Config);
                    let path = file.to_str().unwrap();
                    assert!(failure.text.contains(words), "{failure}");
                    assert!(failure.text.contains(path), "{failure}");
                }
                (other, _) => panic!("{other:?}"),
            }
        }
        fs::remove_dir_all(&folder).unwrap();
        let failure = password(PasswordSource::File(file)).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
    }

    #[test]
    fn a_credential_of_systemd_may_be_empty_or_absent() {
        let folder =
            std::env::temp_dir().join(format!("mqtt_client-credential-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("password");
        for (content, expected) in [("", ""), ("from systemd\n", "from systemd")] {
            fs::write(&file, content).unwrap();
            // What systemd's ACL looks like.
            fs::set_permissions(&file, Permissions::from_mode(0o440)).unwrap();
            let found = password(PasswordSource::Credential(file.clone())).unwrap();
            assert_eq!(found.as_deref(), Some(expected));
        }
        let without_user = LoginConfig {
            username: None,
            password: PasswordSource::Credential(file.clone()),
        };
        assert_eq!(login(&without_user).unwrap_err().kind, Kind::Usage);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(login(&without_user), Ok(None));
    }
}
