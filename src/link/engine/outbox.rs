//! Keeps every packet that the link sends, in order, until the broker has confirmed it.
//!
//! It is pure bookkeeping: `delivery` puts packets in, and reports packet identifiers and confirmations to it. PUBLISH,
//! SUBSCRIBE and UNSUBSCRIBE share one queue and one window, because a packet identifier must not be given away again
//! while a packet is outstanding under it.

mod packet;

use std::collections::{HashMap, VecDeque};

use super::journal;
use crate::mqtt::{Message, QoS, TopicFilter};
pub use packet::{By, Confirmed, Packet, Replay};

/// How many packets may be outstanding: as many as a link carries 1,500 of a second whose round trip takes 65 ms.
pub const WINDOW: usize = 100;

/// How many messages mosquitto has in flight with one client, each way (`max_inflight_messages`).
pub const MOSQUITTO_WINDOW: usize = 20;

/// How many of the outstanding packets may be messages with QoS 2: mosquitto 2.0.11 confirms what is beyond its own
/// window, and drops it.
const QOS_2_WINDOW: usize = MOSQUITTO_WINDOW;

/// How many bytes of payload the outbox holds before it has no room for a message with QoS 0. Without this limit a
/// peer that sends requests and does not wait for the answers could use up the memory.
const MAX_QUEUED_BYTES: usize = 8 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be sent.
    Waiting,
    /// Written under this packet identifier, not confirmed yet.
    Sent(u16),
    /// QoS 2: the broker has sent PUBREC, the link PUBREL, and PUBCOMP is due.
    Released(u16),
    /// Confirmed. The item keeps its place in the window until all items before it are confirmed.
    Confirmed,
}

#[derive(Debug)]
struct Item {
    /// `None` once the packet is confirmed.
    packet: Option<Packet>,
    cause: Option<u64>,
    stage: Stage,
    after_acks: u64,
    /// Which packet it is, whatever becomes of its place and its packet identifier.
    serial: u64,
    /// The link has sent it on the present connection.
    is_sent_here: bool,
}

/// The outbox.
#[derive(Debug, Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    /// The payload bytes of all packets that are not confirmed.
    bytes: usize,
    next_serial: u64,
}

impl Outbox {
    /// The serial number of the packet that is pushed next.
    #[must_use]
    pub fn next_to_push(&self) -> u64 {
        self.next_serial
    }

    /// Adds a packet at the end; `cause` is the serial number of the received message whose handling led to it.
    pub fn push(&mut self, packet: Packet, cause: Option<u64>) {
        self.insert(self.items.len(), packet, cause);
    }

    /// Adds a packet before every message that has not been sent.
    pub fn push_before_messages(&mut self, packet: Packet, cause: Option<u64>) {
        let is_message = |item: &Item| matches!(item.packet, Some(Packet::Publish(_)));
        let mut items = self.items.iter();
        let at = items.position(|item| item.stage == Stage::Waiting && is_message(item));
        self.insert(at.unwrap_or(self.items.len()), packet, cause);
    }

    fn insert(&mut self, at: usize, packet: Packet, cause: Option<u64>) {
        self.bytes += packet.bytes();
        let item = Item {
            packet: Some(packet),
            cause,
            stage: Stage::Waiting,
            after_acks: 0,
            serial: self.next_serial,
            is_sent_here: false,
        };
        self.items.insert(at, item);
        self.next_serial += 1;
    }

    /// Goes on with what an earlier process has left; `causes` says which serial number the message that led to it has
    /// now.
    pub fn restore(&mut self, queued: Vec<journal::Queued>, causes: &HashMap<u64, u64>) {
        for queued in queued {
            let cause = queued.cause.and_then(|cause| causes.get(&cause)).copied();
            self.push(Packet::Publish(queued.message), cause);
            if let Some(item) = self.items.back_mut() {
                item.stage = match queued.stage {
                    journal::Stage::Waiting => Stage::Waiting,
                    journal::Stage::Sent(pkid) => Stage::Sent(pkid),
                    journal::Stage::Released(pkid) => Stage::Released(pkid),
                };
            }
        }
    }

