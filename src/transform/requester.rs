//! The asking end of text requests: subscribes, asks, asks again when no answer comes, hands out the
//! answer, and asks the next.

use std::time::{Duration, Instant};

use super::late::Late;
use super::{Action, request_topic, response_topic};
use crate::role::{Effect, Event, Failure, Kind, Message, QoS, Reaction, Role};
use crate::topic::{Level, TopicFilter, TopicName};

/// Of the time limit, the part after which an unanswered request is repeated for the first time.
const FIRST_REPEAT: u32 = 5;

/// The same where there is no limit, and the longest time between two repetitions then.
const FIRST_REPEAT_UNLIMITED: Duration = Duration::from_secs(2);
const RAREST_REPEAT: Duration = Duration::from_secs(60);

/// How long to stay for answers to what was asked more than once: another run under the same NETID
/// would take them for its own.
const STAY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected yet.
    Starting,
    /// SUBSCRIBE sent; the request only goes out after the SUBACK, or the answer could be missed.
    Subscribing,
    /// The next line has not come yet.
    Waiting,
    /// The request is published. Once the broker has it, it is published again at `repeat`.
    Asking { repeat: Option<Instant> },
    /// The last answer is here, and late ones may follow until then.
    Staying { until: Instant },
    /// All is over.
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
    /// How often the present text may have been asked.
    asks: u32,
    /// From an ask to its repetition.
    interval: Duration,
    late: Late,
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
            asks: 0,
            interval: first_repeat(patience),
            late: Late::new(action),
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

    fn answered(&mut self, now: Instant, answer: &[u8]) -> Vec<Effect<Vec<u8>>> {
        let text = std::mem::take(&mut self.request.payload);
        self.late
            .expect(text, answer.to_vec(), self.asks.saturating_sub(1));
        let mut effects = vec![Effect::Emit(answer.to_vec())];
        match self.lines {
            true => effects.extend(self.await_line()),
            false => effects.extend(self.stay(now)),
        }
        effects
    }

    fn await_line(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.limit = None;
        self.state = State::Waiting;
        vec![Effect::AwaitLine]
    }

    fn ask_for_line(&mut self, now: Instant, text: &str) -> Vec<Effect<Vec<u8>>> {
        self.request.payload = text.as_bytes().to_vec();
        self.asks = 0;
        self.interval = first_repeat(self.patience);
        self.limit = self.patience.and_then(|patience| now.checked_add(patience));
        self.ask()
    }

    fn stay(&mut self, now: Instant) -> Vec<Effect<Vec<u8>>> {
        if self.late.is_empty() {
            return self.leave();
        }
        let until = now + STAY;
        let until = self.limit.map_or(until, |limit| until.min(limit));
        self.state = State::Staying { until };
        Vec::new()
    }

    fn ask(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.asks += 1;
        self.state = State::Asking { repeat: None };
        vec![Effect::Publish(self.request.clone())]
    }

    fn ask_again(&mut self) -> Vec<Effect<Vec<u8>>> {
        let mut effects = vec![Effect::Note("no answer yet: asking again".to_owned())];
        self.interval *= 2;
        if self.patience.is_none() {
            self.interval = self.interval.min(RAREST_REPEAT);
        }
        effects.extend(self.ask());
        effects
    }

    fn leave(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.state = State::Answered;
        vec![Effect::Finish]
    }

    fn received(&mut self, now: Instant, answer: &[u8]) -> Vec<Effect<Vec<u8>>> {
        let asked = match self.state {
            State::Asking { .. } => Some(&*self.request.payload),
            State::Waiting | State::Staying { .. } => None,
            _ => return Vec::new(),
        };
        let is_asking = asked.is_some();
        let is_staying = matches!(self.state, State::Staying { .. });
        match self.late.takes(answer, asked) {
            false if is_asking => self.answered(now, answer),
            false => Vec::new(),
            true => {
                let text = "ignored a late answer to what was asked twice".to_owned();
                let mut effects = vec![Effect::Note(text)];
                if is_staying && self.late.is_empty() {
                    effects.extend(self.leave());
                }
                effects
            }
        }
    }

    fn no_answer(&self) -> Failure {
        let text = format!(
            "no answer on {} within {} s: is a responder on this broker? (`mqtt_client responder`; -W sets the limit)",
            self.response,
            self.patience.unwrap_or_default().as_secs_f64()
        );
        Failure::new(Kind::NoAnswer, text)
    }
}

