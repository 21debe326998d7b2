//! What a run says of its own presence, and where: see [`crate::presence`].

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::mqtt::TopicName;

/// The presence of a run, or of several that one process makes one after the other.
#[derive(Debug, Clone)]
pub struct Presence {
    /// The status topic.
    pub topic: TopicName,
    /// What the details call the role.
    pub role: String,
    /// When the process began.
    pub started: Instant,
    /// What stays on the broker after a run that did not fail.
    pub at_end: AtEnd,
    /// How long after a run that has finished the next begins; `None` where none does.
    pub pause: Option<Duration>,
    /// How many sessions have come to their end. Whoever carries the run counts them.
    pub sessions: Option<Arc<AtomicU32>>,
    /// Until when nothing is said, because the broker does not take it. The runs share it.
    pub refused_until: Arc<Mutex<Option<Instant>>>,
}

/// What stays on the broker after a run that did not fail, and that no other follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// `offline`, and the details, which tell how it ended.
    #[default]
    Offline,
    /// Nothing.
    Clear,
}

impl Presence {
    /// On this topic, for this role of a process that began at `started`.
    #[must_use]
    pub fn new(topic: TopicName, role: impl Into<String>, started: Instant) -> Self {
        Self {
            topic,
            role: role.into(),
            started,
            at_end: AtEnd::Offline,
            pause: None,
            sessions: None,
            refused_until: Arc::default(),
        }
    }
}
