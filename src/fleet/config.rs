//! What the role is told, and what it tells.

use std::time::Duration;

use super::Board;
use crate::mqtt::{TopicFilter, TopicName};
use crate::presence::ABOUT;

/// What is looked at, and how.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The status topics.
    pub filter: TopicFilter,
    /// Ends with the first [`Seen::All`].
    pub is_once: bool,
    /// Where it ends with that: all of it may take so long.
    pub timeout: Option<Duration>,
}

impl FleetConfig {
    /// The status topics that the shipped units use.
    pub const FILTER: &'static str = "mqtt_client/+/status";
    /// The usual limit.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The filter of the details, where [`FleetConfig::filter`] does not match those already.
    pub(super) fn about(&self) -> Option<TopicFilter> {
        let filter = self.filter.as_str();
        TopicFilter::new(format!("{filter}/{ABOUT}")).ok()
    }
}

/// What it hands to the caller of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Everything that the broker has retained.
    All {
        /// Sorted by topic.
        boards: Vec<Board>,
        /// That it is everything. Where the message to itself has not come, this is what came until then.
        is_certain: bool,
    },
    /// What has changed after that.
    Changed(Board),
    /// The broker has nothing of this one any more.
    Gone(TopicName),
}
