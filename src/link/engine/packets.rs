//! Packet by packet: what the broker sends goes into the books and to the role, and what the role wants
//! goes into the books.

use std::convert::Infallible;
use std::time::Instant;

use log::{info, warn};

use super::inbound::Arrival;
use super::outbox::{By, Confirmed, Packet};
use super::phase::Phase;
use super::reconnect::{ConnectionEnd, Reason};
use super::{Engine, Incoming, Trouble, subscriptions};
use crate::mqtt::{Invalid, Message, QoS, printable};
use crate::role::{Effect, Event, Failure, Kind, Outcome, Reaction};

impl Engine<'_> {
    pub(super) fn on_packet(&mut self, now: Instant, packet: Incoming) {
        self.keep_alive.heard();
        // A connection that the engine has left may still have packets to tell of.
        if !self.phase.is_served() {
            return;
        }
        if !matches!(packet, Incoming::PingResp) {
            self.last_exchange = now;
        }
        match packet {
            Incoming::Publish {
                pkid,
                dup,
                message,
                invalid,
            } => self.on_publish(now, pkid, dup, &message, invalid),
            Incoming::PubAck(pkid) if self.delivery.presence_acknowledged(pkid) => {}
            Incoming::PubAck(pkid) => self.on_acknowledged(now, By::PubAck, pkid),
            Incoming::UnsubAck(pkid) => self.on_acknowledged(now, By::UnsubAck, pkid),
            Incoming::PubRec(pkid) => self.delivery.pub_rec(pkid),
            Incoming::PubRel(pkid) => self.delivery.pub_rel(pkid),
            Incoming::PubComp(pkid) => {
                if let Some(confirmed) = self.delivery.pub_comp(pkid) {
                    self.on_confirmed(now, &confirmed);
                }
            }
            Incoming::SubAck { pkid, granted } => self.on_sub_ack(now, pkid, granted),
            Incoming::PingResp => self.delivery.ping_answered(),
        }
    }

    fn on_publish(
        &mut self,
        now: Instant,
        pkid: u16,
        dup: bool,
        message: &Message,
        invalid: Option<Invalid>,
    ) {
        // At the end the role does not take messages any more. The broker delivers them again.
        if self.phase.is_closing() {
            self.passed_over = true;
            return;
        }
        let Message { topic, qos, .. } = message;
        let Arrival::New(serial) = self.delivery.arrived(message, pkid, dup) else {
            info!("received on {topic} again: handled before");
            return;
        };
        match invalid {
            Some(why) => warn!("ignored a message on an invalid topic name: {why}"),
            None => {
                let size = message.payload.len();
                let bytes = if size == 1 { "byte" } else { "bytes" };
                let payload = printable(&message.payload);
                info!("received on {topic}, {qos}, {size} {bytes}: {payload}");
                self.notify_role(now, Event::Received(message), serial);
            }
        }
        if let Some(serial) = serial {
            self.delivery.handled(serial);
        }
    }

    fn on_sub_ack(&mut self, now: Instant, pkid: u16, granted: Option<QoS>) {
        let Some(confirmed) = self.delivery.acknowledged(By::SubAck, pkid) else {
            return;
        };
        match (&confirmed.packet, granted) {
            (Packet::Subscribe(..), None) => return self.on_refused(now, confirmed),
            (Packet::Subscribe(filter, asked), Some(granted)) => {
                self.reconnect.subscription_granted();
                self.delivery.granted(*asked, granted);
                if self.subscriptions.granted(filter, *asked, granted) {
                    self.notify_role(now, Event::Subscribed { filter, granted }, None);
                }
            }
            (Packet::TrySubscribe(filter, _), None) => self.subscriptions.refused(filter),
            (Packet::TrySubscribe(filter, asked), Some(granted))
                if self.subscriptions.granted(filter, *asked, granted) =>
            {
                self.notify_role(now, Event::Subscribed { filter, granted }, None);
            }
            _ => {}
        }
        self.on_confirmed(now, &confirmed);
    }

    fn on_refused(&mut self, now: Instant, refused: Confirmed) {
        let Packet::Subscribe(filter, _) = &refused.packet else {
            return;
        };
        let text = subscriptions::refusal(self.reconnect.broker(), filter);
        match self.phase {
            // A node that has lost touch with its cluster refuses, too.
            Phase::Online { since } if self.reconnect.outlasts_refusals() && !self.finished => {
                self.delivery.post_again(refused);
                let end = ConnectionEnd {
                    lasted: Some(now.saturating_duration_since(since)),
                    reason: Reason::Refusal,
                    ..ConnectionEnd::default()
                };
                self.try_next(now, Trouble::fatal(Kind::Refused, text), end);
            }
            _ => {
                self.fail(now, Failure::new(Kind::Refused, text));
                self.on_confirmed(now, &refused);
            }
        }
    }

    fn on_acknowledged(&mut self, now: Instant, by: By, pkid: u16) {
        if let Some(confirmed) = self.delivery.acknowledged(by, pkid) {
            self.on_confirmed(now, &confirmed);
        }
    }

    pub(super) fn on_confirmed(&mut self, now: Instant, confirmed: &Confirmed) {
        self.delivery.known_to_broker(confirmed);
        match &confirmed.packet {
            Packet::Publish(message) => {
                let qos = message.qos;
                let payload = printable(&message.payload);
                let topic = &message.topic;
                match confirmed.by {
                    By::PubAck | By::PubComp => {
                        let packet = match confirmed.by {
                            By::PubAck => "PUBACK",
                            _ => "PUBCOMP",
                        };
                        info!("published on {topic}, confirmed by {packet} ({qos}): {payload}");
                    }
                    _ => info!("published on {topic}, {qos}: {payload}"),
                }
                self.notify_role(now, Event::Confirmed(message), None);
            }
            Packet::Unsubscribe(filter) => info!("unsubscribed from {filter}"),
            Packet::Subscribe(..) | Packet::TrySubscribe(..) => {}
        }
        self.delivery.confirmed(confirmed);
    }

    /// Hands an event to the role, and takes up what the role wants. `cause` is the serial number of the
    /// received message that the event is about.
    pub(super) fn notify_role(&mut self, now: Instant, event: Event<'_>, cause: Option<u64>) {
        if let Phase::Ended(_) = self.phase {
            return;
        }
        let reaction = self.role.handle(now, event);
        self.on_reaction(now, reaction, cause);
    }

    pub(super) fn on_reaction(
        &mut self,
        now: Instant,
        reaction: Reaction<Infallible>,
        cause: Option<u64>,
    ) {
        match reaction {
            Ok(effects) => self.carry_out(now, effects, cause),
            Err(failure) => self.on_role_failed(now, failure),
        }
    }

    fn carry_out(&mut self, now: Instant, effects: Vec<Effect<Infallible>>, cause: Option<u64>) {
        let mut dropped = Vec::new();
        let mut refused = Vec::new();
        for effect in effects {
            match effect {
                Effect::Subscribe(filter, qos) => {
                    let is_known = self.subscriptions.add(filter.clone(), qos);
                    let subscribe = Packet::Subscribe(filter, qos);
                    // Where the broker has lost the session the link has asked already: twice would bring each
                    // retained message twice.
                    let may_be_asked = is_known && cause.is_none();
                    if !(may_be_asked && self.delivery.is_asking(&subscribe)) {
                        self.delivery.post(subscribe, cause);
                    }
                }
                Effect::TrySubscribe(filter, qos) => {
                    // Without a cause: what the role can do without must not delay an acknowledgement.
                    if let Some(subscribe) = self.subscriptions.attempt(filter, qos) {
                        self.delivery.post(subscribe, None);
                    }
                }
                Effect::Unsubscribe(filter) => {
                    self.subscriptions.remove(&filter);
                    self.delivery.post(Packet::Unsubscribe(filter), cause);
                }
                Effect::Publish(message) => {
                    dropped.extend(self.delivery.publish(now, message, cause).err());
                }
                Effect::Emit(never) => match never {},
                Effect::Run(job) => refused.extend(self.delivery.want(job, cause).err()),
                Effect::Remember(name, value) => self.delivery.remember(&name, value.as_deref()),
                Effect::AwaitLine => self.awaits_line = true,
                Effect::Note(text) => info!("{text}"),
                Effect::Warn(text) => warn!("{text}"),
                Effect::Finish => self.finished = true,
            }
        }
        for (message, why) in dropped {
            self.notify_role(now, Event::Undeliverable(&message, why), cause);
        }
        for job in refused {
            let outcome = Outcome::failed("too many wait already");
            self.notify_role(now, Event::Ran(&job, &outcome), cause);
        }
    }
}
