//! The asking end of text requests: subscribes, asks, hands out the answer, and asks the next.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Action, request_topic, response_topic};
use crate::role::{Effect, Event, Failure, Kind, Message, QoS, Reaction, Role};
use crate::topic::{Level, TopicFilter, TopicName};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected yet.
    Starting,
    /// SUBSCRIBE sent; the request only goes out after the SUBACK, or the answer could be missed.
    Subscribing,
    /// The request is published; `confirmed` once the broker has it.
    Asking { confirmed: bool },
    /// The answer is here.
    Answered,
}

/// One request, or several in turn, one at a time.
#[derive(Debug)]
pub struct Requester {
    request: Message,
    /// The texts still to be asked for.
    more: VecDeque<String>,
    /// Which of several this is, from 1; `None` where there is only one.
    line: Option<usize>,
    response: TopicName,
    patience: Option<Duration>,
    limit: Option<Instant>,
    state: State,
}

impl Requester {
    /// A request of `net_id` for `action` on `text`, to be answered within `patience` (`None`: at
    /// any time), which counts from `now` and includes connecting.
    #[must_use]
    pub fn new(
        net_id: &Level,
        action: Action,
        text: String,
        qos: QoS,
        patience: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            request: Message::new(request_topic(net_id, action), text, qos),
            more: VecDeque::new(),
            line: None,
            response: response_topic(net_id, action),
            patience,
            limit: patience.and_then(|patience| now.checked_add(patience)),
            state: State::Starting,
        }
    }

    /// More texts for the same action, each to be asked for when the one before is answered, and each
    /// with all the time that the first one has.
    #[must_use]
    pub fn and_then(mut self, more: VecDeque<String>) -> Self {
        self.more = more;
        self.line = Some(1);
        self
    }

    fn answered(&mut self, now: Instant, answer: &[u8]) -> Vec<Effect<Vec<u8>>> {
        let mut effects = vec![Effect::Emit(answer.to_vec())];
        match self.more.pop_front() {
            None => {
                self.state = State::Answered;
                effects.push(Effect::Finish);
            }
            Some(text) => {
                self.request.payload = text.into_bytes();
                self.line = self.line.map(|line| line + 1);
                self.limit = self.patience.and_then(|patience| now.checked_add(patience));
                effects.extend(self.ask());
            }
        }
        effects
    }

    fn ask(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.state = State::Asking { confirmed: false };
        vec![Effect::Publish(self.request.clone())]
    }
}

