//! Why a run ended badly: the line that a person reads, and the exit code that a script and systemd read.

use std::fmt;

use crate::mqtt::{Invalid, one_line};

/// The kinds of failure that can end a run, each with its exit code, which is that of `sysexits.h` and which systemd
/// shows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong (`EX_USAGE`).
    Usage,
    /// The input is wrong, so the message cannot be sent (`EX_DATAERR`).
    Input,
    /// No broker can be reached (`EX_UNAVAILABLE`).
    Unreachable,
    /// The other end gave no answer in time (`EX_TEMPFAIL`).
    NoAnswer,
    /// Another run has what this one needs (`EX_TEMPFAIL`).
    Busy,
    /// The other end broke the protocol (`EX_PROTOCOL`).
    Protocol,
    /// The broker refused the login or a subscription (`EX_NOPERM`).
    Refused,
    /// A file or an environment variable is wrong (`EX_CONFIG`).
    Config,
    /// The result cannot be written (`EX_IOERR`).
    Output,
}

impl Kind {
    /// The exit code of the process, from 64 to 78.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Input => 65,
            Self::Unreachable => 69,
            Self::Output => 74,
            Self::NoAnswer | Self::Busy => 75,
            Self::Protocol => 76,
            Self::Refused => 77,
            Self::Config => 78,
        }
    }
}

/// Why a run ended badly: one line that names the thing, the reason and the remedy.
///
/// The line may repeat texts from outside (a topic, a file name, a broker's words), so [`Failure::new`] escapes control
/// characters. It displays as that line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// The line, without a full stop and without the program's name.
    pub text: String,
}

impl Failure {
    /// A failure of this kind with this line, control characters escaped.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: one_line(&text.into()),
        }
    }
}

/// A text of the program's own that is no topic name, topic filter or level: as wrong as a bad command line.
impl From<Invalid> for Failure {
    fn from(why: Invalid) -> Self {
        Self::new(Kind::Usage, format!("a name for MQTT is wrong: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
