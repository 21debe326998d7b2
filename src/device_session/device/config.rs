//! What a device is asked to be, and what it is unless it is asked otherwise.

use std::time::Duration;

use super::super::{PAUSE, Replies};
use crate::mqtt::{Level, QoS};

/// What a device is asked to be.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// The name under which it logs in.
    pub user_id: Level,
    /// What it answers.
    pub replies: Replies,
    /// The QoS of its subscriptions and its login.
    pub qos: QoS,
    /// It gives up after so long without a word from the controller; `None`: never.
    pub timeout: Option<Duration>,
    /// The UNIQUE ID of an earlier run, to go on with where the broker still holds that session.
    pub resume: Option<Level>,
}

impl DeviceConfig {
    /// The QoS of the original program.
    pub const QOS: QoS = QoS::ExactlyOnce;
    /// Several times longer than a controller pauses before its first command.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// The device `user_id`, with the defaults for the rest.
    #[must_use]
    pub fn new(user_id: Level) -> Self {
        Self {
            user_id,
            replies: Replies::default(),
            qos: Self::QOS,
            timeout: Some(Self::TIMEOUT),
            resume: None,
        }
    }
}

const _: () = assert!(PAUSE.as_secs() < DeviceConfig::TIMEOUT.as_secs());
