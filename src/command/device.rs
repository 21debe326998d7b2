//! The device's end of a session: logs in, and again when nobody hears it, answers each command once,
//! ends at the last words.

use std::time::{Duration, Instant};

use super::{LAST_WORDS, Replies, command_topic, login_topic, reply_topic, unique_id_topic, words};
use crate::role::{Effect, Event, Failure, Kind, Message, QoS, Reaction, Role, printable};
use crate::topic::{Level, TopicFilter, TopicName};

/// What a device hands to whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The controller gave this UNIQUE ID: what a later run needs in order to go on.
    LoggedIn(Level),
    /// The last words came; the session is over.
    Done,
}

/// Of the time without a word from the controller, the part after which a login is repeated.
const FIRST_REPEAT: u32 = 5;

/// The same where that time is without limit, and the longest time between two logins then: a
/// controller that is away for a night is to find few of them.
const FIRST_REPEAT_UNLIMITED: Duration = Duration::from_secs(12);
const RAREST_REPEAT: Duration = Duration::from_secs(600);

#[derive(Debug)]
enum State {
    /// Not connected yet; a UNIQUE ID of an earlier run may still be good.
    Starting { resume: Option<Level> },
    /// SUBSCRIBE sent; `login` only goes out after the SUBACK, or the UNIQUE ID could be missed.
    Subscribing,
    /// `login` published. Once the broker has it, it is published again at `repeat`: it may have gone
    /// to one of several controllers that died of it.
    LoggingIn { repeat: Option<Instant> },
    /// Answering commands.
    Serving {
        unique_id: Level,
        answered: u64,
        unconfirmed: u64,
    },
    /// The last words have come, but replies are unconfirmed: a crash now must not end the session.
    Leaving { unconfirmed: u64 },
    /// The last words have come, and the broker has every reply.
    Done,
}

/// The device.
#[derive(Debug)]
pub struct Device {
    user_id: Level,
    replies: Replies,
    qos: QoS,
    patience: Option<Duration>,
    last_word: Instant,
    /// From a login to its repetition.
    interval: Duration,
    state: State,
}

impl Device {
    /// A device that will log in as `user_id`, with subscriptions and login at `qos`, and give up
    /// after `patience` without a word from the controller (`None`: never).
    ///
    /// With `resume`, it goes on with that UNIQUE ID where the broker still holds the session.
    #[must_use]
    pub fn new(
        user_id: Level,
        replies: Replies,
        qos: QoS,
        patience: Option<Duration>,
        resume: Option<Level>,
        now: Instant,
    ) -> Self {
        Self {
            user_id,
            replies,
            qos,
            patience,
            last_word: now,
            interval: patience.map_or(FIRST_REPEAT_UNLIMITED, |patience| patience / FIRST_REPEAT),
            state: State::Starting { resume },
        }
    }

    fn unique_id_topic(&self) -> TopicName {
        unique_id_topic(&self.user_id)
    }

    fn subscribe(&self, topic: &TopicName) -> Effect<Progress> {
        Effect::Subscribe(TopicFilter::exactly(topic), self.qos)
    }

    fn log_in(&mut self) -> Effect<Progress> {
        self.state = State::LoggingIn { repeat: None };
        Effect::Publish(Message::new(login_topic(), self.user_id.as_str(), self.qos))
    }

    fn connected(&mut self, session_present: bool) -> Vec<Effect<Progress>> {
        let State::Starting { resume } = &mut self.state else {
            return Vec::new();
        };
        let mut effects = vec![];
        match resume.take() {
            Some(unique_id) if session_present => {
                effects.push(Effect::Note(format!("going on with session {unique_id}")));
                effects.push(self.subscribe(&self.unique_id_topic()));
                effects.push(self.subscribe(&command_topic(&unique_id)));
                self.state = State::Serving {
                    unique_id,
                    answered: 0,
                    unconfirmed: 0,
                };
            }
            lost => {
                if let Some(unique_id) = lost {
                    effects.push(Effect::Warn(format!(
                        "the broker no longer holds session {unique_id}: logging in anew"
                    )));
                }
                effects.push(self.subscribe(&self.unique_id_topic()));
                self.state = State::Subscribing;
            }
        }
        effects
    }

    fn subscribed(&mut self, filter: &TopicFilter) -> Vec<Effect<Progress>> {
        if *filter != TopicFilter::exactly(&self.unique_id_topic()) {
            return Vec::new();
        }
        match self.state {
            State::Subscribing => vec![self.log_in()],
            // Subscribed again: the broker forgot the session, and with it perhaps the UNIQUE ID that
            // was on its way here. A login that is not confirmed is still in the link's outbox.
            State::LoggingIn { repeat: Some(_) } => vec![
                Effect::Note("the broker forgot the session: logging in again".to_owned()),
                self.log_in(),
            ],
            _ => Vec::new(),
        }
    }

