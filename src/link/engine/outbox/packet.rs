//! What the outbox holds, how the broker confirms it, and what goes out again.

use crate::mqtt::{Message, QoS, TopicFilter};

/// A packet that the outbox can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// PUBLISH.
    Publish(Message),
    /// SUBSCRIBE, one filter each.
    Subscribe(TopicFilter, QoS),
    /// SUBSCRIBE that the broker may refuse.
    TrySubscribe(TopicFilter, QoS),
    /// UNSUBSCRIBE, one filter each.
    Unsubscribe(TopicFilter),
}

impl Packet {
    /// Whether it has a packet identifier (MQTT 3.1.1, section 2.3.1).
    #[must_use]
    pub fn needs_identifier(&self) -> bool {
        !matches!(self, Self::Publish(message) if message.qos == QoS::AtMostOnce)
    }

    /// The bytes of its payload.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Publish(message) => message.payload.len(),
            Self::Subscribe(..) | Self::TrySubscribe(..) | Self::Unsubscribe(..) => 0,
        }
    }
}

/// How the broker confirms a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// PUBLISH with QoS 0: the link has written it to the connection, and no other confirmation exists.
    Write,
    /// PUBLISH with QoS 1. Some brokers that do not have QoS 2 confirm a PUBLISH with QoS 2 by it, too.
    PubAck,
    /// PUBLISH with QoS 2.
    PubComp,
    /// PUBLISH with QoS 2 that the broker had confirmed by PUBREC. It closes its connections at the PUBREL, as brokers do
    /// that have passed the message on and forgotten it.
    Closing,
    /// SUBSCRIBE.
    SubAck,
    /// UNSUBSCRIBE.
    UnsubAck,
}

impl By {
    /// Whether it can confirm this packet.
    #[must_use]
    pub fn fits(self, packet: &Packet) -> bool {
        match packet {
            Packet::Publish(_) => matches!(self, Self::Write | Self::PubAck | Self::PubComp),
            Packet::Subscribe(..) | Packet::TrySubscribe(..) => self == Self::SubAck,
            Packet::Unsubscribe(_) => self == Self::UnsubAck,
        }
    }
}

/// A packet that the broker has confirmed.
#[derive(Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The packet.
    pub packet: Packet,
    /// How the broker confirmed it.
    pub by: By,
    /// The serial number, in the inbound ledger, of the received message whose handling led to the packet.
    pub cause: Option<u64>,
    /// How many acknowledgements the link had sent before the packet.
    pub after_acks: u64,
    /// Which packet it was.
    pub serial: u64,
}

/// A packet that the link sends first on a connection that continues a session (MQTT 3.1.1, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// PUBLISH with DUP, under the packet identifier that it had before.
    Publish(u16, Message),
    /// PUBREL.
    Release(u16),
}

impl Replay {
    /// The packet identifier.
    #[must_use]
    pub fn pkid(&self) -> u16 {
        match self {
            Self::Publish(pkid, _) | Self::Release(pkid) => *pkid,
        }
    }
}
