//! What other threads of the program have sent, handed to the role: as much as can be confirmed by and by, and at a stop
//! all of it.

use std::time::Instant;

use log::{info, warn};

use super::outbox::WINDOW;
use super::{Engine, Event, Phase};

/// How many inputs the role gets before the connection has its turn.
const AT_ONCE: usize = 64;

impl Engine<'_> {
    /// Sets what wakes the driver when there is an input again.
    pub fn set_input_wake(&self, wake: Box<dyn Fn() + Send>) {
        self.role.set_wake(wake);
    }

    /// Hands the role what other threads have sent. Says whether there was something: then the driver calls
    /// [`Engine::commit`], because there may be no connection, and nothing to send.
    pub fn take_inputs(&mut self, now: Instant) -> bool {
        for taken in 0..AT_ONCE {
            if !self.takes_inputs() || !self.take_input(now) {
                return taken > 0;
            }
        }
        self.role.wake();
        true
    }

    /// While this says no, the queue of the inputs fills up, and its sender learns of it.
    fn takes_inputs(&self) -> bool {
        let is_free = matches!(self.phase, Phase::Waiting { .. } | Phase::Online { .. });
        is_free && self.has_begun && !self.finished && self.delivery.unconfirmed() < WINDOW
    }

    fn take_input(&mut self, now: Instant) -> bool {
        let Some(reaction) = self.role.take_input(now) else {
            return false;
        };
        self.on_reaction(now, reaction, None);
        self.advance(now);
        true
    }

    /// Before a stop: what has been sent until now, and that the end comes. What is published of it is confirmed in the time that is left, or
    /// the journal keeps it, or a warning tells of it.
    pub(super) fn say_stop(&mut self, now: Instant) {
        if !self.has_begun || self.finished {
            return;
        }
        for _ in 0..self.role.inputs() {
            if self.is_closing() || !self.take_input(now) {
                break;
            }
        }
        if !self.is_closing() {
            self.notify_role(now, Event::Stopping, None);
        }
    }

    /// After a stop: what the broker has not confirmed, and what the role has not seen.
    pub(super) fn tell_what_is_open(&self, goes_on: bool) {
        let messages = self.delivery.unconfirmed_messages();
        if messages > 0 {
            let what = "stopped; messages that the broker has not confirmed";
            match goes_on && self.delivery.has_journal() {
                true => info!("{what}: {messages}, kept in the journal for the next run"),
                false => warn!("{what}, and that may be lost: {messages}"),
            }
        }
        let inputs = self.role.inputs();
        if inputs > 0 {
            warn!("stopped; inputs that the role has not seen: {inputs}");
        }
    }
}