    /// Tells the journal of every message that is not confirmed.
    pub fn write(&self, push: &mut dyn FnMut(journal::Entry<'_>)) {
        for item in &self.items {
            let (Some(Packet::Publish(message)), serial) = (&item.packet, item.serial) else {
                continue;
            };
            if message.qos == QoS::AtMostOnce {
                continue;
            }
            let cause = item.cause;
            push(journal::Entry::Queued {
                serial,
                cause,
                message,
            });
            if let Stage::Sent(pkid) | Stage::Released(pkid) = item.stage {
                push(journal::Entry::Sent { serial, pkid });
            }
            if let Stage::Released(_) = item.stage {
                push(journal::Entry::Released { serial });
            }
        }
    }

    /// Whether the outbox has room for `message`. It always has room at QoS 1 and 2, because the broker limits those
    /// itself: it stops sending requests while too many are not acknowledged. A message with QoS 0 may be dropped,
    /// because MQTT allows it to be lost (section 4.3.1).
    #[must_use]
    pub fn has_room_for(&self, message: &Message) -> bool {
        message.qos > QoS::AtMostOnce || self.bytes + message.payload.len() <= MAX_QUEUED_BYTES
    }

    /// The broker has no QoS above this one: what was not sent yet goes out with it.
    pub fn lower(&mut self, best: QoS) {
        for item in &mut self.items {
            if let (Some(Packet::Publish(message)), Stage::Waiting) = (&mut item.packet, item.stage)
            {
                message.qos = message.qos.min(best);
            }
        }
    }

    /// Whether the outbox holds a SUBSCRIBE for `filter` that the broker has not confirmed.
    #[must_use]
    pub fn has_subscription(&self, filter: &TopicFilter) -> bool {
        self.items.iter().any(
            |item| matches!(&item.packet, Some(Packet::Subscribe(known, _) | Packet::TrySubscribe(known, _)) if known == filter),
        )
    }

    /// Whether the broker has still to answer a SUBSCRIBE.
    #[must_use]
    pub fn awaits_sub_ack(&self) -> bool {
        let is_subscribe = |item: &Item| {
            let packet = item.packet.as_ref();
            packet.is_some_and(|packet| By::SubAck.fits(packet))
        };
        self.items.iter().take(WINDOW).any(is_subscribe)
    }

    /// Whether the packet identifier belongs to an unconfirmed packet.
    #[must_use]
    pub fn is_in_flight(&self, pkid: u16) -> bool {
        self.outstanding(pkid).is_some()
    }

    /// Whether it belongs to an unconfirmed message.
    #[must_use]
    pub fn is_message_in_flight(&self, pkid: u16) -> bool {
        self.outstanding(pkid)
            .is_some_and(|at| matches!(self.items[at].packet, Some(Packet::Publish(_))))
    }

    /// Whether everything is confirmed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many packets are not confirmed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.iter().filter(|i| i.packet.is_some()).count()
    }

    /// Whether it has this packet, and the broker has not confirmed it.
    #[must_use]
    pub fn has(&self, packet: &Packet) -> bool {
        self.items
            .iter()
            .any(|item| item.packet.as_ref() == Some(packet))
    }

    /// How many messages are not confirmed.
    #[must_use]
    pub fn messages(&self) -> usize {
        let is_message = |item: &&Item| matches!(item.packet, Some(Packet::Publish(_)));
        self.items.iter().filter(is_message).count()
    }

    /// The next packet that may be sent within the window.
    #[must_use]
    pub fn next(&self) -> Option<&Packet> {
        self.waiting().and_then(|at| self.items[at].packet.as_ref())
    }

    /// The place of [`Outbox::next`].
    fn waiting(&self) -> Option<usize> {
        let mut with_qos_2 = 0;
        for (at, item) in self.items.iter().take(WINDOW).enumerate() {
            let is_qos_2 = match &item.packet {
                Some(Packet::Publish(message)) => message.qos == QoS::ExactlyOnce,
                _ => false,
            };
            if item.stage == Stage::Waiting {
                return (!is_qos_2 || with_qos_2 < QOS_2_WINDOW).then_some(at);
            }
            with_qos_2 += usize::from(is_qos_2);
        }
        None
    }

