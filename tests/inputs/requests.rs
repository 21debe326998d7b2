//! The text service: request topics, the five actions, and both ends on any sequence of events.

use std::time::{Duration, Instant};

use fastrand::Rng;
use mqtt_client::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Kind, Role};
use mqtt_client::text_request::requester::{RequestConfig, Requester};
use mqtt_client::text_request::responder::{Responder, ResponderConfig};
use mqtt_client::text_request::{
    Action, all_requests_filter, parse_request_topic, request_filter, request_topic, response_topic,
};

use crate::source::{bytes, choice, inputs, text};

const WORDS: [&str; 9] = [
    "net",
    "/",
    "uppercase",
    "shuffle",
    "title-case",
    "request",
    "response",
    "louder",
    " ",
];

pub const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn topic(random: &mut Rng) -> Option<TopicName> {
    let topic = match random.u8(..4) {
        0 => text(random, &WORDS),
        1 => format!("net/uppercase/{}", choice(random, &["request", "response"])),
        _ => {
            let [a, b, c] = [(); 3].map(|()| choice(random, &WORDS));
            format!("{a}/{b}/{c}")
        }
    };
    TopicName::new(topic).ok()
}

#[test]
fn a_request_topic_read_back_is_the_same() {
    let mut requests = 0_u32;
    inputs("request topics", |random| {
        let Some(topic) = topic(random) else { return };
        let Some((net_id, action)) = parse_request_topic(&topic) else {
            let level = |at| topic.levels().nth(at);
            let is_level = |at| level(at).is_some_and(|id| Level::new(id).is_ok());
            let right = is_level(0) && is_level(1);
            let right = right && level(2) == Some("request") && level(3).is_none();
            assert!(!right, "{topic}");
            return;
        };
        requests += 1;
        assert_eq!(request_topic(&net_id, action.clone()), topic);
        let is_plain = !net_id.as_str().starts_with('$');
        assert_eq!(all_requests_filter().matches(&topic), is_plain, "{topic}");
        if let Some(action) = action.known() {
            assert_eq!(request_filter(action).matches(&topic), is_plain, "{topic}");
        }
        assert_eq!(parse_request_topic(&response_topic(&net_id, action)), None);
    });
    assert!(requests > 0, "no topic was a request's");
}

#[test]
fn an_action_keeps_what_it_has_to_keep() {
    inputs("texts", |random| {
        let text = text(random, &WORDS);
        for action in Action::ALL {
            let result = action.apply(&text, random);
            // The link takes answers three times as long as the longest request, and no longer.
            assert!(result.len() <= 3 * text.len(), "{action} {text:?}");
            match action {
                Action::Reverse | Action::Shuffle => {
                    let [before, after] = [&text, &result].map(|text| {
                        let mut all: Vec<char> = text.chars().collect();
                        all.sort_unstable();
                        all
                    });
                    assert_eq!(before, after, "{action} {text:?}");
                }
                Action::Uppercase | Action::Lowercase => {
                    assert_eq!(action.apply(&result, random), result, "{action} {text:?}");
                }
                Action::TitleCase => {
                    let white = |text: &str| -> String {
                        text.chars().filter(|c| c.is_whitespace()).collect()
                    };
                    assert_eq!(white(&text), white(&result), "{text:?}");
                }
            }
        }
    });
}

/// No letter stands above this plane.
#[test]
fn no_character_grows_more_than_threefold() {
    let mut random = Rng::with_seed(0);
    for c in '\0'..'\u{20000}' {
        let text = String::from(c);
        for action in [Action::Uppercase, Action::Lowercase, Action::TitleCase] {
            let length = action.apply(&text, &mut random).len();
            assert!(length <= 3 * text.len(), "{action} {c:?}");
        }
    }
}

pub fn message(random: &mut Rng, topic: TopicName, words: &[&str]) -> Message {
    let qos = choice(random, &LEVELS);
    let mut message = Message::new(topic, bytes(random, words), qos);
    message.retain = random.u8(..8) == 0;
    message
}

