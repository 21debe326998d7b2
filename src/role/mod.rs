//! The contract between a role (one end of one protocol) and the link that carries it.
//!
//! A role is a pure state machine: events and the time come in, effects go out. It does no I/O, reads
//! no clock, starts no thread and writes no log. So a test can play a whole conversation at once, and the page of this
//! crate has an example.
//!
//! The link is the other side of the contract: it carries the effects out in order, and what it promises about them
//! is on the first page of this crate.
//!
//! # The order of events
//!
//! 1. The first event is [`Event::Connected`], unless the role has a deadline before that. It comes again after each lost
//!    connection.
//! 2. [`Event::Subscribed`] follows the [`Effect::Subscribe`] of the same filter, and comes again when the
//!    link had to subscribe again because the broker has lost the session. After an [`Effect::TrySubscribe`] it may
//!    never come.
//! 3. Each [`Effect::Publish`] is followed by exactly one [`Event::Confirmed`] or [`Event::Undeliverable`],
//!    unless the run ends first. The broker may confirm them in another order. With a journal a later process hears of what
//!    an earlier one published ([`Memory::unconfirmed`]), and perhaps of a message that the earlier one had heard of.
//! 4. [`Event::Line`] follows an [`Effect::AwaitLine`], one line each.
//! 5. [`Event::Input`] comes in the order in which the threads sent, whether there is a connection or not, but not before
//!    the first [`Event::Connected`]. The link takes no more while
//!    [`MOST_UNCONFIRMED`](crate::link::MOST_UNCONFIRMED) messages wait for their confirmation.
//! 6. Each [`Effect::Run`] is followed by exactly one [`Event::Ran`], unless the run ends first. The programs are started
//!    in order, as many at once as the run allows.
//! 7. [`Event::Deadline`] comes when the instant of [`Role::deadline`] has come, and not before. While an
//!    attempt to connect is under way it waits until that has ended.
//! 8. [`Event::Stopping`] comes once where the run is asked to stop. After that nothing is received any more, but confirmations may still come. After [`Effect::Finish`]
//!    messages may still arrive, until the broker has confirmed everything.

mod failure;
mod job;
mod memory;
pub mod repeats;

use std::convert::Infallible;
use std::time::Instant;

pub use failure::{Failure, Kind};
pub use job::{Job, Outcome};
pub use memory::Memory;
#[cfg(test)]
pub use memory::Told;

use crate::mqtt::{Message, QoS, TopicFilter};