    /// The link has written [`Outbox::next`] under this packet identifier (0 for QoS 0), after `acks`
    /// acknowledgements. That confirms a packet with QoS 0.
    pub fn sent(&mut self, pkid: u16, acks: u64) -> Option<Confirmed> {
        let at = self.waiting()?;
        let item = &mut self.items[at];
        item.after_acks = acks;
        item.is_sent_here = true;
        item.stage = Stage::Sent(pkid);
        match item.packet.as_ref()?.needs_identifier() {
            true => None,
            false => self.confirm(at, By::Write),
        }
    }

    /// A PUBLISH of [`Outbox::resume`] was written.
    pub fn replayed(&mut self, pkid: u16) {
        if let Some(at) = self.outstanding(pkid) {
            self.items[at].is_sent_here = true;
        }
    }

    /// The serial number of [`Outbox::next`].
    #[must_use]
    pub fn next_serial(&self) -> Option<u64> {
        self.waiting().map(|at| self.items[at].serial)
    }

    /// The oldest message that was sent on the present connection and that the broker has not confirmed, with its
    /// serial number.
    #[must_use]
    pub fn oldest_unconfirmed(&self) -> Option<(u64, &Message)> {
        self.items.iter().take(WINDOW).find_map(|item| {
            let is_sent =
                matches!(item.stage, Stage::Sent(_) | Stage::Released(_)) && item.is_sent_here;
            match &item.packet {
                Some(Packet::Publish(message)) if is_sent => Some((item.serial, message)),
                _ => None,
            }
        })
    }

    /// The serial number of the packet that was sent under this packet identifier.
    #[must_use]
    pub fn serial_of(&self, pkid: u16) -> Option<u64> {
        self.outstanding(pkid).map(|at| self.items[at].serial)
    }

    /// Whether the message of this serial number is not confirmed yet.
    #[must_use]
    pub fn holds(&self, serial: u64) -> bool {
        let is_it = |item: &Item| item.serial == serial && item.packet.is_some();
        self.items.iter().any(is_it)
    }

    /// The broker closes its connections at the PUBREL of this serial number, if that is what is sent.
    pub fn give_up_release(&mut self, serial: u64) -> Option<Confirmed> {
        let is_it = |item: &Item| item.serial == serial && matches!(item.stage, Stage::Released(_));
        let at = self.items.iter().position(is_it)?;
        self.confirm(at, By::Closing)
    }

    /// Gives up the message of this serial number, and all on the same topic that are no smaller.
    pub fn give_up(&mut self, serial: u64) -> Vec<Confirmed> {
        let message = |item: &Item| match &item.packet {
            Some(Packet::Publish(message)) => Some((message.topic.clone(), message.payload.len())),
            _ => None,
        };
        let rejected = self.items.iter().find(|item| item.serial == serial);
        let Some((topic, size)) = rejected.and_then(message) else {
            return Vec::new();
        };
        let is_alike = |item: &Item| match &item.packet {
            Some(Packet::Publish(other)) => other.topic == topic && other.payload.len() >= size,
            _ => false,
        };
        let mut given_up = Vec::new();
        while let Some(at) = self.items.iter().position(is_alike) {
            given_up.extend(self.confirm(at, By::Write));
        }
        given_up
    }

    fn outstanding(&self, pkid: u16) -> Option<usize> {
        let stages = [Stage::Sent(pkid), Stage::Released(pkid)];
        self.items
            .iter()
            .take(WINDOW)
            .position(|item| stages.contains(&item.stage))
    }

    /// The broker has sent PUBREC: from now on a new connection repeats the PUBREL, and not the PUBLISH. Returns the serial
    /// number of the message that this is about.
    pub fn received(&mut self, pkid: u16) -> Option<u64> {
        let at = self.outstanding(pkid)?;
        let item = &mut self.items[at];
        // Of no other packet can it be the confirmation.
        let is_qos_2 = matches!(&item.packet, Some(Packet::Publish(message)) if message.qos == QoS::ExactlyOnce);
        is_qos_2.then(|| {
            item.stage = Stage::Released(pkid);
            item.serial
        })
    }

