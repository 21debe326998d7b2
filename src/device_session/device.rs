//! The device's end of a session: logs in, logs in again when no UNIQUE ID comes, answers each command
//! once, ends at the last words.

mod commands;
mod config;
mod state;
mod verdict;

use std::convert::Infallible;
use std::time::{Duration, Instant};

pub use config::{DeviceConfig, Resume};
use config::{ENDING, SESSION, is_reply};
use state::State;
use verdict::Awaited;

use super::prefix::Prefix;
use super::verdict::Word;
use super::{Replies, command_topic, login_topic, nobody_speaks, unique_id_topic, without_end};
use crate::mqtt::{Level, MAX_PAYLOAD, Message, QoS, TopicFilter, TopicName, printable};
use crate::role::repeats::Repeats;
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role, Undeliverable};

/// What a device hands to the caller of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The controller gave this UNIQUE ID.
    LoggedIn(Level),
    /// The controller said this of the session, a sentence for each mistake or hint.
    Verdict(Word, Vec<String>),
    /// The last words came; the session is over.
    Done,
}

/// Where there is no timeout: a login is repeated after [`FIRST_REPEAT`], and at last at intervals of
/// [`RAREST_REPEAT`], so that a controller that was away for a night finds few of them.
const FIRST_REPEAT: Duration = Duration::from_secs(12);
const RAREST_REPEAT: Duration = Duration::from_secs(600);

/// The device.
#[derive(Debug)]
pub struct Device {
    prefix: Prefix,
    user_id: Level,
    replies: Replies,
    qos: QoS,
    timeout: Option<Duration>,
    /// `timeout` after the last word from the controller.
    expires_at: Option<Instant>,
    repeats: Repeats,
    /// Programs answer commands, before the table does.
    has_programs: bool,
    /// How many of those have not ended.
    running: u64,
    verdict: Awaited,
    state: State,
}

impl Device {
    /// A device whose timeout counts from `now`.
    #[must_use]
    pub fn new(config: DeviceConfig, now: Instant) -> Self {
        let DeviceConfig {
            prefix,
            user_id,
            replies,
            qos,
            timeout,
            has_programs,
            verdict,
            resume,
        } = config;
        Self {
            prefix,
            user_id,
            replies,
            qos,
            timeout,
            expires_at: timeout.and_then(|timeout| now.checked_add(timeout)),
            repeats: Repeats::new(timeout, FIRST_REPEAT, RAREST_REPEAT),
            has_programs,
            running: 0,
            verdict: match verdict {
                true => Awaited::Wanted,
                false => Awaited::Unwanted,
            },
            state: State::Starting { resume },
        }
    }

    /// The controller gave a sign of life: the timeout counts anew.
    fn heard(&mut self, now: Instant) {
        self.expires_at = self.timeout.and_then(|timeout| now.checked_add(timeout));
    }

