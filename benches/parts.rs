//! The pure parts: roles, outbox, transforms, topics. `cargo bench`; `benches/instructions` counts the
//! instructions of a call, which a busy machine does not change.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot begin has nothing to say"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use divan::Bencher;
use mqtt_client::device_session::Replies;
use mqtt_client::device_session::controller::{Controller, Plan};
use mqtt_client::device_session::device::{Device, DeviceConfig};
use mqtt_client::link::engine::outbox::{By, Outbox, Packet};
use mqtt_client::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Role};
use mqtt_client::text_request::Action;
use mqtt_client::text_request::requester::{RequestConfig, Requester};
use mqtt_client::text_request::responder::{Responder, ResponderConfig};

fn main() {
    divan::main();
}

const CONNECTED: Event<'static> = Event::Connected {
    session_present: false,
};
const ID: &str = "0123456789abcdef0123456789abcdef";

fn subscribed(filter: &TopicFilter) -> Event<'_> {
    let granted = QoS::AtLeastOnce;
    Event::Subscribed { filter, granted }
}

fn level(text: &str) -> Level {
    Level::new(text).expect("a level")
}

fn message(topic: &str, payload: &str) -> Message {
    let topic = TopicName::new(topic).expect("a topic");
    Message::new(topic, payload, QoS::AtLeastOnce)
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).expect("a filter")
}

/// A device with its UNIQUE ID.
fn device(now: Instant) -> Device {
    let config = DeviceConfig {
        qos: QoS::AtLeastOnce,
        ..DeviceConfig::new(level("alice"))
    };
    let mut device = Device::new(config, now);
    let _ = device.handle(now, CONNECTED);
    let _ = device.handle(now, subscribed(&filter("alice/UUID")));
    let _ = device.handle(now, Event::Received(&message("alice/UUID", ID)));
    device
}

#[divan::bench]
fn device_answers_a_command(bencher: Bencher) {
    let now = Instant::now();
    let mut device = device(now);
    let command = message(ID, "CMD3");
    let reply = message(&format!("{ID}/CMD3"), "Dog");
    bencher.bench_local(move || {
        let effects = device.handle(now, Event::Received(black_box(&command)));
        let _ = device.handle(now, Event::Confirmed(&reply));
        effects
    });
}

/// A login, and one command with its reply, among `SESSIONS` sessions that wait for theirs.
#[divan::bench(consts = [1, 1000])]
fn controller_runs_a_session<const SESSIONS: usize>(bencher: Bencher) {
    let now = Instant::now();
    let plan = Plan {
        commands: Some(1..=1),
        delay: Duration::ZERO,
        qos: QoS::AtLeastOnce,
        ..Plan::default()
    };
    let mut controller = Controller::new(plan);
    let _ = controller.handle(now, CONNECTED);
    for _ in 1..SESSIONS {
        let login = message("login", "waits");
        let _ = controller.handle(now, Event::Received(&login));
    }
    let login = message("login", "alice");
    bencher.bench_local(move || one_session(&mut controller, now, &login));
}

fn one_session(controller: &mut Controller, now: Instant, login: &Message) -> usize {
    let mut steps = 0;
    let mut effects = controller
        .handle(now, Event::Received(login))
        .unwrap_or_default();
    // Plays link, broker and device, until the session's report.
    let mut later = now;
    loop {
        steps += 1;
        let mut next = Vec::new();
        for effect in effects {
            let event = match &effect {
                Effect::Subscribe(filter, _) => subscribed(filter),
                Effect::Publish(message) if message.payload.starts_with(b"CMD") => {
                    let command = String::from_utf8_lossy(&message.payload).into_owned();
                    let (_, word) = Replies::default()
                        .answer(&command)
                        .map(|(command, word)| (command.clone(), word.to_owned()))
                        .expect("a known command");
                    let topic = format!("{}/{command}", message.topic.as_str());
                    let reply = self::message(&topic, &word);
                    next.extend(
                        controller
                            .handle(later, Event::Received(&reply))
                            .unwrap_or_default(),
                    );
                    continue;
                }
                Effect::Publish(message) => Event::Confirmed(message),
                Effect::Emit(_) => return steps,
                _ => continue,
            };
            next.extend(controller.handle(later, event).unwrap_or_default());
        }
        if next.is_empty() {
            later += Duration::from_millis(500);
            next = controller
                .handle(later, Event::Deadline)
                .unwrap_or_default();
        }
        effects = next;
    }
}

