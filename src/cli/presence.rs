//! `--presence`: where a service says that it is there, and what stays there after its end.

use super::usage;
use super::values::Values;
use crate::link::AtEnd;
use crate::mqtt::{Invalid, TopicName};
use crate::presence::about;
use crate::role::{Failure, Kind};

/// What stands for the client id in the topic.
const CLIENT_ID: &str = "%c";

/// Where a service says that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceConfig {
    /// With `%c` for the client id.
    topic: String,
    /// What stays after its end.
    pub at_end: AtEnd,
}

impl PresenceConfig {
    pub(super) fn read(values: &mut Values<'_>) -> Result<Option<Self>, Failure> {
        let at_end_is_typed = values.is_typed("--presence-end");
        let topic = values.get("--presence", |text| {
            let topic = topic(text, "x").map_err(|why| format!("a topic name: {why}"))?;
            let is_odd = |c: char| c == '%' || c.is_control();
            let is_odd = text.replace(CLIENT_ID, "").contains(is_odd);
            match is_odd || topic.as_str().starts_with('$') {
                true => Err(
                    "a topic for this: %c is the client id; no other %, no control character, and no $ at the beginning"
                        .to_owned(),
                ),
                false => Ok(text.to_owned()),
            }
        })?;
        let at_end = values.get("--presence-end", |text| match text {
            "offline" => Ok(AtEnd::Offline),
            "clear" => Ok(AtEnd::Clear),
            _ => Err("offline or clear".to_owned()),
        })?;
        match topic {
            None if at_end_is_typed => Err(usage(
                "--presence-end: nothing is said without --presence".to_owned(),
            )),
            topic => Ok(topic.map(|topic| Self {
                topic,
                at_end: at_end.unwrap_or_default(),
            })),
        }
    }

    /// The status topic of this client.
    ///
    /// # Errors
    /// Where the client id has characters that no topic name may have.
    pub fn topic(&self, client_id: &str) -> Result<TopicName, Failure> {
        topic(&self.topic, client_id).map_err(|why| {
            let text = format!(
                "--presence {}: no topic name with the client id {client_id}: {why}; leave %c out, or choose another --id",
                self.topic
            );
            Failure::new(Kind::Config, text)
        })
    }
}

/// Checked with the level of the details, which is the longer one.
fn topic(text: &str, client_id: &str) -> Result<TopicName, Invalid> {
    let topic = TopicName::new(text.replace(CLIENT_ID, client_id))?;
    TopicName::new(about(&topic).as_str())?;
    Ok(topic)
}
