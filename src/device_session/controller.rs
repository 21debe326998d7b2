//! The controller's end of a session: hands out UNIQUE IDs, sends commands, and judges the replies.

mod bare;
mod judge;
mod login;
mod memory;
mod missing;
mod mistakes;
mod places;
mod plan;
mod session;
mod steps;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::time::Instant;

pub use memory::passed_before;
pub use plan::Plan;
pub use session::{PATIENCE, SETTLE};
pub use steps::Step;

use super::report::Report;
use super::verdict::{Word, verdict_message};
use super::{
    LAST_WORDS, MAX_USER_ID, command_topic, login_topic, nobody_speaks, parse_command_topic,
    parse_reply_filter, unique_id_topic, without_end,
};
use crate::mqtt::{Level, Message, QoS, TopicFilter};
use crate::role::{Effect, Event, Reaction, Role};
use memory::remember_passed;
use session::{Session, Stage};

/// The most sessions at one time, so that a flood of logins cannot use up the memory: each has at most
/// [`MAX_USER_ID`] bytes of the device's choice.
const MAX_SESSIONS: usize = 10_000;

/// Where replies can be lost that the device has sent.
const BROKER_LIMITS: &str = "if the device has sent the missing replies, the broker has dropped them or their commands: \
    mosquitto does so beyond its max_inflight_messages and max_queued_messages";

/// What a device is told that has passed.
const EACH_TWICE: &str = "every right reply came again, as QoS 1 allows where a connection was lost; where none was, the client publishes each reply twice";

/// The controller, with all its sessions.
#[derive(Debug)]
pub struct Controller {
    plan: Plan,
    random: fastrand::Rng,
    sessions: HashMap<Level, Session>,
    /// The sessions that have had no command yet, by USER_ID.
    fresh: HashMap<Level, Level>,
    /// The deadlines of `sessions`, soonest first.
    deadlines: BTreeSet<(Instant, Level)>,
    /// Sessions of an earlier run that was killed: the broker has kept their subscriptions, and this run has
    /// ended them.
    abandoned_sessions: HashSet<Level>,
    /// It has subscribed to the logins.
    is_listening: bool,
    started: u64,
    passed: u64,
    failed: u64,
    /// Who is on the roster and has not passed.
    awaited: HashSet<Level>,
    /// Those that were told already that they log in without the prefix.
    strangers: HashSet<Level>,
    /// How many logins were refused, and since when they are counted.
    refused: Option<(Instant, u32)>,
    /// What nobody has taken yet.
    steps: Vec<Step>,
}

