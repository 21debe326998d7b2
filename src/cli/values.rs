//! Option values: from the command line or the environment, read and checked one by one. An option is asked
//! for by its long name; the table of options has the short one.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::{StateConfig, table};
use crate::device_session::prefix::Prefix;
use crate::mqtt::{Level, QoS};
use crate::role::{Failure, Kind};

/// Where values come from: what is left of the command line, and the environment.
pub struct Values<'a> {
    args: pico_args::Arguments,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
}

/// An option's value as it stands there, where the command decides what it means.
pub struct Given {
    /// What a mistake in it is.
    kind: Kind,
    /// What it is called there.
    name: String,
    text: String,
}

impl Given {
    /// Reads it by `parse`, which says what it should have been.
    pub fn read<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Failure> {
        parse(&self.text).map_err(|why| unfit(self.kind, &self.name, &self.text, &why))
    }
}

/// Takes what an option's value comes to, or says what it should have been. Without the type of the value: what is done
/// with it is there once for each type.
type Parse<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

fn unfit(kind: Kind, name: &str, text: &str, why: &str) -> Failure {
    // A URL may hold a password.
    let text = text.split_inclusive("://").next().unwrap_or_default();
    Failure::new(kind, format!("{name}: `{text}` is not {why}"))
}

impl<'a> Values<'a> {
    pub fn new(args: Vec<OsString>, environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            args: pico_args::Arguments::from_vec(args),
            environment,
        }
    }

    /// How often a flag stands there, by its long name or its short one.
    pub fn count(&mut self, long: &'static str) -> u8 {
        let short = table::short_name(long).map_or(0, |short| self.count_word(short));
        short.saturating_add(self.count_word(long))
    }

    /// How often this word stands there.
    pub fn count_word(&mut self, word: &'static str) -> u8 {
        let mut count: u8 = 0;
        while self.args.contains(word) {
            count = count.saturating_add(1);
        }
        count
    }

    /// The name and the value of the variable that stands in for a long option. An empty one is none.
    pub fn variable(&self, long: &str) -> Result<Option<(String, String)>, Failure> {
        let name = table::variable(long);
        match (self.environment)(&name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.is_empty() => Ok(None),
            Some(Ok(text)) => Ok(Some((name, text))),
            Some(Err(_)) => Err(Failure::new(Kind::Config, format!("{name} is not UTF-8"))),
        }
    }

    /// An option as typed, never from the environment.
    pub fn typed(&mut self, key: &'static str) -> Result<Option<String>, Failure> {
        match self.args.opt_value_from_str(key) {
            Err(pico_args::Error::OptionWithoutAValue(_)) => {
                Err(Failure::new(Kind::Usage, format!("{key} needs a value")))
            }
            Err(pico_args::Error::NonUtf8Argument) => Err(Failure::new(
                Kind::Usage,
                format!("the value of {key} is not UTF-8"),
            )),
            Err(other) => Err(Failure::new(Kind::Usage, format!("{key}: {other}"))),
            Ok(None) => Ok(None),
            Ok(value) => match self.args.contains(key) {
                false => Ok(value),
                true => Err(Failure::new(
                    Kind::Usage,
                    format!("{key} stands there twice"),
                )),
            },
        }
    }

    /// All values of an option that may be repeated; none where neither it nor its variable is there.
    pub fn get_all<T>(
        &mut self,
        long: &'static str,
        parse: impl Fn(&str) -> Result<Vec<T>, String>,
    ) -> Result<Vec<T>, Failure> {
        let short = table::short_name(long).unwrap_or(long);
        let typed: Vec<String> =
            self.args
                .values_from_str([short, long])
                .map_err(|error| match error {
                    pico_args::Error::OptionWithoutAValue(key) => {
                        Failure::new(Kind::Usage, format!("{key} needs a value"))
                    }
                    _ => Failure::new(Kind::Usage, format!("the value of {long} is not UTF-8")),
                })?;
        let variable = match typed.is_empty() {
            true => self.variable(long)?,
            false => None,
        };
        let (kind, name, texts) = match variable {
            Some((name, text)) => (Kind::Config, name, vec![text]),
            None => (Kind::Usage, format!("{short} or {long}"), typed),
        };
        let mut values = Vec::new();
        for text in texts {
            values.extend(parse(&text).map_err(|why| unfit(kind, &name, &text, &why))?);
        }
        Ok(values)
    }

    /// An option's value, read by `parse`, which says what it should have been.
    pub fn get<T>(
        &mut self,
        long: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        let mut value = None;
        self.take(long, &mut |text| {
            value = Some(parse(text)?);
            Ok(())
        })?;
        Ok(value)
    }

    #[inline(never)]
    fn take(&mut self, long: &'static str, parse: Parse<'_>) -> Result<(), Failure> {
        match self.given(long)? {
            None => Ok(()),
            Some(Given { kind, name, text }) => {
                parse(&text).map_err(|why| unfit(kind, &name, &text, &why))
            }
        }
    }

    /// An option as typed, or its variable, not read yet.
    pub fn given(&mut self, long: &'static str) -> Result<Option<Given>, Failure> {
        let mut typed = self.typed(long)?.map(|text| (long, text));
        if let Some(short) = table::short_name(long) {
            if let Some(text) = self.typed(short)? {
                if typed.is_some() {
                    let text = format!("{short} and {long} are the same option");
                    return Err(Failure::new(Kind::Usage, text));
                }
                typed = Some((short, text));
            }
        }
        let given = |kind| move |(name, text)| Given { kind, name, text };
        Ok(match typed {
            Some((key, text)) => Some(given(Kind::Usage)((key.to_owned(), text))),
            None => self.variable(long)?.map(given(Kind::Config)),
        })
    }

    /// Whether this word is among the arguments. Takes nothing away.
    pub fn has_word(&self, word: &str) -> bool {
        self.args.clone().finish().iter().any(|arg| arg == word)
    }

    /// What was typed for an option, with commas between where it may stand there more than once; `yes` for a flag.
    /// Takes nothing away.
    pub fn typed_value(&self, option: &table::OptionSpec) -> Option<String> {
        let mut args = self.args.clone();
        let names = option.short.into_iter().chain([option.long]);
        let mut typed: Vec<String> = Vec::new();
        for name in names {
            match option.value {
                None if args.contains(name) => typed.push("yes".to_owned()),
                None => {}
                Some(_) => typed.extend(args.values_from_str::<_, String>(name).ok()?),
            }
        }
        Some(typed.join(",")).filter(|_| !typed.is_empty())
    }

    /// The state folder: as typed, or as systemd names it (STATE_DIRECTORY, systemd.exec(5)).
    pub fn state(&mut self) -> Result<Option<StateConfig>, Failure> {
        let given = self.get("--state-dir", path)?;
        let sync = self.switch("--sync")? == Some(true);
        let by_systemd = || (self.environment)("STATE_DIRECTORY").filter(|dir| !dir.is_empty());
        let folder = given.or_else(|| by_systemd().map(PathBuf::from));
        match folder {
            None if sync => Err(Failure::new(
                Kind::Usage,
                "--sync: nothing is written without --state-dir",
            )),
            folder => Ok(folder.map(|folder| StateConfig { folder, sync })),
        }
    }

    /// The path of a credential, where systemd has loaded any (systemd.exec(5), CREDENTIALS_DIRECTORY).
    pub fn credential(&self, name: &str) -> Option<PathBuf> {
        (self.environment)("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(name))
    }

    /// Whether an option, short or long, is on the command line. Takes nothing away.
    pub fn is_typed(&self, long: &str) -> bool {
        let mut names = table::short_name(long).into_iter().chain([long]);
        let arguments = self.args.clone().finish();
        names.any(|name| {
            arguments.iter().any(|argument| {
                let argument = argument.to_string_lossy();
                let rest = argument.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            })
        })
    }

    /// A flag that has an environment variable: on where it is typed, and else what the variable says.
    pub fn switch(&mut self, long: &'static str) -> Result<Option<bool>, Failure> {
        if self.count(long) > 0 {
            return Ok(Some(true));
        }
        self.read_variable(long, yes_or_no)
    }

    /// What the variable of a flag that may stand there twice says: how often it would.
    pub fn level(&self, long: &'static str) -> Result<u8, Failure> {
        let level = self.read_variable(long, |text| match yes_or_no(text) {
            _ if text == "2" => Ok(2),
            Ok(on) => Ok(u8::from(on)),
            Err(_) => Err("0, 1 or 2".to_owned()),
        })?;
        Ok(level.unwrap_or(0))
    }

    fn read_variable<T>(
        &self,
        long: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        let Some((name, text)) = self.variable(long)? else {
            return Ok(None);
        };
        let value = parse(&text).map_err(|why| unfit(Kind::Config, &name, &text, &why))?;
        Ok(Some(value))
    }

    /// Whether the variable of a long option is set, and the option is not typed.
    pub fn is_by_variable(&self, long: &str) -> Result<bool, Failure> {
        Ok(!self.is_typed(long) && self.variable(long)?.is_some())
    }

    /// The variables of these two options are both set, and cannot both be meant.
    pub fn contradiction(&self, one: &str, other: &str) -> Failure {
        let [one, other] = [one, other].map(table::variable);
        let text = format!("{one} and {other} contradict each other: leave one of them empty");
        Failure::new(Kind::Config, text)
    }

    /// [`Values::get`] for a value that must not be shown.
    pub fn get_secret<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        let hidden = |text: &str| Ok(parse(text));
        let found: Option<(Kind, Result<T, String>)> = match self.is_typed(name) {
            true => self.get(name, hidden)?.map(|value| (Kind::Usage, value)),
            false => self.get(name, hidden)?.map(|value| (Kind::Config, value)),
        };
        match found {
            None => Ok(None),
            Some((_, Ok(value))) => Ok(Some(value)),
            Some((kind, Err(why))) => Err(Failure::new(kind, format!("{name} is not {why}"))),
        }
    }

    /// What is left: the arguments that are no options.
    pub fn finish(self) -> Vec<OsString> {
        self.args.finish()
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

pub fn text(text: &str) -> Result<String, String> {
    match text.chars().any(char::is_control) || text.is_empty() {
        true => Err("a text: not empty, no control characters".to_owned()),
        false => Ok(text.to_owned()),
    }
}

pub fn path(path: &str) -> Result<PathBuf, String> {
    text(path).map(PathBuf::from)
}

pub fn host(name: &str) -> Result<String, String> {
    let name = name
        .strip_prefix('[')
        .and_then(|n| n.strip_suffix(']'))
        .unwrap_or(name);
    let wrong = |c: char| c.is_control() || c.is_whitespace();
    match name.is_empty() || name.len() > 255 || name.contains(wrong) {
        true => Err("a host's name or address".to_owned()),
        false => Ok(name.to_owned()),
    }
}

/// A broker, and its port where that was given with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub port: Option<u16>,
}

