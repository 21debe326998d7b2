//! The asking end of text requests: subscribes, asks, hands out the answer, and asks the next.

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
    /// The next line has not come yet.
    Waiting,
    /// The request is published; `confirmed` once the broker has it.
    Asking { confirmed: bool },
    /// The answer is here.
    Answered,
}

/// One request, or several in turn, one at a time.
#[derive(Debug)]
pub struct Requester {
    request: Message,
    /// There is a request for each line that comes in.
    lines: bool,
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
            lines: false,
            response: response_topic(net_id, action),
            patience,
            limit: patience.and_then(|patience| now.checked_add(patience)),
            state: State::Starting,
        }
    }

    /// The same for each line, as it comes, one at a time: `patience` is for connecting, and then for
    /// each answer. Nobody is hurried to write a line.
    #[must_use]
    pub fn of_lines(
        net_id: &Level,
        action: Action,
        qos: QoS,
        patience: Option<Duration>,
        now: Instant,
    ) -> Self {
        Self {
            lines: true,
            ..Self::new(net_id, action, String::new(), qos, patience, now)
        }
    }

    /// What follows a text that was asked for and answered, or the subscription.
    fn next(&mut self) -> Effect<Vec<u8>> {
        self.limit = None;
        match self.lines {
            true => {
                self.state = State::Waiting;
                Effect::AwaitLine
            }
            false => {
                self.state = State::Answered;
                Effect::Finish
            }
        }
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
            (Event::Subscribed(granted), State::Subscribing) if *granted == filter => {
                match self.lines {
                    true => vec![self.next()],
                    false => self.ask(),
                }
            }
            (Event::Line(Some(text)), State::Waiting) => {
                self.request.payload = text.as_bytes().to_vec();
                self.limit = self.patience.and_then(|patience| now.checked_add(patience));
                self.ask()
            }
            (Event::Line(None), State::Waiting) => {
                self.lines = false;
                vec![self.next()]
            }
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
                vec![Effect::Emit(message.payload.clone()), self.next()]
            }
            (Event::Deadline, _) => match self.limit {
                Some(limit) if now >= limit => {
                    let patience = self.patience.unwrap_or_default();
                    let text = format!(
                        "no answer on {} within {} s: is a responder on this broker? (`mqtt_client responder`; -W sets the limit)",
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
        self.limit
    }

    fn time_limit(&self) -> Option<Instant> {
        self.deadline()
    }

    fn status(&self) -> String {
        match self.state {
            State::Starting | State::Subscribing => "subscribing",
            State::Waiting => "waiting for a line",
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
    fn lines_are_asked_for_one_after_the_other_as_they_come() {
        let now = Instant::now();
        let net_id = Level::new("net").unwrap();
        let patience = Duration::from_secs(10);
        let (action, qos) = (Action::Reverse, QoS::AtLeastOnce);
        let mut requester = Requester::of_lines(&net_id, action, qos, Some(patience), now);
        requester.handle(now, CONNECTED).unwrap();
        assert_eq!(requester.deadline(), Some(now + patience));
        let filter = TopicFilter::new("net/reverse/response").unwrap();
        let subscribed = requester.handle(now, Event::Subscribed(&filter));
        assert_eq!(subscribed, Ok(vec![Effect::AwaitLine]));
        let late = message("net/reverse/response", "late");
        for (line, answer) in [("abc", "cba"), ("", ""), ("abc", "cba")] {
            assert_eq!(requester.deadline(), None);
            // However long it takes to write a line, and whatever else happens in the meantime.
            let later = now + Duration::from_secs(3600);
            for event in [Event::Deadline, Event::Subscribed(&filter), CONNECTED] {
                assert_eq!(requester.handle(later, event), Ok(vec![]));
            }
            assert_eq!(requester.handle(later, Event::Received(&late)), Ok(vec![]));
            let effects = requester.handle(later, Event::Line(Some(line))).unwrap();
            let request = message("net/reverse/request", line);
            assert_eq!(effects, [Effect::Publish(request)]);
            assert_eq!(requester.deadline(), Some(later + patience));
            let answer = message("net/reverse/response", answer);
            let effects = requester.handle(later, Event::Received(&answer)).unwrap();
            assert_eq!(effects, [Effect::Emit(answer.payload), Effect::AwaitLine]);
        }
        let ended = requester.handle(now, Event::Line(None));
        assert_eq!(ended, Ok(vec![Effect::Finish]));
        assert_eq!(requester.deadline(), None);
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
