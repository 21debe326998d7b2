//! The controller's end of a session: hands out UNIQUE IDs, sends commands, and judges the replies.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::report::Report;
use super::{LAST_WORDS, PAUSE, Replies, command_topic, login_topic, reply_topic, unique_id_topic};
use crate::mqtt::{Level, Message, QoS, TopicFilter, printable};
use crate::role::{Effect, Event, Reaction, Role};

/// How long a session with all its replies is watched for one reply too many.
pub const SETTLE: Duration = Duration::from_millis(500);

/// The most sessions at one time: what a flood of logins can cost.
const MOST_SESSIONS: usize = 10_000;

/// What a controller is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The expected reply to each command.
    pub replies: Replies,
    /// How many commands a session gets.
    pub commands: RangeInclusive<u32>,
    /// From the UNIQUE ID to the first command.
    pub delay: Duration,
    /// How long to wait for the next reply; `None`: for ever.
    pub patience: Option<Duration>,
    /// How commands are published.
    pub qos: QoS,
    /// Where the UNIQUE IDs and the choice of commands come from.
    pub seed: u64,
    /// Finish after so many sessions.
    pub sessions: Option<u64>,
    /// Share the logins with the other controllers of this group. A session stays with the one that
    /// took its login.
    pub share: Option<Level>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            replies: Replies::default(),
            commands: 5..=15,
            delay: PAUSE,
            patience: Some(Duration::from_secs(60)),
            qos: QoS::ExactlyOnce,
            seed: 0,
            sessions: None,
            share: None,
        }
    }
}

impl Plan {
    fn logins(&self) -> TopicFilter {
        let filter = TopicFilter::exactly(&login_topic());
        match &self.share {
            Some(group) => filter.shared(group),
            None => filter,
        }
    }
}

#[derive(Debug)]
enum Stage {
    /// Until the SUBACK for the replies.
    Subscribing,
    /// Until the broker has the UNIQUE ID.
    Introducing,
    /// Until the first command.
    Pausing { until: Instant },
    /// Until the last reply; `open` counts the replies to come.
    Commanding {
        open: HashMap<Level, u32>,
        until: Option<Instant>,
    },
    /// Until it is clear that no reply too many follows.
    Settling { until: Instant },
}

impl Stage {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Subscribing | Self::Introducing => None,
            Self::Pausing { until } | Self::Settling { until } => Some(*until),
            Self::Commanding { until, .. } => *until,
        }
    }
}

#[derive(Debug)]
struct Session {
    user_id: Level,
    since: Instant,
    commands: Vec<Level>,
    replies: Vec<String>,
    stage: Stage,
}

/// The controller, with all its sessions.
#[derive(Debug)]
pub struct Controller {
    plan: Plan,
    random: fastrand::Rng,
    sessions: HashMap<Level, Session>,
    /// The sessions that have had no command yet, by who logged in.
    fresh: HashMap<Level, Level>,
    /// The deadlines of `sessions`, soonest first.
    deadlines: BTreeSet<(Instant, Level)>,
    /// Sessions of an earlier run, whose subscriptions the broker has kept and which are ended here.
    leftover: HashSet<Level>,
    started: u64,
    passed: u64,
    failed: u64,
}