/// Brokers between commas, or the path of a Unix socket.
pub fn hosts(text: &str) -> Result<Vec<Host>, String> {
    if text.contains("://") {
        return Err("a host: a URL goes after --url".to_owned());
    }
    if text.starts_with('/') {
        let name = host(text)?;
        return Ok(vec![Host { name, port: None }]);
    }
    text.split(',').map(host_and_port).collect()
}

/// `name`, `name:port`, `[address]:port`, or an IPv6 address as it is.
fn host_and_port(text: &str) -> Result<Host, String> {
    let (name, number) = match text.rsplit_once(':') {
        Some((name, number)) if name.ends_with(']') || !name.contains(':') => (name, Some(number)),
        _ => (text, None),
    };
    if name.starts_with('/') {
        return Err("a list of brokers: a Unix socket stands alone".to_owned());
    }
    let wrong = |_| "a host's name or address, nor that with :PORT".to_owned();
    Ok(Host {
        name: host(name).map_err(wrong)?,
        port: number.map(port).transpose().map_err(wrong)?,
    })
}

pub fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port, 1 to 65535".to_owned()),
    }
}

pub fn client_id(id: &str) -> Result<String, String> {
    match text(id) {
        Ok(id) if id.len() <= crate::mqtt::MAX_BYTES => Ok(id),
        _ => Err("a client id: not empty, no control characters".to_owned()),
    }
}

