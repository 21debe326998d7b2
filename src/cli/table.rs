//! The commands and the options, once: what they are called, what they take, and which option is for
//! which command. The parser looks its short names up here; tests compare the help text, the manual page
//! and the shells' completions with it.

use std::ffi::OsString;

use super::commands::{self, ServiceOptions};
use super::{Failure, Invocation};
use super::{doctor, judge};

/// A command, as its first argument names it.
#[derive(Debug)]
pub struct Command {
    /// The word on the command line.
    pub name: &'static str,
    /// What follows it, as the help text writes it; empty for nothing.
    pub arguments: &'static str,
    /// Makes an invocation of the options and of the arguments after the name.
    pub(super) parse: fn(ServiceOptions, Vec<OsString>) -> Result<Invocation, Failure>,
}

/// The command that runs everything around a broker of its own.
const DEMO: &str = "demo";

/// All commands. The first is meant where the first argument is not the name of a command.
pub static COMMANDS: [Command; 8] = [
    Command {
        name: "request",
        arguments: "NETID ACTION MESSAGE",
        parse: commands::request,
    },
    Command {
        name: "device",
        arguments: "USER_ID",
        parse: commands::device,
    },
    Command {
        name: "controller",
        arguments: "",
        parse: commands::controller,
    },
    Command {
        name: "responder",
        arguments: "",
        parse: commands::responder,
    },
    Command {
        name: "fleet",
        arguments: "[FILTER]",
        parse: commands::fleet,
    },
    Command {
        name: doctor::NAME,
        arguments: "[COMMAND]",
        parse: doctor::parse,
    },
    Command {
        name: judge::NAME,
        arguments: "CLIENT [ARG...]",
        parse: judge::parse,
    },
    Command {
        name: DEMO,
        arguments: "",
        parse: commands::demo,
    },
];

/// The heading of an option in the help text and in the manual page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the headings")]
pub enum Group {
    Connection,
    Login,
    Tls,
    Message,
    Programs,
    Output,
}

impl Group {
    /// The heading, without punctuation.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Login => "Login",
            Self::Tls => "TLS",
            Self::Message => "Message",
            Self::Programs => "Programs",
            Self::Output => "Output",
        }
    }
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Where the help text has it.
    pub group: Group,
    /// The long name, with its dashes.
    pub long: &'static str,
    /// The short name, with its dash.
    pub short: Option<&'static str>,
    /// What the help text calls its value; `None` for a flag.
    pub value: Option<&'static str>,
    /// The commands that it is for; empty for all of them. Where it would do nothing it is refused.
    pub only_for: &'static [&'static str],
    /// Whether an environment variable stands in for it.
    pub has_variable: bool,
}

impl OptionSpec {
    const fn flag(group: Group, long: &'static str) -> Self {
        Self {
            group,
            long,
            short: None,
            value: None,
            only_for: &[],
            has_variable: true,
        }
    }

    const fn valued(group: Group, long: &'static str, value: &'static str) -> Self {
        Self {
            value: Some(value),
            ..Self::flag(group, long)
        }
    }

