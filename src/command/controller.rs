//! The controller's end of a session: hands out UNIQUE IDs, sends commands, and judges the replies.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::{LAST_WORDS, PAUSE, Replies, command_topic, login_topic, reply_topic, unique_id_topic};
use crate::role::{Effect, Event, Message, QoS, Reaction, Role, printable};
use crate::topic::{Level, TopicFilter};

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

/// One finished session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who logged in.
    pub user_id: Level,
    /// What the session was called.
    pub unique_id: Level,
    /// The commands, as they were sent.
    pub commands: Vec<Level>,
    /// The replies, as they came.
    pub replies: Vec<String>,
    /// From the login to the verdict.
    pub duration: Duration,
    /// Why it failed, or `Ok`.
    pub verdict: Result<(), String>,
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

    fn status(&self) -> String {
        format!(
            "sessions: {} under way, {} passed, {} failed",
            self.sessions.len(),
            self.passed,
            self.failed
        )
    }
}

impl Report {
    /// The report as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let list = |items: &mut dyn Iterator<Item = &str>| {
            let quoted: Vec<String> = items.map(json_string).collect();
            format!("[{}]", quoted.join(","))
        };
        let verdict = match &self.verdict {
            Ok(()) => "\"passed\"".to_owned(),
            Err(why) => format!("\"failed\",\"reason\":{}", json_string(why)),
        };
        format!(
            "{{\"user_id\":{},\"unique_id\":{},\"commands\":{},\"replies\":{},\"duration_s\":{:.3},\"verdict\":{verdict}}}",
            json_string(self.user_id.as_str()),
            json_string(self.unique_id.as_str()),
            list(&mut self.commands.iter().map(Level::as_str)),
            list(&mut self.replies.iter().map(String::as_str)),
            self.duration.as_secs_f64(),
        )
    }
}

