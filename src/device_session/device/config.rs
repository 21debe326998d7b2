//! What a device is asked to be, and what it is unless it is asked otherwise.

use std::time::Duration;

use super::super::prefix::Prefix;
use super::super::{PAUSE, Replies};
use crate::mqtt::{Level, QoS, TopicName};
use crate::role::Memory;

/// What a device is asked to be.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// The levels before every topic.
    pub prefix: Prefix,
    /// The name under which it logs in.
    pub user_id: Level,
    /// What it answers.
    pub replies: Replies,
    /// The QoS of its subscriptions and its login.
    pub qos: QoS,
    /// Programs answer commands; the table has the word where there is none.
    pub has_programs: bool,
    /// It gives up after so long without a word from the controller; `None`: never.
    pub timeout: Option<Duration>,
    /// It shows the controller's verdict, and ends with a failure where that is one.
    pub verdict: bool,
    /// The session of an earlier process, to go on with.
    pub resume: Option<Resume>,
}

/// Where an earlier process has left a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The UNIQUE ID.
    pub unique_id: Level,
    /// How many replies the broker has not confirmed. The link goes on with them.
    pub unconfirmed: u64,
    /// The last words have come.
    pub is_ending: bool,
}

/// The names under which a device remembers its UNIQUE ID, and that the last words have come.
pub(super) const SESSION: &str = "session";
pub(super) const ENDING: &str = "ending";

impl Resume {
    /// A session with nothing open in it.
    #[must_use]
    pub fn new(unique_id: Level) -> Self {
        Self {
            unique_id,
            unconfirmed: 0,
            is_ending: false,
        }
    }

    /// What an earlier process has remembered; `None` where it was in no session.
    #[must_use]
    pub fn recall(memory: &Memory) -> Option<Self> {
        let unique_id = Level::from_bytes(memory.get(SESSION)?).ok()?;
        let topics = memory.unconfirmed.iter();
        let unconfirmed = topics.filter(|topic| is_reply(topic, &unique_id)).count() as u64;
        Some(Self {
            unconfirmed,
            is_ending: memory.get(ENDING).is_some(),
            unique_id,
        })
    }
}

/// Whether a device publishes its replies in this session on this topic.
pub(super) fn is_reply(topic: &TopicName, unique_id: &Level) -> bool {
    let command = topic.as_str().strip_prefix(unique_id.as_str());
    command.is_some_and(|command| command.starts_with('/'))
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
            prefix: Prefix::NONE,
            user_id,
            replies: Replies::default(),
            qos: Self::QOS,
            has_programs: false,
            timeout: Some(Self::TIMEOUT),
            verdict: false,
            resume: None,
        }
    }
}

const _: () = assert!(PAUSE.as_secs() < DeviceConfig::TIMEOUT.as_secs());

#[cfg(test)]
mod tests {
    use super::super::tests::{level, logging_in, message};
    use super::super::*;
    use crate::device_session::LAST_WORDS;
    use crate::role::{Memory, Told};
    use Effect::{Emit, Finish};

    /// What a device tells its journal, and what a later one makes of that.
    #[test]
    fn a_later_process_goes_on_where_the_earlier_one_was() {
        let now = Instant::now();
        let mut memory = Memory::default();
        let mut device = logging_in(now);
        assert_eq!(Resume::recall(&memory), None);
        let mut remember = |effects: Vec<Effect<Progress>>| {
            for effect in effects {
                match effect {
                    Effect::Remember(name, Some(value)) => drop(memory.values.insert(name, value)),
                    Effect::Remember(name, None) => drop(memory.values.remove(&name)),
                    _ => {}
                }
            }
            memory.clone()
        };
        let id = message("alice/UUID", "U1", QoS::ExactlyOnce);
        let mut left = remember(device.handle(now, Event::Received(&id)).unwrap());
        left.unconfirmed = ["U1/CMD1", "U10/CMD1", "login"]
            .map(|topic| TopicName::new(topic).unwrap())
            .to_vec();
        let serving = Resume {
            unconfirmed: 1,
            ..Resume::new(level("U1"))
        };
        assert_eq!(Resume::recall(&left), Some(serving));
        let command = message("U1", "CMD1", QoS::ExactlyOnce);
        remember(device.handle(now, Event::Received(&command)).unwrap());
        let last = message("U1", LAST_WORDS, QoS::ExactlyOnce);
        let left = remember(device.handle(now, Event::Received(&last)).unwrap());
        assert!(Resume::recall(&left).unwrap().is_ending);
        let reply = message("U1/CMD1", "Apple", QoS::ExactlyOnce);
        let left = remember(device.handle(now, Event::Confirmed(&reply)).unwrap());
        assert_eq!(Resume::recall(&left), None, "it is over");
    }

    #[test]
    fn a_session_whose_last_words_have_come_ends_with_the_last_confirmation_alone() {
        let now = Instant::now();
        for (unconfirmed, session_present) in [(0, true), (0, false), (2, true), (2, false)] {
            let resume = Resume {
                unconfirmed,
                is_ending: true,
                ..Resume::new(level("U1"))
            };
            let config = DeviceConfig {
                resume: Some(resume),
                ..DeviceConfig::new(level("alice"))
            };
            let mut device = Device::new(config, now);
            let mut said = device
                .told(now, Event::Connected { session_present })
                .unwrap();
            let reply = message("U1/CMD1", "Apple", QoS::ExactlyOnce);
            for _ in 0..unconfirmed {
                assert_eq!(said, []);
                said = device.told(now, Event::Confirmed(&reply)).unwrap();
            }
            assert_eq!(said, [Emit(Progress::Done), Finish]);
        }
    }
}
