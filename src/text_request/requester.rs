//! The asking end of text requests: subscribes, asks, asks again when no answer comes, hands out the
//! answer, and asks the next.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::late_answers::LateAnswers;
use super::{ActionName, request_topic, response_topic};
use crate::mqtt::{Level, MAX_PAYLOAD, Message, QoS, TopicFilter, TopicName};
use crate::role::repeats::Repeats;
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role, Undeliverable};

/// What is asked for, and how.
#[derive(Debug, Clone)]
pub struct RequestConfig {
    /// The NETID that asks.
    pub net_id: Level,
    /// What is to be done with the text.
    pub action: ActionName,
    /// The QoS of the subscription and the request.
    pub qos: QoS,
    /// How long an answer may take; `None`: for ever.
    pub timeout: Option<Duration>,
}

impl RequestConfig {
    /// The QoS that the protocol asks for.
    pub const QOS: QoS = QoS::AtLeastOnce;
    /// As long as a person waits at a terminal.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Requests of `net_id` for `action`, with the defaults for the rest.
    #[must_use]
    pub fn new(net_id: Level, action: impl Into<ActionName>) -> Self {
        Self {
            net_id,
            action: action.into(),
            qos: Self::QOS,
            timeout: Some(Self::TIMEOUT),
        }
    }
}

/// Where there is no timeout: an unanswered request is repeated after [`FIRST_REPEAT`], and at last at
/// intervals of [`RAREST_REPEAT`].
const FIRST_REPEAT: Duration = Duration::from_secs(2);
const RAREST_REPEAT: Duration = Duration::from_secs(60);

/// How long a requester that has asked more than once lingers for further answers: the next run under the
/// same NETID would take them for its own.
const LINGER: Duration = Duration::from_secs(1);

const _: () = assert!(LINGER.as_secs() < RequestConfig::TIMEOUT.as_secs());

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not connected yet.
    Starting,
    /// SUBSCRIBE sent; the request only goes out after the SUBACK ([`Requester::goes_together`]).
    Subscribing,
    /// The next line has not come yet.
    Waiting,
    /// The request is published. Once the broker has it, it is published again at `repeat`.
    Asking { repeat: Option<Instant> },
    /// The last answer is here, and late ones may follow until then.
    Lingering { until: Instant },
    /// No further answer is expected.
    Answered,
}

/// One request, or several in turn, one at a time.
#[derive(Debug)]
pub struct Requester {
    request: Message,
    /// There is a request for each line that comes in.
    lines: bool,
    response: TopicName,
    timeout: Option<Duration>,
    /// When the timeout ends the run; `None` while it waits for a line.
    expires_at: Option<Instant>,
    /// How often the present text may have been asked.
    asks: u32,
    repeats: Repeats,
    late: LateAnswers,
    state: State,
}

impl Requester {
    /// One request, for `text`. The timeout counts from `now` and includes connecting.
    #[must_use]
    pub fn new(config: RequestConfig, text: String, now: Instant) -> Self {
        let RequestConfig {
            net_id,
            action,
            qos,
            timeout,
        } = config;
        Self {
            request: Message::new(request_topic(&net_id, action.clone()), text, qos),
            lines: false,
            response: response_topic(&net_id, action.clone()),
            timeout,
            expires_at: timeout.and_then(|timeout| now.checked_add(timeout)),
            asks: 0,
            repeats: repeats(timeout),
            late: LateAnswers::new(action),
            state: State::Starting,
        }
    }

    /// A request for each line, as it comes, one at a time. The timeout is for connecting, and then for each
    /// answer. Writing a line may take any time.
    #[must_use]
    pub fn of_lines(config: RequestConfig, now: Instant) -> Self {
        Self {
            lines: true,
            ..Self::new(config, String::new(), now)
        }
    }

    /// Whether the request goes out together with the SUBSCRIBE before it, which saves a round trip. A broker that
    /// works in order subscribes first. Of another one the PUBACK comes before the SUBACK, and then the answer could
    /// have been missed: the requester asks again. So it takes a PUBACK, which QoS 0 does not have. At QoS 2 the SUBACK
    /// comes first, because it tells of a broker without QoS 2, and some close the connection at a PUBLISH above theirs
    /// (NATS).
    fn goes_together(&self) -> bool {
        self.request.qos == QoS::AtLeastOnce
    }

    fn begin(&mut self) -> Vec<Effect<Vec<u8>>> {
        match self.lines {
            true => self.await_line(),
            false => self.ask(),
        }
    }

    fn answered(&mut self, now: Instant, answer: &[u8]) -> Vec<Effect<Vec<u8>>> {
        let text = std::mem::take(&mut self.request.payload);
        self.late
            .expect(text, answer.to_vec(), self.asks.saturating_sub(1));
        let mut effects = vec![Effect::Emit(answer.to_vec())];
        match self.lines {
            true => effects.extend(self.await_line()),
            false => effects.extend(self.linger(now)),
        }
        effects
    }

    fn await_line(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.expires_at = None;
        self.state = State::Waiting;
        vec![Effect::AwaitLine]
    }

    fn ask_for_line(&mut self, now: Instant, text: &str) -> Vec<Effect<Vec<u8>>> {
        self.request.payload = text.as_bytes().to_vec();
        self.asks = 0;
        self.repeats = repeats(self.timeout);
        self.expires_at = self.timeout.and_then(|timeout| now.checked_add(timeout));
        self.ask()
    }

    fn linger(&mut self, now: Instant) -> Vec<Effect<Vec<u8>>> {
        if !self.late.are_outstanding() {
            return self.leave();
        }
        let until = now + LINGER;
        let until = self.expires_at.map_or(until, |at| until.min(at));
        self.state = State::Lingering { until };
        Vec::new()
    }

