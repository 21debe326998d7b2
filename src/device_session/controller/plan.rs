//! What a controller is asked to do, and what it does unless it is asked otherwise.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::{PAUSE, Replies, login_topic};
use crate::mqtt::{Level, QoS, TopicFilter};

/// What a controller is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The expected reply to each command.
    pub replies: Replies,
    /// How many commands a session gets.
    pub commands: RangeInclusive<u32>,
    /// From the UNIQUE ID to the first command.
    pub delay: Duration,
    /// How long to wait for the next reply; `None`: for ever.
    pub timeout: Option<Duration>,
    /// How commands are published.
    pub qos: QoS,
    /// Where the UNIQUE IDs and the choice of commands come from.
    pub seed: u64,
    /// Finish after so many sessions.
    pub sessions: Option<u64>,
    /// Share the logins with the other controllers of this group. A session stays with the one that
    /// took its login.
    pub share: Option<Level>,
}

impl Plan {
    /// The QoS of the original program.
    pub const QOS: QoS = QoS::ExactlyOnce;
    /// From this range each session's number of commands is drawn.
    pub const COMMANDS: RangeInclusive<u32> = 5..=15;
    /// Long enough for a device whose connection is lost and comes back.
    pub const TIMEOUT: Duration = Duration::from_secs(60);
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            replies: Replies::default(),
            commands: Self::COMMANDS,
            delay: PAUSE,
            timeout: Some(Self::TIMEOUT),
            qos: Self::QOS,
            seed: 0,
            sessions: None,
            share: None,
        }
    }
}

impl Plan {
    /// The filter that brings the logins: to this controller, or to its group.
    pub(super) fn logins(&self) -> TopicFilter {
        let filter = TopicFilter::exactly(&login_topic());
        match &self.share {
            Some(group) => filter.shared(group),
            None => filter,
        }
    }
}
