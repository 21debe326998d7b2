//! Bytes as a sequence of events at a device: it listens to its own topics alone.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use mqtt_client::device_session::device::{Device, DeviceConfig, Resume};
use mqtt_client::device_session::without_end;
use mqtt_client::mqtt::{Level, TopicFilter, TopicName};
use mqtt_client::mqtt::{Message, QoS};
use mqtt_client::role::{Effect, Event, Role};

const TOPICS: [&str; 4] = ["alice/UUID", "U1", "U2", "U1/CMD1"];

/// One event: a byte says which, a byte how long its payload is, if any.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first().unwrap_or((&0, rest));
    let (payload, rest) = rest.split_at(rest.len().min((*length).into()));
    Some((*kind, payload, rest))
}

fuzz_target!(|bytes: &[u8]| {
    let start = Instant::now();
    let alice = Level::new("alice").unwrap();
    let resume = bytes
        .len()
        .is_multiple_of(4)
        .then(|| Level::new("U1").unwrap());
    let known = resume.clone();
    let config = DeviceConfig {
        resume: resume.map(Resume::new),
        ..DeviceConfig::new(alice)
    };
    let mut device = Device::new(config, start);
    let own = TopicFilter::new("alice/UUID").unwrap();
    let mut unique_id: Option<Level> = None;
    let mut finished = false;
    let mut now = start;
    let mut left = bytes;
    while let Some((kind, payload, rest)) = split(left) {
        left = rest;
        let mut message = Message::new(
            TopicName::new(TOPICS[usize::from(kind >> 4) % TOPICS.len()]).unwrap(),
            payload,
            QoS::ExactlyOnce,
        );
        message.retain = kind >= 0xc0;
        let event = match kind & 0xf {
            0 | 1 => Event::Connected {
                session_present: kind & 1 == 1,
            },
            2 | 3 => Event::Subscribed {
                filter: &own,
                granted: QoS::ExactlyOnce,
            },
            4 => Event::Confirmed(&message),
            5 => {
                now += Duration::from_secs(payload.len() as u64);
                Event::Deadline
            }
            _ => Event::Received(&message),
        };
        let Ok(effects) = device.handle(now, event) else {
            return;
        };
        for effect in effects {
            match effect {
                Effect::Subscribe(filter, _) => {
                    assert!(!filter.as_str().contains(['+', '#', '\0']));
                    let id = unique_id.as_ref().or(known.as_ref()).map(Level::as_str);
                    assert!(filter == own || id == Some(filter.as_str()));
                }
                Effect::TrySubscribe(filter, _) => panic!("{filter}"),
                Effect::Publish(reply) => {
                    assert!(!finished && !reply.retain);
                    let login = reply.topic.as_str() == "login";
                    assert!(login || unique_id.is_some() || known.is_some());
                }
                Effect::Emit(mqtt_client::device_session::device::Progress::LoggedIn(id)) => {
                    assert!(unique_id.is_none() && id.as_str().as_bytes() == without_end(payload));
                    unique_id = Some(id);
                }
                Effect::Emit(_) | Effect::Note(_) | Effect::Warn(_) => {}
                Effect::Finish => finished = true,
                Effect::Unsubscribe(filter) => panic!("{filter}"),
                Effect::Remember(..) => {}
                Effect::Run(job) => panic!("{job:?} without programs"),
                Effect::AwaitLine => panic!("a device works on no lines"),
            }
        }
        assert!(event != Event::Deadline || device.deadline().is_none_or(|at| at > now));
    }
});
