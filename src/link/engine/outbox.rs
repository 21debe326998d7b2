//! What this end has to tell the broker, in order, until the broker confirmed it.
//!
//! Pure bookkeeping: packets go in, packet identifiers and confirmations are reported to it. PUBLISH, SUBSCRIBE and UNSUBSCRIBE share one queue and one
//! window, so that packet identifiers never wrap into one that is still outstanding.

use std::collections::VecDeque;

use crate::mqtt::{Message, QoS, TopicFilter};

/// How many packets may be outstanding: well below rumqttc's range of packet identifiers, and below
/// the 20 that mosquitto takes at a time.
pub const WINDOW: usize = 16;

/// How many bytes of payload may stand in the outbox before a message with QoS 0 is dropped instead:
/// nothing but memory would limit what a peer can ask for without waiting for an answer.
pub const MOST_BYTES: usize = 8 << 20;

/// What can stand in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// PUBLISH.
    Publish(Message),
    /// SUBSCRIBE, one filter each.
    Subscribe(TopicFilter, QoS),
    /// UNSUBSCRIBE, one filter each.
    Unsubscribe(TopicFilter),
}

impl Packet {
    fn needs_identifier(&self) -> bool {
        !matches!(self, Self::Publish(message) if message.qos == QoS::AtMostOnce)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Publish(message) => message.payload.len(),
            Self::Subscribe(..) | Self::Unsubscribe(..) => 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be sent.
    Waiting,
    /// Written under this packet identifier, unconfirmed.
    Sent(u16),
    /// QoS 2: PUBREC came, PUBREL was sent, PUBCOMP is due.
    Released(u16),
    /// Confirmed; keeps its place in the window until all before it are.
    Confirmed,
}

#[derive(Debug)]
struct Item {
    /// Taken out when it is confirmed.
    packet: Option<Packet>,
    cause: Option<u64>,
    stage: Stage,
    after_acks: u64,
}

/// How the broker confirms a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// PUBLISH with QoS 0: by being written to the connection, which is all the confirmation there is.
    Write,
    /// PUBLISH with QoS 1. Some brokers without QoS 2 confirm that so, too.
    PubAck,
    /// PUBLISH with QoS 2.
    PubComp,
    /// SUBSCRIBE.
    SubAck,
    /// UNSUBSCRIBE.
    UnsubAck,
}

impl By {
    fn fits(self, packet: &Packet) -> bool {
        match packet {
            Packet::Publish(_) => matches!(self, Self::Write | Self::PubAck | Self::PubComp),
            Packet::Subscribe(..) => self == Self::SubAck,
            Packet::Unsubscribe(_) => self == Self::UnsubAck,
        }
    }
}

/// A packet that the broker has confirmed.
#[derive(Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The packet.
    pub packet: Packet,
    /// By what.
    pub by: By,
    /// The received message that led to it, by its serial number in the inbound ledger.
    pub cause: Option<u64>,
    /// How many acknowledgements had been sent before it.
    pub after_acks: u64,
}

/// What to send first on a connection that continues a session (MQTT 3.1.1, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// PUBLISH under its old packet identifier, with DUP.
    Publish(u16, Message),
    /// PUBREL.
    Release(u16),
}

impl Replay {
    /// Its packet identifier.
    #[must_use]
    pub fn pkid(&self) -> u16 {
        match self {
            Self::Publish(pkid, _) | Self::Release(pkid) => *pkid,
        }
    }
}

/// The outbox.
#[derive(Debug, Default)]
pub struct Outbox {
    items: VecDeque<Item>,
    /// Of payload.
    bytes: usize,
}

impl Outbox {
    /// Adds a packet at the end; `cause` is the received message that led to it.
    pub fn push(&mut self, packet: Packet, cause: Option<u64>) {
        self.bytes += packet.bytes();
        self.items.push_back(Item {
            packet: Some(packet),
            cause,
            stage: Stage::Waiting,
            after_acks: 0,
        });
    }

