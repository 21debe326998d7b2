//! The command line: arguments and environment become what is to be run. Reads no file, prints nothing,
//! exits nothing. What the options name (certificates, passwords, replies) is read by [`crate::program`].

mod commands;
mod connection;
mod doctor;
mod help;
mod judge;
mod login;
mod nearest;
mod presence;
mod programs;
mod table;
mod url;
mod values;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use connection::{ClientId, ConnectionConfig, HOST, PORT, PORT_TLS};
pub use doctor::{Examined, Patient, Setting, Source};
pub use help::HELP;
pub use judge::JudgeConfig;
pub use login::{LoginConfig, PasswordSource};
pub use presence::PresenceConfig;
pub use table::{COMMANDS, Command, Group, OPTIONS, OptionSpec, variable};
pub use variables::{UnknownVariable, unknown_variables};

use crate::device_session::controller::Plan;
use crate::device_session::device::DeviceConfig;
use crate::fleet::FleetConfig;
use crate::link::ProgramOptions;
use crate::role::{Failure, Kind};
use crate::text_request::MAX_TEXT;
use crate::text_request::requester::RequestConfig;
use crate::text_request::responder::ResponderConfig;
use commands::ServiceOptions;
use nearest::nearest;
use values::Values;

/// The USER_ID of a device that goes by the name of its machine: as in a unit, whose systemd calls it so
/// (systemd.unit(5), specifiers), and in its settings, where systemd leaves it as it is.
pub const MACHINE: &str = "%H";

/// What to do.
#[derive(Debug)]
pub enum Invocation {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Run everything around an embedded broker.
    Demo,
    /// Ask the text service.
    Request {
        /// The way to the broker.
        connection: ConnectionConfig,
        /// What is asked for, and how.
        config: RequestConfig,
        /// The text.
        message: Text,
    },
    /// Be a device.
    Device {
        /// The way to the broker.
        connection: ConnectionConfig,
        /// What it does, but for the replies of the file, and for the name of the machine where the USER_ID is
        /// [`MACHINE`].
        config: DeviceConfig,
        /// What answers its commands, before the table.
        programs: Option<ProgramOptions>,
        /// The file that replaces the table of replies.
        replies: Option<PathBuf>,
        /// How long after the last words it logs in again; `None`: never.
        again: Option<Duration>,
        /// Where it remembers its session.
        state: Option<StateConfig>,
    },
    /// Be the controller.
    Controller {
        /// The way to the broker.
        connection: ConnectionConfig,
        /// What it does, but for the replies of the file.
        plan: Plan,
        /// The file that replaces the table of replies.
        replies: Option<PathBuf>,
        /// The file that says who is awaited.
        roster: Option<PathBuf>,
        /// The page that shows the class.
        page: Option<PathBuf>,
        /// Where a line for each session goes; `-` for standard output.
        report: Option<PathBuf>,
        /// Where it remembers its sessions.
        state: Option<StateConfig>,
    },
    /// Be the responder.
    Responder {
        /// The way to the broker.
        connection: ConnectionConfig,
        /// How it answers.
        config: ResponderConfig,
        /// What answers requests, before its own actions.
        programs: Option<ProgramOptions>,
        /// Where it remembers what is not answered.
        state: Option<StateConfig>,
    },
    /// Watch who is up.
    Fleet {
        /// The way to the broker.
        connection: ConnectionConfig,
        /// Whom, and how long.
        config: FleetConfig,
        /// In JSON.
        json: bool,
    },
    /// Judge a client of the text service.
    Judge(JudgeConfig),
    /// Examine the way to the broker, and what it allows.
    Doctor {
        /// For whom.
        patient: Patient,
        /// In JSON.
        json: bool,
    },
}

/// Where a run remembers what a later one goes on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateConfig {
    /// The folder.
    pub folder: PathBuf,
    /// On the disk before anything is sent that depends on it, so that it survives a power cut.
    pub sync: bool,
}

/// A text from the command line, or to be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Text {
    /// As typed.
    Typed(String),
    /// Standard input.
    Stdin,
    /// Each line of standard input, one after the other.
    Lines,
}

/// How much to say on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings, too.
    Normal,
    /// What happens.
    Verbose,
    /// Every packet.
    Packets,
}

/// Reads the command line, without the program's name.
///
/// # Errors
/// One line that names the argument, or the environment variable, and what it should have been.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(Verbosity, Invocation), Failure> {
    parse_all(args.into_iter().collect(), environment)
}