    const fn short(self, short: &'static str) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    const fn only_for(self, only_for: &'static [&'static str]) -> Self {
        Self { only_for, ..self }
    }

    const fn without_variable(self) -> Self {
        Self {
            has_variable: false,
            ..self
        }
    }

    /// Whether the command of this name takes the option. Those that bring a broker of their own need no way to one.
    #[must_use]
    pub fn is_for(&self, command: &str) -> bool {
        match (self.only_for, command) {
            ([], judge::NAME) => self.group == Group::Output || self.long == "--timeout",
            ([], DEMO) => self.group == Group::Output,
            ([], _) => true,
            (names, _) => names.contains(&command),
        }
    }

    /// The option as the help text writes it: `-h, --host HOST`.
    #[must_use]
    pub fn synopsis(&self) -> String {
        let short = self.short.map(|short| format!("{short}, "));
        let value = self.value.map(|value| format!(" {value}"));
        let (short, value) = (short.unwrap_or_default(), value.unwrap_or_default());
        format!("{short}{}{value}", self.long)
    }
}

/// The environment variable that stands in for a long option: MQTT_CLIENT_PASSWORD_FILE for
/// `--password-file`.
#[must_use]
pub fn variable(long: &str) -> String {
    let name = long.trim_start_matches('-').replace('-', "_");
    format!("MQTT_CLIENT_{}", name.to_uppercase())
}

/// All options, in the order of the help text.
pub static OPTIONS: [OptionSpec; 45] = {
    use Group::{Connection, Login, Message, Output, Programs, Tls};
    const fn flag(group: Group, long: &'static str) -> OptionSpec {
        OptionSpec::flag(group, long)
    }
    const fn valued(group: Group, long: &'static str, value: &'static str) -> OptionSpec {
        OptionSpec::valued(group, long, value)
    }
    [
        valued(Connection, "--host", "HOST").short("-h"),
        valued(Connection, "--port", "PORT").short("-p"),
        valued(Connection, "--url", "URL").short("-L"),
        valued(Connection, "--id", "ID").short("-i"),
        valued(Connection, "--keepalive", "S").short("-k"),
        valued(Connection, "--timeout", "S").short("-W"),
        valued(Connection, "--reconnect-delay", "S"),
        flag(Connection, "--service")
            .only_for(&["doctor"])
            .without_variable(),
        valued(Login, "--username", "NAME").short("-u"),
        valued(Login, "--password-file", "F"),
        valued(Login, "--password", "WORD").short("-P"),
        flag(Tls, "--tls"),
        valued(Tls, "--cafile", "FILE"),
        valued(Tls, "--cert", "FILE"),
        valued(Tls, "--key", "FILE"),
        valued(Message, "--qos", "LEVEL").short("-q"),
        flag(Message, "--lines")
            .only_for(&["request"])
            .without_variable(),
        valued(Message, "--replies", "FILE").only_for(&["device", "controller"]),
        valued(Message, "--again", "S").only_for(&["device"]),
        valued(Message, "--state-dir", "DIR").only_for(&["device", "controller", "responder"]),
        flag(Message, "--sync").only_for(&["device", "controller", "responder"]),
        valued(Message, "--commands", "WHAT").only_for(&["device", "controller"]),
        valued(Message, "--delay", "S").only_for(&["controller"]),
        valued(Message, "--seed", "N").only_for(&["controller"]),
        valued(Message, "--sessions", "N").only_for(&["controller"]),
        valued(Message, "--roster", "FILE").only_for(&["controller"]),
        valued(Message, "--page", "FILE").only_for(&["controller"]),
        valued(Message, "--report", "FILE").only_for(&["controller"]),
        valued(Message, "--prefix", "PREFIX").only_for(&["device", "controller"]),
        flag(Message, "--verdict").only_for(&["device", "controller"]),
        valued(Message, "--share", "GROUP").only_for(&["controller", "responder"]),
        valued(Message, "--presence", "TOPIC").only_for(&["device", "controller", "responder"]),
        valued(Message, "--presence-end", "offline|clear").only_for(&[
            "device",
            "controller",
            "responder",
        ]),
        valued(Programs, "--actions", "DIR").only_for(&["responder"]),
        valued(Programs, "--program-time", "S").only_for(&["device", "responder"]),
        valued(Programs, "--program-output", "N").only_for(&["device", "responder"]),
        valued(Programs, "--programs-at-once", "N").only_for(&["device", "responder"]),
        flag(Programs, "--at-most-once").only_for(&["device", "responder"]),
        flag(Programs, "--any-action")
            .only_for(&["request"])
            .without_variable(),
        flag(Output, "--once")
            .only_for(&["fleet"])
            .without_variable(),
        flag(Output, "--json")
            .only_for(&["fleet", "doctor", "judge"])
            .without_variable(),
        flag(Output, "--verbose").short("-v"),
        flag(Output, "--quiet"),
        flag(Output, "--help").without_variable(),
        flag(Output, "--version").without_variable(),
    ]
};

/// The short name of a long option, where it has one.
pub(super) fn short_name(long: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|option| option.long == long)?.short
}
