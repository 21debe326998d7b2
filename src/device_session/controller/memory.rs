//! What a controller remembers of each session, so that a later process goes on with it: under the UNIQUE ID, fields
//! that a NUL ends, which no level and no shown text has. And how many it has judged, and who of the roster has passed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::mistakes::Mistake;
use super::session::{Session, Stage};
use super::{Controller, Plan, command_topic};
use crate::device_session::report::Report;
use crate::mqtt::{Level, QoS};
use crate::role::{Effect, Memory};

/// The name under which it remembers how many sessions passed and failed. No UNIQUE ID is empty.
const JUDGED: &str = "";

/// Before the USER_ID of one who is on the roster and has passed. It makes a name that no UNIQUE ID has.
const PASSED: &str = "passed/";

/// Remembers that one of the roster has passed.
pub(super) fn remember_passed(user_id: &Level) -> Effect<Report> {
    Effect::Remember(format!("{PASSED}{user_id}"), Some(Vec::new()))
}

/// Who of the roster has passed in an earlier process.
pub fn passed_before(memory: &Memory) -> impl Iterator<Item = Level> {
    let names = memory.values.keys();
    let user_ids = names.filter_map(|name| name.strip_prefix(PASSED));
    user_ids.filter_map(|user_id| Level::new(user_id).ok())
}

impl Controller {
    /// A controller that goes on with the sessions of an earlier process. What waits for a time begins to wait at `now`.
    #[must_use]
    pub fn recalling(plan: Plan, memory: &Memory, now: Instant) -> Self {
        let mut controller = Self::new(plan);
        if let Some((passed, failed)) = memory.get(JUDGED).and_then(recall_judged) {
            (controller.passed, controller.failed) = (passed, failed);
            controller.started = passed + failed;
        }
        for user_id in passed_before(memory) {
            controller.awaited.remove(&user_id);
        }
        for (name, value) in &memory.values {
            let Ok(unique_id) = Level::new(name) else {
                continue;
            };
            let topic = controller.plan.prefix.topic(&command_topic(&unique_id));
            let unconfirmed = memory.unconfirmed.iter().filter(|known| **known == topic);
            let unconfirmed = u32::try_from(unconfirmed.count()).unwrap_or(u32::MAX);
            let Some(session) = recall(value, unconfirmed, now, &controller.plan) else {
                continue;
            };
            if let Stage::Subscribing | Stage::Introducing | Stage::Pausing { .. } = session.stage {
                let user_id = session.user_id.clone();
                controller.fresh.insert(user_id, unique_id.clone());
            }
            if let Some(deadline) = session.stage.deadline() {
                controller.deadlines.insert((deadline, unique_id.clone()));
            }
            controller.sessions.insert(unique_id, session);
            controller.started += 1;
        }
        controller
    }

    /// The subscriptions of the sessions that an earlier process has begun.
    pub(super) fn subscribe_again(&self) -> Vec<Effect<Report>> {
        let mut effects = Vec::new();
        for (unique_id, session) in &self.sessions {
            effects.extend(self.subscribe(unique_id, &session.user_id));
            effects.extend(self.listen_around(unique_id));
        }
        effects
    }

    /// Remembers how many sessions passed and failed.
    pub(super) fn remember_judged(&self) -> Effect<Report> {
        let value = format!("{} {}", self.passed, self.failed);
        Effect::Remember(JUDGED.to_owned(), Some(value.into_bytes()))
    }

    /// Remembers the session as it is now, or that it is over.
    pub(super) fn remember(&self, unique_id: &Level) -> Effect<Report> {
        let value = self.sessions.get(unique_id).map(value);
        Effect::Remember(unique_id.as_str().to_owned(), value)
    }
}