#[divan::bench]
fn requester_asks_and_is_answered(bencher: Bencher) {
    let now = Instant::now();
    let config = RequestConfig {
        timeout: None,
        ..RequestConfig::new(level("abcd01"), Action::Uppercase)
    };
    let granted = filter("abcd01/uppercase/response");
    let answer = message("abcd01/uppercase/response", "HELLO");
    bencher.bench_local(move || {
        let mut role = Requester::new(config.clone(), "hello".to_owned(), now);
        let _ = role.handle(now, CONNECTED);
        let _ = role.handle(now, subscribed(&granted));
        role.handle(now, Event::Received(&answer))
    });
}

#[divan::bench]
fn responder_answers(bencher: Bencher) {
    let now = Instant::now();
    let mut responder = Responder::new(ResponderConfig {
        seed: 1,
        ..ResponderConfig::default()
    });
    let _ = responder.handle(now, CONNECTED);
    let request = message("abcd01/uppercase/request", "hello");
    bencher.bench_local(move || responder.handle(now, Event::Received(black_box(&request))));
}

/// A window's worth in, out and confirmed, with `BEHIND` packets waiting behind it.
#[divan::bench(consts = [0, 1000])]
fn outbox_carries_a_window<const BEHIND: usize>(bencher: Bencher) {
    let packet = Packet::Publish(message(&format!("{ID}/CMD3"), "Dog"));
    let mut outbox = Outbox::default();
    for _ in 0..BEHIND {
        outbox.push(packet.clone(), None);
    }
    bencher.bench_local(move || {
        for _ in 0..16 {
            outbox.push(packet.clone(), Some(1));
        }
        for pkid in 1..=16 {
            black_box(outbox.next());
            outbox.sent(pkid, 0);
        }
        for pkid in 1..=16 {
            black_box(outbox.confirmed(By::PubAck, pkid));
        }
    });
}

const ASCII: &str = "Hello, world";

fn long_unicode() -> String {
    "Straße, ŒUVRE, naïve Ελλάδα 👩‍👩‍👧 नमस्ते ".repeat(200)
}

const ACTIONS: [Action; 5] = [
    Action::Uppercase,
    Action::Lowercase,
    Action::TitleCase,
    Action::Reverse,
    Action::Shuffle,
];

/// `ACTION` is the place in [`ACTIONS`].
#[divan::bench(consts = [0, 1, 2, 3, 4])]
fn transform_12_bytes<const ACTION: usize>(bencher: Bencher) {
    let mut random = fastrand::Rng::with_seed(1);
    bencher.bench_local(move || ACTIONS[ACTION].apply(black_box(ASCII), &mut random));
}

#[divan::bench(consts = [0, 1, 2, 3, 4])]
fn transform_15_kib_of_unicode<const ACTION: usize>(bencher: Bencher) {
    let text = long_unicode();
    let mut random = fastrand::Rng::with_seed(1);
    bencher.bench_local(move || ACTIONS[ACTION].apply(black_box(&text), &mut random));
}

#[divan::bench]
fn topic_name_is_checked() -> bool {
    TopicName::new(black_box("abcd01/uppercase/response")).is_ok()
}

#[divan::bench]
fn topic_filter_is_checked() -> bool {
    TopicFilter::new(black_box("+/uppercase/request")).is_ok()
}
