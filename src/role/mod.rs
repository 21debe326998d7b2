//! The contract between a role (one end of one protocol) and the link that carries it.
//!
//! A role is a pure state machine: events and the time come in, effects go out. It does no I/O, reads
//! no clock, starts no thread and writes no log.
//!
//! # The order of events
//!
//! 1. The first event is [`Event::Connected`]. It comes again after each lost connection.
//! 2. [`Event::Subscribed`] follows the [`Effect::Subscribe`] of the same filter, and comes again when the
//!    link had to subscribe again because the broker has lost the session.
//! 3. Each [`Effect::Publish`] is followed by exactly one [`Event::Confirmed`] or [`Event::Undeliverable`],
//!    unless the run ends first. The broker may confirm them in another order.
//! 4. [`Event::Line`] follows an [`Effect::AwaitLine`], one line each.
//! 5. [`Event::Deadline`] comes when the instant of [`Role::deadline`] has come, and not before. While an
//!    attempt to connect is under way it waits until that has ended.
//! 6. After a stop nothing is received any more, but confirmations may still come. After [`Effect::Finish`]
//!    messages may still arrive, until the broker has confirmed everything.

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
    /// The link cannot carry this message, and has dropped it. Publishing the same again would be in vain.
    Undeliverable(&'a Message, Undeliverable),
    /// A message arrived.
    Received(&'a Message),
    /// The line that [`Effect::AwaitLine`] asked for; `None` when there are no more.
    Line(Option<&'a str>),
    /// The instant that [`Role::deadline`] named has come.
    Deadline,
}

/// Why the link has dropped a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeliverable {
    /// Its payload has more than [`crate::mqtt::MAX_PAYLOAD`] bytes.
    TooLarge,
    /// It has QoS 0, which allows it to be lost (MQTT 3.1.1, section 4.3.1), and more is waiting already than
    /// the connection carries.
    Congested,
}

/// What a role asks of the link, carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<T> {
    /// Subscribe, and keep subscribed whatever the broker forgets.
    Subscribe(TopicFilter, QoS),
    /// End a subscription.
    Unsubscribe(TopicFilter),
    /// Publish, and try until the broker has confirmed the message. Where that cannot be, the link answers
    /// with [`Event::Undeliverable`].
    Publish(Message),
    /// Hand this to the caller of the run, before the message that led to it is acknowledged.
    Emit(T),
    /// Ask for the next line to work on.
    AwaitLine,
    /// Log what happens, for `--verbose`.
    Note(String),
    /// Log what the user should look into.
    Warn(String),
    /// The role is done: confirm everything, leave nothing behind, disconnect.
    Finish,
}

impl<T> Effect<T> {
    /// The same effect for a caller who takes no items: what it emits goes to `emit` instead.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn emitted<U, E>(
        self,
        emit: impl FnOnce(T) -> Result<(), E>,
    ) -> Result<Option<Effect<U>>, E> {
        Ok(Some(match self {
            Self::Emit(item) => {
                emit(item)?;
                return Ok(None);
            }
            Self::Subscribe(filter, qos) => Effect::Subscribe(filter, qos),
            Self::Unsubscribe(filter) => Effect::Unsubscribe(filter),
            Self::Publish(message) => Effect::Publish(message),
            Self::AwaitLine => Effect::AwaitLine,
            Self::Note(text) => Effect::Note(text),
            Self::Warn(text) => Effect::Warn(text),
            Self::Finish => Effect::Finish,
        }))
    }
}

/// A role's reaction to an event: effects in order, or the end of the run.
pub type Reaction<T> = Result<Vec<Effect<T>>, Failure>;

/// One end of one protocol.
///
/// No method has a default: a role that wraps another would forget to pass it on.
pub trait Role {
    /// What the role hands to the caller of the run.
    type Item;

    /// Reacts to an event. It returns at once: the connection waits for it.
    ///
    /// # Errors
    /// When the role cannot reach its end any more. An error ends the run, and nothing is handled after it.
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Self::Item>;

    /// The instant at which the role wants [`Event::Deadline`], if at all.
    ///
    /// It includes [`Role::time_limit`]: until the role is done it is never later than that. Handling
    /// [`Event::Deadline`] moves it to a later instant, or to `None`.
    fn deadline(&self) -> Option<Instant>;

    /// The instant at which the run as a whole has no chance left, connected or not; `None` for a service.
    /// The link gives up an attempt to connect then, and stops waiting for the last confirmations.
    fn time_limit(&self) -> Option<Instant>;

    /// True once the result has been delivered. From then on the link reports a lost connection or a stop
    /// as success.
    fn is_done(&self) -> bool;

    /// Where things stand, in a few words, for a service's status line.
    fn status(&self) -> String;
}