/// A JSON string (RFC 8259, section 7). One line a session is all the JSON there is here: not worth
/// the six crates of serde_json.
fn json_string(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::TopicName;

    const CONNECTED: Event<'static> = Event::Connected {
        session_present: false,
    };

    fn message(topic: &str, payload: &str, qos: QoS) -> Message {
        Message::new(TopicName::new(topic).unwrap(), payload, qos)
    }

    fn plan(commands: u32) -> Plan {
        Plan {
            commands: commands..=commands,
            seed: 7,
            sessions: Some(1),
            ..Plan::default()
        }
    }

    /// A controller whose one session has got its commands, the session's id, and the commands.
    fn commanding(commands: u32, now: Instant) -> (Controller, Level, Vec<Level>) {
        let mut controller = Controller::new(plan(commands));
        controller.handle(now, CONNECTED).unwrap();
        let login = message("login", "alice", QoS::ExactlyOnce);
        controller.handle(now, Event::Received(&login)).unwrap();
        let id = controller.sessions.keys().next().unwrap().clone();
        let filter = TopicFilter::new(format!("{id}/+")).unwrap();
        controller.handle(now, Event::Subscribed(&filter)).unwrap();
        let uuid = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
        controller.handle(now, Event::Confirmed(&uuid)).unwrap();
        assert_eq!(controller.deadline(), Some(now + PAUSE));
        controller.handle(now + PAUSE, Event::Deadline).unwrap();
        let commands = controller.sessions[&id].commands.clone();
        (controller, id, commands)
    }

    fn verdict(effects: &[Effect<Report>]) -> Option<Result<(), String>> {
        effects.iter().find_map(|effect| match effect {
            Effect::Emit(report) => Some(report.verdict.clone()),
            _ => None,
        })
    }

    fn says_well_done(effects: &[Effect<Report>]) -> bool {
        effects.iter().any(
            |effect| matches!(effect, Effect::Publish(m) if m.payload == LAST_WORDS.as_bytes()),
        )
    }

    #[test]
    fn the_unique_id_goes_out_only_when_the_replies_can_be_heard() {
        let now = Instant::now();
        let mut controller = Controller::new(plan(3));
        let login = message("login", "alice", QoS::ExactlyOnce);
        let effects = controller.handle(now, Event::Received(&login)).unwrap();
        assert!(matches!(
            effects[..],
            [Effect::Note(_), Effect::Subscribe(..)]
        ));
        let id = controller.sessions.keys().next().unwrap().clone();
        let filter = TopicFilter::new(format!("{id}/+")).unwrap();
        assert_eq!(
            controller.handle(now, Event::Subscribed(&filter)),
            Ok(vec![Effect::Publish(message(
                "alice/UUID",
                id.as_str(),
                QoS::ExactlyOnce
            ))])
        );
        assert_eq!(
            controller.handle(now, Event::Subscribed(&filter)),
            Ok(vec![])
        );
    }

    #[test]
    fn a_group_shares_the_logins_and_nothing_else() {
        let now = Instant::now();
        let mut controller = Controller::new(Plan {
            share: Some(Level::new("west").unwrap()),
            ..plan(3)
        });
        let shared = TopicFilter::new("$share/west/login").unwrap();
        assert_eq!(
            controller.handle(now, CONNECTED),
            Ok(vec![Effect::Subscribe(shared.clone(), QoS::ExactlyOnce)])
        );
        let effects = controller.handle(now, Event::Subscribed(&shared)).unwrap();
        assert_eq!(effects, [Effect::Note("waiting for logins".to_owned())]);
        let login = message("login", "alice", QoS::ExactlyOnce);
        let effects = controller.handle(now, Event::Received(&login)).unwrap();
        let id = controller.sessions.keys().next().unwrap().clone();
        let replies = TopicFilter::new(format!("{id}/+")).unwrap();
        assert_eq!(
            effects[1],
            Effect::Subscribe(replies, QoS::ExactlyOnce),
            "plain"
        );
        // What an earlier run left on the broker is ended at its first sign of life.
        let foreign = message("U0/CMD1", "Apple", QoS::ExactlyOnce);
        let left = TopicFilter::new("U0/+").unwrap();
        let effects = controller.handle(now, Event::Received(&foreign)).unwrap();
        assert_eq!(effects, [Effect::Unsubscribe(left)]);
        let effects = controller.handle(now, Event::Received(&foreign)).unwrap();
        assert_eq!(effects, []);
    }

    #[test]
    fn a_device_that_logs_in_again_before_its_first_command_is_in_the_same_session() {
        let now = Instant::now();
        let later = now + Duration::from_secs(2);
        let mut controller = Controller::new(Plan {
            sessions: None,
            ..plan(3)
        });
        let login = message("login", "alice", QoS::ExactlyOnce);
        controller.handle(now, Event::Received(&login)).unwrap();
        let effects = controller.handle(now, Event::Received(&login)).unwrap();
        assert!(matches!(effects[..], [Effect::Note(_)]), "on its way");
        let id = controller.sessions.keys().next().unwrap().clone();
        let filter = TopicFilter::new(format!("{id}/+")).unwrap();
        let uuid = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
        controller.handle(now, Event::Subscribed(&filter)).unwrap();
        controller.handle(now, Event::Confirmed(&uuid)).unwrap();
        let effects = controller.handle(later, Event::Received(&login)).unwrap();
        assert_eq!(effects[1..], [Effect::Publish(uuid.clone())]);
        // The pause begins when it has been told.
        assert_eq!(controller.deadline(), None);
        controller.handle(later, Event::Confirmed(&uuid)).unwrap();
        assert_eq!(controller.deadline(), Some(later + PAUSE));
        controller.handle(later + PAUSE, Event::Deadline).unwrap();
        // From now on a login is a new session.
        controller.handle(later, Event::Received(&login)).unwrap();
        assert_eq!(controller.sessions.len(), 2);
    }

    #[test]
    fn right_replies_in_any_order_pass() {
        let now = Instant::now();
        let (mut controller, id, mut commands) = commanding(9, now);
        commands.reverse();
        for command in &commands {
            let word = Replies::default()
                .answer(command.as_str())
                .unwrap()
                .1
                .to_owned();
            let reply = message(&format!("{id}/{command}"), &word, QoS::ExactlyOnce);
            assert_eq!(controller.handle(now, Event::Received(&reply)), Ok(vec![]));
        }
        let end = controller.handle(now + SETTLE, Event::Deadline).unwrap();
        assert!(says_well_done(&end));
        assert_eq!(verdict(&end), Some(Ok(())));
        assert_eq!(end.last(), Some(&Effect::Finish));
        assert_eq!(controller.deadline(), None);
    }

    #[test]
    fn a_bad_reply_fails_the_session_without_the_last_words() {
        let now = Instant::now();
        let replies = Replies::default();
        for (word, command, qos, times, why) in [
            (None, "CMD9", QoS::ExactlyOnce, 1, "no command"),
            (Some("Ape"), "", QoS::ExactlyOnce, 1, "instead of"),
            (None, "", QoS::AtLeastOnce, 1, "came with QoS 1"),
            (None, "", QoS::ExactlyOnce, 2, "one reply too many"),
        ] {
            let (mut controller, id, commands) = commanding(1, now);
            let asked = commands[0].as_str();
            let right = replies.answer(asked).unwrap().1;
            let topic = format!("{id}/{}", if command.is_empty() { asked } else { command });
            let reply = message(&topic, word.unwrap_or(right), qos);
            let mut effects = Vec::new();
            for _ in 0..times {
                effects = controller.handle(now, Event::Received(&reply)).unwrap();
            }
            let said = verdict(&effects).unwrap().unwrap_err();
            assert!(said.contains(why), "{said}");
            assert!(!says_well_done(&effects));
        }
    }

    #[test]
    fn a_missing_reply_fails_the_session_when_patience_ends() {
        let now = Instant::now();
        let (mut controller, _, commands) = commanding(1, now);
        let deadline = controller.deadline().unwrap();
        assert_eq!(deadline, now + PAUSE + Duration::from_secs(60));
        let effects = controller.handle(deadline, Event::Deadline).unwrap();
        assert_eq!(
            verdict(&effects),
            Some(Err(format!("replies missing: 1 to {}", commands[0])))
        );
        assert!(!says_well_done(&effects));
    }

    #[test]
    fn a_reply_before_any_command_is_one_too_many() {
        let now = Instant::now();
        let mut controller = Controller::new(plan(3));
        let login = message("login", "alice", QoS::ExactlyOnce);
        controller.handle(now, Event::Received(&login)).unwrap();
        let id = controller.sessions.keys().next().unwrap().clone();
        let reply = message(&format!("{id}/CMD1"), "Apple", QoS::ExactlyOnce);
        let effects = controller.handle(now, Event::Received(&reply)).unwrap();
        assert!(verdict(&effects).unwrap().unwrap_err().contains("too many"));
    }

    #[test]
    fn bad_logins_and_logins_beyond_the_plan_are_refused() {
        let now = Instant::now();
        let mut controller = Controller::new(plan(1));
        for payload in ["", "#", "a/b", "bob\n"] {
            let login = message("login", payload, QoS::AtLeastOnce);
            let effects = controller.handle(now, Event::Received(&login)).unwrap();
            assert!(matches!(effects[..], [Effect::Warn(_)]), "{payload:?}");
        }
        let mut login = message("login", "alice", QoS::AtLeastOnce);
        login.retain = true;
        let effects = controller.handle(now, Event::Received(&login)).unwrap();
        assert!(matches!(effects[..], [Effect::Warn(_)]), "retained");
        login.retain = false;
        controller.handle(now, Event::Received(&login)).unwrap();
        let other = message("login", "bob", QoS::AtLeastOnce);
        let effects = controller.handle(now, Event::Received(&other)).unwrap();
        assert!(
            matches!(effects[..], [Effect::Warn(_)]),
            "one session was asked for"
        );
    }

    #[test]
    fn a_report_is_one_line_of_json() {
        let report = Report {
            user_id: Level::new("a\"b\\").unwrap(),
            unique_id: Level::new("u").unwrap(),
            commands: vec![Level::new("CMD1").unwrap()],
            replies: vec!["Apple".to_owned(), "\t".to_owned()],
            duration: Duration::from_millis(3100),
            verdict: Err("why".to_owned()),
        };
        assert_eq!(
            report.to_json(),
            r#"{"user_id":"a\"b\\","unique_id":"u","commands":["CMD1"],"replies":["Apple","\u0009"],"duration_s":3.100,"verdict":"failed","reason":"why"}"#
        );
    }
}