pub fn share_name(name: &str) -> Result<Level, String> {
    Level::new(name).map_err(|why| format!("a share name: {why}"))
}

pub fn prefix(text: &str) -> Result<Prefix, String> {
    Prefix::new(text).map_err(|why| format!("levels of a topic: {why}"))
}

pub fn keep_alive(text: &str) -> Result<Duration, String> {
    let seconds: Result<u16, _> = text.parse();
    seconds
        .map(|seconds| Duration::from_secs(seconds.into()))
        .map_err(|_| "a number of seconds, 0 to 65535".to_owned())
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    crate::Seconds::parse(text).ok_or_else(|| "a number of seconds".to_owned())
}

/// A time limit; 0 is none.
pub fn limit(text: &str) -> Result<Option<Duration>, String> {
    seconds(text).map(|time| Some(time).filter(|time| !time.is_zero()))
}

/// The lower bound of the backoff: not so short that it is none.
pub fn reconnect_delay(text: &str) -> Result<Duration, String> {
    match seconds(text) {
        Ok(time) if (Duration::from_millis(10)..=Duration::from_secs(3600)).contains(&time) => {
            Ok(time)
        }
        _ => Err("a number of seconds, 0.01 to 3600".to_owned()),
    }
}

pub fn qos(text: &str) -> Result<QoS, String> {
    let level = text
        .parse()
        .ok()
        .and_then(|level: u8| level.try_into().ok());
    level.ok_or_else(|| "a QoS level: 0, 1 or 2".to_owned())
}

pub fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number".to_owned())
}

pub fn positive(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("a whole number above 0".to_owned()),
    }
}

pub fn range(text: &str) -> Result<RangeInclusive<u32>, String> {
    /// Few enough to keep in memory.
    const MAX: u32 = 100_000;
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.trim().parse(), high.trim().parse()) {
        (Ok(low), Ok(high)) if low <= high && high <= MAX => Ok(low..=high),
        _ => Err(format!(
            "a number N or a range A-B of commands, up to {MAX}"
        )),
    }
}

#[cfg(test)]
mod tests;
