//! The words of the standard, MQTT 3.1.1: topic names, topic filters, messages, QoS. Section numbers in this module are
//! those of the standard. It knows neither rumqttc nor this program's protocols.
//!
//! | type | is | invalid ones cannot be made because |
//! |---|---|---|
//! | [`Level`] | one level of a topic, from outside | [`Level::new`] refuses wildcards, separators and control characters |
//! | [`TopicName`] | where a message is published | [`TopicName::new`] refuses wildcards |
//! | [`TopicFilter`] | which messages a subscription asks for | [`TopicFilter::new`] refuses wildcards that are not whole levels |
//! | [`Message`] | a payload on a topic name, with its [`QoS`] | its topic name is valid |

mod filter;
mod invalid;
mod level;
mod message;
mod shown;
mod topic;

pub use filter::TopicFilter;
pub use invalid::{Invalid, MAX_BYTES};
pub use level::Level;
pub use message::{MAX_PAYLOAD, Message, QoS};
pub use shown::{one_line, printable};
pub use topic::TopicName;
