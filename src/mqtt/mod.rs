//! The words of the standard: topic names, topic filters, messages, QoS. Knows neither rumqttc nor this
//! program's protocols.

mod message;
mod shown;
mod topic;

pub use message::{MAX_PAYLOAD, Message, QoS};
pub use shown::{one_line, printable};
pub use topic::{Invalid, Level, MAX_BYTES, TopicFilter, TopicName};
