//! The answering end of text requests: answers each one that comes, until it is stopped.

use std::convert::Infallible;
use std::time::Instant;

use super::{
    Action, ActionName, all_requests_filter, parse_request_topic, request_filter, response_topic,
};
use crate::mqtt::{Level, MAX_PAYLOAD, Message, QoS, TopicFilter, TopicName, printable};
use crate::role::{Effect, Event, Job, Outcome, Reaction, Role, Undeliverable};

/// How a responder answers.
#[derive(Debug, Clone)]
pub struct ResponderConfig {
    /// The QoS of the subscriptions. An answer takes the QoS of its request.
    pub qos: QoS,
    /// The group that it shares the requests with: each request goes to one of them.
    pub share: Option<Level>,
    /// Programs answer requests; where there is none, the actions of its own do.
    pub has_programs: bool,
    /// Where the order of shuffled texts comes from.
    pub seed: u64,
}

impl ResponderConfig {
    /// The QoS that the protocol asks for.
    pub const QOS: QoS = QoS::AtLeastOnce;
}

impl Default for ResponderConfig {
    fn default() -> Self {
        Self {
            qos: Self::QOS,
            share: None,
            has_programs: false,
            seed: 0,
        }
    }
}

/// The responder.
#[derive(Debug)]
pub struct Responder {
    qos: QoS,
    share: Option<Level>,
    has_programs: bool,
    random: fastrand::Rng,
    started: bool,
    answered: u64,
}

impl Responder {
    /// A responder. It has no deadlines, and so needs no time to begin with.
    #[must_use]
    pub fn new(config: ResponderConfig) -> Self {
        let ResponderConfig {
            qos,
            share,
            has_programs,
            seed,
        } = config;
        Self {
            qos,
            share,
            has_programs,
            random: fastrand::Rng::with_seed(seed),
            started: false,
            answered: 0,
        }
    }

    fn subscribe(&self) -> Vec<Effect<()>> {
        match self.has_programs {
            // A program may come and go while this runs.
            true => vec![self.subscribe_to(&all_requests_filter())],
            false => {
                let filters = Action::ALL.map(request_filter);
                filters
                    .iter()
                    .map(|filter| self.subscribe_to(filter))
                    .collect()
            }
        }
    }

    fn subscribe_to(&self, filter: &TopicFilter) -> Effect<()> {
        let filter = match &self.share {
            Some(group) => filter.shared(group),
            None => filter.clone(),
        };
        Effect::Subscribe(filter, self.qos)
    }

    fn answer(&mut self, message: &Message) -> Vec<Effect<()>> {
        let Message { topic, payload, .. } = message;
        let warn = |why: &str| vec![Effect::Warn(format!("no answer to {topic}: {why}"))];
        if message.retain {
            return warn("the request is retained, so it is an old one");
        }
        let Some((net_id, action)) = parse_request_topic(topic) else {
            return warn("the topic is not NETID/ACTION/request");
        };
        let asked = Effect::Note(format!(
            "{net_id} asked for {action} of `{}`",
            printable(payload)
        ));
        let answer = match self.has_programs {
            true => Ok(Effect::Run(Box::new(job(&net_id, &action, message)))),
            false => self
                .apply(&action, payload)
                .map(|answer| self.publish(response_topic(&net_id, action), answer, message.qos)),
        };
        match answer {
            Ok(answer) => vec![asked, answer],
            Err(why) => warn(why),
        }
    }

    /// What one of the actions of its own makes of the text.
    fn apply(&mut self, action: &ActionName, text: &[u8]) -> Result<Vec<u8>, &'static str> {
        let text = std::str::from_utf8(text).map_err(|_| "the message is not UTF-8")?;
        let action = action.known().ok_or("there is no such action")?;
        Ok(action.apply(text, &mut self.random).into_bytes())
    }

    fn publish(&mut self, topic: TopicName, answer: Vec<u8>, qos: QoS) -> Effect<()> {
        self.answered += 1;
        Effect::Publish(Message::new(topic, answer, qos))
    }

    /// A program has ended, or there is none.
    fn ran(&mut self, job: &Job, outcome: &Outcome) -> Vec<Effect<()>> {
        let mut effects = Vec::new();
        let name = printable(job.program.as_bytes());
        let answer = match outcome {
            Outcome::Missing => {
                let action = Level::new(&job.program).map(ActionName::new);
                let applied = match action {
                    Ok(action) => self.apply(&action, &job.input),
                    Err(_) => Err("there is no such action"),
                };
                match applied {
                    Ok(answer) => answer,
                    Err(why) => {
                        let topic = &job.topic;
                        return vec![Effect::Warn(format!("no answer on {topic}: {why}"))];
                    }
                }
            }
            Outcome::Failed { why, .. } => {
                effects.push(Effect::Warn(format!("the action {name} failed: {why}")));
                outcome.clone().into_payload()
            }
            Outcome::Done(_) => outcome.clone().into_payload(),
        };
        effects.push(self.publish(job.topic.clone(), answer, job.qos));
        effects
    }
}