    /// Whether `message` may be added. Only one with QoS 0 may not: MQTT lets it get lost (section
    /// 4.3.1), and what has a higher QoS the broker limits itself, by what is not acknowledged.
    #[must_use]
    pub fn has_room_for(&self, message: &Message) -> bool {
        message.qos > QoS::AtMostOnce || self.bytes + message.payload.len() <= MOST_BYTES
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

    /// Whether a SUBSCRIBE for `filter` is on its way already.
    #[must_use]
    pub fn has_subscription(&self, filter: &TopicFilter) -> bool {
        self.items.iter().any(
            |item| matches!(&item.packet, Some(Packet::Subscribe(known, _)) if known == filter),
        )
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

    /// The next packet that may be sent within the window.
    #[must_use]
    pub fn next(&self) -> Option<&Packet> {
        self.waiting().and_then(|at| self.items[at].packet.as_ref())
    }

    fn waiting(&self) -> Option<usize> {
        let window = self.items.len().min(WINDOW);
        self.items
            .range(..window)
            .position(|item| item.stage == Stage::Waiting)
    }

    /// [`Outbox::next`] was written under this packet identifier (0 for QoS 0), after `acks`
    /// acknowledgements. With QoS 0 that confirms it.
    pub fn sent(&mut self, pkid: u16, acks: u64) -> Option<Confirmed> {
        let at = self.waiting()?;
        let item = &mut self.items[at];
        item.after_acks = acks;
        item.stage = Stage::Sent(pkid);
        match item.packet.as_ref()?.needs_identifier() {
            true => None,
            false => self.confirm(at, By::Write),
        }
    }

    fn outstanding(&self, pkid: u16) -> Option<usize> {
        let stages = [Stage::Sent(pkid), Stage::Released(pkid)];
        self.items
            .iter()
            .take(WINDOW)
            .position(|item| stages.contains(&item.stage))
    }

    /// PUBREC came: from now on the PUBLISH is not sent again, only the PUBREL.
    pub fn received(&mut self, pkid: u16) {
        if let Some(at) = self.outstanding(pkid) {
            self.items[at].stage = Stage::Released(pkid);
        }
    }

    /// PUBACK, SUBACK or UNSUBACK came. `None` where no such packet waits for it.
    pub fn confirmed(&mut self, by: By, pkid: u16) -> Option<Confirmed> {
        let at = self.outstanding(pkid)?;
        let fits = self.items[at].packet.as_ref().is_some_and(|p| by.fits(p));
        fits.then(|| self.confirm(at, by)).flatten()
    }

    /// PUBCOMP came. It confirms only what has been released: it may also answer a PUBREL for an
    /// earlier process's message of the same packet identifier.
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

    fn confirm(&mut self, at: usize, by: By) -> Option<Confirmed> {
        let item = self.items.get_mut(at)?;
        item.stage = Stage::Confirmed;
        let confirmed = Confirmed {
            packet: item.packet.take()?,
            by,
            cause: item.cause,
            after_acks: item.after_acks,
        };
        self.bytes -= confirmed.packet.bytes();
        while let Some(Stage::Confirmed) = self.items.front().map(|item| item.stage) {
            self.items.pop_front();
        }
        Some(confirmed)
    }

    /// A new connection continues the session: says what to send first, in order. SUBSCRIBE and
    /// UNSUBSCRIBE are not part of a session's state (MQTT 3.1.1, section 4.1): they go out anew.
    pub fn resume(&mut self) -> Vec<Replay> {
        let mut replays = Vec::new();
        for item in self.items.iter_mut().take(WINDOW) {
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

    /// The broker has no session: everything unconfirmed goes out anew, after `subscriptions`, which
    /// stand in for every SUBSCRIBE and UNSUBSCRIBE that is not confirmed.
    pub fn session_lost(&mut self, subscriptions: impl Iterator<Item = (TopicFilter, QoS)>) {
        let old = std::mem::take(&mut self.items);
        self.bytes = 0;
        for (filter, qos) in subscriptions {
            self.push(Packet::Subscribe(filter, qos), None);
        }
        for item in old {
            if let Some(packet @ Packet::Publish(_)) = item.packet {
                self.push(packet, item.cause);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::TopicName;

    fn publish(text: &str, qos: QoS) -> Packet {
        Packet::Publish(Message::new(TopicName::new("t").unwrap(), text, qos))
    }

    fn message(packet: &Packet) -> Message {
        match packet {
            Packet::Publish(message) => message.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Sends everything that the window takes, from this packet identifier on.
    fn send_all(outbox: &mut Outbox, mut pkid: u16) -> Vec<u16> {
        let mut sent = Vec::new();
        while outbox.next().is_some() {
            outbox.sent(pkid, 0);
            sent.push(pkid);
            pkid += 1;
        }
        sent
    }

    #[test]
    fn the_window_moves_only_when_the_oldest_is_confirmed() {
        let mut outbox = Outbox::default();
        for n in 0..WINDOW + 2 {
            outbox.push(publish(&n.to_string(), QoS::AtLeastOnce), None);
        }
        assert_eq!(send_all(&mut outbox, 1).len(), WINDOW);
        assert!(outbox.confirmed(By::PubAck, 2).is_some());
        assert_eq!(outbox.next(), None);
        assert!(outbox.confirmed(By::PubAck, 1).is_some());
        assert_eq!(send_all(&mut outbox, 17), [17, 18]);
        assert_eq!(outbox.len(), WINDOW);
        assert_eq!(outbox.confirmed(By::PubAck, 1), None, "confirmed twice");
    }

    #[test]
    fn a_session_that_goes_on_replays_in_order_and_sends_the_rest() {
        let mut outbox = Outbox::default();
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|text| publish(text, QoS::ExactlyOnce));
        for packet in [&a, &b, &c] {
            outbox.push(packet.clone(), None);
        }
        send_all(&mut outbox, 1);
        outbox.received(2);
        outbox.push(d.clone(), None);
        assert_eq!(
            outbox.resume(),
            [
                Replay::Publish(1, message(&a)),
                Replay::Release(2),
                Replay::Publish(3, message(&c)),
            ]
        );
        assert_eq!(outbox.next(), Some(&d));
        assert_eq!(outbox.completed(1), None, "not released yet");
        assert_eq!(outbox.completed(2).unwrap().packet, b);
    }

    #[test]
    fn a_lost_session_begins_with_the_subscriptions() {
        let mut outbox = Outbox::default();
        let filter = TopicFilter::new("f").unwrap();
        outbox.push(Packet::Subscribe(filter.clone(), QoS::AtLeastOnce), None);
        outbox.push(publish("a", QoS::AtLeastOnce), Some(7));
        outbox.push(Packet::Unsubscribe(TopicFilter::new("g").unwrap()), None);
        send_all(&mut outbox, 1);
        outbox.session_lost([(filter.clone(), QoS::AtLeastOnce)].into_iter());
        assert_eq!(
            outbox.next(),
            Some(&Packet::Subscribe(filter, QoS::AtLeastOnce))
        );
        send_all(&mut outbox, 1);
        assert!(
            outbox.confirmed(By::UnsubAck, 1).is_none(),
            "of what never was"
        );
        assert!(outbox.confirmed(By::SubAck, 1).is_some());
        let confirmed = outbox.confirmed(By::PubAck, 2).unwrap();
        assert_eq!(
            (confirmed.packet, confirmed.cause),
            (publish("a", QoS::AtLeastOnce), Some(7))
        );
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_full_outbox_takes_what_must_arrive_and_drops_qos_0() {
        let mut outbox = Outbox::default();
        let half = "x".repeat(MOST_BYTES / 2);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let packet = publish(&half, qos);
            assert!(outbox.has_room_for(&message(&packet)));
            outbox.push(packet, None);
        }
        assert!(!outbox.has_room_for(&message(&publish("x", QoS::AtMostOnce))));
        assert!(outbox.has_room_for(&message(&publish("x", QoS::AtLeastOnce))));
        assert!(outbox.sent(0, 0).is_some());
        assert!(outbox.has_room_for(&message(&publish(&half, QoS::AtMostOnce))));
        outbox.session_lost(std::iter::empty());
        assert!(outbox.has_room_for(&message(&publish(&half, QoS::AtMostOnce))));
        assert!(!outbox.has_room_for(&message(&publish(&(half + "x"), QoS::AtMostOnce))));
    }

    #[test]
    fn qos_0_is_confirmed_by_being_sent() {
        let mut outbox = Outbox::default();
        outbox.push(publish("a", QoS::AtLeastOnce), None);
        outbox.push(publish("b", QoS::AtMostOnce), Some(1));
        assert_eq!(outbox.sent(1, 3), None);
        let confirmed = outbox.sent(0, 4).unwrap();
        assert_eq!((confirmed.cause, confirmed.after_acks), (Some(1), 4));
        assert!(outbox.confirmed(By::PubAck, 1).is_some());
        assert!(outbox.is_empty());
    }
}
