//! The device on any sequence of events: what it subscribes to and publishes, and when.

use std::time::{Duration, Instant};

use fastrand::Rng;
use mqtt_client::device_session::device::{Device, DeviceConfig, Progress, Resume};
use mqtt_client::device_session::{
    LAST_WORDS, Replies, login_topic, unique_id_topic, without_end, words,
};
use mqtt_client::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Kind, Role};

use crate::requests::message;
use crate::source::{choice, inputs, text};

const TOPICS: [&str; 8] = [
    "alice/UUID",
    "alice/UUID",
    "U1",
    "U1",
    "U2",
    "login",
    "U1/CMD1",
    "U1/",
];

const WORDS: [&str; 9] = [
    "U1", "U1\r\n", "U2", "CMD1", "CMD7", " CMD2\n", LAST_WORDS, "#", "a/b",
];

/// Mostly one word on one of the protocol's topics.
fn received(random: &mut Rng) -> Message {
    let topic = match random.u8(..8) {
        0 => TopicName::new(text(random, &TOPICS)).ok(),
        _ => TopicName::new(choice(random, &TOPICS)).ok(),
    };
    let topic = topic.unwrap_or_else(login_topic);
    let mut message = message(random, topic, &WORDS);
    if random.u8(..4) > 0 {
        message.payload = choice(random, &WORDS).as_bytes().to_vec();
    }
    message
}

/// What a device has done so far, as an onlooker sees it.
#[derive(Default)]
struct Watch {
    logins: u32,
    unique_id: Option<Level>,
    resumed: bool,
    answered: u32,
    unconfirmed: Vec<Message>,
    finished: bool,
}

impl Watch {
    fn effect(&mut self, effect: Effect<Progress>, event: Event<'_>, alice: &Level) {
        let said = matches!(effect, Effect::Note(_) | Effect::Warn(_));
        assert!(!self.finished || said, "{effect:?} after the end");
        match effect {
            Effect::Subscribe(filter, _) => {
                let own = TopicFilter::new(unique_id_topic(alice).as_str()).unwrap();
                let session = self.unique_id.as_ref().map(Level::as_str);
                assert!(
                    filter == own || session == Some(filter.as_str()),
                    "{filter}"
                );
                assert!(!filter.as_str().contains(['+', '#']), "{filter}");
            }
            Effect::TrySubscribe(filter, _) => panic!("{filter}"),
            Effect::Publish(login) if login.topic == login_topic() => {
                let repeated = self.logins > 0 && self.unique_id.is_none();
                let due = event == Event::Deadline && repeated;
                assert!(
                    due || matches!(event, Event::Subscribed { .. }),
                    "{event:?}"
                );
                assert_eq!(login.payload, alice.as_str().as_bytes());
                self.logins += 1;
            }
            Effect::Publish(reply) => {
                let Event::Received(command) = event else {
                    panic!("{event:?}")
                };
                assert!(!command.retain, "{command:?}");
                let id = self.unique_id.as_ref().unwrap().as_str();
                assert_eq!(command.topic.as_str(), id);
                let word = words(&command.payload).unwrap();
                assert_eq!(reply.topic.as_str(), format!("{id}/{word}"));
                let replies = Replies::default();
                assert_eq!(reply.payload, replies.answer(word).unwrap().1.as_bytes());
                assert_eq!((reply.qos, reply.retain), (command.qos, false));
                self.answered += 1;
                self.unconfirmed.push(reply);
            }
            Effect::Emit(Progress::LoggedIn(id)) => {
                let Event::Received(message) = event else {
                    panic!("{event:?}")
                };
                assert_eq!(message.topic, unique_id_topic(alice));
                assert!(!message.retain && self.logins > 0 && self.unique_id.is_none());
                assert_eq!(id.as_str().as_bytes(), without_end(&message.payload));
                self.unique_id = Some(id);
            }
            Effect::Emit(Progress::Verdict(..)) => panic!("nobody asked for the verdict"),
            Effect::Emit(Progress::Done) => {
                assert!(self.unique_id.is_some() && self.unconfirmed.is_empty());
            }
            Effect::Finish => self.finished = true,
            Effect::Note(_) | Effect::Warn(_) | Effect::Remember(..) => {}
            Effect::Run(job) => panic!("{job:?} without programs"),
            Effect::Unsubscribe(filter) => panic!("{filter}"),
            Effect::AwaitLine => panic!("a line for a device"),
        }
    }
}

