//! The settings of a systemd unit, as systemd tells them and as they stand in the files that it names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::link::programs::ask;
use crate::role::{Failure, Kind, Outcome};

/// A unit's settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// What it runs, without the program's name.
    pub arguments: Vec<String>,
    /// Its environment; of two of a name the last counts.
    pub variables: Vec<Variable>,
    /// The folder of its credentials, as they are before systemd hands them over.
    credentials: Option<PathBuf>,
    /// What it calls its state folder.
    state: Option<String>,
}

/// An environment variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The file that has it, or the unit itself.
    pub place: String,
}

/// What systemd is asked for.
const PROPERTIES: &str =
    "LoadState,Environment,EnvironmentFiles,ExecStart,StateDirectory,FragmentPath,DropInPaths";

/// Reads the settings of the unit `name`.
///
/// # Errors
/// There is no systemd or no such unit, or a file cannot be read.
pub fn read(name: &str) -> Result<Unit, Failure> {
    let wrong = |text: String| Failure::new(Kind::Config, text);
    let no_systemd = |why: &str| {
        wrong(format!(
            "--service: systemd does not tell the settings of {name} ({why}): give them as options, or as variables"
        ))
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("systemctl"));
    let Some(systemctl) = places.find(|file| file.exists()) else {
        return Err(no_systemd("there is no systemctl"));
    };
    let shown = match ask(
        &systemctl,
        &["show", "--no-pager", "--property", PROPERTIES, "--", name],
    ) {
        Outcome::Done(shown) => shown,
        Outcome::Failed { why, .. } => {
            return Err(no_systemd(&format!("systemctl: {why}, -v shows more")));
        }
        Outcome::Missing => return Err(no_systemd("there is no systemctl")),
    };
    let shown = String::from_utf8_lossy(&shown);
    if property(&shown, "LoadState").any(|state| state == "not-found") {
        return Err(wrong(format!(
            "--service: there is no unit {name}: is the package installed? `systemctl list-units 'mqtt_client*'`"
        )));
    }
    Unit::parse(&shown, |path| std::fs::read_to_string(path)).map_err(wrong)
}

/// The values of a property, of which `systemctl show` may have several.
fn property<'a>(shown: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let name = format!("{name}=");
    shown
        .lines()
        .filter_map(move |line| line.strip_prefix(&*name))
}

impl Unit {
    /// Reads what `systemctl show` has said, and the files that it names.
    fn parse(shown: &str, read: impl Fn(&Path) -> std::io::Result<String>) -> Result<Self, String> {
        let mut unit = Self::default();
        for words in property(shown, "Environment") {
            for word in self::words(words) {
                unit.set(&word, "the unit");
            }
        }
        for file in property(shown, "EnvironmentFiles") {
            let (path, flags) = file.rsplit_once(" (").unwrap_or((file, ""));
            match read(Path::new(path)) {
                Ok(text) => {
                    for line in assignments(&text) {
                        unit.set(&line, path);
                    }
                }
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound && flags.contains("yes") => {}
                Err(error) => {
                    return Err(format!("the settings in {path} cannot be read: {error}"));
                }
            }
        }
        let argv = property(shown, "ExecStart").find_map(|exec| exec.split_once("argv[]="));
        let argv = argv.map_or("", |(_, argv)| argv);
        let argv = argv.split(" ; ").next().unwrap_or_default();
        // The first is the program.
        unit.arguments = argv
            .split(' ')
            .skip(1)
            .map(|word| unit.expanded(word))
            .collect();
        unit.state = property(shown, "StateDirectory")
            .find(|name| !name.is_empty())
            .map(str::to_owned);
        let paths = property(shown, "FragmentPath").chain(property(shown, "DropInPaths"));
        for path in paths.flat_map(str::split_whitespace) {
            // A file that is out of reach names no credential; the login will tell.
            unit.find_credentials(&read(Path::new(path)).unwrap_or_default());
        }
        Ok(unit)
    }

    /// Where the unit's `LoadCredential=` takes password and key from.
    fn find_credentials(&mut self, text: &str) {
        let lines = text.lines().map(str::trim);
        for line in lines.filter_map(|line| line.strip_prefix("LoadCredential=")) {
            let Some((name, path)) = line.split_once(':') else {
                continue;
            };
            let path = Path::new(path);
            match (path.parent(), path.file_name()) {
                (Some(folder), Some(file)) if file == name => {
                    self.credentials = Some(folder.to_owned());
                }
                // By another name, an option has to name it. An empty one is none.
                _ if std::fs::metadata(path).is_ok_and(|file| file.len() > 1) => {
                    let option = match name {
                        "password" => "MQTT_CLIENT_PASSWORD_FILE",
                        "key" => "MQTT_CLIENT_KEY",
                        _ => continue,
                    };
                    self.set(&format!("{option}={}", path.display()), "the unit");
                }
                _ => {}
            }
        }
    }

