//! A login: a new session, the one that the device has already, or a refusal.

use std::time::Instant;

use super::session::{Session, Stage};
use super::{Controller, MAX_SESSIONS, MAX_USER_ID, unique_id_topic};
use crate::device_session::report::Report;
use crate::device_session::verdict::{Word, verdict_message};
use crate::device_session::without_end;
use crate::mqtt::{Level, Message, QoS, printable};
use crate::role::Effect;

impl Controller {
    fn fresh_unique_id(&mut self) -> Option<Level> {
        // The seed is the one of an earlier process, perhaps, whose sessions go on.
        loop {
            let unique_id = Level::new(&format!("{:032x}", self.random.u128(..))).ok()?;
            if !self.sessions.contains_key(&unique_id) {
                return Some(unique_id);
            }
        }
    }

    /// The QoS that the replies of a device must have which logged in at `qos`. It hears the commands at no higher
    /// QoS than it asks for, and answers at that: the login tells which that is.
    fn lowest(&self, qos: QoS) -> QoS {
        self.plan.qos.min(qos)
    }

    pub(super) fn login(&mut self, now: Instant, login: &Message) -> Vec<Effect<Report>> {
        let Message { payload, qos, .. } = login;
        let has_verdict = self.plan.verdict;
        let refuse = |why: String| {
            let text = format!("refused the login `{}`: {why}", printable(payload));
            let mut effects = vec![Effect::Warn(text.clone())];
            let user_id = Level::from_bytes(without_end(payload)).ok();
            let user_id = user_id.filter(|id| has_verdict && id.as_str().len() <= MAX_USER_ID);
            if let Some(user_id) = user_id {
                let verdict = verdict_message(&user_id, None, Word::Failed, &[text]);
                effects.push(Effect::Publish(verdict));
            }
            effects
        };
        let user_id = match Level::from_bytes(payload) {
            Ok(user_id) => user_id,
            Err(why) => return refuse(format!("as a topic level, {why}")),
        };
        if payload.len() > MAX_USER_ID {
            let size = payload.len();
            return refuse(format!("it has {size} bytes, more than {MAX_USER_ID}"));
        }
        let lowest = self.lowest(*qos);
        if let Some(unique_id) = self.fresh.get(&user_id).cloned() {
            return self.introduce_again(user_id, unique_id, lowest);
        }
        if self.plan.sessions.is_some_and(|most| self.started >= most) {
            return refuse("as many sessions as --sessions asks for have begun".to_owned());
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return refuse(format!("there are {MAX_SESSIONS} sessions already"));
        }
        let Some(unique_id) = self.fresh_unique_id() else {
            return Vec::new();
        };
        self.started += 1;
        let said = format!("{user_id} logged in as session {unique_id}");
        let mut effects = vec![Effect::Note(said)];
        effects.extend(self.subscribe(&unique_id, &user_id));
        self.fresh.insert(user_id.clone(), unique_id.clone());
        let session = Session::new(user_id, lowest, now);
        self.sessions.insert(unique_id.clone(), session);
        effects.push(self.remember(&unique_id));
        effects
    }

    /// A device that logs in again before its first command has not got its UNIQUE ID, or has lost it. It
    /// gets the same one: of two sessions the device would serve only one, and the other would fail.
    fn introduce_again(
        &mut self,
        user_id: Level,
        unique_id: Level,
        lowest: QoS,
    ) -> Vec<Effect<Report>> {
        let Some(session) = self.sessions.get_mut(&unique_id) else {
            return Vec::new();
        };
        session.lowest = session.lowest.min(lowest);
        let mut effects = vec![Effect::Note(format!(
            "{user_id} logged in again: it is session {unique_id}"
        ))];
        if !matches!(session.stage, Stage::Subscribing) {
            let topic = unique_id_topic(&user_id);
            let introduction = Message::new(topic, unique_id.as_str(), self.plan.qos);
            effects.push(Effect::Publish(introduction));
            self.set_stage(&unique_id, Stage::Introducing);
        }
        effects.push(self.remember(&unique_id));
        effects
    }
}
