//! The table of device's transitions, row by row.

use super::*;
use crate::device_session::LAST_WORDS;
use crate::role::Told;
use Effect::{Emit, Finish, Note, Publish, Subscribe, Warn};

const CONNECTED: Event<'static> = Event::Connected {
    session_present: false,
};

fn subscribed(filter: &TopicFilter) -> Event<'_> {
    let granted = QoS::ExactlyOnce;
    Event::Subscribed { filter, granted }
}

pub fn level(text: &str) -> Level {
    Level::new(text).unwrap()
}

pub fn message(topic: &str, payload: &str, qos: QoS) -> Message {
    Message::new(TopicName::new(topic).unwrap(), payload, qos)
}

fn device(resume: Option<&str>, now: Instant) -> Device {
    let config = DeviceConfig {
        resume: resume.map(|id| Resume::new(level(id))),
        ..DeviceConfig::new(level("alice"))
    };
    Device::new(config, now)
}

/// A device whose login went out, and one that has its UNIQUE ID.
pub fn logging_in(now: Instant) -> Device {
    let mut device = device(None, now);
    let uuid = TopicFilter::new("alice/UUID").unwrap();
    device.told(now, CONNECTED).unwrap();
    device.told(now, subscribed(&uuid)).unwrap();
    device
}

fn serving(now: Instant) -> Device {
    let mut device = logging_in(now);
    let id = message("alice/UUID", "U1", QoS::ExactlyOnce);
    device.told(now, Event::Received(&id)).unwrap();
    device
}

/// One with its UNIQUE ID, whose commands programs answer.
pub fn serving_with_programs(now: Instant) -> Device {
    Device {
        has_programs: true,
        ..serving(now)
    }
}

fn subscribe(filter: &str) -> Effect<Progress> {
    Subscribe(TopicFilter::new(filter).unwrap(), QoS::ExactlyOnce)
}

#[test]
fn the_login_goes_out_only_after_the_suback() {
    let now = Instant::now();
    let mut device = device(None, now);
    assert_eq!(
        device.told(now, CONNECTED),
        Ok(vec![subscribe("alice/UUID")])
    );
    assert_eq!(
        device.told(now, CONNECTED),
        Ok(vec![]),
        "a reconnect is the link's business"
    );
    let other = TopicFilter::new("bob/UUID").unwrap();
    assert_eq!(device.told(now, subscribed(&other)), Ok(vec![]));
    let uuid = TopicFilter::new("alice/UUID").unwrap();
    assert_eq!(
        device.told(now, subscribed(&uuid)),
        Ok(vec![Publish(message("login", "alice", QoS::ExactlyOnce))])
    );
}

#[test]
fn what_a_device_does_with_each_message() {
    let now = Instant::now();
    let reply =
        |cmd: &str, word: &str, qos| vec![Publish(message(&format!("U1/{cmd}"), word, qos))];
    let warn = |text: &str| vec![Warn(text.to_owned())];
    let nothing = |topic: &str| vec![Warn(nobody_speaks(topic))];
    type Row = (fn(Instant) -> Device, Message, Vec<Effect<Progress>>);
    let table: Vec<Row> = vec![
        (
            logging_in,
            message("alice/UUID", "U1", QoS::AtLeastOnce),
            vec![
                Note("the UNIQUE ID is U1".to_owned()),
                Emit(Progress::LoggedIn(level("U1"))),
                subscribe("U1"),
            ],
        ),
        (logging_in, message("U1", "CMD1", QoS::AtLeastOnce), vec![]),
        (
            serving,
            message("U1", "CMD1", QoS::AtMostOnce),
            reply("CMD1", "Apple", QoS::AtMostOnce),
        ),
        (
            serving,
            message("U1", "CMD2", QoS::AtLeastOnce),
            reply("CMD2", "Cat", QoS::AtLeastOnce),
        ),
        (
            serving,
            message("U1", "CMD7", QoS::ExactlyOnce),
            reply("CMD7", "Toy", QoS::ExactlyOnce),
        ),
        (
            serving,
            message("U1", " CMD3\r\n", QoS::AtLeastOnce),
            reply("CMD3", "Dog", QoS::AtLeastOnce),
        ),
        (
            serving,
            message("U1", "CMD8", QoS::AtLeastOnce),
            warn("ignored the unknown command `CMD8`"),
        ),
        (
            serving,
            message("U1", "CMD3\0", QoS::AtLeastOnce),
            reply("CMD3", "Dog", QoS::AtLeastOnce),
        ),
        (serving, message("U1", "", QoS::AtLeastOnce), nothing("U1")),
        (
            logging_in,
            message("alice/UUID", "", QoS::AtLeastOnce),
            nothing("alice/UUID"),
        ),
        (
            serving,
            message("alice/UUID", "", QoS::AtLeastOnce),
            nothing("alice/UUID"),
        ),
        (
            serving,
            message("U1", LAST_WORDS, QoS::AtLeastOnce),
            vec![Emit(Progress::Done), Finish],
        ),
        (
            serving,
            message("U1", "Well done", QoS::AtLeastOnce),
            warn("ignored the unknown command `Well done`"),
        ),
        (
            serving,
            message("alice/UUID", "U1", QoS::AtLeastOnce),
            vec![Note("the same UNIQUE ID again".to_owned())],
        ),
        (
            serving,
            message("alice/UUID", "U1\r\n", QoS::AtLeastOnce),
            vec![Note("the same UNIQUE ID again".to_owned())],
        ),
        (
            serving,
            message("alice/UUID", "U2", QoS::AtLeastOnce),
            warn("ignored a second UNIQUE ID `U2`: this session is U1"),
        ),
        (
            serving,
            message("U2", "CMD1", QoS::AtLeastOnce),
            vec![Note("ignored a message on U2".to_owned())],
        ),
    ];
    for (device, message, expected) in table {
        let reaction = device(now).told(now, Event::Received(&message));
        assert_eq!(reaction, Ok(expected), "{message:?}");
    }
}

