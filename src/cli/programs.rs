//! The limits of the programs that answer commands or actions.

use std::path::PathBuf;
use std::time::Duration;

use super::usage;
use super::values::{self, Values};
use crate::link::ProgramOptions;
use crate::role::Failure;

/// What the options say of programs, before it is known whether there are any.
#[derive(Default)]
pub struct ProgramLimits {
    time: Option<Duration>,
    output: Option<usize>,
    at_once: Option<usize>,
    is_at_most_once: bool,
    /// One that was typed.
    typed: Option<&'static str>,
}

impl ProgramLimits {
    pub fn read(values: &mut Values<'_>) -> Result<Self, Failure> {
        let all = [
            "--program-time",
            "--program-output",
            "--programs-at-once",
            "--at-most-once",
        ];
        Ok(Self {
            typed: all.into_iter().find(|option| values.is_typed(option)),
            time: values.get("--program-time", time)?,
            output: values.get("--program-output", output)?,
            at_once: values.get("--programs-at-once", at_once)?,
            is_at_most_once: values.switch("--at-most-once")? == Some(true),
        })
    }

    /// The programs in `folder`, which `option` names.
    ///
    /// # Errors
    /// When a limit was typed and there are no programs, or none can run once at the most.
    pub fn of(
        self,
        option: &str,
        folder: Option<PathBuf>,
        has_state: bool,
    ) -> Result<Option<ProgramOptions>, Failure> {
        let Some(folder) = folder else {
            return match self.typed {
                Some(typed) => Err(usage(format!(
                    "{typed}: without {option} DIR no program runs"
                ))),
                None => Ok(None),
            };
        };
        if self.is_at_most_once && !has_state {
            let text =
                "--at-most-once: without --state-dir nothing tells after a crash what has run";
            return Err(usage(text.to_owned()));
        }
        let usual = ProgramOptions::new(folder);
        Ok(Some(ProgramOptions {
            time: self.time.unwrap_or(usual.time),
            output: self.output.unwrap_or(usual.output),
            at_once: self.at_once.unwrap_or(usual.at_once),
            is_at_most_once: self.is_at_most_once,
            ..usual
        }))
    }
}

fn time(text: &str) -> Result<Duration, String> {
    match values::seconds(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("a number of seconds above 0".to_owned()),
    }
}

fn output(text: &str) -> Result<usize, String> {
    const MAX: usize = ProgramOptions::MAX_OUTPUT;
    match text.parse() {
        Ok(bytes) if bytes <= MAX => Ok(bytes),
        _ => Err(format!("a number of bytes, up to {MAX}")),
    }
}

fn at_once(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100) => Ok(count),
        _ => Err("a whole number, 1 to 100".to_owned()),
    }
}