    /// The broker has sent PUBACK, SUBACK or UNSUBACK. `None` if no packet of that type waits for it under this packet
    /// identifier.
    pub fn confirmed(&mut self, by: By, pkid: u16) -> Option<Confirmed> {
        let at = self.outstanding(pkid)?;
        let fits = self.items[at].packet.as_ref().is_some_and(|p| by.fits(p));
        fits.then(|| self.confirm(at, by)).flatten()
    }

    /// The broker has sent PUBCOMP. It confirms a packet only after its PUBREC, because PUBCOMP may also answer a
    /// PUBREL for a message that an earlier process sent under the same packet identifier.
    pub fn completed(&mut self, pkid: u16) -> Option<Confirmed> {
        let at = self.outstanding(pkid)?;
        match self.items[at].stage {
            Stage::Released(_) => self.confirm(at, By::PubComp),
            _ => None,
        }
    }

    /// How many packets wait for their confirmation, and so occupy a packet identifier.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let sent = |item: &&Item| matches!(item.stage, Stage::Sent(_) | Stage::Released(_));
        self.items.iter().take(WINDOW).filter(sent).count()
    }

    /// Takes out every SUBSCRIBE that the broker may refuse, and that it has not answered on the connection that has
    /// ended.
    pub fn give_up_tries(&mut self) -> Vec<TopicFilter> {
        let mut filters = Vec::new();
        let is_unanswered = |item: &Item| {
            let is_try = matches!(item.packet, Some(Packet::TrySubscribe(..)));
            is_try && matches!(item.stage, Stage::Sent(_))
        };
        while let Some(at) = self.items.iter().position(is_unanswered) {
            if let Some(Packet::TrySubscribe(filter, _)) = self
                .confirm(at, By::Closing)
                .map(|given_up| given_up.packet)
            {
                filters.push(filter);
            }
        }
        filters
    }

    fn confirm(&mut self, at: usize, by: By) -> Option<Confirmed> {
        let item = self.items.get_mut(at)?;
        item.stage = Stage::Confirmed;
        let confirmed = Confirmed {
            packet: item.packet.take()?,
            by,
            cause: item.cause,
            after_acks: item.after_acks,
            serial: item.serial,
        };
        self.bytes -= confirmed.packet.bytes();
        while let Some(Stage::Confirmed) = self.items.front().map(|item| item.stage) {
            self.items.pop_front();
        }
        Some(confirmed)
    }

    /// A new connection continues the session. Returns what to send first, in order. SUBSCRIBE and UNSUBSCRIBE are sent
    /// anew, because they are not part of a session's state (MQTT 3.1.1, section 4.1).
    pub fn resume(&mut self) -> Vec<Replay> {
        let mut replays = Vec::new();
        for item in self.items.iter_mut().take(WINDOW) {
            item.is_sent_here = false;
            match (&item.packet, item.stage) {
                (Some(Packet::Publish(message)), Stage::Sent(pkid)) => {
                    replays.push(Replay::Publish(pkid, message.clone()));
                }
                (_, Stage::Released(pkid)) => replays.push(Replay::Release(pkid)),
                (_, Stage::Confirmed) => {}
                _ => item.stage = Stage::Waiting,
            }
        }
        replays
    }

    /// The broker has no session, so the link sends every unconfirmed message anew, after `subscriptions`. Those
    /// replace every SUBSCRIBE and UNSUBSCRIBE that is not confirmed.
    pub fn session_lost(&mut self, subscriptions: impl Iterator<Item = Packet>) {
        let old = std::mem::take(&mut self.items);
        self.bytes = 0;
        for subscribe in subscriptions {
            self.push(subscribe, None);
        }
        for item in old {
            if let Some(packet @ Packet::Publish(_)) = item.packet {
                self.push(packet, item.cause);
                if let Some(again) = self.items.back_mut() {
                    again.serial = item.serial;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