fn first_repeat(patience: Option<Duration>) -> Duration {
    patience.map_or(FIRST_REPEAT_UNLIMITED, |patience| patience / FIRST_REPEAT)
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
                    true => self.await_line(),
                    false => self.ask(),
                }
            }
            (Event::Line(Some(text)), State::Waiting) => self.ask_for_line(now, text),
            (Event::Line(None), State::Waiting) => self.stay(now),
            // The broker forgot the session, and with it perhaps the answer: ask again.
            (Event::Subscribed(granted), State::Asking { repeat: Some(_) })
                if *granted == filter =>
            {
                self.ask()
            }
            (Event::Connected { .. }, State::Asking { repeat: None }) => {
                // The link sends it again, and the broker may have had it.
                self.asks += 1;
                Vec::new()
            }
            (Event::Confirmed(message), State::Asking { .. }) => {
                // An answer may overtake the confirmation of its own request.
                if message.payload == self.request.payload {
                    let repeat = now.checked_add(self.interval);
                    self.state = State::Asking { repeat };
                }
                Vec::new()
            }
            (Event::Received(message), _) if message.topic != self.response => Vec::new(),
            (Event::Received(message), _) if message.retain => vec![Effect::Warn(format!(
                "ignored a retained message on {}: it answers an earlier request",
                self.response
            ))],
            (Event::Received(message), _) => self.received(now, &message.payload),
            (Event::Deadline, State::Staying { until }) if now >= until => self.leave(),
            (Event::Deadline, State::Staying { .. } | State::Answered) => Vec::new(),
            (Event::Deadline, state) => match (self.limit, state) {
                (Some(limit), _) if now >= limit => return Err(self.no_answer()),
                (_, State::Asking { repeat: Some(at) }) if now >= at => self.ask_again(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Answered => None,
            State::Staying { until } => Some(until),
            State::Asking { repeat } => [repeat, self.limit].into_iter().flatten().min(),
            _ => self.limit,
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        match self.state {
            State::Answered => None,
            State::Staying { until } => Some(until),
            _ => self.limit,
        }
    }

    fn status(&self) -> String {
        match self.state {
            State::Starting | State::Subscribing => "subscribing",
            State::Waiting => "waiting for a line",
            State::Asking { .. } => "waiting for the answer",
            State::Staying { .. } | State::Answered => "answered",
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
        let late = Effect::Note("ignored a late answer to what was asked twice".to_owned());
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
                vec![Effect::Emit(b"cba".to_vec())],
            ),
            // Asked twice, so a second answer may come.
            (Event::Received(&answer), vec![late, Effect::Finish]),
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

    /// A requester whose first text is asked and with the broker, at `now`.
    fn asking(mut requester: Requester, now: Instant) -> Requester {
        let filter = TopicFilter::new("net/reverse/response").unwrap();
        let asked = message("net/reverse/request", "abc");
        requester.handle(now, CONNECTED).unwrap();
        requester.handle(now, Event::Subscribed(&filter)).unwrap();
        requester.handle(now, Event::Confirmed(&asked)).unwrap();
        requester
    }

    #[test]
    fn what_is_not_answered_is_asked_again_at_growing_intervals() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let asked = message("net/reverse/request", "abc");
        let answer = message("net/reverse/response", "cba");
        let mut requester = asking(requester(start), start);
        for seconds in [2, 6] {
            assert_eq!(requester.deadline(), Some(at(seconds)));
            let effects = requester.handle(at(seconds), Event::Deadline).unwrap();
            assert_eq!(effects[1..], [Effect::Publish(asked.clone())]);
            // Not before the broker has it.
            assert_eq!(requester.deadline(), Some(at(10)));
            let confirmed = Event::Confirmed(&asked);
            requester.handle(at(seconds), confirmed).unwrap();
        }
        assert_eq!(requester.deadline(), Some(at(10)));
        assert_eq!(requester.time_limit(), Some(at(10)));
        // The answer is handed out once, and at once; then it stays for the two that are owed.
        let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
        assert_eq!(effects, [Effect::Emit(b"cba".to_vec())]);
        assert_eq!(requester.deadline(), Some(at(8)));
        let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
        assert!(matches!(effects[..], [Effect::Note(_)]), "{effects:?}");
        let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
        assert!(matches!(effects[..], [Effect::Note(_), Effect::Finish]));
    }

    #[test]
    fn it_does_not_stay_for_late_answers_beyond_a_second_or_the_limit() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        let answer = message("net/reverse/response", "cba");
        for (answered, left) in [(30, 40), (95, 100)] {
            let mut requester = asking(requester(start), start);
            requester.handle(at(20), Event::Deadline).unwrap();
            requester
                .handle(at(answered), Event::Received(&answer))
                .unwrap();
            assert_eq!(requester.deadline(), Some(at(left)));
            let effects = requester.handle(at(left), Event::Deadline);
            assert_eq!(effects, Ok(vec![Effect::Finish]));
        }
    }

    #[test]
    fn a_late_answer_to_one_line_is_never_the_answer_to_the_next() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let patience = Some(Duration::from_secs(10));
        let (action, qos) = (Action::Reverse, QoS::AtLeastOnce);
        let net_id = Level::new("net").unwrap();
        let requester = Requester::of_lines(&net_id, action, qos, patience, start);
        let mut lines = ["abc", "de", "abc", "f"].into_iter();
        let mut requester = asking(requester, start);
        let first = Event::Line(lines.next());
        requester.handle(start, first).unwrap();
        let asked = message("net/reverse/request", "abc");
        requester.handle(start, Event::Confirmed(&asked)).unwrap();
        requester.handle(at(2), Event::Deadline).unwrap();
        let mut say = |requester: &mut Requester, text: &str| {
            let answer = message("net/reverse/response", text);
            let effects = requester.handle(at(3), Event::Received(&answer)).unwrap();
            if effects.contains(&Effect::AwaitLine) {
                let next = Event::Line(lines.next());
                requester.handle(at(3), next).unwrap();
            }
            let printed = effects.into_iter().filter_map(|effect| match effect {
                Effect::Emit(answer) => Some(String::from_utf8(answer).unwrap()),
                _ => None,
            });
            printed.collect::<Vec<String>>()
        };
        assert_eq!(say(&mut requester, "cba"), ["cba"]);
        // The second answer to `abc`, before and after that to `de`.
        assert_eq!(say(&mut requester, "cba"), [""; 0]);
        assert_eq!(say(&mut requester, "ed"), ["ed"]);
        assert_eq!(say(&mut requester, "cba"), ["cba"]);
        assert_eq!(say(&mut requester, "f"), ["f"]);
    }

    #[test]
    fn without_a_limit_it_asks_again_after_2_s_and_then_more_and_more_rarely() {
        let start = Instant::now();
        let mut unlimited = requester(start);
        unlimited.patience = None;
        unlimited.limit = None;
        unlimited.interval = first_repeat(None);
        let asked = message("net/reverse/request", "abc");
        let mut requester = asking(unlimited, start);
        let mut now = start;
        for interval in [2, 4, 8, 16, 32, 60, 60] {
            now += Duration::from_secs(interval);
            assert_eq!(requester.deadline(), Some(now));
            requester.handle(now, Event::Deadline).unwrap();
            requester.handle(now, Event::Confirmed(&asked)).unwrap();
        }
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
