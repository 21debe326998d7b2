//! The vocabulary between a role (one end of one protocol) and the link that carries it.
//!
//! A role is a pure state machine: events and the time come in, effects go out. It does no I/O, reads
//! no clock, starts no thread and writes no log.

use std::fmt;
use std::time::Instant;

use crate::topic::{TopicFilter, TopicName};

/// Quality of service (MQTT 3.1.1, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

impl QoS {
    /// The level as MQTT writes it.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

impl TryFrom<u8> for QoS {
    type Error = ();

    fn try_from(level: u8) -> Result<Self, ()> {
        match level {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(()),
        }
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QoS {}", self.level())
    }
}

/// An application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: TopicName,
    /// What it says.
    pub payload: Vec<u8>,
    /// How it is, or was, delivered.
    pub qos: QoS,
    /// Received from the broker's store rather than from a publisher (section 3.3.1.3): it is old.
    pub retain: bool,
}

impl Message {
    /// A message to publish, not retained.
    pub fn new(topic: TopicName, payload: impl Into<Vec<u8>>, qos: QoS) -> Self {
        Self {
            topic,
            payload: payload.into(),
            qos,
            retain: false,
        }
    }
}

/// What the link tells a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The broker accepted the connection (CONNACK), for the first time or again.
    Connected {
        /// Whether the broker still holds the session of an earlier connection.
        session_present: bool,
    },
    /// The broker granted the subscription (SUBACK); again whenever it had to be made again.
    Subscribed(&'a TopicFilter),
    /// The broker has taken over responsibility for this message (PUBACK, PUBCOMP; QoS 0: it was sent).
    Confirmed(&'a Message),
    /// A message arrived.
    Received(&'a Message),
    /// The line that [`Effect::AwaitLine`] asked for; `None` when there are no more.
    Line(Option<&'a str>),
    /// The instant that [`Role::deadline`] named has come.
    Deadline,
}

/// What a role asks of the link, carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<T> {
    /// Subscribe, and keep subscribed whatever the broker forgets.
    Subscribe(TopicFilter, QoS),
    /// End a subscription.
    Unsubscribe(TopicFilter),
    /// Publish, and try until the broker confirmed it.
    Publish(Message),
    /// Hand this to whoever runs the role, before the message that led to it is acknowledged.
    Emit(T),
    /// Ask for the next line to work on.
    AwaitLine,
    /// Say something worth knowing, for `--verbose`.
    Note(String),
    /// Say something that somebody should look into.
    Warn(String),
    /// The role is done: confirm everything, leave nothing behind, disconnect.
    Finish,
}

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

/// What a role's reaction looks like: effects in order, or the end.
pub type Reaction<T> = Result<Vec<Effect<T>>, Failure>;

/// One end of one protocol.
pub trait Role {
    /// What the role hands to whoever runs it.
    type Item;

    /// Reacts to an event. The first event is [`Event::Connected`].
    ///
    /// # Errors
    /// When the role cannot reach its end any more.
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Self::Item>;

    /// When the role wants [`Event::Deadline`], if at all.
    fn deadline(&self) -> Option<Instant>;

    /// When the run as a whole has no chance left, connected or not; `None` for a service.
    fn time_limit(&self) -> Option<Instant> {
        None
    }

    /// Whether all that was asked of the role is done, and what may still come is of no consequence:
    /// then a failure or a stop is none any more.
    fn is_done(&self) -> bool {
        false
    }

    /// Where things stand, in a few words, for a service's status line.
    fn status(&self) -> String;
}

/// A text as it may be shown, whatever somebody else put into it, a topic or an argument: the terminal
/// gets no control character to obey, and the log no second line.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// A payload as a person may read it in a log: short, on one line, nothing a terminal would obey.
#[must_use]
pub fn printable(payload: &[u8]) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(payload);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => one_line(&text[..end]) + "…",
        None => one_line(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_shows_is_short_and_harmless() {
        assert_eq!(printable(b"CMD1"), "CMD1");
        assert_eq!(printable(b"\x1b[2J\n"), "\\u{1b}[2J\\n");
        assert_eq!(printable(&[0xff]), "\u{fffd}");
        assert_eq!(printable(&[b'x'; 1000]).chars().count(), 61);
    }
}