#[test]
fn a_responder_answers_each_request_once_and_nothing_else() {
    inputs("events at a responder", |random| {
        let now = Instant::now();
        let mut responder = Responder::new(ResponderConfig {
            seed: random.u64(..),
            ..ResponderConfig::default()
        });
        let connected = Event::Connected {
            session_present: random.bool(),
        };
        let filters = responder.handle(now, connected).unwrap();
        assert_eq!(filters.len(), Action::ALL.len());
        for _ in 0..random.u8(..8) {
            let Some(topic) = topic(random) else { continue };
            let message = message(random, topic, &WORDS);
            let effects = responder.handle(now, Event::Received(&message)).unwrap();
            let text = str::from_utf8(&message.payload);
            let request = parse_request_topic(&message.topic);
            let request = request.filter(|(_, action)| action.known().is_some());
            let published: Vec<_> = effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Publish(answer) => Some(answer),
                    Effect::Note(_) | Effect::Warn(_) => None,
                    other => panic!("{other:?}"),
                })
                .collect();
            match (request, text) {
                (Some((net_id, action)), Ok(_)) if !message.retain => {
                    let [answer] = published[..] else {
                        panic!("{effects:?}")
                    };
                    assert_eq!(answer.topic, response_topic(&net_id, action));
                    assert_eq!((answer.qos, answer.retain), (message.qos, false));
                }
                _ => assert_eq!(published, Vec::<&Message>::new(), "{message:?}"),
            }
            let again = responder.handle(now, connected).unwrap();
            assert!(again.is_empty(), "it subscribed again: the link's business");
        }
    });
}

/// How long a requester stays for late answers, at most.
const STAY: Duration = Duration::from_secs(1);

/// Nothing is printed that is not an answer, and nothing after the end.
#[test]
fn a_requester_hands_out_one_answer_to_each_text() {
    let mut ends = [0_u32; 3];
    inputs("events at a requester", |random| {
        let start = Instant::now();
        let (mut now, patience) = (start, Duration::from_secs(10));
        let net = Level::new("net").unwrap();
        let config = RequestConfig::new(net.clone(), Action::Uppercase);
        assert_eq!(config.timeout, Some(patience));
        // One text, or lines.
        let lines = random.bool();
        let texts = if lines { random.usize(..4) } else { 1 };
        let mut requester = match lines {
            true => Requester::of_lines(config, now),
            false => Requester::new(config, "text".to_owned(), now),
        };
        let response = response_topic(&net, Action::Uppercase);
        let filter = TopicFilter::exactly(&response);
        let request = Message::new(request_topic(&net, Action::Uppercase), "text", LEVELS[1]);
        let (mut asked, mut answered, mut finished) = (0, 0, false);
        let (mut awaited, mut ended) = (false, !lines);
        for _ in 0..random.u8(..24) {
            let received;
            let event = match random.u8(..8) {
                5.. if awaited => {
                    awaited = false;
                    ended = answered == texts;
                    Event::Line((!ended).then_some("text"))
                }
                0 => Event::Connected {
                    session_present: random.bool(),
                },
                1 | 2 => Event::Subscribed {
                    filter: &filter,
                    granted: QoS::ExactlyOnce,
                },
                3 => Event::Confirmed(&request),
                4 => {
                    now += Duration::from_millis(random.u64(..3000));
                    Event::Deadline
                }
                _ => {
                    let topic = match random.u8(..3) {
                        0 => topic(random),
                        _ => Some(response.clone()),
                    };
                    received = message(random, topic.unwrap_or(response.clone()), &WORDS);
                    Event::Received(&received)
                }
            };
            let effects = match requester.handle(now, event) {
                Ok(effects) => effects,
                Err(failure) => {
                    assert_eq!(failure.kind, Kind::NoAnswer);
                    assert!(now >= start + patience && !finished);
                    ends[0] += 1;
                    return;
                }
            };
            for effect in effects {
                let said = matches!(effect, Effect::Warn(_));
                assert!(!finished || said, "{effect:?} after the end");
                match effect {
                    Effect::Subscribe(wanted, _) => assert_eq!(wanted, filter),
                    Effect::Publish(question) => {
                        assert_eq!(question.topic, request.topic);
                        asked += 1;
                    }
                    Effect::Emit(answer) => {
                        let Event::Received(message) = event else {
                            panic!("{event:?}")
                        };
                        assert_eq!((&message.topic, message.retain), (&response, false));
                        assert_eq!(answer, message.payload);
                        answered += 1;
                    }
                    Effect::Finish => finished = true,
                    Effect::AwaitLine => awaited = true,
                    Effect::Warn(_) | Effect::Note(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert!(answered <= asked && answered <= texts);
            assert!(!finished || ended && answered == texts);
            // What was asked more than once may be answered once more: it stays for that, not for long.
            let stays = requester.deadline().is_some_and(|at| at <= now + STAY);
            assert!(finished || !ended || answered < texts || stays);
            if event == Event::Deadline {
                assert!(
                    requester.deadline().is_none_or(|at| at > now),
                    "it would spin"
                );
            }
        }
        ends[if finished { 1 } else { 2 }] += 1;
    });
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");
}
