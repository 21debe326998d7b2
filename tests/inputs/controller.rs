//! The controller on any sequence of events: whose topics it uses, and what becomes of each session.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fastrand::Rng;
use mqtt_client::device_session::controller::{Controller, Plan};
use mqtt_client::device_session::report::Report;
use mqtt_client::device_session::{LAST_WORDS, login_topic, reply_topic};
use mqtt_client::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Role};

use crate::requests::message;
use crate::source::{choice, inputs};

const WORDS: [&str; 8] = [
    "alice", "bob", "#", "a/b", "\"\\\n", "Apple", "Cat", "\u{1b}",
];

/// What a controller has done so far, as an onlooker sees it.
#[derive(Default)]
struct Watch {
    /// The sessions under way: the UNIQUE ID and what was published to it.
    sessions: BTreeMap<String, Vec<Message>>,
    /// Every UNIQUE ID so far.
    known: BTreeSet<String>,
    unconfirmed: Vec<Message>,
    reports: Vec<Report>,
    finished: bool,
}

impl Watch {
    fn effect(&mut self, effect: Effect<Report>, event: Event<'_>) {
        match effect {
            Effect::Subscribe(filter, _) if filter.as_str() == "login" => {
                assert!(matches!(event, Event::Connected { .. }));
            }
            Effect::Subscribe(filter, _) => {
                let Event::Received(login) = event else {
                    panic!("{event:?}")
                };
                assert!(login.topic == login_topic() && !login.retain, "{login:?}");
                let id = filter.as_str().strip_suffix("/+").unwrap().to_owned();
                // Not to be guessed, and nothing of what the device sent in it.
                assert!(
                    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{id}"
                );
                assert!(self.known.insert(id.clone()), "{id} was given twice");
                self.sessions.insert(id, Vec::new());
            }
            Effect::Publish(message) => {
                let id = String::from_utf8(message.payload.clone()).unwrap();
                assert!(!message.retain);
                if let Some(user) = message.topic.as_str().strip_suffix("/verdict") {
                    assert!(Level::new(user).is_ok() && message.qos == QoS::AtLeastOnce);
                    self.unconfirmed.push(message);
                    return;
                }
                match message.topic.as_str().strip_suffix("/UUID") {
                    Some(user) => {
                        assert!(Level::new(user).is_ok() && self.sessions.contains_key(&id));
                    }
                    None => {
                        let known = self.sessions.get_mut(message.topic.as_str());
                        known.unwrap().push(message.clone());
                    }
                }
                self.unconfirmed.push(message);
            }
            // Nothing wider than a session, a user or the logins.
            Effect::TrySubscribe(filter, qos) => {
                assert_eq!(qos, QoS::AtMostOnce);
                self.assert_near(&filter);
            }
            Effect::Unsubscribe(filter) => self.assert_near(&filter),
            Effect::Emit(report) => {
                let sent = self.sessions.remove(report.unique_id.as_str()).unwrap();
                let sent: Vec<_> = sent.iter().map(|m| m.payload.clone()).collect();
                let last_words = sent
                    .last()
                    .is_some_and(|last| last == LAST_WORDS.as_bytes());
                assert_eq!(last_words, report.verdict.is_ok(), "{report:?}");
                let commands = sent.len() - usize::from(last_words);
                assert_eq!(report.commands.len(), commands, "{report:?}");
                assert_json(&report.to_json());
                self.reports.push(report);
            }
            Effect::Finish => self.finished = true,
            Effect::Note(_) => {}
            Effect::Remember(..) => {}
            Effect::Run(job) => panic!("{job:?} without programs"),
            Effect::AwaitLine => panic!("a line for the controller"),
            Effect::Warn(text) => assert!(!text.contains(char::is_control), "{text:?}"),
        }
    }
}

impl Watch {
    /// It begins with a name, or has a UNIQUE ID second.
    fn assert_near(&self, filter: &TopicFilter) {
        let mut levels = filter.as_str().split('/');
        let (first, second) = (levels.next().unwrap(), levels.next());
        let is_session = second.is_some_and(|level| self.known.contains(level));
        assert!(first != "#" && (first != "+" || is_session), "{filter}");
    }
}

