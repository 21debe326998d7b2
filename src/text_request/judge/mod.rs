//! Judges a client of this protocol: what it is started with, run by run, and what is to be said of what it did. Both are
//! pure: [`crate::program`] starts the client and has the sockets.

mod conversation;
mod examine;
mod packet;
mod sentences;
mod traffic;
mod verdicts;

use std::time::Duration;

use super::Action;
use crate::mqtt::Level;

pub use conversation::{Conversation, Seen};
pub use verdicts::{Check, State, Verdict, Verdicts};

/// What the client is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Without any argument.
    NoArguments,
    /// With `--help`.
    Help,
    /// For an action that is none.
    UnknownAction,
    /// For an action with a plain message.
    Action,
    /// For a message with spaces.
    Spaces,
    /// For a message that is not ASCII.
    Unicode,
    /// For a message without a character.
    Empty,
    /// With `-v`.
    Verbose,
    /// With a `--host` that is another address than localhost.
    OtherHost,
    /// Without `--host` and `-p`.
    Defaults,
    /// Where nobody listens.
    NoBroker,
    /// Where the broker refuses the connection.
    Refused,
}

/// What the broker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It serves.
    Full,
    /// It refuses the connection with return code 5, not authorized.
    Refused,
    /// It is not there; a connection that is made all the same is closed.
    None,
}

/// One start of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// What for.
    pub purpose: Purpose,
    /// What the broker does.
    pub service: Service,
    net_id: &'static str,
    action: Action,
    message: &'static str,
}

/// The NETIDs are not all the same: a client may have one of its own inside.
const NET_ID: &str = "abcd01";
const OTHER_NET_ID: &str = "efgh23";

/// What is no action.
const NO_ACTION: &str = "louder";

/// All runs, in order.
pub const RUNS: [Run; 16] = [
    run(Purpose::NoArguments, Action::Uppercase, ""),
    run(Purpose::Help, Action::Uppercase, ""),
    run(Purpose::UnknownAction, Action::Uppercase, "Hello"),
    run(Purpose::Action, Action::Uppercase, "Hello"),
    run(Purpose::Action, Action::Lowercase, "HELLO"),
    run(Purpose::Action, Action::TitleCase, "hELLO"),
    run(Purpose::Action, Action::Reverse, "abcdef"),
    run(Purpose::Action, Action::Shuffle, "abcdefghijklmnop"),
    run(
        Purpose::Spaces,
        Action::TitleCase,
        "the quick  brown fox, again",
    ),
    run(
        Purpose::Unicode,
        Action::Reverse,
        "Grüße, žluťoučký 日本 😀",
    ),
    run(Purpose::Empty, Action::Lowercase, ""),
    run(Purpose::Verbose, Action::Uppercase, "loud"),
    run(Purpose::OtherHost, Action::Reverse, "host"),
    run(Purpose::Defaults, Action::Uppercase, "default"),
    run(Purpose::NoBroker, Action::Uppercase, "nobody"),
    run(Purpose::Refused, Action::Uppercase, "refused"),
];

const fn run(purpose: Purpose, action: Action, message: &'static str) -> Run {
    let service = match purpose {
        Purpose::NoBroker => Service::None,
        Purpose::Refused => Service::Refused,
        _ => Service::Full,
    };
    let net_id = match (purpose, action) {
        (Purpose::Action, Action::Lowercase | Action::Reverse) | (Purpose::Unicode, _) => {
            OTHER_NET_ID
        }
        _ => NET_ID,
    };
    Run {
        purpose,
        service,
        net_id,
        action,
        message,
    }
}

impl Run {
    /// The client's arguments, where the broker is said to be at `host` and `port`.
    #[must_use]
    pub fn arguments(&self, host: &str, port: u16) -> Vec<String> {
        let port = port.to_string();
        let at = ["--host", host, "-p", &port];
        let request = [self.net_id, self.action.name(), self.message];
        let words: Vec<&str> = match self.purpose {
            Purpose::NoArguments => Vec::new(),
            Purpose::Help => vec!["--help"],
            Purpose::UnknownAction => [&at[..], &[self.net_id, NO_ACTION, self.message]].concat(),
            Purpose::Verbose => [&["-v"], &at[..], &request].concat(),
            Purpose::Defaults => request.to_vec(),
            _ => [&at[..], &request].concat(),
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// What the client is asked to ask for; `None` where it is not to ask at all.
    fn request(&self) -> Option<(Level, &'static str)> {
        match self.purpose {
            Purpose::NoArguments | Purpose::Help | Purpose::UnknownAction => None,
            _ => Some((Level::known(self.net_id), self.message)),
        }
    }
}

/// Where a connection of the client arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Where the arguments said, or the defaults.
    Named,
    /// At the port of `-p` on localhost, and `--host` named another address.
    Localhost,
    /// At localhost:1883, and `-p` named another port.
    DefaultPort,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The client closed it, or the end of its process did.
    ByClient,
    /// The broker closed it.
    ByBroker,
    /// It was open when the run was over.
    Not,
}

/// A connection of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where it arrived.
    pub door: Door,
    /// What happened on it, in order.
    pub seen: Vec<Seen>,
    /// How it ended.
    pub closed: Closed,
}

/// How the client's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Exit(i32),
    /// By this signal, which was not the judge's.
    Signal(i32),
    /// It was killed after this time.
    Late(Duration),
    /// It was killed because it printed more than is read.
    Flood,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The run.
    pub run: Run,
    /// The connections, in the order in which they were made.
    pub connections: Vec<Connection>,
    /// How the process ended.
    pub end: End,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said on standard error.
    pub stderr: Vec<u8>,
}

#[cfg(test)]
mod tests;
