//! How far a device is in its session.

use std::time::Instant;

use super::Resume;
use crate::mqtt::Level;

#[derive(Debug)]
pub enum State {
    /// Not connected yet; a UNIQUE ID of an earlier run may still be good.
    Starting { resume: Option<Resume> },
    /// SUBSCRIBE sent; `login` only goes out after the SUBACK, or the UNIQUE ID could be missed.
    Subscribing,
    /// `login` published. Once the broker has confirmed it, the device publishes it again at `repeat`: the
    /// broker may have given it to one of several controllers, which then died before its answer was out.
    LoggingIn { repeat: Option<Instant> },
    /// Answering commands.
    Serving {
        unique_id: Level,
        answered: u64,
        unconfirmed: u64,
    },
    /// The last words have come, but the broker has not confirmed every reply: a crash now must not end
    /// the session.
    Leaving { unique_id: Level, unconfirmed: u64 },
    /// The controller's verdict is that the session has failed. The run ends at this instant, which is now.
    Failed { unique_id: Level, at: Instant },
    /// The last words have come, and the broker has every reply.
    Done,
}

impl State {
    /// Where the session stands, in a few words.
    pub fn status(&self) -> String {
        match self {
            State::Starting { .. } | State::Subscribing => "logging in".to_owned(),
            State::LoggingIn { .. } => "waiting for a unique id".to_owned(),
            State::Serving { answered: 1, .. } => "1 command answered".to_owned(),
            State::Serving { answered, .. } => format!("{answered} commands answered"),
            State::Leaving { .. } => "waiting for the last confirmations".to_owned(),
            State::Failed { .. } => "session failed".to_owned(),
            State::Done => "session done".to_owned(),
        }
    }
}
