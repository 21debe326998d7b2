//! The command line: what was typed becomes what is to be run. Exits nothing, prints nothing.

mod connection;
mod help;
mod secret;
mod url;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use help::HELP;

use crate::device_session::Replies;
use crate::device_session::controller::Plan;
use crate::link::{Options, Session};
use crate::mqtt::{Level, QoS};
use crate::program::state_file::StateFile;
use crate::role::{Failure, Kind};
use crate::text_request::Action;
use crate::text_request::MAX_TEXT;
use values::Values;

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Everything around an embedded broker.
    Demo,
    /// Ask the text service.
    Request {
        /// The broker.
        options: Options,
        /// Who asks.
        net_id: Level,
        /// For what.
        action: Action,
        /// Of which text.
        message: Text,
        /// At this QoS.
        qos: QoS,
        /// For so long.
        patience: Option<Duration>,
    },
    /// Be a device.
    Device {
        /// The broker.
        options: Options,
        /// Who logs in.
        user_id: Level,
        /// What it answers.
        replies: Replies,
        /// The QoS of login and subscriptions.
        qos: QoS,
        /// How long without a word from the controller.
        patience: Option<Duration>,
        /// Where it remembers its session.
        state: Option<StateFile>,
    },
    /// Be the controller.
    Controller {
        /// The broker.
        options: Options,
        /// What it does.
        plan: Plan,
        /// Where a line a session goes; `-` for standard output.
        report: Option<PathBuf>,
    },
    /// Be the responder.
    Responder {
        /// The broker.
        options: Options,
        /// The QoS of the subscriptions.
        qos: QoS,
        /// The group that it shares the requests with.
        share: Option<Level>,
    },
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
) -> Result<(Verbosity, Command), Failure> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let literal = match args.iter().position(|arg| arg == "--") {
        Some(at) => args.split_off(at).split_off(1),
        None => Vec::new(),
    };
    // `-h` takes a host, as in mosquitto's clients; on its own it can only be a cry for help.
    let lone_h = args.last().is_some_and(|last| last == "-h");
    let mut values = Values::new(args, environment);
    if lone_h || values.count("--help") > 0 {
        return Ok((Verbosity::Normal, Command::Help));
    }
    if values.count("--version") > 0 {
        return Ok((Verbosity::Normal, Command::Version));
    }
    let verbosity = verbosity(&mut values)?;
    let given = Given::read(&mut values)?;
    let mut free = values.finish();
    if let Some(unknown) = free.iter().find(|arg| {
        let text = arg.to_string_lossy();
        text.starts_with('-') && text != "-"
    }) {
        return Err(unknown_option(&unknown.to_string_lossy()));
    }
    free.extend(literal);
    Ok((verbosity, given.command(free)?))
}

fn usage(text: String) -> Failure {
    Failure::new(Kind::Usage, text)
}