impl Role for Requester {
    /// The answer's payload.
    type Item = Vec<u8>;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Vec<u8>> {
        let filter = TopicFilter::exactly(&self.response);
        Ok(match (event, self.state) {
            (Event::Connected { .. }, State::Starting) => {
                self.state = State::Subscribing;
                vec![Effect::Subscribe(filter, self.request.qos)]
            }
            (Event::Subscribed(granted), State::Subscribing) if *granted == filter => self.ask(),
            // The broker forgot the session, and with it perhaps the answer: ask again.
            (Event::Subscribed(granted), State::Asking { confirmed: true })
                if *granted == filter =>
            {
                self.ask()
            }
            (Event::Confirmed(message), State::Asking { .. }) => {
                // An answer may overtake the confirmation of its own request.
                if message.payload == self.request.payload {
                    self.state = State::Asking { confirmed: true };
                }
                Vec::new()
            }
            (Event::Received(message), _) if message.topic != self.response => Vec::new(),
            (Event::Received(message), _) if message.retain => vec![Effect::Warn(format!(
                "ignored a retained message on {}: it answers an earlier request",
                self.response
            ))],
            (Event::Received(message), State::Asking { .. }) => {
                self.answered(now, &message.payload)
            }
            (Event::Deadline, state) if state != State::Answered => match self.limit {
                Some(limit) if now >= limit => {
                    let patience = self.patience.unwrap_or_default();
                    let which = match self.line {
                        Some(line) => format!("line {line}: "),
                        None => String::new(),
                    };
                    let text = format!(
                        "{which}no answer on {} within {} s: is a responder on this broker? (`mqtt_client responder`; -W sets the limit)",
                        self.response,
                        patience.as_secs_f64()
                    );
                    return Err(Failure::new(Kind::NoAnswer, text));
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Answered => None,
            _ => self.limit,
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        self.deadline()
    }

    fn status(&self) -> String {
        match self.state {
            State::Starting | State::Subscribing => "subscribing",
            State::Asking { .. } => "waiting for the answer",
            State::Answered => "answered",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTED: Event<'static> = Event::Connected {
        session_present: false,
    };

    fn requester(now: Instant) -> Requester {
        Requester::new(
            &Level::new("net").unwrap(),
            Action::Reverse,
            "abc".to_owned(),
            QoS::AtLeastOnce,
            Some(Duration::from_secs(10)),
            now,
        )
    }

    fn message(topic: &str, payload: &str) -> Message {
        Message::new(TopicName::new(topic).unwrap(), payload, QoS::AtLeastOnce)
    }

    #[test]
    fn a_request_from_subscribe_to_answer() {
        let now = Instant::now();
        let filter = TopicFilter::new("net/reverse/response").unwrap();
        let answer = message("net/reverse/response", "cba");
        let mut old = answer.clone();
        old.retain = true;
        let request = Effect::Publish(message("net/reverse/request", "abc"));
        let confirmed = message("net/reverse/request", "abc");
        let elsewhere = message("net/shuffle/response", "x");
        let mut requester = requester(now);
        let subscribe = Effect::Subscribe(filter.clone(), QoS::AtLeastOnce);
        let rows: Vec<(Event<'_>, Vec<Effect<Vec<u8>>>)> = vec![
            (CONNECTED, vec![subscribe]),
            (CONNECTED, vec![]),
            (Event::Received(&answer), vec![]),
            (Event::Subscribed(&filter), vec![request.clone()]),
            (Event::Subscribed(&filter), vec![]),
            (Event::Confirmed(&confirmed), vec![]),
            (Event::Subscribed(&filter), vec![request]),
            (Event::Received(&elsewhere), vec![]),
            (
                Event::Received(&answer),
                vec![Effect::Emit(b"cba".to_vec()), Effect::Finish],
            ),
            (Event::Received(&answer), vec![]),
            (Event::Deadline, vec![]),
        ];
        for (row, (event, expected)) in rows.into_iter().enumerate() {
            assert_eq!(requester.handle(now, event), Ok(expected), "row {row}");
        }
    }

    #[test]
    fn several_texts_are_asked_for_one_after_the_other() {
        let now = Instant::now();
        let filter = TopicFilter::new("net/reverse/response").unwrap();
        let more = VecDeque::from(["de".to_owned(), "f".to_owned()]);
        let mut requester = requester(now).and_then(more);
        requester.handle(now, CONNECTED).unwrap();
        requester.handle(now, Event::Subscribed(&filter)).unwrap();
        let later = now + Duration::from_secs(9);
        for (answer, next) in [("cba", "de"), ("ed", "f")] {
            let answer = message("net/reverse/response", answer);
            let effects = requester.handle(later, Event::Received(&answer)).unwrap();
            let next = Effect::Publish(message("net/reverse/request", next));
            assert_eq!(effects, [Effect::Emit(answer.payload), next]);
        }
        let limit = later + Duration::from_secs(10);
        assert_eq!(requester.deadline(), Some(limit));
        let failure = requester.handle(limit, Event::Deadline).unwrap_err();
        assert!(failure.text.starts_with("line 3: no answer"), "{failure}");
        let last = message("net/reverse/response", "f");
        let effects = requester.handle(later, Event::Received(&last)).unwrap();
        assert_eq!(effects[1], Effect::Finish);
    }

    #[test]
    fn a_retained_answer_is_an_old_one() {
        let now = Instant::now();
        let filter = TopicFilter::new("net/reverse/response").unwrap();
        let mut requester = requester(now);
        requester.handle(now, CONNECTED).unwrap();
        requester.handle(now, Event::Subscribed(&filter)).unwrap();
        let mut old = message("net/reverse/response", "old");
        old.retain = true;
        let effects = requester.handle(now, Event::Received(&old)).unwrap();
        assert!(matches!(effects[..], [Effect::Warn(_)]));
    }

    #[test]
    fn no_answer_in_time() {
        let now = Instant::now();
        let mut requester = requester(now);
        let limit = now + Duration::from_secs(10);
        assert_eq!(requester.deadline(), Some(limit));
        assert_eq!(requester.handle(now, Event::Deadline), Ok(vec![]));
        let failure = requester.handle(limit, Event::Deadline).unwrap_err();
        assert_eq!(failure.kind, Kind::NoAnswer);
    }
}