#[test]
fn the_session_is_not_over_before_every_reply_is_confirmed() {
    let now = Instant::now();
    let mut device = serving(now);
    let login = message("login", "alice", QoS::ExactlyOnce);
    let command = message("U1", "CMD1", QoS::AtLeastOnce);
    let last = message("U1", LAST_WORDS, QoS::AtLeastOnce);
    let reply = message("U1/CMD1", "Apple", QoS::AtLeastOnce);
    device.told(now, Event::Received(&command)).unwrap();
    assert_eq!(device.told(now, Event::Received(&last)), Ok(vec![]));
    assert_eq!(device.told(now, Event::Received(&command)), Ok(vec![]));
    assert_eq!(device.told(now, Event::Confirmed(&login)), Ok(vec![]));
    assert_eq!(
        device.told(now, Event::Confirmed(&reply)),
        Ok(vec![Emit(Progress::Done), Finish])
    );
}

#[test]
fn retained_messages_are_never_obeyed() {
    let now = Instant::now();
    for (mut device, topic, payload) in [
        (logging_in(now), "alice/UUID", "U9"),
        (serving(now), "U1", "CMD1"),
        (serving(now), "U1", LAST_WORDS),
    ] {
        let mut old = message(topic, payload, QoS::AtLeastOnce);
        old.retain = true;
        let reaction = device.told(now, Event::Received(&old)).unwrap();
        assert!(matches!(&reaction[..], [Warn(_)]), "{topic} {reaction:?}");
    }
}

#[test]
fn a_unique_id_that_cannot_be_a_topic_is_the_end() {
    let now = Instant::now();
    for hostile in ["#", "+", "\n", "a/b", "a\0b", "\nx", "x\u{1}"] {
        let id = message("alice/UUID", hostile, QoS::AtLeastOnce);
        let failure = logging_in(now).told(now, Event::Received(&id)).unwrap_err();
        assert_eq!(failure.kind, Kind::Protocol, "{hostile:?}");
    }
}

#[test]
fn the_end_of_a_line_or_string_is_no_part_of_a_unique_id() {
    let now = Instant::now();
    for sent in ["U1\n", "U1\r\n", "U1\0", "U1\n\0\0"] {
        let id = message("alice/UUID", sent, QoS::AtLeastOnce);
        let effects = logging_in(now).told(now, Event::Received(&id)).unwrap();
        let [Note(said), Emit(progress), command] = &effects[..] else {
            panic!("{effects:?}");
        };
        assert!(said.contains("without the end of a line"), "{said}");
        assert_eq!(*progress, Progress::LoggedIn(level("U1")));
        assert_eq!(*command, subscribe("U1"));
    }
}