/// What the link tells a role. The module's page has the order in which events come.
///
/// `I` is the [`Role::Input`] of the role. Most roles have none, and name the type without it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a, I = Infallible> {
    /// The broker accepted the connection (CONNACK), for the first time or again.
    Connected {
        /// Whether the broker still holds the session of an earlier connection.
        session_present: bool,
    },
    /// The broker granted the subscription (SUBACK); again whenever it had to be made again.
    Subscribed {
        /// The filter that was asked for.
        filter: &'a TopicFilter,
        /// The highest QoS that the broker delivers on it, which may be lower than asked (MQTT 3.1.1, section
        /// 3.9.3).
        granted: QoS,
    },
    /// The broker has taken over responsibility for this message (PUBACK at QoS 1, section 4.3.2; PUBCOMP at QoS 2,
    /// section 4.3.3). At QoS 0 it only says that the message was sent.
    Confirmed(&'a Message),
    /// The link cannot carry this message and has dropped it, for this reason.
    Undeliverable(&'a Message, Undeliverable),
    /// A message arrived on one of the role's subscriptions. The link acknowledges it when the broker has confirmed
    /// everything that the role publishes in reaction to it, or to a program that it has run for it.
    Received(&'a Message),
    /// A program has ended, or there is none of that name.
    Ran(&'a Job, &'a Outcome),
    /// The line that [`Effect::AwaitLine`] asked for; `None` when there are no more.
    Line(Option<&'a str>),
    /// Another thread of this program sent this through a [`Feed`](crate::link::Feed).
    Input(&'a I),
    /// No thread has a [`Feed`](crate::link::Feed) any more: there will be no further [`Event::Input`]. It comes once
    /// in a run.
    InputsEnded,
    /// The instant that [`Role::deadline`] named has come.
    Deadline,
    /// The run is asked to stop. What the role publishes now, its last state for instance, is sent before the end, where
    /// there is a connection and the time allows. It comes once, after the inputs that were sent before the stop.
    Stopping,
}

// Not derived: that would ask for an input that is `Copy`, though an event only refers to it.
impl<I> Clone for Event<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Event<'_, I> {}

impl<'a> Event<'a> {
    /// The same event for a role that has inputs. It is for code that wraps a role, and for the link.
    #[must_use]
    pub fn with_inputs<I>(self) -> Event<'a, I> {
        match self {
            Self::Connected { session_present } => Event::Connected { session_present },
            Self::Subscribed { filter, granted } => Event::Subscribed { filter, granted },
            Self::Confirmed(message) => Event::Confirmed(message),
            Self::Undeliverable(message, why) => Event::Undeliverable(message, why),
            Self::Received(message) => Event::Received(message),
            Self::Ran(job, outcome) => Event::Ran(job, outcome),
            Self::Line(line) => Event::Line(line),
            Self::Input(never) => match *never {},
            Self::InputsEnded => Event::InputsEnded,
            Self::Deadline => Event::Deadline,
            Self::Stopping => Event::Stopping,
        }
    }
}

/// Why the link has dropped a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeliverable {
    /// Its payload has more than [`MAX_PAYLOAD`](crate::mqtt::MAX_PAYLOAD) bytes.
    TooLarge,
    /// It has QoS 0, which allows it to be lost (MQTT 3.1.1, section 4.3.1), and the connection does not take what is
    /// waiting already.
    Congested,
    /// The broker closes the connection whenever it is sent: it is too large for that broker, or its topic is not
    /// allowed, or its QoS (section 3.3.5). The link has warned of it.
    Rejected,
}

/// What a role asks of the link, carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<T> {
    /// Subscribe, with this QoS at most, and subscribe again whenever the broker has lost the session. A broker that
    /// refuses it ends the run with [`Kind::Refused`]. A role may ask for it on each [`Event::Connected`]; where the
    /// session has gone on, the broker then sends retained messages once more (MQTT 3.1.1, section 3.8.4).
    Subscribe(TopicFilter, QoS),
    /// Subscribe where the broker allows it, for what a role can do without. A broker that refuses it, or that closes the
    /// connection at it, is not asked for it again, and the role hears nothing of that.
    TrySubscribe(TopicFilter, QoS),
    /// End a subscription; the filter is the one that was subscribed to.
    Unsubscribe(TopicFilter),
    /// Publish, and try until the broker has confirmed the message. Where that cannot be, the link answers
    /// with [`Event::Undeliverable`].
    Publish(Message),
    /// Run a program; [`Event::Ran`] brings what came of it. With a journal a later process goes on with it: one that had
    /// not begun is run, and one that may have run is run again, under the same identifier, or not, as the run's
    /// [`Programs`](crate::link::Programs) say.
    Run(Box<Job>),
    /// Remember this value under this name for a later process, or forget it (`None`). It is written before anything is
    /// sent that the same event led to. A later process finds it after a crash, a stop or a failure, but not after
    /// [`Effect::Finish`]. Where the run has no journal it has no effect.
    Remember(String, Option<Vec<u8>>),
    /// Hand this to the caller of the run: at once, before what the same event led to is written to the journal or sent,
    /// and before the message that led to it is acknowledged. An error of the caller ends the run.
    Emit(T),
    /// Ask for the next line of the run's [`Lines`](crate::link::Lines); [`Event::Line`] brings it.
    AwaitLine,
    /// Log what happens, at the level `info` of the crate `log`.
    Note(String),
    /// Log what the user should look into, at the level `warn`.
    Warn(String),
    /// The role is done. The link waits for the confirmations that are due, leaves no session, no subscription and no
    /// journal behind, and disconnects: a later process begins anew.
    Finish,
}

impl<T> Effect<T> {
    /// Gives an [`Effect::Emit`] to `emit` and returns `None`; returns any other effect as it is, with a type of item of
    /// the caller's choice. It is for code that wraps a role and takes its items out.
    ///
    /// # Errors
    /// The error of `emit`.
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
            Self::TrySubscribe(filter, qos) => Effect::TrySubscribe(filter, qos),
            Self::Unsubscribe(filter) => Effect::Unsubscribe(filter),
            Self::Publish(message) => Effect::Publish(message),
            Self::Run(job) => Effect::Run(job),
            Self::Remember(name, value) => Effect::Remember(name, value),
            Self::AwaitLine => Effect::AwaitLine,
            Self::Note(text) => Effect::Note(text),
            Self::Warn(text) => Effect::Warn(text),
            Self::Finish => Effect::Finish,
        }))
    }
}

/// A role's reaction to an event: effects, which the link carries out in this order, or the failure that ends the run.
pub type Reaction<T> = Result<Vec<Effect<T>>, Failure>;

/// One end of one protocol.
///
/// What has a default is right for a service, which waits for nothing but messages and has no end of its own. A type
/// that wraps a role must pass on every method: `#[deny(clippy::missing_trait_methods)]` on its `impl` sees to that.
pub trait Role {
    /// What the role hands to the caller of the run.
    type Item;

    /// What other threads of the program send to the role while it runs ([`Event::Input`]): readings of a sensor,
    /// button presses. [`Infallible`] where there is none.
    type Input;

    /// Reacts to an event that happened at `now`. It must not block, because the connection is not served until it
    /// returns.
    ///
    /// # Errors
    /// Why the role cannot reach its end any more. The link then ends the run with this failure, and calls `handle` no
    /// more.
    fn handle(&mut self, now: Instant, event: Event<'_, Self::Input>) -> Reaction<Self::Item>;

    /// The instant at which the role wants [`Event::Deadline`]; `None` when it waits only for other events. The link asks
    /// after each event.
    ///
    /// It includes [`Role::time_limit`]: until the role is done it is never later than that. Handling
    /// [`Event::Deadline`] moves it to a later instant, or to `None`.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The instant at which the run as a whole has no chance left, connected or not; `None` for a service.
    /// The link gives up an attempt to connect then, and stops waiting for the last confirmations.
    fn time_limit(&self) -> Option<Instant> {
        None
    }

    /// True once the result has been delivered. From then on the link reports a lost connection or a stop
    /// as success.
    fn is_done(&self) -> bool {
        false
    }

    /// Where things stand, in a few words, for the status that `systemctl status` shows: "12 commands answered".
    fn status(&self) -> String {
        "running".to_owned()
    }
}
