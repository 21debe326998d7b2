//! An application message and its quality of service (MQTT 3.1.1, sections 3.3 and 4.3).

use std::fmt;

use super::TopicName;

/// The largest payload that this program publishes, in bytes. MQTT allows a packet of 256 MB (section 2.2.3); a board
/// with little memory needs a lower limit. The link answers a larger one with
/// [`Event::Undeliverable`](crate::role::Event::Undeliverable).
pub const MAX_PAYLOAD: usize = 768 * 1024;

/// Quality of service: what sender and receiver of a message owe each other (section 4.3). The order is that of the
/// levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0: sent once and not acknowledged; it may be lost (section 4.3.1).
    AtMostOnce,
    /// QoS 1: repeated until a PUBACK comes; it may arrive twice (section 4.3.2).
    AtLeastOnce,
    /// QoS 2: neither lost nor repeated, by PUBREC, PUBREL and PUBCOMP (section 4.3.3).
    ExactlyOnce,
}

impl QoS {
    /// The level as a packet has it: 0, 1 or 2.
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
    /// The level is none that MQTT has.
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

/// An application message (section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic that it is published to.
    pub topic: TopicName,
    /// The content, in any encoding; its length may be zero.
    pub payload: Vec<u8>,
    /// To publish: how the link is to deliver it. Received: how the broker delivered it, which is the lower of the
    /// publisher's QoS and that of the subscription (section 3.8.4).
    pub qos: QoS,
    /// Received: the broker had stored it before this client subscribed, so it is old (section 3.3.1.3). To publish:
    /// the broker is to store it.
    pub retain: bool,
}

impl Message {
    /// A message to publish, which the broker is not to store.
    pub fn new(topic: TopicName, payload: impl Into<Vec<u8>>, qos: QoS) -> Self {
        Self {
            topic,
            payload: payload.into(),
            qos,
            retain: false,
        }
    }

    /// The same message, which the broker is to store for those who subscribe later (section 3.3.1.3).
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }
}