fn recall_judged(value: &[u8]) -> Option<(u64, u64)> {
    let (passed, failed) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

fn value(session: &Session) -> Vec<u8> {
    let nothing = HashMap::new();
    let (stage, open) = match &session.stage {
        Stage::Subscribing => ("subscribing", &nothing),
        Stage::Introducing => ("introducing", &nothing),
        Stage::Pausing { .. } => ("pausing", &nothing),
        Stage::Commanding(commanding) => ("commanding", &commanding.open),
        Stage::Settling { .. } => ("settling", &nothing),
    };
    let mut fields = vec![
        session.user_id.as_str().to_owned(),
        session.lowest.level().to_string(),
        session.repeats.to_string(),
        stage.to_owned(),
        session.commands.len().to_string(),
    ];
    fields.extend(session.commands.iter().map(ToString::to_string));
    fields.push(session.replies.len().to_string());
    fields.extend(session.replies.iter().cloned());
    for (command, left) in open {
        fields.extend([command.to_string(), left.to_string()]);
    }
    // No command is empty. What follows is younger than what is before it.
    fields.push(String::new());
    fields.push(session.sent_after.as_millis().to_string());
    let once_more = session.once_more.as_ref();
    let (command, after) =
        once_more.map_or(("", Duration::ZERO), |(c, after)| (c.as_str(), *after));
    fields.extend([command.to_owned(), after.as_millis().to_string()]);
    for mistake in &session.mistakes.list {
        let times = mistake.times.to_string();
        fields.extend([mistake.kind.clone(), mistake.sentence.clone(), times]);
    }
    fields.join("\0").into_bytes()
}

fn recall(value: &[u8], unconfirmed: u32, now: Instant, plan: &Plan) -> Option<Session> {
    let mut fields = std::str::from_utf8(value).ok()?.split('\0');
    let user_id = Level::new(fields.next()?).ok()?;
    let lowest = QoS::try_from(fields.next()?.parse::<u8>().ok()?).ok()?;
    let mut session = Session::new(user_id, lowest, now);
    session.repeats = fields.next()?.parse().ok()?;
    let stage = fields.next()?;
    let commands: usize = fields.next()?.parse().ok()?;
    for command in fields.by_ref().take(commands) {
        session.commands.push(Level::new(command).ok()?);
    }
    let replies: usize = fields.next()?.parse().ok()?;
    let replies = fields.by_ref().take(replies);
    session.replies = replies.map(str::to_owned).collect();
    let mut open = HashMap::new();
    while let Some(command) = fields.next().filter(|command| !command.is_empty()) {
        open.insert(Level::new(command).ok()?, fields.next()?.parse().ok()?);
    }
    if let Some(sent_after) = fields.next() {
        session.sent_after = Duration::from_millis(sent_after.parse().ok()?);
        let command = Level::new(fields.next()?).ok();
        let after = Duration::from_millis(fields.next()?.parse().ok()?);
        session.once_more = command.map(|command| (command, after));
    }
    while let Some(kind) = fields.next() {
        session.mistakes.list.push(Mistake {
            kind: kind.to_owned(),
            sentence: fields.next()?.to_owned(),
            times: fields.next()?.parse().ok()?,
        });
    }
    session.stage = match stage {
        "subscribing" => Stage::Subscribing,
        "introducing" => Stage::Introducing,
        "pausing" => Stage::Pausing {
            until: now + plan.delay,
        },
        _ => Stage::awaiting(open, unconfirmed, now, plan),
    };
    Some(session)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CONNECTED, message, plan, subscribed, verdict};
    use super::super::*;
    use super::{Duration, passed_before, recall, value};
    use crate::device_session::class::Roster;
    use crate::device_session::{PAUSE, Replies};
    use crate::role::Memory;
    use session::{PATIENCE, SETTLE};

    /// A controller that is killed after any event, and a later one in its place.
    #[test]
    fn a_later_process_goes_on_with_each_session() {
        fn keep(memory: &mut Memory, effects: &[Effect<Report>]) {
            for effect in effects.iter().cloned() {
                match effect {
                    Effect::Remember(name, Some(value)) => drop(memory.values.insert(name, value)),
                    Effect::Remember(name, None) => drop(memory.values.remove(&name)),
                    _ => {}
                }
            }
        }
        let now = Instant::now();
        for killed in 0..10 {
            let mut memory = Memory::default();
            let with_roster = || Plan {
                roster: Roster::parse("alice\nbob").unwrap(),
                ..plan(3)
            };
            let mut controller = Controller::new(with_roster());
            let mut step = 0;
            let mut now = now;
            let mut handle = |controller: &mut Controller, now: Instant, event: Event<'_>| {
                let effects = controller.handle(now, event).unwrap();
                keep(&mut memory, &effects);
                if step == killed {
                    *controller = Controller::recalling(with_roster(), &memory, now);
                    let said = controller.handle(now, CONNECTED).unwrap();
                    let filters = said.iter().filter(|e| matches!(e, Effect::Subscribe(..)));
                    let expected = match controller.has_judged_all() {
                        true => 0,
                        false => 1 + controller.sessions.len(),
                    };
                    assert_eq!(filters.count(), expected);
                }
                step += 1;
                effects
            };
            handle(&mut controller, now, CONNECTED);
            let login = message("login", "alice", QoS::ExactlyOnce);
            handle(&mut controller, now, Event::Received(&login));
            let id = controller.sessions.keys().next().unwrap().clone();
            let filter = TopicFilter::new(format!("{id}/+")).unwrap();
            handle(&mut controller, now, subscribed(&filter));
            let uuid = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
            handle(&mut controller, now, Event::Confirmed(&uuid));
            now += PAUSE;
            handle(&mut controller, now, Event::Deadline);
            let commands = controller.sessions[&id].commands.clone();
            for command in &commands {
                let (_, word) = Replies::default()
                    .answer(command.as_str())
                    .map(|(command, word)| (command.clone(), word.to_owned()))
                    .unwrap();
                let reply = message(&format!("{id}/{command}"), &word, QoS::ExactlyOnce);
                handle(&mut controller, now, Event::Received(&reply));
            }
            now += SETTLE;
            let effects = handle(&mut controller, now, Event::Deadline);
            assert_eq!(verdict(&effects), Some(Ok(())), "killed after {killed}");
            assert_eq!(
                memory.values.len(),
                2,
                "how many it has judged, and who passed"
            );
            let two = Plan {
                sessions: Some(2),
                ..plan(3)
            };
            let mut later = Controller::recalling(two, &memory, now);
            assert_eq!(later.judged(), (1, 0));
            let finishes = |effects: Vec<_>| effects.contains(&Effect::Finish);
            assert!(!finishes(later.handle(now, CONNECTED).unwrap()));
            let roster = |text| Plan {
                roster: Roster::parse(text).unwrap(),
                sessions: None,
                ..plan(3)
            };
            assert_eq!(passed_before(&memory).count(), 1);
            let mut all = Controller::recalling(roster("alice"), &memory, now);
            assert!(finishes(all.handle(now, CONNECTED).unwrap()));
            let mut class = Controller::recalling(roster("alice\nbob"), &memory, now);
            assert!(!finishes(class.handle(now, CONNECTED).unwrap()));
            let mut last = Controller::recalling(plan(3), &memory, now);
            assert!(finishes(last.handle(now, CONNECTED).unwrap()));
        }
    }

    /// What was wrong is not forgotten, and what was sent once more is not sent again.
    #[test]
    fn a_later_process_knows_the_mistakes_and_what_was_sent_when() {
        let now = Instant::now();
        let (mut controller, id, commands) = super::super::tests::commanding(3, now);
        let mut at = now + PAUSE + PATIENCE;
        controller.handle(at, Event::Deadline).unwrap();
        let reply = message(&format!("/{id}/{}", commands[0]), "Ape", QoS::AtMostOnce);
        controller.handle(at, Event::Received(&reply)).unwrap();
        let session = &controller.sessions[&id];
        let mut memory = Memory::default();
        memory.values.insert(id.to_string(), value(session));
        let mistakes = session.mistakes.clone();
        let once_more = session.once_more.clone();
        assert!(!mistakes.is_empty() && once_more.is_some());
        // One command is on its way: so long nothing is missing.
        memory.unconfirmed.push(command_topic(&id));
        let mut later = Controller::recalling(plan(3), &memory, at);
        let known = &later.sessions[&id];
        assert_eq!((&known.mistakes, &known.once_more), (&mistakes, &once_more));
        assert_eq!(known.sent_after, PAUSE);
        assert_eq!(later.deadline(), Some(at + Plan::TIMEOUT));
        at += Duration::from_secs(5);
        let command = message(id.as_str(), commands[0].as_str(), QoS::ExactlyOnce);
        later.handle(at, Event::Confirmed(&command)).unwrap();
        assert_eq!(later.deadline(), Some(at + PATIENCE));
        let effects = later.handle(at + PATIENCE, Event::Deadline).unwrap();
        let why = verdict(&effects).unwrap().unwrap_err();
        assert!(why.contains("begins with a slash"), "{why}");
    }

    /// The journal of a version that knew no mistakes.
    #[test]
    fn a_session_of_an_earlier_version_goes_on() {
        let now = Instant::now();
        let old = "alice\x002\x000\0commanding\x001\0CMD1\x000\0CMD1\x001";
        let session = recall(old.as_bytes(), 0, now, &plan(1)).unwrap();
        assert!(matches!(&session.stage, Stage::Commanding(c) if c.open.len() == 1));
        assert!(recall(&value(&session), 0, now, &plan(1)).is_some());
    }
}