#[test]
fn a_device_listens_to_its_own_topics_alone() {
    // How the runs ended, so that none of the ends goes untried.
    let (mut finished, mut broken, mut late, mut resumed, mut answered) = (0, 0, 0, 0, 0);
    inputs("events at a device", |random| {
        let start = Instant::now();
        let alice = Level::new("alice").unwrap();
        let patience = Duration::from_secs(60);
        let resume = (random.u8(..4) == 0).then(|| Level::new("U1").unwrap());
        let config = DeviceConfig {
            qos: choice(random, &crate::requests::LEVELS),
            timeout: Some(patience),
            resume: resume.clone().map(Resume::new),
            ..DeviceConfig::new(alice.clone())
        };
        let mut device = Device::new(config, start);
        let filters = ["alice/UUID", "alice/UUID", "U1", "#"].map(|f| TopicFilter::new(f).unwrap());
        let login = Message::new(login_topic(), "alice", QoS::ExactlyOnce);
        let mut watch = Watch::default();
        let mut now = start;
        for at in 0..random.u8(..32) {
            let message;
            let event = match random.u8(..12) {
                _ if at == 0 => Event::Connected {
                    session_present: random.bool(),
                },
                0 => Event::Connected {
                    session_present: random.bool(),
                },
                1..=3 => Event::Subscribed {
                    filter: &filters[random.usize(..filters.len())],
                    granted: QoS::ExactlyOnce,
                },
                4 => Event::Confirmed(&login),
                5 | 6 if !watch.unconfirmed.is_empty() => {
                    message = watch.unconfirmed.remove(0);
                    Event::Confirmed(&message)
                }
                5 => {
                    now += Duration::from_secs(random.u64(..40));
                    Event::Deadline
                }
                _ => {
                    message = received(random);
                    Event::Received(&message)
                }
            };
            if at == 0
                && event
                    == (Event::Connected {
                        session_present: true,
                    })
            {
                watch.resumed = resume.is_some();
                watch.unique_id = resume.clone();
            }
            match device.handle(now, event) {
                Ok(effects) => effects
                    .into_iter()
                    .for_each(|e| watch.effect(e, event, &alice)),
                Err(failure) if event == Event::Deadline => {
                    assert_eq!(failure.kind, Kind::NoAnswer);
                    assert!(now - start >= patience && !watch.finished);
                    late += 1;
                    return;
                }
                Err(failure) => {
                    let Event::Received(message) = event else {
                        panic!("{event:?}")
                    };
                    assert_eq!(failure.kind, Kind::Protocol);
                    assert_eq!(message.topic, unique_id_topic(&alice));
                    assert!(!message.payload.is_empty(), "{message:?}");
                    let id = without_end(&message.payload);
                    assert!(Level::from_bytes(id).is_err(), "{message:?}");
                    assert!(!failure.text.contains(char::is_control), "{failure}");
                    broken += 1;
                    return;
                }
            }
            if event == Event::Deadline {
                assert!(device.deadline().is_none_or(|at| at > now), "it would spin");
            }
        }
        finished += u32::from(watch.finished);
        resumed += u32::from(watch.resumed);
        answered += watch.answered;
    });
    for (what, count) in [
        ("finished", finished),
        ("met a bad UNIQUE ID", broken),
        ("was late", late),
        ("resumed", resumed),
        ("answered", answered),
    ] {
        assert!(count > 0, "no device {what}");
    }
}
