//! Why a run ended badly: the line that a person reads, and the exit code that a script and systemd read.

use std::fmt;

use crate::mqtt::one_line;

/// The kinds of failure a run can end with, each with its exit code (sysexits.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bad command line (`EX_USAGE`).
    Usage,
    /// Bad input: the message cannot be sent (`EX_DATAERR`).
    Input,
    /// The broker cannot be reached (`EX_UNAVAILABLE`).
    Unreachable,
    /// No answer in time (`EX_TEMPFAIL`).
    NoAnswer,
    /// The other end broke the protocol (`EX_PROTOCOL`).
    Protocol,
    /// Login or subscription refused (`EX_NOPERM`).
    Refused,
    /// A bad file or environment variable (`EX_CONFIG`).
    Config,
    /// Results cannot be written (`EX_IOERR`).
    Output,
}

impl Kind {
    /// The exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Input => 65,
            Self::Unreachable => 69,
            Self::Output => 74,
            Self::NoAnswer => 75,
            Self::Protocol => 76,
            Self::Refused => 77,
            Self::Config => 78,
        }
    }
}

/// Why a run ended badly: one line that names the thing, the reason and the remedy, and that a terminal
/// can show, whatever it repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// The line, without a full stop and without the program's name.
    pub text: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: one_line(&text.into()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