/// Repeats no more than an option's name: what is glued on may be a password.
fn unknown_option(arg: &str) -> Failure {
    const VALUED: &str = "hpLikWuPq";
    let mut letters = arg.chars().skip(1);
    let (letter, more) = (letters.next(), letters.next().is_some());
    let text = match letter {
        Some('-') => {
            let name = arg.split('=').next().unwrap_or_default();
            format!("unknown option {name}; a MESSAGE that begins with - goes after --")
        }
        Some(letter) if more && VALUED.contains(letter) => {
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
    let twice = values.count("-vv").saturating_mul(2);
    let once = values.count("-v").saturating_add(values.count("--verbose"));
    let mut verbose = twice.saturating_add(once);
    let mut quiet = values.count("--quiet") > 0;
    if verbose > 0 && quiet {
        return Err(usage("--verbose and --quiet at once".to_owned()));
    }
    if verbose == 0 && !quiet {
        verbose = match values.variable("--verbose")? {
            None => 0,
            Some((name, text)) => text.parse().map_err(|_| {
                Failure::new(Kind::Config, format!("{name}: `{text}` is not 0, 1 or 2"))
            })?,
        };
        quiet = values
            .variable("--quiet")?
            .is_some_and(|(_, text)| text != "0");
    }
    Ok(match (verbose, quiet) {
        (0, true) => Verbosity::Quiet,
        (0, false) => Verbosity::Normal,
        (1, _) => Verbosity::Verbose,
        _ => Verbosity::Packets,
    })
}

/// The options that only some commands take. One that would do nothing is a mistake to be told of.
const ONLY_FOR: [(&str, &[&str]); 9] = [
    ("--lines", &["request"]),
    ("--state-dir", &["device"]),
    ("--replies", &["device", "controller"]),
    ("--commands", &["controller"]),
    ("--delay", &["controller"]),
    ("--seed", &["controller"]),
    ("--sessions", &["controller"]),
    ("--report", &["controller"]),
    ("--share", &["controller", "responder"]),
];

/// The options as given, before it is known which command they are for.
struct Given {
    /// Those of [`ONLY_FOR`] that were typed; from the environment they may be for another command.
    typed: Vec<(&'static str, &'static [&'static str])>,
    connection: connection::Given,
    lines: bool,
    qos: Option<QoS>,
    replies: Option<String>,
    state: Option<StateFile>,
    commands: Option<std::ops::RangeInclusive<u32>>,
    delay: Option<Duration>,
    seed: Option<u64>,
    sessions: Option<u64>,
    report: Option<String>,
    share: Option<Level>,
}

impl Given {
    fn read(values: &mut Values<'_>) -> Result<Self, Failure> {
        let typed = |(option, _): &(&'static str, _)| values.is_typed([option; 2]);
        Ok(Self {
            typed: ONLY_FOR.into_iter().filter(typed).collect(),
            connection: connection::Given::read(values)?,
            lines: values.count("--lines") > 0,
            qos: values.get(["-q", "--qos"], values::qos)?,
            replies: values.get(["--replies"; 2], values::text)?,
            state: values.state_dir()?.map(StateFile::in_folder),
            commands: values.get(["--commands"; 2], values::range)?,
            delay: values.get(["--delay"; 2], values::seconds)?,
            seed: values.get(["--seed"; 2], values::number)?,
            sessions: values.get(["--sessions"; 2], values::positive)?,
            report: values.get(["--report"; 2], values::text)?,
            share: values.get(["--share"; 2], values::share_name)?,
        })
    }

    fn command(self, free: Vec<OsString>) -> Result<Command, Failure> {
        let mut free = free.into_iter();
        let Some(first) = free.next() else {
            return Err(usage(
                "what to do? NETID ACTION MESSAGE, or device USER_ID".to_owned(),
            ));
        };
        let rest: Vec<OsString> = free.collect();
        let named = ["device", "controller", "responder", "demo"];
        let command = first.to_str().filter(|word| named.contains(word));
        let command = command.unwrap_or("request");
        for (option, commands) in &self.typed {
            if !commands.contains(&command) {
                let commands = commands.join(" and ");
                return Err(usage(format!(
                    "{option} is for {commands}, not for {command}"
                )));
            }
        }
        match first.to_str() {
            Some("device") => self.device(rest),
            Some("controller") => {
                none_left(rest, "controller")?;
                self.controller()
            }
            Some("responder") => {
                none_left(rest, "responder")?;
                self.responder()
            }
            Some("demo") => none_left(rest, "demo").map(|()| Command::Demo),
            Some("request") => self.request(rest),
            _ => self.request(std::iter::once(first).chain(rest).collect()),
        }
    }

    fn request(self, mut free: Vec<OsString>) -> Result<Command, Failure> {
        if self.lines {
            if free.len() != 2 {
                return Err(usage(
                    "--lines takes NETID ACTION, and each MESSAGE from standard input".to_owned(),
                ));
            }
            free.push("-".into());
        }
        let [net_id, action, message]: [OsString; 3] =
            free.try_into().map_err(|free: Vec<OsString>| {
                let quote = match free.len() {
                    ..3 => "",
                    3.. => "; quote a MESSAGE with blanks",
                };
                usage(format!(
                    "NETID ACTION MESSAGE are three arguments, not {}{quote}",
                    free.len()
                ))
            })?;
        let net_id = level("NETID", net_id)?;
        let action = action.to_string_lossy();
        let action = action.parse().map_err(|()| {
            usage(format!(
                "unknown ACTION `{action}`: uppercase, lowercase, title-case, reverse or shuffle"
            ))
        })?;
        let message = match message.into_string() {
            Ok(message) if message == "-" && self.lines => Text::Lines,
            Ok(message) if message == "-" => Text::Stdin,
            Ok(message) => Text::Typed(sized(message)?),
            Err(_) => return Err(Failure::new(Kind::Input, "MESSAGE is not UTF-8")),
        };
        let mut options = self.connection.options(net_id.as_str(), Session::Clean)?;
        options.give_up_at_once = true;
        Ok(Command::Request {
            options,
            net_id,
            action,
            message,
            qos: self.qos.unwrap_or(QoS::AtLeastOnce),
            patience: self
                .connection
                .timeout
                .unwrap_or(Some(Duration::from_secs(10))),
        })
    }

    fn device(self, free: Vec<OsString>) -> Result<Command, Failure> {
        let [user_id]: [OsString; 1] = free.try_into().map_err(|free: Vec<OsString>| {
            usage(format!(
                "device takes one USER_ID, not {} arguments",
                free.len()
            ))
        })?;
        let user_id = level("USER_ID", user_id)?;
        let session = Session::Persistent {
            resume: false,
            keep: self.state.is_some(),
        };
        Ok(Command::Device {
            options: self.connection.options(user_id.as_str(), session)?,
            state: self.state.clone(),
            replies: self.replies()?,
            qos: self.qos.unwrap_or(QoS::ExactlyOnce),
            patience: self
                .connection
                .timeout
                .unwrap_or(Some(Duration::from_secs(60))),
            user_id,
        })
    }

    fn responder(self) -> Result<Command, Failure> {
        // In a group the others answer while one is away. A session that outlives it would be given
        // its share all the same, and keep that until it returns.
        let session = match self.share {
            None => persistent(),
            Some(_) => Session::Clean,
        };
        let client_id = self
            .connection
            .member_id("responder", self.share.is_some())?;
        Ok(Command::Responder {
            options: self.connection.options(&client_id, session)?,
            qos: self.qos.unwrap_or(QoS::AtLeastOnce),
            share: self.share,
        })
    }

    fn controller(self) -> Result<Command, Failure> {
        let usual = Plan::default();
        // In a group it goes on with its session after a crash: the logins that came meanwhile are in it.
        let session = Session::Persistent {
            resume: self.share.is_some(),
            keep: false,
        };
        let client_id = self
            .connection
            .member_id("controller", self.share.is_some())?;
        Ok(Command::Controller {
            options: self.connection.options(&client_id, session)?,
            plan: Plan {
                replies: self.replies()?,
                commands: self.commands.unwrap_or(usual.commands),
                delay: self.delay.unwrap_or(usual.delay),
                timeout: self.connection.timeout.unwrap_or(usual.timeout),
                qos: self.qos.unwrap_or(usual.qos),
                seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
                sessions: self.sessions,
                share: self.share,
            },
            report: self.report.map(PathBuf::from),
        })
    }

    fn replies(&self) -> Result<Replies, Failure> {
        let Some(path) = &self.replies else {
            return Ok(Replies::default());
        };
        let wrong = |why: String| Failure::new(Kind::Config, format!("replies file {path}: {why}"));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Replies::parse(&text).map_err(|error| wrong(error.to_string()))
    }
}

fn persistent() -> Session {
    Session::Persistent {
        resume: false,
        keep: false,
    }
}

fn none_left(free: Vec<OsString>, command: &str) -> Result<(), Failure> {
    match free.first() {
        None => Ok(()),
        Some(arg) => Err(usage(format!(
            "{command} takes no argument `{}`",
            arg.to_string_lossy()
        ))),
    }
}

fn level(name: &str, arg: OsString) -> Result<Level, Failure> {
    let shown = arg.to_string_lossy().into_owned();
    if shown.contains("://") {
        return Err(usage(format!(
            "there is a URL where {name} is wanted: put --url before it"
        )));
    }
    Level::from_bytes(arg.as_encoded_bytes()).map_err(|why| {
        usage(format!(
            "{name} `{}` cannot be a topic level: {why}",
            crate::mqtt::printable(shown.as_bytes())
        ))
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