/// The program that answers a request: it reads the text on standard input.
fn job(net_id: &Level, action: &ActionName, request: &Message) -> Job {
    Job {
        program: action.to_string(),
        arguments: Vec::new(),
        input: request.payload.to_vec(),
        variables: vec![
            ("NETID".to_owned(), net_id.to_string()),
            ("ACTION".to_owned(), action.to_string()),
        ],
        topic: response_topic(net_id, action.clone()),
        qos: request.qos,
    }
}

impl Role for Responder {
    type Item = ();
    type Input = Infallible;

    fn handle(&mut self, _: Instant, event: Event<'_>) -> Reaction<()> {
        Ok(match event {
            Event::Connected { .. } if !self.started => {
                self.started = true;
                self.subscribe()
            }
            Event::Received(message) => self.answer(message),
            Event::Ran(job, outcome) => self.ran(job, outcome),
            Event::Undeliverable(answer, Undeliverable::TooLarge) => vec![Effect::Warn(format!(
                "no answer on {}: it would have {} bytes, more than {MAX_PAYLOAD}",
                answer.topic,
                answer.payload.len()
            ))],
            _ => Vec::new(),
        })
    }

    fn status(&self) -> String {
        format!("{} requests answered", self.answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::TopicName;

    #[test]
    fn requests_are_answered_at_their_own_qos() {
        let now = Instant::now();
        let mut responder = Responder::new(ResponderConfig::default());
        let connected = Event::Connected {
            session_present: false,
        };
        assert_eq!(responder.handle(now, connected).unwrap().len(), 5);
        assert_eq!(responder.handle(now, connected), Ok(vec![]));
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let topic = |end| TopicName::new(format!("net/uppercase/{end}")).unwrap();
            let request = Message::new(topic("request"), "abc", qos);
            let effects = responder.handle(now, Event::Received(&request)).unwrap();
            assert_eq!(
                effects[1],
                Effect::Publish(Message::new(topic("response"), "ABC", qos))
            );
        }
    }

    #[test]
    fn a_group_shares_the_requests_and_the_answers_stay_where_they_are() {
        let now = Instant::now();
        let mut responder = Responder::new(ResponderConfig {
            share: Some(Level::new("west").unwrap()),
            ..ResponderConfig::default()
        });
        let connected = Event::Connected {
            session_present: false,
        };
        let effects = responder.handle(now, connected).unwrap();
        assert_eq!(effects.len(), 5);
        for effect in effects {
            let Effect::Subscribe(filter, _) = effect else {
                panic!("{effect:?}");
            };
            assert!(filter.as_str().starts_with("$share/west/+/"), "{filter}");
            assert!(filter.is_shared());
        }
        let topic = |end| TopicName::new(format!("net/uppercase/{end}")).unwrap();
        let request = Message::new(topic("request"), "abc", QoS::AtLeastOnce);
        let effects = responder.handle(now, Event::Received(&request)).unwrap();
        assert_eq!(
            effects[1],
            Effect::Publish(Message::new(topic("response"), "ABC", QoS::AtLeastOnce))
        );
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let now = Instant::now();
        let mut responder = Responder::new(ResponderConfig::default());
        for (topic, payload, retain) in [
            ("net/uppercase/request", &b"\xff"[..], false),
            ("net/uppercase/request", b"old", true),
            ("net/louder/request", b"abc", false),
            ("/uppercase/request", b"abc", false),
        ] {
            let topic = TopicName::new(topic).unwrap();
            let mut request = Message::new(topic, payload, QoS::AtLeastOnce);
            request.retain = retain;
            let effects = responder.handle(now, Event::Received(&request)).unwrap();
            assert!(matches!(effects[..], [Effect::Warn(_)]), "{request:?}");
        }
    }
}
