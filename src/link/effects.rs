//! What a role wants, carried out: into the outbox, the log, or nowhere but the books.

use std::convert::Infallible;
use std::time::Instant;

use log::{info, warn};

use super::Link;
use crate::link::engine::outbox::Packet;
use crate::mqtt::{MAX_PAYLOAD, Message};
use crate::role::{Effect, Event, Undeliverable};

impl Link<'_> {
    /// Tells the role, and takes up what it wants. `cause` is the serial number of the received message.
    pub(super) fn tell(&mut self, event: Event<'_>, cause: Option<u64>) {
        if self.failure.is_some() {
            return;
        }
        match self.role.handle(Instant::now(), event) {
            Ok(effects) => self.carry_out(effects, cause),
            Err(failure) => {
                self.role_failed = true;
                self.failure = Some(failure);
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect<Infallible>>, cause: Option<u64>) {
        let mut dropped = Vec::new();
        for effect in effects {
            match effect {
                Effect::Subscribe(filter, qos) => {
                    self.subscriptions.insert(filter.clone(), qos);
                    self.post(Packet::Subscribe(filter, qos), cause);
                }
                Effect::Unsubscribe(filter) => {
                    self.subscriptions.remove(&filter);
                    self.post(Packet::Unsubscribe(filter), cause);
                }
                Effect::Publish(message) => dropped.extend(self.publish(message, cause).err()),
                Effect::Emit(never) => match never {},
                Effect::AwaitLine => self.awaits_line = true,
                Effect::Note(text) => info!("{text}"),
                Effect::Warn(text) => warn!("{text}"),
                Effect::Finish => self.finished = true,
            }
        }
        for (message, why) in dropped {
            self.tell(Event::Undeliverable(&message, why), cause);
        }
    }

    fn publish(
        &mut self,
        message: Message,
        cause: Option<u64>,
    ) -> Result<(), (Message, Undeliverable)> {
        // rumqttc would take it, fail, and try the same again for ever.
        if message.payload.len() > MAX_PAYLOAD {
            return Err((message, Undeliverable::TooLarge));
        }
        if !self.outbox.has_room_for(&message) {
            if !std::mem::replace(&mut self.congested, true) {
                warn!("dropping messages with QoS 0: more than the connection can carry");
            }
            return Err((message, Undeliverable::Congested));
        }
        self.post(Packet::Publish(message), cause);
        Ok(())
    }

    fn post(&mut self, packet: Packet, cause: Option<u64>) {
        if let Some(serial) = cause {
            self.inbound.await_one_more(serial);
        }
        self.outbox.push(packet, cause);
    }
}