impl Controller {
    /// A controller that follows `plan`.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            random: fastrand::Rng::with_seed(plan.seed),
            plan,
            sessions: HashMap::new(),
            fresh: HashMap::new(),
            deadlines: BTreeSet::new(),
            leftover: HashSet::new(),
            started: 0,
            passed: 0,
            failed: 0,
        }
    }

    fn fresh_unique_id(&mut self) -> Option<Level> {
        Level::new(&format!("{:032x}", self.random.u128(..))).ok()
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

    fn login(&mut self, now: Instant, payload: &[u8]) -> Vec<Effect<Report>> {
        let refuse = |why: String| {
            let user_id = printable(payload);
            vec![Effect::Warn(format!(
                "refused the login `{user_id}`: {why}"
            ))]
        };
        let user_id = match Level::from_bytes(payload) {
            Ok(user_id) => user_id,
            Err(why) => return refuse(format!("as a topic level, {why}")),
        };
        if let Some(unique_id) = self.fresh.get(&user_id).cloned() {
            return self.introduce_again(user_id, unique_id);
        }
        if self.plan.sessions.is_some_and(|most| self.started >= most) {
            return refuse("as many sessions as --sessions asks for have begun".to_owned());
        }
        if self.sessions.len() >= MOST_SESSIONS {
            return refuse(format!("there are {MOST_SESSIONS} sessions already"));
        }
        let Some(unique_id) = self.fresh_unique_id() else {
            return Vec::new();
        };
        self.started += 1;
        let effects = vec![
            Effect::Note(format!("{user_id} logged in as session {unique_id}")),
            // At the highest QoS, to see which one the device published with.
            Effect::Subscribe(
                TopicFilter::below(&command_topic(&unique_id)),
                QoS::ExactlyOnce,
            ),
        ];
        self.fresh.insert(user_id.clone(), unique_id.clone());
        self.sessions.insert(
            unique_id,
            Session {
                user_id,
                since: now,
                commands: Vec::new(),
                replies: Vec::new(),
                stage: Stage::Subscribing,
            },
        );
        effects
    }

    /// A device that has had no UNIQUE ID, or has forgotten it, before its first command: it gets the
    /// same one, or its other login would become a session that nobody serves.
    fn introduce_again(&mut self, user_id: Level, unique_id: Level) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.get(&unique_id) else {
            return Vec::new();
        };
        let mut effects = vec![Effect::Note(format!(
            "{user_id} logged in again: it is session {unique_id}"
        ))];
        if !matches!(session.stage, Stage::Subscribing) {
            let topic = unique_id_topic(&user_id);
            let introduction = Message::new(topic, unique_id.as_str(), self.plan.qos);
            effects.push(Effect::Publish(introduction));
            self.set_stage(&unique_id, Stage::Introducing);
        }
        effects
    }

    fn subscribed(&mut self, filter: &TopicFilter) -> Vec<Effect<Report>> {
        if *filter == self.plan.logins() {
            return vec![Effect::Note("waiting for logins".to_owned())];
        }
        let Some((unique_id, session)) = filter
            .as_str()
            .strip_suffix("/+")
            .and_then(|id| Level::new(id).ok())
            .and_then(|id| self.sessions.get_key_value(&id))
        else {
            return Vec::new();
        };
        if !matches!(session.stage, Stage::Subscribing) {
            return Vec::new();
        }
        let introduction = Message::new(
            unique_id_topic(&session.user_id),
            unique_id.as_str(),
            self.plan.qos,
        );
        let unique_id = unique_id.clone();
        self.set_stage(&unique_id, Stage::Introducing);
        vec![Effect::Publish(introduction)]
    }

    fn confirmed(&mut self, now: Instant, message: &Message) {
        let Ok(unique_id) = Level::from_bytes(&message.payload) else {
            return;
        };
        if let Some(session) = self.sessions.get(&unique_id) {
            if matches!(session.stage, Stage::Introducing | Stage::Pausing { .. })
                && message.topic == unique_id_topic(&session.user_id)
            {
                let until = now + self.plan.delay;
                self.set_stage(&unique_id, Stage::Pausing { until });
            }
        }
    }

    /// A session without one of its commands is no fair test.
    fn undeliverable(&mut self, now: Instant, message: &Message) -> Vec<Effect<Report>> {
        let named = [
            Level::new(message.topic.as_str()),
            Level::from_bytes(&message.payload),
        ];
        let mut named = named.into_iter().flatten();
        let Some(unique_id) = named.find(|id| self.sessions.contains_key(id)) else {
            return Vec::new();
        };
        let why = "the connection could not carry all of its commands".to_owned();
        self.close(now, &unique_id, Err(why))
    }

    fn command(&mut self, now: Instant, unique_id: &Level) -> Vec<Effect<Report>> {
        let table: Vec<Level> = self.plan.replies.commands().cloned().collect();
        let count = self.random.u32(self.plan.commands.clone());
        let commands: Vec<Level> = (0..count)
            .filter_map(|_| self.random.choice(&table).cloned())
            .collect();
        let mut open = HashMap::new();
        let mut effects = vec![Effect::Note(format!(
            "session {unique_id}: sending {count} commands"
        ))];
        for command in &commands {
            *open.entry(command.clone()).or_default() += 1;
            effects.push(Effect::Publish(Message::new(
                command_topic(unique_id),
                command.as_str(),
                self.plan.qos,
            )));
        }
        if let Some(session) = self.sessions.get_mut(unique_id) {
            session.commands = commands;
            self.fresh.remove(&session.user_id);
        }
        let stage = if open.is_empty() {
            Stage::Settling {
                until: now + SETTLE,
            }
        } else {
            Stage::Commanding {
                open,
                until: self.plan.patience.map(|patience| now + patience),
            }
        };
        self.set_stage(unique_id, stage);
        effects
    }

    fn reply(&mut self, now: Instant, message: &Message) -> Vec<Effect<Report>> {
        let session = message
            .topic
            .as_str()
            .split_once('/')
            .and_then(|(id, command)| Some((Level::new(id).ok()?, Level::new(command).ok()?)));
        let Some((unique_id, command)) = session else {
            return Vec::new();
        };
        let Some(session) = self.sessions.get_mut(&unique_id) else {
            return self.unknown_session(unique_id);
        };
        let said = printable(&message.payload);
        session.replies.push(said.clone());
        let expected = self.plan.replies.answer(command.as_str());
        let open = match &mut session.stage {
            Stage::Commanding { open, .. } => open.get_mut(&command).filter(|left| **left > 0),
            _ => None,
        };
        let topic = reply_topic(&unique_id, &command);
        let wrong = match (expected, open) {
            (None, _) => Some(format!("a reply on {topic}, and {command} is no command")),
            (Some((_, word)), _) if word.as_bytes() != message.payload => {
                Some(format!("on {topic}, `{said}` instead of `{word}`"))
            }
            (_, None) => Some(format!("one reply too many on {topic}")),
            _ if message.qos != self.plan.qos => Some(format!(
                "the reply on {topic} came with {} to a command with {}",
                message.qos, self.plan.qos
            )),
            (_, Some(left)) => {
                *left -= 1;
                None
            }
        };
        if let Some(why) = wrong {
            return self.close(now, &unique_id, Err(why));
        }
        let Stage::Commanding { open, .. } = &mut session.stage else {
            return Vec::new();
        };
        let open = std::mem::take(open);
        let stage = if open.values().all(|left| *left == 0) {
            Stage::Settling {
                until: now + SETTLE,
            }
        } else {
            let until = self.plan.patience.map(|patience| now + patience);
            Stage::Commanding { open, until }
        };
        self.set_stage(&unique_id, stage);
        Vec::new()
    }

    /// A session that is over, and its UNSUBSCRIBE on the way; or, in a group, one that an earlier run
    /// left when it was killed.
    fn unknown_session(&mut self, unique_id: Level) -> Vec<Effect<Report>> {
        if self.plan.share.is_none() || self.leftover.contains(&unique_id) {
            return Vec::new();
        }
        if self.leftover.len() >= MOST_SESSIONS {
            self.leftover.clear();
        }
        let filter = TopicFilter::below(&command_topic(&unique_id));
        self.leftover.insert(unique_id);
        vec![Effect::Unsubscribe(filter)]
    }

    fn due(&mut self, now: Instant, unique_id: &Level) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.get(unique_id) else {
            return Vec::new();
        };
        match &session.stage {
            Stage::Pausing { .. } => self.command(now, unique_id),
            Stage::Settling { .. } => self.close(now, unique_id, Ok(())),
            Stage::Commanding { open, .. } => {
                let mut missing: Vec<String> = open
                    .iter()
                    .filter(|(_, left)| **left > 0)
                    .map(|(command, left)| format!("{left} to {command}"))
                    .collect();
                missing.sort();
                let missing = missing.join(", ");
                self.close(now, unique_id, Err(format!("replies missing: {missing}")))
            }
            Stage::Subscribing | Stage::Introducing => Vec::new(),
        }
    }

    fn close(
        &mut self,
        now: Instant,
        unique_id: &Level,
        verdict: Result<(), String>,
    ) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.remove(unique_id) else {
            return Vec::new();
        };
        if let Some(deadline) = session.stage.deadline() {
            self.deadlines.remove(&(deadline, unique_id.clone()));
        }
        if self.fresh.get(&session.user_id) == Some(unique_id) {
            self.fresh.remove(&session.user_id);
        }
        let mut effects = Vec::new();
        match &verdict {
            Ok(()) => {
                self.passed += 1;
                effects.push(Effect::Note(format!("session {unique_id} passed")));
                effects.push(Effect::Publish(Message::new(
                    command_topic(unique_id),
                    LAST_WORDS,
                    self.plan.qos,
                )));
            }
            Err(why) => {
                self.failed += 1;
                effects.push(Effect::Warn(format!(
                    "session {unique_id} of {} failed: {why}",
                    session.user_id
                )));
            }
        }
        effects.push(Effect::Unsubscribe(TopicFilter::below(&command_topic(
            unique_id,
        ))));
        effects.push(Effect::Emit(Report {
            user_id: session.user_id,
            unique_id: unique_id.clone(),
            commands: session.commands,
            replies: session.replies,
            duration: now.saturating_duration_since(session.since),
            verdict,
        }));
        if self.plan.sessions == Some(self.passed + self.failed) {
            effects.push(Effect::Finish);
        }
        effects
    }
}

impl Role for Controller {
    type Item = Report;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Report> {
        Ok(match event {
            Event::Connected { .. } if self.started == 0 => {
                vec![Effect::Subscribe(self.plan.logins(), QoS::ExactlyOnce)]
            }
            Event::Connected { .. } | Event::Line(_) => Vec::new(),
            Event::Subscribed(filter) => self.subscribed(filter),
            Event::Confirmed(message) => {
                self.confirmed(now, message);
                Vec::new()
            }
            Event::Undeliverable(message, _) => self.undeliverable(now, message),
            Event::Received(Message {
                retain: true,
                topic,
                ..
            }) => vec![Effect::Warn(format!(
                "ignored a retained message on {topic}: it is from an earlier session"
            ))],
            Event::Received(message) if message.topic == login_topic() => {
                self.login(now, &message.payload)
            }
            Event::Received(message) => self.reply(now, message),
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
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn time_limit(&self) -> Option<Instant> {
        None
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