    fn received(&mut self, now: Instant, message: &Message) -> Reaction<Progress> {
        let Message { topic, payload, .. } = message;
        if message.retain {
            return Ok(vec![Effect::Warn(format!(
                "ignored a retained message on {topic}: it is from an earlier session"
            ))]);
        }
        if *topic == self.unique_id_topic() {
            self.last_word = now;
            return self.unique_id(payload);
        }
        let State::Serving {
            unique_id,
            answered,
            unconfirmed,
        } = &mut self.state
        else {
            return Ok(Vec::new());
        };
        if *topic != command_topic(unique_id) {
            return Ok(vec![Effect::Note(format!("ignored a message on {topic}"))]);
        }
        self.last_word = now;
        let command = words(payload);
        if command == Some(LAST_WORDS) {
            let unconfirmed = *unconfirmed;
            self.state = State::Leaving { unconfirmed };
            return Ok(self.leave());
        }
        let Some((command, word)) = command.and_then(|command| self.replies.answer(command)) else {
            return Ok(vec![Effect::Warn(format!(
                "ignored the unknown command `{}`",
                printable(payload)
            ))]);
        };
        *answered += 1;
        *unconfirmed += 1;
        Ok(vec![Effect::Publish(Message::new(
            reply_topic(unique_id, command),
            word,
            message.qos,
        ))])
    }

    fn log_in_again(&mut self) -> Vec<Effect<Progress>> {
        self.interval *= 2;
        if self.patience.is_none() {
            self.interval = self.interval.min(RAREST_REPEAT);
        }
        vec![
            Effect::Note("no unique id yet: logging in again".to_owned()),
            self.log_in(),
        ]
    }

    fn confirmed(&mut self, now: Instant, message: &Message) -> Vec<Effect<Progress>> {
        let is_login = message.topic == login_topic();
        match &mut self.state {
            State::LoggingIn { repeat } if is_login => *repeat = now.checked_add(self.interval),
            State::Serving { unconfirmed, .. } | State::Leaving { unconfirmed } if !is_login => {
                *unconfirmed = unconfirmed.saturating_sub(1);
            }
            _ => {}
        }
        self.leave()
    }

    /// The end, once nothing is unconfirmed: before the last words are acknowledged, so that until then
    /// a crash brings them again.
    fn leave(&mut self) -> Vec<Effect<Progress>> {
        match self.state {
            State::Leaving { unconfirmed: 0 } => {
                self.state = State::Done;
                vec![Effect::Emit(Progress::Done), Effect::Finish]
            }
            _ => Vec::new(),
        }
    }

    fn unique_id(&mut self, payload: &[u8]) -> Reaction<Progress> {
        match &self.state {
            State::LoggingIn { .. } => {}
            State::Serving { unique_id, .. } if unique_id.as_str().as_bytes() == payload => {
                return Ok(vec![Effect::Note("the same UNIQUE ID again".to_owned())]);
            }
            State::Serving { unique_id, .. } => {
                return Ok(vec![Effect::Warn(format!(
                    "ignored a second UNIQUE ID `{}`: this session is {unique_id}",
                    printable(payload)
                ))]);
            }
            // From before this run's login: never the answer to it.
            _ => return Ok(Vec::new()),
        }
        let unique_id = Level::from_bytes(payload).map_err(|why| {
            Failure::new(
                Kind::Protocol,
                format!(
                    "the UNIQUE ID `{}` on {} cannot be a topic level: {why}; check the controller",
                    printable(payload),
                    self.unique_id_topic()
                ),
            )
        })?;
        let effects = vec![
            Effect::Note(format!("the UNIQUE ID is {unique_id}")),
            Effect::Emit(Progress::LoggedIn(unique_id.clone())),
            self.subscribe(&command_topic(&unique_id)),
        ];
        self.state = State::Serving {
            unique_id,
            answered: 0,
            unconfirmed: 0,
        };
        Ok(effects)
    }