/// One line, every string of it ended, every brace closed (RFC 8259, section 7).
fn assert_json(line: &str) {
    assert!(line.bytes().all(|byte| byte >= b' '), "{line:?}");
    let (mut open, mut quoted, mut escaped) = (0, false, false);
    for c in line.chars() {
        match (quoted, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => quoted = !quoted,
            (false, '{' | '[') => open += 1,
            (false, '}' | ']') => open -= 1,
            _ => {}
        }
        assert!(open >= 0 && (open > 0 || c == '}'), "{line}");
    }
    assert!(open == 0 && !quoted, "{line}");
}

/// A message of a device in one of the sessions, mostly a right one.
fn reply(random: &mut Rng, watch: &Watch) -> Option<Message> {
    let ids: Vec<&String> = watch.sessions.keys().collect();
    let id = Level::new(random.choice(ids)?).unwrap();
    let table = Plan::default().replies;
    let commands: Vec<&Level> = table.commands().collect();
    let (command, word) = table.answer(choice(random, &commands).as_str()).unwrap();
    let mut message = message(random, reply_topic(&id, command), &WORDS);
    if random.u8(..8) > 0 {
        message = Message::new(message.topic, word, QoS::ExactlyOnce);
    }
    Some(message)
}

#[test]
fn a_controller_brings_every_session_to_one_end() {
    let (mut passed, mut failed, mut finished) = (0, 0, 0);
    inputs("events at a controller", |random| {
        let mut now = Instant::now();
        let most = random.bool().then(|| random.u64(1..4));
        let mut controller = Controller::new(Plan {
            commands: Some(0..=2),
            delay: Duration::from_secs(random.u64(..3)),
            seed: random.u64(..),
            sessions: most,
            verdict: random.bool(),
            ..Plan::default()
        });
        let mut watch = Watch::default();
        for at in 0..random.u8(..64) {
            let (message, filter);
            let event = match random.u8(..16) {
                _ if at == 0 => Event::Connected {
                    session_present: false,
                },
                0 => Event::Connected {
                    session_present: random.bool(),
                },
                1..=3 => {
                    let ids: Vec<&String> = watch.known.iter().collect();
                    let id = random.choice(ids).map(|id| format!("{id}/+"));
                    filter = TopicFilter::new(id.unwrap_or("login".to_owned())).unwrap();
                    Event::Subscribed {
                        filter: &filter,
                        granted: QoS::ExactlyOnce,
                    }
                }
                4..=6 if !watch.unconfirmed.is_empty() => {
                    message = watch.unconfirmed.remove(0);
                    Event::Confirmed(&message)
                }
                7 | 8 => {
                    now += Duration::from_millis(random.u64(..4000));
                    Event::Deadline
                }
                9 => {
                    now += Duration::from_secs(random.u64(..100));
                    Event::Deadline
                }
                10..=12 => {
                    let user = choice(random, &["alice", "bob"]);
                    let mut login = self::message(random, login_topic(), &WORDS);
                    if random.u8(..4) > 0 {
                        login.payload = user.into();
                    }
                    message = login;
                    Event::Received(&message)
                }
                _ => {
                    let other = TopicName::new("elsewhere/CMD1").unwrap();
                    let reply = reply(random, &watch);
                    message = reply.unwrap_or_else(|| self::message(random, other, &WORDS));
                    Event::Received(&message)
                }
            };
            let effects = controller.handle(now, event).unwrap();
            effects
                .into_iter()
                .for_each(|effect| watch.effect(effect, event));
            if event == Event::Deadline {
                assert!(
                    controller.deadline().is_none_or(|at| at > now),
                    "it would spin"
                );
            }
            let reports = watch.reports.len() as u64;
            assert!(most.is_none_or(|most| watch.known.len() as u64 <= most));
            assert_eq!(watch.finished, most == Some(reports));
        }
        let ok = watch.reports.iter().filter(|report| report.verdict.is_ok());
        let ok = ok.count();
        passed += ok;
        failed += watch.reports.len() - ok;
        finished += u32::from(watch.finished);
    });
    assert!(
        passed > 0 && failed > 0 && finished > 0,
        "{passed} {failed} {finished}"
    );
}
