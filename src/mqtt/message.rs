//! An application message and its quality of service (MQTT 3.1.1, sections 3.3 and 4.3).

use std::fmt;

use super::TopicName;

/// The largest payload that this program publishes, in bytes. MQTT would allow 256 MB (section 2.2.3); a
/// board with little memory needs a limit of its own.
pub const MAX_PAYLOAD: usize = 768 * 1024;

/// Quality of service (MQTT 3.1.1, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

impl QoS {
    /// The level as MQTT writes it.
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

/// An application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: TopicName,
    /// What it says.
    pub payload: Vec<u8>,
    /// How it is, or was, delivered.
    pub qos: QoS,
    /// Received from the broker's store rather than from a publisher (section 3.3.1.3): it is old.
    pub retain: bool,
}

impl Message {
    /// A message to publish, not retained.
    pub fn new(topic: TopicName, payload: impl Into<Vec<u8>>, qos: QoS) -> Self {
        Self {
            topic,
            payload: payload.into(),
            qos,
            retain: false,
        }
    }
}