    fn out_of_patience(&self, patience: Duration) -> Failure {
        let seconds = patience.as_secs_f64();
        let text = match &self.state {
            State::Serving { unique_id, .. } => format!(
                "no word from the controller on {unique_id} for {seconds} s: is it still running? (-W sets the limit)"
            ),
            State::Leaving { unconfirmed } => format!(
                "the broker did not confirm {unconfirmed} replies within {seconds} s (-W sets the limit)"
            ),
            _ => format!(
                "no UNIQUE ID on {} within {seconds} s: is a controller on this broker? (`mqtt_client controller`; -W sets the limit)",
                self.unique_id_topic()
            ),
        };
        Failure::new(Kind::NoAnswer, text)
    }
}

impl Role for Device {
    type Item = Progress;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Progress> {
        match event {
            Event::Connected { session_present } => Ok(self.connected(session_present)),
            Event::Subscribed(filter) => Ok(self.subscribed(filter)),
            Event::Confirmed(message) => Ok(self.confirmed(now, message)),
            Event::Received(message) => self.received(now, message),
            Event::Line(_) => Ok(Vec::new()),
            Event::Deadline => match (&self.state, self.time_limit(), self.patience) {
                (State::Done, ..) => Ok(Vec::new()),
                (_, Some(limit), Some(patience)) if now >= limit => {
                    Err(self.out_of_patience(patience))
                }
                (State::LoggingIn { repeat: Some(at) }, ..) if now >= *at => {
                    Ok(self.log_in_again())
                }
                _ => Ok(Vec::new()),
            },
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Done => None,
            State::LoggingIn { repeat } => [repeat, self.time_limit()].into_iter().flatten().min(),
            _ => self.time_limit(),
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        self.last_word.checked_add(self.patience?)
    }

    fn status(&self) -> String {
        match &self.state {
            State::Starting { .. } | State::Subscribing => "logging in".to_owned(),
            State::LoggingIn { .. } => "waiting for a unique id".to_owned(),
            State::Serving { answered: 1, .. } => "1 command answered".to_owned(),
            State::Serving { answered, .. } => format!("{answered} commands answered"),
            State::Leaving { .. } => "waiting for the last confirmations".to_owned(),
            State::Done => "session done".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Effect::{Emit, Finish, Note, Publish, Subscribe, Warn};

    const CONNECTED: Event<'static> = Event::Connected {
        session_present: false,
    };

    fn level(text: &str) -> Level {
        Level::new(text).unwrap()
    }

    fn message(topic: &str, payload: &str, qos: QoS) -> Message {
        Message::new(TopicName::new(topic).unwrap(), payload, qos)
    }

    fn device(resume: Option<&str>, now: Instant) -> Device {
        Device::new(
            level("alice"),
            Replies::default(),
            QoS::ExactlyOnce,
            Some(Duration::from_secs(60)),
            resume.map(level),
            now,
        )
    }

    /// A device whose login went out, and one that has its UNIQUE ID.
    fn logging_in(now: Instant) -> Device {
        let mut device = device(None, now);
        let uuid = TopicFilter::new("alice/UUID").unwrap();
        device.handle(now, CONNECTED).unwrap();
        device.handle(now, Event::Subscribed(&uuid)).unwrap();
        device
    }

    fn serving(now: Instant) -> Device {
        let mut device = logging_in(now);
        let id = message("alice/UUID", "U1", QoS::ExactlyOnce);
        device.handle(now, Event::Received(&id)).unwrap();
        device
    }

    fn subscribe(filter: &str) -> Effect<Progress> {
        Subscribe(TopicFilter::new(filter).unwrap(), QoS::ExactlyOnce)
    }

    #[test]
    fn the_login_goes_out_only_after_the_suback() {
        let now = Instant::now();
        let mut device = device(None, now);
        assert_eq!(
            device.handle(now, CONNECTED),
            Ok(vec![subscribe("alice/UUID")])
        );
        assert_eq!(
            device.handle(now, CONNECTED),
            Ok(vec![]),
            "a reconnect is the link's business"
        );
        let other = TopicFilter::new("bob/UUID").unwrap();
        assert_eq!(device.handle(now, Event::Subscribed(&other)), Ok(vec![]));
        let uuid = TopicFilter::new("alice/UUID").unwrap();
        assert_eq!(
            device.handle(now, Event::Subscribed(&uuid)),
            Ok(vec![Publish(message("login", "alice", QoS::ExactlyOnce))])
        );
    }

    #[test]
    fn what_a_device_does_with_each_message() {
        let now = Instant::now();
        let reply =
            |cmd: &str, word: &str, qos| vec![Publish(message(&format!("U1/{cmd}"), word, qos))];
        let warn = |text: &str| vec![Warn(text.to_owned())];
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
                message("U1", "", QoS::AtLeastOnce),
                warn("ignored the unknown command ``"),
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
            let reaction = device(now).handle(now, Event::Received(&message));
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
        device.handle(now, Event::Received(&command)).unwrap();
        assert_eq!(device.handle(now, Event::Received(&last)), Ok(vec![]));
        assert_eq!(device.handle(now, Event::Received(&command)), Ok(vec![]));
        assert_eq!(device.handle(now, Event::Confirmed(&login)), Ok(vec![]));
        assert_eq!(
            device.handle(now, Event::Confirmed(&reply)),
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
            let reaction = device.handle(now, Event::Received(&old)).unwrap();
            assert!(matches!(&reaction[..], [Warn(_)]), "{topic} {reaction:?}");
        }
    }

    #[test]
    fn a_unique_id_that_cannot_be_a_topic_is_the_end() {
        let now = Instant::now();
        for hostile in ["#", "+", "", "a/b", "a\0", "x\n"] {
            let id = message("alice/UUID", hostile, QoS::AtLeastOnce);
            let failure = logging_in(now)
                .handle(now, Event::Received(&id))
                .unwrap_err();
            assert_eq!(failure.kind, Kind::Protocol, "{hostile:?}");
        }
    }

    #[test]
    fn a_session_is_resumed_only_where_the_broker_still_holds_it() {
        let now = Instant::now();
        let present = Event::Connected {
            session_present: true,
        };
        let mut resumed = device(Some("U1"), now);
        assert_eq!(
            resumed.handle(now, present).unwrap()[1..],
            [subscribe("alice/UUID"), subscribe("U1")]
        );
        let command = message("U1", "CMD1", QoS::AtLeastOnce);
        assert_eq!(
            resumed
                .handle(now, Event::Received(&command))
                .unwrap()
                .len(),
            1
        );
        let mut anew = device(Some("U1"), now);
        assert_eq!(
            anew.handle(now, CONNECTED).unwrap()[1..],
            [subscribe("alice/UUID")]
        );
    }

    #[test]
    fn it_logs_in_again_only_when_the_broker_forgot_a_confirmed_login() {
        let now = Instant::now();
        let uuid = TopicFilter::new("alice/UUID").unwrap();
        let login = message("login", "alice", QoS::ExactlyOnce);
        let mut device = logging_in(now);
        assert_eq!(device.handle(now, Event::Subscribed(&uuid)), Ok(vec![]));
        device.handle(now, Event::Confirmed(&login)).unwrap();
        let again = device.handle(now, Event::Subscribed(&uuid)).unwrap();
        assert_eq!(again[1..], [Publish(login)]);
    }

    #[test]
    fn a_login_that_nobody_answers_is_repeated_at_growing_intervals() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let login = message("login", "alice", QoS::ExactlyOnce);
        let mut device = logging_in(start);
        device.handle(start, Event::Confirmed(&login)).unwrap();
        for seconds in [12, 36] {
            assert_eq!(device.deadline(), Some(at(seconds)));
            let effects = device.handle(at(seconds), Event::Deadline).unwrap();
            assert_eq!(effects[1..], [Publish(login.clone())]);
            // Not before the broker has it.
            assert_eq!(device.deadline(), Some(at(60)));
            let confirmed = Event::Confirmed(&login);
            device.handle(at(seconds), confirmed).unwrap();
        }
        assert_eq!(device.deadline(), Some(at(60)));
        let failure = device.handle(at(60), Event::Deadline).unwrap_err();
        assert_eq!(failure.kind, Kind::NoAnswer);
        let unique_id = message("alice/UUID", "U1", QoS::ExactlyOnce);
        device.handle(at(50), Event::Received(&unique_id)).unwrap();
        assert_eq!(device.deadline(), Some(at(110)), "it is logged in");
    }

    #[test]
    fn patience_counts_from_the_controllers_last_word() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut device = serving(start);
        assert_eq!(device.deadline(), Some(at(60)));
        let command = message("U1", "CMD1", QoS::AtLeastOnce);
        device.handle(at(50), Event::Received(&command)).unwrap();
        assert_eq!(device.handle(at(60), Event::Deadline), Ok(vec![]));
        let failure = device.handle(at(110), Event::Deadline).unwrap_err();
        assert_eq!(failure.kind, Kind::NoAnswer);
        let last = message("U1", LAST_WORDS, QoS::AtLeastOnce);
        device.handle(at(110), Event::Received(&last)).unwrap();
        let reply = message("U1/CMD1", "Apple", QoS::AtLeastOnce);
        device.handle(at(110), Event::Confirmed(&reply)).unwrap();
        assert_eq!(device.deadline(), None);
    }
}
