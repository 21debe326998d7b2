//! The command `doctor`: what it is to examine, and of each setting where it comes from.

use std::ffi::OsString;
use std::fmt;

use super::commands::ServiceOptions;
use super::connection::{ConnectionConfig, PORT, PORT_TLS};
use super::table::{COMMANDS, Command, Group, OPTIONS, OptionSpec};
use super::values::Values;
use super::{Invocation, command, usage};
use crate::mqtt::QoS;
use crate::role::Failure;

/// The word on the command line.
pub const NAME: &str = "doctor";

/// What is to be examined.
#[derive(Debug)]
pub enum Patient {
    /// A run with these settings.
    Run {
        /// What would be run.
        run: Examined,
        /// What is set, and what matters most of what is not.
        settings: Vec<Setting>,
    },
    /// The systemd unit of this name, whose settings are still to be read.
    Unit(String),
}

/// What would be run with the settings.
#[derive(Debug)]
pub enum Examined {
    /// This, which is a request or a service.
    Role(Box<Invocation>),
    /// Nothing that the settings name: the way to the broker alone.
    Connection {
        /// The way.
        connection: Box<ConnectionConfig>,
        /// The QoS that was asked for.
        qos: Option<QoS>,
    },
}

/// A setting. It displays as a line, with secrets hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The option's long name, without dashes.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    CommandLine,
    /// The environment variable of this name.
    Variable(String),
    /// This program.
    Default,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, .. } = self;
        write!(f, "{name} = {value} (")?;
        match &self.source {
            Source::CommandLine => f.write_str("command line)"),
            Source::Variable(name) => write!(f, "{name})"),
            Source::Default => f.write_str("default)"),
        }
    }
}

/// The option, short or long, that names what a device is called; the unit passes the variable on as an argument.
pub const USER_ID: &str = "--user-id";

/// What is set, in the order of the help text; of what the commands take, not of what is said.
pub fn settings(values: &Values<'_>) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    for option in OPTIONS
        .iter()
        .filter(|option| option.group != Group::Output)
    {
        let (value, source) = match (values.typed_value(option), values.variable(option.long)?) {
            (Some(value), _) => (value, Source::CommandLine),
            (None, Some((name, value))) if option.has_variable => (value, Source::Variable(name)),
            _ => continue,
        };
        settings.push(Setting {
            name: option.long.trim_start_matches('-'),
            value: harmless(option, value),
            source,
        });
    }
    Ok(settings)
}

/// The value without a password in it.
fn harmless(option: &OptionSpec, value: String) -> String {
    match option.long {
        "--password" => "***".to_owned(),
        "--url" => {
            let login = value
                .split_once("://")
                .and_then(|(_, rest)| rest.rsplit_once('@'));
            let password = login.and_then(|(login, _)| login.split_once(':'));
            match password {
                Some((_, password)) => value.replace(&format!(":{password}@"), ":***@"),
                None => value,
            }
        }
        _ => value,
    }
}

/// The command that `free` names after [`NAME`], or [`NAME`] itself where it names none.
pub fn examined(known: &'static Command, free: &[OsString]) -> &'static str {
    let is_doctor = known.name == NAME && !free.is_empty();
    let examined = is_doctor.then(|| command(free.to_vec()).ok()).flatten();
    examined.map_or(known.name, |(examined, _)| examined.name)
}

pub fn parse(options: ServiceOptions, mut free: Vec<OsString>) -> Result<Invocation, Failure> {
    let [request, ..] = &COMMANDS;
    let json = options.json;
    let settings = options.settings.clone();
    if options.service {
        let typed =
            |setting: &&Setting| setting.source == Source::CommandLine && setting.name != "service";
        if let Some(typed) = settings.iter().find(typed) {
            let text = format!(
                "--service takes the unit's settings: leave --{} away",
                typed.name
            );
            return Err(usage(text));
        }
        let patient = Patient::Unit(unit(&free)?);
        return Ok(Invocation::Doctor { patient, json });
    }
    if free.is_empty() {
        if let Some(user_id) = options.user_id.clone() {
            free = vec!["device".into(), user_id.into()];
        }
    }
    let run = match free.is_empty() {
        true => {
            let qos = options.qos;
            let connection = Box::new(options.connection.named("mqtt_client")?);
            Examined::Connection { connection, qos }
        }
        false => {
            let (role, mut arguments) = command(free)?;
            if [NAME, "demo", super::judge::NAME].contains(&role.name) {
                return Err(usage(format!("doctor examines no {}", role.name)));
            }
            if role.name == request.name && arguments.len() == 2 && !options.lines {
                arguments.push("doctor".into());
            }
            Examined::Role(Box::new((role.parse)(options, arguments)?))
        }
    };
    let settings = with_defaults(settings, &run);
    let patient = Patient::Run { run, settings };
    Ok(Invocation::Doctor { patient, json })
}

/// The unit of the package that runs what `free` names.
fn unit(free: &[OsString]) -> Result<String, Failure> {
    let words: Vec<_> = free.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    Ok(match words[..] {
        [] | ["device"] => "mqtt_client.service".to_owned(),
        ["device", user_id] => format!("mqtt_client@{user_id}.service"),
        [service @ ("controller" | "responder")] => format!("mqtt_client-{service}.service"),
        _ => {
            let text = "doctor --service takes device, device USER_ID, controller or responder";
            return Err(usage(text.to_owned()));
        }
    })
}

impl Examined {
    /// The way to the broker.
    #[must_use]
    pub fn connection(&self) -> Option<&ConnectionConfig> {
        match self {
            Self::Connection { connection, .. } => Some(connection),
            Self::Role(run) => match &**run {
                Invocation::Request { connection, .. }
                | Invocation::Device { connection, .. }
                | Invocation::Controller { connection, .. }
                | Invocation::Responder { connection, .. } => Some(connection),
                _ => None,
            },
        }
    }
}

/// With where the broker is, although nothing says so.
fn with_defaults(mut settings: Vec<Setting>, run: &Examined) -> Vec<Setting> {
    let is_set = |name: &str| settings.iter().any(|setting| setting.name == name);
    let Some(connection) = run.connection().filter(|_| !is_set("url")) else {
        return settings;
    };
    let broker = &connection.broker;
    let (has_host, has_port) = (is_set("host"), is_set("port"));
    let usual_port = [PORT, PORT_TLS].contains(&broker.port) && !broker.is_unix_socket();
    let usual = |name, value| Setting {
        name,
        value,
        source: Source::Default,
    };
    if usual_port && !has_port {
        settings.insert(
            usize::from(has_host),
            usual("port", broker.port.to_string()),
        );
    }
    if !has_host {
        settings.insert(0, usual("host", broker.host.clone()));
    }
    settings
}
