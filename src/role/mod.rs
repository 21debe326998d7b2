//! The vocabulary between a role (one end of one protocol) and the link that carries it.
//!
//! A role is a pure state machine: events and the time come in, effects go out. It does no I/O, reads
//! no clock, starts no thread and writes no log.

mod failure;
pub mod repeats;

use std::time::Instant;

pub use failure::{Failure, Kind};

use crate::mqtt::{Message, QoS, TopicFilter};

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