    /// While a program runs, that has a limit of its own, and the controller waits for the reply.
    fn limit(&self) -> Option<Instant> {
        self.expires_at.filter(|_| self.running == 0)
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
            // Every command has come: only the replies to the last of them are not confirmed.
            Some(Resume {
                unique_id,
                unconfirmed,
                is_ending: true,
            }) => {
                self.state = State::Leaving {
                    unique_id,
                    unconfirmed,
                };
                effects.extend(self.leave());
            }
            Some(Resume {
                unique_id,
                unconfirmed,
                ..
            }) if session_present => {
                effects.push(Effect::Note(format!("going on with session {unique_id}")));
                effects.push(remember(&unique_id));
                effects.push(self.subscribe(&self.unique_id_topic()));
                effects.push(self.subscribe(&command_topic(&unique_id)));
                effects.extend(self.listen_for_the_verdict());
                self.state = State::Serving {
                    unique_id,
                    answered: 0,
                    unconfirmed,
                };
            }
            lost => {
                if let Some(Resume { unique_id, .. }) = lost {
                    effects.push(Effect::Warn(format!(
                        "the broker no longer holds session {unique_id}: logging in anew"
                    )));
                    effects.push(Effect::Remember(SESSION.to_owned(), None));
                }
                effects.push(self.subscribe(&self.unique_id_topic()));
                effects.extend(self.listen_for_the_verdict());
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
            // Subscribed again: the broker has lost the session, and with it perhaps the UNIQUE ID that was on
            // its way here. A login that is not confirmed needs no repetition: the link still holds it.
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
                "ignored a retained message on {}: it is from an earlier session",
                self.prefix.shown(topic)
            ))]);
        }
        if payload.is_empty() {
            return Ok(vec![Effect::Warn(nobody_speaks(&self.prefix.shown(topic)))]);
        }
        if *topic == self.unique_id_topic() {
            self.heard(now);
            return self.unique_id(payload);
        }
        if self.verdict != Awaited::Unwanted && *topic == self.verdict_topic() {
            return Ok(self.judged(now, payload));
        }
        let State::Serving { unique_id, .. } = &self.state else {
            return Ok(Vec::new());
        };
        if *topic != command_topic(unique_id) {
            return Ok(vec![Effect::Note(format!(
                "ignored a message on {}",
                self.prefix.shown(topic)
            ))]);
        }
        self.heard(now);
        Ok(self.answer(now, message))
    }

    fn log_in_again(&mut self) -> Vec<Effect<Progress>> {
        self.repeats.repeated();
        vec![
            Effect::Note("no unique id yet: logging in again".to_owned()),
            self.log_in(),
        ]
    }

    fn confirmed(&mut self, now: Instant, message: &Message) -> Vec<Effect<Progress>> {
        match &mut self.state {
            State::LoggingIn { repeat } if message.topic == login_topic() => {
                *repeat = self.repeats.after(now);
            }
            _ => self.done_with(&message.topic),
        }
        self.leave()
    }

    /// The link has dropped `message`, so the device must not wait for its confirmation.
    fn undeliverable(&mut self, message: &Message, why: Undeliverable) -> Reaction<Progress> {
        if why == Undeliverable::TooLarge {
            let text = format!(
                "the message on {} has {} bytes, more than {MAX_PAYLOAD}: shorten the reply in --replies",
                self.prefix.shown(&message.topic),
                message.payload.len()
            );
            return Err(Failure::new(Kind::Config, text));
        }
        if why == Undeliverable::Rejected && message.topic == login_topic() {
            let text = format!(
                "the broker closes the connection at the login of {}: is the user allowed to publish on {}? (or try -q 1)",
                self.user_id,
                self.prefix.shown(&message.topic)
            );
            return Err(Failure::new(Kind::Refused, text));
        }
        self.done_with(&message.topic);
        Ok(self.leave())
    }

    /// One reply less to wait for, where it is one of this session.
    fn done_with(&mut self, topic: &TopicName) {
        match &mut self.state {
            State::Serving {
                unique_id,
                unconfirmed,
                ..
            }
            | State::Leaving {
                unique_id,
                unconfirmed,
            } if is_reply(topic, unique_id) => *unconfirmed = unconfirmed.saturating_sub(1),
            _ => {}
        }
    }

    /// Ends the session once the broker has confirmed every reply. The link acknowledges the last words only
    /// after that, so until then the broker delivers them again after a crash.
    fn leave(&mut self) -> Vec<Effect<Progress>> {
        match self.state {
            State::Leaving { unconfirmed: 0, .. } if !matches!(self.verdict, Awaited::Until(_)) => {
                self.state = State::Done;
                vec![
                    Effect::Emit(Progress::Done),
                    Effect::Remember(SESSION.to_owned(), None),
                    Effect::Remember(ENDING.to_owned(), None),
                    Effect::Finish,
                ]
            }
            _ => Vec::new(),
        }
    }

    fn unique_id(&mut self, payload: &[u8]) -> Reaction<Progress> {
        let id = without_end(payload);
        match &self.state {
            State::LoggingIn { .. } => {}
            State::Serving { unique_id, .. } if unique_id.as_str().as_bytes() == id => {
                return Ok(vec![Effect::Note("the same UNIQUE ID again".to_owned())]);
            }
            State::Serving { unique_id, .. } => {
                return Ok(vec![Effect::Warn(format!(
                    "ignored a second UNIQUE ID `{}`: this session is {unique_id}",
                    printable(payload)
                ))]);
            }
            // The message is older than this run's login, so it cannot be the answer to it.
            _ => return Ok(Vec::new()),
        }
        let unique_id = Level::from_bytes(id).map_err(|why| {
            Failure::new(
                Kind::Protocol,
                format!(
                    "the UNIQUE ID `{}` on {} cannot be a topic level: {why}; check the controller",
                    printable(payload),
                    self.prefix.shown(self.unique_id_topic())
                ),
            )
        })?;
        let said = match id == payload {
            true => format!("the UNIQUE ID is {unique_id}"),
            false => format!(
                "the UNIQUE ID is {unique_id}, without the end of a line or string after it"
            ),
        };
        let effects = vec![
            Effect::Note(said),
            remember(&unique_id),
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

    /// Reacts to an event whose topics have no prefix any more, with topics that have none yet.
    fn react(&mut self, now: Instant, event: Event<'_>) -> Reaction<Progress> {
        match event {
            Event::Connected { session_present } => Ok(self.connected(session_present)),
            Event::Subscribed { filter, .. } => Ok(self.subscribed(filter)),
            Event::Confirmed(message) => Ok(self.confirmed(now, message)),
            Event::Undeliverable(message, why) => self.undeliverable(message, why),
            Event::Received(message) => self.received(now, message),
            Event::Ran(job, outcome) => Ok(self.ran(now, job, outcome)),
            Event::Line(_) | Event::Input(_) | Event::InputsEnded | Event::Stopping => {
                Ok(Vec::new())
            }
            Event::Deadline => match (&self.state, self.limit(), self.timeout) {
                (State::Done, ..) => Ok(Vec::new()),
                (State::Failed { .. }, ..) => self.failed().map_or(Ok(Vec::new()), Err),
                (State::Leaving { .. }, ..) if self.is_verdict_overdue(now) => {
                    self.verdict = Awaited::Over;
                    Ok(self.leave())
                }
                (_, Some(expires_at), Some(timeout)) if now >= expires_at => {
                    Err(self.timed_out(timeout))
                }
                (State::LoggingIn { repeat: Some(at) }, ..) if now >= *at => {
                    Ok(self.log_in_again())
                }
                _ => Ok(Vec::new()),
            },
        }
    }

    fn timed_out(&self, timeout: Duration) -> Failure {
        let seconds = crate::Seconds(timeout);
        let text = match &self.state {
            State::Serving { unique_id, .. } => format!(
                "no word from the controller on {} for {seconds} s: is it still running? (-W sets the limit)",
                self.prefix.shown(unique_id)
            ),
            State::Leaving { unconfirmed, .. } => format!(
                "the broker did not confirm {unconfirmed} replies within {seconds} s (-W sets the limit)"
            ),
            _ => format!(
                "no UNIQUE ID on {} within {seconds} s: is a controller on this broker (`mqtt_client controller`), and may this user publish on {}? (-W sets the limit)",
                self.prefix.shown(self.unique_id_topic()),
                self.prefix.shown(login_topic())
            ),
        };
        Failure::new(Kind::NoAnswer, text)
    }
}

fn remember(unique_id: &Level) -> Effect<Progress> {
    let value = unique_id.as_str().as_bytes().to_vec();
    Effect::Remember(SESSION.to_owned(), Some(value))
}

impl Role for Device {
    type Item = Progress;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Progress> {
        let prefix = self.prefix.clone();
        prefix.around(event, |event| self.react(now, event))
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Done => None,
            State::Failed { at, .. } => Some(at),
            State::LoggingIn { repeat } => [repeat, self.limit()].into_iter().flatten().min(),
            State::Leaving { .. } => [self.verdict_until(), self.limit()]
                .into_iter()
                .flatten()
                .min(),
            _ => self.limit(),
        }
    }

    fn time_limit(&self) -> Option<Instant> {
        self.limit()
    }

    /// The last words are handed out, and the broker has every reply. Only their acknowledgement is left. A
    /// failure now would have systemd start a new session after one that has ended well.
    fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn status(&self) -> String {
        self.state.status()
    }
}

#[cfg(test)]
mod tests;
