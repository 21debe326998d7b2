//! The command `judge`: where the client's own command line begins, and what else there is to set.

use std::ffi::OsString;
use std::time::Duration;

use super::commands::ServiceOptions;
use super::table::{OPTIONS, OptionSpec};
use super::{Invocation, usage};
use crate::role::Failure;

/// The word on the command line.
pub const NAME: &str = "judge";

/// What is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeConfig {
    /// The client's program and its first arguments; never empty.
    pub client: Vec<OsString>,
    /// How long one run of it may last.
    pub time: Duration,
    /// In JSON.
    pub json: bool,
}

impl JudgeConfig {
    /// How long one run may last, unless it is set otherwise: longer than a client waits for an answer.
    pub const TIME: Duration = Duration::from_secs(15);
}

/// Where the client's command line begins, if this is a command line for the judge: what stands there is the client's, even
/// where it looks like an option.
pub fn client_begins(args: &[OsString]) -> Option<usize> {
    let mut is_judge = false;
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let text = arg.to_str().unwrap_or("");
        let is_option = text.starts_with('-') && text != "-";
        match is_option {
            _ if text == "--" => return None,
            true if takes_next(text) => at += 2,
            true => at += 1,
            false if is_judge => return Some(at),
            false if text == NAME => {
                is_judge = true;
                at += 1;
            }
            false => return None,
        }
    }
    None
}

/// Whether the argument after this option is its value.
fn takes_next(option: &str) -> bool {
    let named = |known: &&OptionSpec| known.long == option || known.short == Some(option);
    let known = OPTIONS.iter().find(named);
    known.is_some_and(|known| known.value.is_some())
}

pub fn parse(options: ServiceOptions, client: Vec<OsString>) -> Result<Invocation, Failure> {
    if client.first().is_none_or(|word| word.is_empty()) {
        let text = "judge takes CLIENT, a program and its arguments: judge python3 client.py";
        return Err(usage(text.to_owned()));
    }
    let time = match options.connection.timeout {
        None => JudgeConfig::TIME,
        Some(Some(time)) => time,
        Some(None) => {
            let text = "--timeout 0: a client that hangs has to be ended; give it seconds above 0";
            return Err(usage(text.to_owned()));
        }
    };
    Ok(Invocation::Judge(JudgeConfig {
        client,
        time,
        json: options.json,
    }))
}