    fn ask(&mut self) -> Vec<Effect<Vec<u8>>> {
        self.asks += 1;
        self.state = State::Asking { repeat: None };
        vec![Effect::Publish(self.request.clone())]
    }

    fn ask_again(&mut self) -> Vec<Effect<Vec<u8>>> {
        let mut effects = vec![Effect::Note("no answer yet: asking again".to_owned())];
        self.repeats.repeated();
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
            State::Waiting | State::Lingering { .. } => None,
            _ => return Vec::new(),
        };
        let is_asking = asked.is_some();
        let is_lingering = matches!(self.state, State::Lingering { .. });
        // Whoever clears a retained answer sends an empty message (MQTT 3.1.1, section 3.3.1.3). No action makes
        // nothing of something.
        let is_cleared = answer.is_empty() && asked.is_some_and(|text| !text.is_empty());
        match self.late.takes(answer, asked) {
            false if is_cleared => vec![Effect::Warn(format!(
                "ignored an empty message on {}: it answers nothing, and clears what was retained",
                self.response
            ))],
            false if is_asking => self.answered(now, answer),
            false => Vec::new(),
            true => {
                let text = "ignored a late answer to an earlier request".to_owned();
                let mut effects = vec![Effect::Note(text)];
                if is_lingering && !self.late.are_outstanding() {
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
            crate::Seconds(self.timeout.unwrap_or_default())
        );
        Failure::new(Kind::NoAnswer, text)
    }
}

fn repeats(timeout: Option<Duration>) -> Repeats {
    Repeats::new(timeout, FIRST_REPEAT, RAREST_REPEAT)
}

impl Role for Requester {
    /// The answer's payload.
    type Item = Vec<u8>;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Vec<u8>> {
        let filter = TopicFilter::exactly(&self.response);
        Ok(match (event, self.state) {
            (Event::Connected { .. }, State::Starting) => {
                self.state = State::Subscribing;
                let mut effects = vec![Effect::Subscribe(filter, self.request.qos)];
                if self.goes_together() {
                    effects.extend(self.begin());
                }
                effects
            }
            (Event::Subscribed { filter: on, .. }, State::Subscribing) if *on == filter => {
                self.begin()
            }
            (Event::Line(Some(text)), State::Waiting) => self.ask_for_line(now, text),
            (Event::Line(None), State::Waiting) => self.linger(now),
            // The broker took the request over before the subscription: it has lost the session in between, or works out of
            // order. The answer may be lost.
            (Event::Subscribed { filter: on, .. }, State::Asking { repeat: Some(_) })
                if *on == filter =>
            {
                self.ask()
            }
            (Event::Connected { .. }, State::Asking { repeat: None }) => {
                // The link sends the request again, and the broker may have had it already.
                self.asks += 1;
                Vec::new()
            }
            (Event::Confirmed(message), State::Asking { .. }) => {
                // An answer may overtake the confirmation of its own request.
                if message.payload == self.request.payload {
                    let repeat = self.repeats.after(now);
                    self.state = State::Asking { repeat };
                }
                Vec::new()
            }
            (Event::Undeliverable(message, Undeliverable::TooLarge), _) => {
                let text = format!(
                    "MESSAGE has {} bytes: a request carries {MAX_PAYLOAD} at the most",
                    message.payload.len()
                );
                return Err(Failure::new(Kind::Input, text));
            }
            (Event::Undeliverable(message, Undeliverable::Rejected), _) => {
                let text = format!(
                    "the broker closes the connection at the request of {} bytes on {}: is it too large there, or the topic not allowed to this user? (or try -q 0)",
                    message.payload.len(),
                    message.topic
                );
                return Err(Failure::new(Kind::Refused, text));
            }
            // QoS 0 allows the request to be lost. The role treats it as sent, and repeats it in time.
            (Event::Undeliverable(_, Undeliverable::Congested), State::Asking { .. }) => {
                let repeat = self.repeats.after(now);
                self.state = State::Asking { repeat };
                Vec::new()
            }
            (Event::Received(message), _) if message.topic != self.response => Vec::new(),
            (Event::Received(message), _) if message.retain => vec![Effect::Warn(format!(
                "ignored a retained message on {}: it answers an earlier request",
                self.response
            ))],
            (Event::Received(message), _) => self.received(now, &message.payload),
            (Event::Deadline, State::Lingering { until }) if now >= until => self.leave(),
            (Event::Deadline, State::Lingering { .. } | State::Answered) => Vec::new(),
            (Event::Deadline, state) => match (self.expires_at, state) {
                (Some(at), _) if now >= at => return Err(self.no_answer()),
                (_, State::Asking { repeat: Some(at) }) if now >= at => self.ask_again(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Answered => None,
            State::Lingering { until } => Some(until),
            State::Asking { repeat } => [repeat, self.expires_at].into_iter().flatten().min(),
            _ => self.expires_at,
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        match self.state {
            State::Answered => None,
            State::Lingering { until } => Some(until),
            _ => self.expires_at,
        }
    }

    /// The answers are handed out: a connection that breaks now brings no late ones either.
    fn is_done(&self) -> bool {
        matches!(self.state, State::Lingering { .. } | State::Answered)
    }

    fn status(&self) -> String {
        match self.state {
            State::Starting | State::Subscribing => "subscribing",
            State::Waiting => "waiting for a line",
            State::Asking { .. } => "waiting for the answer",
            State::Lingering { .. } | State::Answered => "answered",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests;