    fn set(&mut self, assignment: &str, place: &str) {
        if let Some((name, value)) = assignment.split_once('=') {
            self.variables.push(Variable {
                name: name.trim().to_owned(),
                value: value.to_owned(),
                place: place.to_owned(),
            });
        }
    }

    /// The variable that counts.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|known| known.name == name)
    }

    /// What the process would find under this name.
    pub fn environment(&self, name: &str) -> Option<OsString> {
        match name {
            "CREDENTIALS_DIRECTORY" => self.credentials.as_ref().map(OsString::from),
            "STATE_DIRECTORY" => self.state.as_ref().map(OsString::from),
            _ => self
                .variable(name)
                .map(|known| OsString::from(&known.value)),
        }
    }

    /// An argument, which may be a variable (systemd.service(5), command lines).
    fn expanded(&self, word: &str) -> String {
        let name = word
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        match name.or(word.strip_prefix('$')) {
            Some(name) => self
                .variable(name)
                .map_or(String::new(), |known| known.value.clone()),
            None => word.to_owned(),
        }
    }
}

/// The words of a property, in quotes where they have blanks.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if std::mem::take(&mut is_escaped) => add(&mut words, c),
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => add(&mut words, c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn add(words: &mut [String], c: char) {
    if let Some(word) = words.last_mut() {
        word.push(c);
    }
}

/// The assignments of an environment file (systemd.exec(5), EnvironmentFile): without comments and quotes, and with the
/// lines joined that end in a backslash.
fn assignments(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", "");
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with(['#', ';']));
    let unquoted = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        let value = inside('"').or_else(|| inside('\'')).unwrap_or(value);
        Some(format!("{name}={value}"))
    };
    lines.filter_map(unquoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "\
LoadState=loaded
Environment=MQTT_CLIENT_TIMEOUT=0 MQTT_CLIENT_HOST=unit.example \"MQTT_CLIENT_ID=a \\\"b\\\"\"
EnvironmentFiles=/etc/default/mqtt_client (ignore_errors=yes)
EnvironmentFiles=/etc/default/mqtt_client@alice (ignore_errors=yes)
ExecStart={ path=/usr/bin/mqtt_client ; argv[]=/usr/bin/mqtt_client device ${MQTT_CLIENT_USER_ID} ; ignore_errors=no ; start_time=[n/a] }
StateDirectory=mqtt_client
FragmentPath=/lib/systemd/system/mqtt_client.service
DropInPaths=/lib/a.conf /etc/b.conf
";

    fn file(path: &Path) -> std::io::Result<String> {
        let text = match path.to_str() {
            Some("/etc/default/mqtt_client") => {
                "# MQTT_CLIENT_PORT=1\n\nMQTT_CLIENT_USER_ID=\"alice\"\n MQTT_CLIENT_HOST = 'file.example'\nMQTT_CLIENT_QOS=\\\n1\n; x\n"
            }
            Some("/lib/a.conf") => "[Service]\nLoadCredential=password:/etc/mqtt_client/password\n",
            Some("/etc/b.conf" | "/lib/systemd/system/mqtt_client.service") => "[Service]\n",
            _ => return Err(std::io::ErrorKind::NotFound.into()),
        };
        Ok(text.to_owned())
    }

    #[test]
    fn a_unit_runs_with_what_its_files_say() {
        let unit = Unit::parse(SHOWN, file).unwrap();
        assert_eq!(unit.arguments, ["device", "alice"]);
        for (name, value) in [
            ("MQTT_CLIENT_TIMEOUT", Some("0")),
            ("MQTT_CLIENT_HOST", Some("file.example")),
            ("MQTT_CLIENT_ID", Some("a \"b\"")),
            ("MQTT_CLIENT_QOS", Some("1")),
            ("MQTT_CLIENT_PORT", None),
            ("STATE_DIRECTORY", Some("mqtt_client")),
            ("CREDENTIALS_DIRECTORY", Some("/etc/mqtt_client")),
        ] {
            assert_eq!(unit.environment(name), value.map(OsString::from), "{name}");
        }
        let host = unit.variable("MQTT_CLIENT_HOST").unwrap();
        assert_eq!(host.place, "/etc/default/mqtt_client");
    }

    #[test]
    fn a_file_that_must_be_there_is_missed() {
        let shown = "EnvironmentFiles=/nowhere (ignore_errors=no)\n";
        let why = Unit::parse(shown, file).unwrap_err();
        assert!(why.contains("/nowhere"), "{why}");
        assert_eq!(Unit::parse("", file), Ok(Unit::default()));
    }
}