#[test]
fn an_empty_message_is_no_word_from_the_controller() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut device = serving(start);
    for topic in ["U1", "alice/UUID"] {
        let empty = message(topic, "", QoS::AtLeastOnce);
        device.told(at(50), Event::Received(&empty)).unwrap();
    }
    assert_eq!(device.deadline(), Some(at(60)));
}

#[test]
fn a_session_is_resumed_only_where_the_broker_still_holds_it() {
    let now = Instant::now();
    let present = Event::Connected {
        session_present: true,
    };
    let mut resumed = device(Some("U1"), now);
    assert_eq!(
        resumed.told(now, present).unwrap()[1..],
        [subscribe("alice/UUID"), subscribe("U1")]
    );
    let command = message("U1", "CMD1", QoS::AtLeastOnce);
    assert_eq!(
        resumed.told(now, Event::Received(&command)).unwrap().len(),
        1
    );
    let mut anew = device(Some("U1"), now);
    assert_eq!(
        anew.told(now, CONNECTED).unwrap()[1..],
        [subscribe("alice/UUID")]
    );
}

#[test]
fn it_logs_in_again_only_when_the_broker_forgot_a_confirmed_login() {
    let now = Instant::now();
    let uuid = TopicFilter::new("alice/UUID").unwrap();
    let login = message("login", "alice", QoS::ExactlyOnce);
    let mut device = logging_in(now);
    assert_eq!(device.told(now, subscribed(&uuid)), Ok(vec![]));
    device.told(now, Event::Confirmed(&login)).unwrap();
    let again = device.told(now, subscribed(&uuid)).unwrap();
    assert_eq!(again[1..], [Publish(login)]);
}

#[test]
fn a_login_that_nobody_answers_is_repeated_at_growing_intervals() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let login = message("login", "alice", QoS::ExactlyOnce);
    let mut device = logging_in(start);
    device.told(start, Event::Confirmed(&login)).unwrap();
    for seconds in [12, 36] {
        assert_eq!(device.deadline(), Some(at(seconds)));
        let effects = device.told(at(seconds), Event::Deadline).unwrap();
        assert_eq!(effects[1..], [Publish(login.clone())]);
        // Not before the broker has it.
        assert_eq!(device.deadline(), Some(at(60)));
        let confirmed = Event::Confirmed(&login);
        device.told(at(seconds), confirmed).unwrap();
    }
    assert_eq!(device.deadline(), Some(at(60)));
    let failure = device.told(at(60), Event::Deadline).unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
    let unique_id = message("alice/UUID", "U1", QoS::ExactlyOnce);
    device.told(at(50), Event::Received(&unique_id)).unwrap();
    assert_eq!(device.deadline(), Some(at(110)), "it is logged in");
}

#[test]
fn patience_counts_from_the_controllers_last_word() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut device = serving(start);
    assert_eq!(device.deadline(), Some(at(60)));
    let command = message("U1", "CMD1", QoS::AtLeastOnce);
    device.told(at(50), Event::Received(&command)).unwrap();
    assert_eq!(device.told(at(60), Event::Deadline), Ok(vec![]));
    let failure = device.told(at(110), Event::Deadline).unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
    let last = message("U1", LAST_WORDS, QoS::AtLeastOnce);
    device.told(at(110), Event::Received(&last)).unwrap();
    let reply = message("U1/CMD1", "Apple", QoS::AtLeastOnce);
    device.told(at(110), Event::Confirmed(&reply)).unwrap();
    assert_eq!(device.deadline(), None);
}

#[test]
fn a_reply_that_cannot_be_published_is_counted_or_ends_the_session() {
    for (why, ends) in [
        (Undeliverable::TooLarge, true),
        (Undeliverable::Congested, false),
    ] {
        let now = Instant::now();
        let mut device = serving(now);
        let command = message("U1", "CMD1", QoS::AtMostOnce);
        let effects = device.told(now, Event::Received(&command)).unwrap();
        let [Publish(reply)] = &effects[..] else {
            panic!("{effects:?}");
        };
        let reaction = device.told(now, Event::Undeliverable(reply, why));
        if ends {
            let failure = reaction.unwrap_err();
            assert_eq!(failure.kind, Kind::Config);
            assert!(failure.text.contains("U1/CMD1"), "{failure}");
            continue;
        }
        assert_eq!(reaction, Ok(vec![]));
        let last = message("U1", LAST_WORDS, QoS::AtMostOnce);
        let effects = device.told(now, Event::Received(&last)).unwrap();
        assert!(effects.contains(&Finish), "{effects:?}");
    }
}
