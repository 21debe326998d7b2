//! What a message means for a session, and what is said of it and when: the judge.

use std::collections::HashMap;
use std::time::Instant;

use super::super::verdict::{Word, verdict_message};
use super::super::{
    LAST_WORDS, MAX_USER_ID, command_topic, parse_reply_topic, reply_filter, unique_id_topic,
};
use super::mistakes::{stray, stray_login};
use super::session::Stage;
use super::steps::Step;
use super::{BROKER_LIMITS, Controller, MAX_SESSIONS, Report};
use crate::mqtt::{Level, Message, printable};
use crate::role::Effect;

/// How many levels a UNIQUE ID of this program has: a topic that begins with another name is no session's.
pub(super) fn looks_like_unique_id(level: &Level) -> bool {
    let text = level.as_str();
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Controller {
    pub(super) fn send_commands(&mut self, now: Instant, unique_id: &Level) -> Vec<Effect<Report>> {
        let commands = self.plan.draw(&mut self.random);
        let count = commands.len();
        let mut open: HashMap<Level, u32> = HashMap::new();
        let mut effects = vec![Effect::Note(format!(
            "session {unique_id}: sending {count} commands"
        ))];
        for command in &commands {
            *open.entry(command.clone()).or_default() += 1;
            effects.push(self.command(unique_id, command));
        }
        self.step(|| Step::Commanded {
            unique_id: unique_id.clone(),
            commands: commands.clone(),
        });
        if let Some(session) = self.sessions.get_mut(unique_id) {
            session.commands = commands;
            session.sent_after = now.saturating_duration_since(session.since);
            self.fresh.remove(&session.user_id);
        }
        let unconfirmed = u32::try_from(count).unwrap_or(u32::MAX);
        let stage = Stage::awaiting(open, unconfirmed, now, &self.plan);
        self.set_stage(unique_id, stage);
        effects.push(self.remember(unique_id));
        effects
    }

    fn command(&self, unique_id: &Level, command: &Level) -> Effect<Report> {
        Effect::Publish(Message::new(
            command_topic(unique_id),
            command.as_str(),
            self.plan.qos,
        ))
    }

    /// The broker has a command.
    pub(super) fn delivered(&mut self, now: Instant, unique_id: &Level) {
        let session = self.sessions.get_mut(unique_id);
        if let Some(stage) = session.and_then(|session| session.delivered(now)) {
            self.set_stage(unique_id, stage);
        }
    }

    /// A message on any topic but that of the logins.
    pub(super) fn received(&mut self, now: Instant, message: &Message) -> Vec<Effect<Report>> {
        if let Some((unique_id, command)) = parse_reply_topic(&message.topic) {
            let answer = self.plan.replies.answer(command.as_str());
            if let (Some(session), Some((command, word))) =
                (self.sessions.get_mut(&unique_id), answer)
            {
                let (before, known) = session.mistakes.counts();
                let stage = session.take_reply(now, command, word, message, &self.plan);
                let is_right = session.mistakes.counts().0 == before;
                let command = command.clone();
                self.step(|| Step::Replied {
                    unique_id: unique_id.clone(),
                    command,
                    word: printable(&message.payload),
                    is_right,
                });
                self.new_mistakes(&unique_id, known);
                return self.taken(&unique_id, stage);
            }
        }
        if let Some(said) = self.stray_login(message) {
            return said;
        }
        match self.session_of(message) {
            Some(unique_id) => self.stray(now, &unique_id, message),
            None => match parse_reply_topic(&message.topic) {
                Some((unique_id, _)) => self.unknown_session(unique_id),
                None => Vec::new(),
            },
        }
    }

    pub(super) fn taken(&mut self, unique_id: &Level, stage: Option<Stage>) -> Vec<Effect<Report>> {
        if let Some(stage) = stage {
            self.set_stage(unique_id, stage);
        }
        vec![self.remember(unique_id)]
    }

    /// The session that a message may be meant for whose topic is none of the protocol's.
    fn session_of(&self, message: &Message) -> Option<Level> {
        let mut levels = message.topic.levels();
        let (first, second) = (levels.next()?, levels.next());
        let named = [Some(first), second].into_iter().flatten();
        let mut named = named.filter_map(|level| Level::new(&level.to_ascii_lowercase()).ok());
        if let Some(unique_id) = named.find(|level| self.sessions.contains_key(level)) {
            return Some(unique_id);
        }
        let ours = Level::from_bytes(&message.payload).ok();
        if second == Some("UUID") && ours.is_some_and(|id| self.sessions.contains_key(&id)) {
            return None;
        }
        let of_user = self
            .sessions
            .iter()
            .filter(|(_, session)| session.user_id.as_str() == first);
        // Of several the one that waits for replies.
        let found = of_user.max_by_key(|(_, session)| {
            (matches!(session.stage, Stage::Commanding(_)), session.since)
        });
        found.map(|(unique_id, _)| unique_id.clone())
    }

    /// A message that may be a device's mistake.
    fn stray(&mut self, now: Instant, unique_id: &Level, message: &Message) -> Vec<Effect<Report>> {
        let Message { topic, payload, .. } = message;
        let Some(session) = self.sessions.get_mut(unique_id) else {
            return Vec::new();
        };
        if *topic == command_topic(unique_id) {
            let is_ours = |command: &Level| command.as_str().as_bytes() == *payload;
            if payload == LAST_WORDS.as_bytes() || session.commands.iter().any(is_ours) {
                return Vec::new();
            }
        }
        if *topic == unique_id_topic(&session.user_id) {
            let hint = format!(
                "{} was told another UNIQUE ID, `{}`: is there a second controller on this broker? stop one, or give both the same --share",
                self.plan.prefix.shown(topic),
                printable(payload)
            );
            if !session.hints.is_empty() {
                return Vec::new();
            }
            session.hints.push(hint.clone());
            return vec![Effect::Warn(hint)];
        }
        let Some(stray) = stray(
            &self.plan.replies,
            &self.plan.prefix,
            &session.user_id,
            unique_id,
            topic,
            payload,
        ) else {
            return Vec::new();
        };
        let known = session.mistakes.counts().1;
        let stage = session.take_stray(now, stray, &self.plan);
        self.new_mistakes(unique_id, known);
        self.taken(unique_id, stage)
    }

    /// A login on a wrong topic: no session begins, so it is said at once.
    fn stray_login(&mut self, message: &Message) -> Option<Vec<Effect<Report>>> {
        let (sentence, user_id) = stray_login(&self.plan.prefix, &message.topic, &message.payload)?;
        let mut effects = vec![Effect::Warn(format!("no login: {sentence}"))];
        let user_id = user_id.filter(|user_id| user_id.as_str().len() <= MAX_USER_ID);
        self.step(|| Step::NotLoggedIn {
            user_id: user_id.clone(),
            why: sentence.clone(),
        });
        effects.extend(user_id.and_then(|user_id| self.no_login(&user_id, sentence)));
        Some(effects)
    }

    /// A reply in a session that is over, and its UNSUBSCRIBE is on the way; or, in a group, in one that an
    /// earlier run abandoned when it was killed.
    fn unknown_session(&mut self, unique_id: Level) -> Vec<Effect<Report>> {
        let is_ours = looks_like_unique_id(&unique_id);
        if self.plan.share.is_none() || !is_ours || self.abandoned_sessions.contains(&unique_id) {
            return Vec::new();
        }
        if self.abandoned_sessions.len() >= MAX_SESSIONS {
            self.abandoned_sessions.clear();
        }
        let filter = reply_filter(&unique_id);
        self.abandoned_sessions.insert(unique_id);
        vec![Effect::Unsubscribe(filter)]
    }

    /// A session's time has come.
    pub(super) fn due(&mut self, now: Instant, unique_id: &Level) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.get(unique_id) else {
            return Vec::new();
        };
        match &session.stage {
            Stage::Pausing { .. } => self.send_commands(now, unique_id),
            Stage::Settling { .. } => self.close(now, unique_id, Vec::new()),
            Stage::Commanding(commanding) => {
                let is_over = commanding.expires_at.is_some_and(|at| at <= now);
                let missing = session.missing(&self.plan.prefix, unique_id);
                if !is_over && session.mistakes.is_empty() {
                    return self.wait_on(now, unique_id, &missing);
                }
                let mut effects = self.close(now, unique_id, missing);
                if is_over {
                    effects.push(Effect::Warn(BROKER_LIMITS.to_owned()));
                }
                effects
            }
            Stage::Subscribing | Stage::Introducing => Vec::new(),
        }
    }

    /// Something is missing, and nothing is wrong: says so, and waits on, because a device whose connection is lost comes
    /// back and answers.
    fn wait_on(
        &mut self,
        now: Instant,
        unique_id: &Level,
        missing: &[String],
    ) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.get_mut(unique_id) else {
            return Vec::new();
        };
        let user_id = session.user_id.clone();
        let once_more = session.to_send_once_more(self.plan.replies.commands());
        self.step(|| Step::Missing {
            unique_id: unique_id.clone(),
            sentences: missing.to_vec(),
        });
        let say = |sentence| {
            Effect::Warn(format!(
                "session {unique_id} of {user_id}, so far: {sentence}"
            ))
        };
        let mut effects: Vec<_> = missing.iter().map(say).collect();
        if self.plan.verdict {
            let verdict = verdict_message(&user_id, Some(unique_id), Word::Waiting, missing);
            effects.push(Effect::Publish(verdict));
        }
        let Some(session) = self.sessions.get_mut(unique_id) else {
            return effects;
        };
        if let Stage::Commanding(commanding) = &mut session.stage {
            commanding.look_at = None;
            if let Some(command) = &once_more {
                *commanding.open.entry(command.clone()).or_default() += 1;
                commanding.unconfirmed += 1;
            }
        }
        if let Some(command) = once_more {
            session.commands.push(command.clone());
            let after = now.saturating_duration_since(session.since);
            session.once_more = Some((command.clone(), after));
            effects.push(self.command(unique_id, &command));
            effects.push(self.remember(unique_id));
            self.step(|| Step::Commanded {
                unique_id: unique_id.clone(),
                commands: vec![command],
            });
        }
        if let Some(at) = self
            .sessions
            .get(unique_id)
            .and_then(|session| session.stage.deadline())
        {
            self.deadlines.insert((at, unique_id.clone()));
        }
        effects
    }
}

#[cfg(test)]
mod tests;