impl Controller {
    /// A controller that follows `plan`.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            random: fastrand::Rng::with_seed(plan.seed),
            awaited: plan.roster.user_ids().cloned().collect(),
            plan,
            sessions: HashMap::new(),
            fresh: HashMap::new(),
            deadlines: BTreeSet::new(),
            abandoned_sessions: HashSet::new(),
            is_listening: false,
            started: 0,
            passed: 0,
            failed: 0,
            strangers: HashSet::new(),
            refused: None,
            steps: Vec::new(),
        }
    }

    fn set_stage(&mut self, unique_id: &Level, stage: Stage) {
        if let Some(session) = self.sessions.get_mut(unique_id) {
            if let Some(old) = session.stage.deadline() {
                self.deadlines.remove(&(old, unique_id.clone()));
            }
            if let Some(new) = stage.deadline() {
                self.deadlines.insert((new, unique_id.clone()));
            }
            session.stage = stage;
        }
    }

    fn subscribed(&mut self, filter: &TopicFilter, granted: QoS) -> Vec<Effect<Report>> {
        if *filter == self.plan.logins() {
            return vec![Effect::Note("waiting for logins".to_owned())];
        }
        let Some(unique_id) = parse_reply_filter(filter) else {
            return Vec::new();
        };
        let Some(session) = self.sessions.get_mut(&unique_id) else {
            return Vec::new();
        };
        session.lowest = session.lowest.min(granted);
        if !matches!(session.stage, Stage::Subscribing) {
            return Vec::new();
        }
        let introduction = Message::new(
            unique_id_topic(&session.user_id),
            unique_id.as_str(),
            self.plan.qos,
        );
        self.set_stage(&unique_id, Stage::Introducing);
        let mut effects = vec![Effect::Publish(introduction), self.remember(&unique_id)];
        effects.extend(self.listen_around(&unique_id));
        effects
    }

    fn confirmed(&mut self, now: Instant, message: &Message) -> Vec<Effect<Report>> {
        if let Some(unique_id) = parse_command_topic(&message.topic) {
            self.delivered(now, &unique_id);
            return Vec::new();
        }
        let Ok(unique_id) = Level::from_bytes(&message.payload) else {
            return Vec::new();
        };
        if let Some(session) = self.sessions.get(&unique_id) {
            if matches!(session.stage, Stage::Introducing | Stage::Pausing { .. })
                && message.topic == unique_id_topic(&session.user_id)
            {
                let until = now + self.plan.delay;
                self.set_stage(&unique_id, Stage::Pausing { until });
                return vec![self.remember(&unique_id)];
            }
        }
        Vec::new()
    }

    /// Closes the session of a message that the link has dropped: without one of its commands it would say
    /// nothing of the device.
    fn undeliverable(&mut self, now: Instant, message: &Message) -> Vec<Effect<Report>> {
        let named = [
            parse_command_topic(&message.topic),
            Level::from_bytes(&message.payload).ok(),
        ];
        let mut named = named.into_iter().flatten();
        let Some(unique_id) = named.find(|id| self.sessions.contains_key(id)) else {
            return Vec::new();
        };
        let why = "the connection could not carry all of its commands".to_owned();
        self.close(now, &unique_id, vec![why])
    }

    /// Ends a session. It has failed where it has a mistake, or there is one more.
    fn close(&mut self, now: Instant, unique_id: &Level, more: Vec<String>) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.remove(unique_id) else {
            return Vec::new();
        };
        if let Some(deadline) = session.stage.deadline() {
            self.deadlines.remove(&(deadline, unique_id.clone()));
        }
        if self.fresh.get(&session.user_id) == Some(unique_id) {
            self.fresh.remove(&session.user_id);
        }
        let mut sentences = session.mistakes.sentences();
        sentences.extend(more);
        let verdict = match sentences.is_empty() {
            true => Ok(()),
            false => Err(sentences),
        };
        let mut hints = session.hints.clone();
        if session.repeats > 0 && session.repeats >= session.commands.len() as u64 {
            hints.push(EACH_TWICE.to_owned());
        }
        let mut effects = self.announce(unique_id, &session.user_id, &verdict, &hints);
        effects.extend(self.unsubscribe(unique_id, &session));
        effects.push(self.remember(unique_id));
        effects.push(self.remember_judged());
        if verdict.is_ok() && self.awaited.remove(&session.user_id) {
            effects.push(remember_passed(&session.user_id));
        }
        effects.push(Effect::Emit(Report {
            user_id: session.user_id,
            unique_id: unique_id.clone(),
            commands: session.commands,
            replies: session.replies,
            repeats: session.repeats,
            duration: now.saturating_duration_since(session.since),
            hints,
            verdict,
        }));
        if self.has_judged_all() {
            effects.push(Effect::Finish);
        }
        effects
    }

    /// Says the verdict to whoever reads the log, to the device, and with the last words.
    fn announce(
        &mut self,
        unique_id: &Level,
        user_id: &Level,
        verdict: &Result<(), Vec<String>>,
        hints: &[String],
    ) -> Vec<Effect<Report>> {
        let mut effects = Vec::new();
        let (word, sentences) = match verdict {
            Ok(()) => {
                self.passed += 1;
                effects.push(Effect::Note(format!("session {unique_id} passed")));
                (Word::Passed, &[][..])
            }
            Err(sentences) => {
                self.failed += 1;
                let say = |why| format!("session {unique_id} of {user_id} failed: {why}");
                effects.extend(sentences.iter().map(say).map(Effect::Warn));
                (Word::Failed, &sentences[..])
            }
        };
        if self.plan.verdict {
            let hints = hints.iter().map(|hint| format!("hint: {hint}"));
            let lines: Vec<String> = sentences.iter().cloned().chain(hints).collect();
            let verdict = verdict_message(user_id, Some(unique_id), word, &lines);
            effects.push(Effect::Publish(verdict));
        }
        if word == Word::Passed {
            let last_words = Message::new(command_topic(unique_id), LAST_WORDS, self.plan.qos);
            effects.push(Effect::Publish(last_words));
        }
        effects
    }

    /// Reacts to an event whose topics have no prefix any more, with topics that have none yet.
    fn react(&mut self, now: Instant, event: Event<'_>) -> Vec<Effect<Report>> {
        match event {
            // The process that judged the last one was killed before its end.
            Event::Connected { .. } if self.has_judged_all() => vec![Effect::Finish],
            Event::Connected { .. } if !std::mem::replace(&mut self.is_listening, true) => {
                let logins = Effect::Subscribe(self.plan.logins(), QoS::ExactlyOnce);
                self.went_on();
                let mut effects = self.subscribe_again();
                effects.push(logins);
                effects.extend(self.listen_for_logins());
                effects
            }
            Event::Connected { .. }
            | Event::Line(_)
            | Event::Input(_)
            | Event::InputsEnded
            | Event::Stopping
            | Event::Ran(..) => Vec::new(),
            Event::Subscribed { filter, granted } => self.subscribed(filter, granted),
            Event::Confirmed(message) => self.confirmed(now, message),
            Event::Undeliverable(message, _) => self.undeliverable(now, message),
            Event::Received(message) if message.retain => match self.is_for_the_protocol(message) {
                true => vec![Effect::Warn(format!(
                    "ignored a retained message on {}: it is from an earlier session",
                    self.plan.prefix.shown(&message.topic)
                ))],
                false => Vec::new(),
            },
            Event::Received(login) if login.topic == login_topic() => {
                match login.payload.is_empty() {
                    true => {
                        let topic = self.plan.prefix.shown(&login.topic);
                        vec![Effect::Warn(nobody_speaks(&topic))]
                    }
                    false => self.login(now, login),
                }
            }
            Event::Received(message) => self.received(now, message),
            Event::Deadline => {
                let mut effects = Vec::new();
                while let Some((deadline, unique_id)) = self.deadlines.first().cloned() {
                    if deadline > now {
                        break;
                    }
                    effects.extend(self.due(now, &unique_id));
                    self.deadlines.remove(&(deadline, unique_id));
                }
                effects
            }
        }
    }

    fn has_judged_all(&self) -> bool {
        let judged = self.passed + self.failed;
        let is_class_over = self.awaited.is_empty() && !self.plan.roster.is_empty();
        is_class_over || self.plan.sessions.is_some_and(|all| judged >= all)
    }

    /// How many sessions passed and failed, those of an earlier process among them.
    #[must_use]
    pub fn judged(&self) -> (u64, u64) {
        (self.passed, self.failed)
    }
}

impl Role for Controller {
    type Item = Report;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Report> {
        let prefix = self.plan.prefix.clone();
        if let Event::Received(message) = event {
            if prefix.local(&message.topic).is_none() {
                return Ok(self.without_prefix(now, message));
            }
        }
        let effects = prefix.around(event, |event| Ok(self.react(now, event)))?;
        Ok(self.with_those_without_prefix(effects))
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn status(&self) -> String {
        format!(
            "sessions: {} under way, {} passed, {} failed",
            self.sessions.len(),
            self.passed,
            self.failed
        )
    }
}

#[cfg(test)]
mod tests;