/// The same, of one type for every source of arguments.
fn parse_all(
    mut args: Vec<OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(Verbosity, Invocation), Failure> {
    let first_dashes = || args.iter().position(|arg| arg == "--");
    let literal = match (judge::client_begins(&args), first_dashes()) {
        (Some(at), _) => args.split_off(at),
        (None, Some(at)) => args.split_off(at).split_off(1),
        (None, None) => Vec::new(),
    };
    // `-h` takes a host, as in mosquitto's clients. Without one it can only ask for help.
    let lone_h = args.last().is_some_and(|last| last == "-h");
    let mut values = Values::new(args, environment);
    if lone_h || values.count("--help") > 0 {
        return Ok((Verbosity::Normal, Invocation::Help));
    }
    if values.count("--version") > 0 {
        return Ok((Verbosity::Normal, Invocation::Version));
    }
    let verbosity = verbosity(&mut values)?;
    // Of those that were typed alone: the environment may hold options of other commands.
    let typed = OPTIONS.iter().filter(|option| values.is_typed(option.long));
    let typed: Vec<&OptionSpec> = typed.collect();
    let options = ServiceOptions::read(&mut values)?;
    let mut free = values.finish();
    if let Some(unknown) = free.iter().find(|arg| {
        let text = arg.to_string_lossy();
        text.starts_with('-') && text != "-"
    }) {
        return Err(unknown_option(&unknown.to_string_lossy()));
    }
    free.extend(literal);
    let (command, free) = command(free)?;
    let examined = doctor::examined(command, &free);
    let is_refused =
        |option: &&&OptionSpec| !option.is_for(command.name) && !option.is_for(examined);
    if let Some(option) = typed.iter().find(is_refused) {
        return Err(refused(option, command.name, examined));
    }
    // What there is to warn of, a doctor says in lines of its own.
    let verbosity = match (verbosity, command.name) {
        (Verbosity::Normal, doctor::NAME) => Verbosity::Quiet,
        (verbosity, _) => verbosity,
    };
    Ok((verbosity, (command.parse)(options, free)?))
}

/// The command, and its arguments.
fn command(mut free: Vec<OsString>) -> Result<(&'static Command, Vec<OsString>), Failure> {
    let [request, ..] = &COMMANDS;
    let Some(first) = free.first() else {
        return Err(usage(
            "what to do? NETID ACTION MESSAGE, or device USER_ID".to_owned(),
        ));
    };
    match COMMANDS.iter().find(|command| first == command.name) {
        Some(command) => Ok((command, free.split_off(1))),
        None => Ok((request, free)),
    }
}

/// An option that would do nothing.
fn refused(option: &OptionSpec, command: &str, examined: &str) -> Failure {
    let name = option.long;
    usage(match option.only_for {
        [] => {
            let instead = match command {
                judge::NAME => "; an option of the client's stands after CLIENT",
                _ => "",
            };
            format!("{name} is not for {command}, which has a broker of its own{instead}")
        }
        names => format!("{name} is for {}, not for {examined}", names.join(" and ")),
    })
}

fn usage(text: String) -> Failure {
    Failure::new(Kind::Usage, text)
}

/// Repeats no more than an option's name: what is glued on may be a password.
fn unknown_option(arg: &str) -> Failure {
    let takes_value = |letter: char| {
        let name = format!("-{letter}");
        let mut valued = OPTIONS.iter().filter(|option| option.value.is_some());
        valued.any(|option| option.short == Some(&*name))
    };
    let mut letters = arg.chars().skip(1);
    let (letter, more) = (letters.next(), letters.next().is_some());
    let text = match letter {
        Some('-') => {
            let name = arg.split('=').next().unwrap_or_default();
            let meant = nearest(name, OPTIONS.iter().map(|option| option.long));
            let meant = meant.map_or(String::new(), |meant| format!(", did you mean {meant}?"));
            format!("unknown option {name}{meant}; a MESSAGE that begins with - goes after --")
        }
        Some(letter) if more && takes_value(letter) => {
            format!("put a blank after -{letter}; a MESSAGE that begins with - goes after --")
        }
        _ => {
            let name: String = arg.chars().take(2).collect();
            let more = if more { "…" } else { "" };
            format!("unknown option {name}{more}; a MESSAGE that begins with - goes after --")
        }
    };
    usage(text)
}

fn verbosity(values: &mut Values<'_>) -> Result<Verbosity, Failure> {
    let twice = values.count_word("-vv").saturating_mul(2);
    let mut verbose = twice.saturating_add(values.count("--verbose"));
    let mut quiet = values.count("--quiet") > 0;
    if verbose > 0 && quiet {
        return Err(usage("--verbose and --quiet at once".to_owned()));
    }
    if verbose == 0 && !quiet {
        verbose = values.level("--verbose")?;
        quiet = values.switch("--quiet")? == Some(true);
        if verbose > 0 && quiet {
            return Err(values.contradiction("--verbose", "--quiet"));
        }
    }
    Ok(match (verbose, quiet) {
        (0, true) => Verbosity::Quiet,
        (0, false) => Verbosity::Normal,
        (1, _) => Verbosity::Verbose,
        _ => Verbosity::Packets,
    })
}

/// Checks that a MESSAGE is not too large to send.
///
/// # Errors
/// Says how large it may be.
pub fn sized(message: String) -> Result<String, Failure> {
    match message.len() > MAX_TEXT {
        false => Ok(message),
        true => Err(Failure::new(
            Kind::Input,
            format!("MESSAGE is longer than {MAX_TEXT} bytes"),
        )),
    }
}

#[cfg(test)]
mod tests;
