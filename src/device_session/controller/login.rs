//! A login: a new session, the one that the device has already, or a refusal.

use std::time::{Duration, Instant};

use super::session::{Session, Stage};
use super::steps::Step;
use super::{Controller, MAX_SESSIONS, MAX_USER_ID, unique_id_topic};
use crate::device_session::report::Report;
use crate::device_session::verdict::{Word, verdict_message};
use crate::device_session::without_end;
use crate::mqtt::{Level, Message, QoS, printable};
use crate::role::Effect;

/// At so many logins in one session a device is no longer waited for: one that logs in every second, or that another logs in,
/// would never have a command.
const MOST_LOGINS: u32 = 10;

/// So many sessions go on at one time with devices that are not on the roster: a flood of logins under names of its own must
/// not keep the class from its commands.
const MOST_GUESTS: usize = 50;

/// So many refused logins are told in a minute: a flood of them must not fill the log.
const MOST_REFUSALS: u32 = 60;
const REFUSALS_FOR: Duration = Duration::from_secs(60);

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
        match self.session_for(now, login) {
            Ok(effects) => effects,
            Err(why) => self.refuse(now, &login.payload, &why),
        }
    }

    /// A refused login, and who has to hear of it; nothing where too many are told already.
    fn refuse(&mut self, now: Instant, payload: &[u8], why: &str) -> Vec<Effect<Report>> {
        let (since, count) = self.refused.get_or_insert((now, 0));
        if now.saturating_duration_since(*since) >= REFUSALS_FOR {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        if *count > MOST_REFUSALS {
            let is_first = *count == MOST_REFUSALS + 1;
            let text = format!(
                "more than {MOST_REFUSALS} logins a minute are refused: the others are not told"
            );
            return is_first.then_some(Effect::Warn(text)).into_iter().collect();
        }
        let text = format!("refused the login `{}`: {why}", printable(payload));
        let mut effects = vec![Effect::Warn(text.clone())];
        let user_id = Level::from_bytes(without_end(payload)).ok();
        let user_id = user_id.filter(|id| id.as_str().len() <= MAX_USER_ID);
        self.step(|| Step::NotLoggedIn {
            user_id: user_id.clone(),
            why: text.clone(),
        });
        effects.extend(user_id.and_then(|user_id| self.no_login(&user_id, text)));
        effects
    }

    /// Whether there is a roster, and this one is not on it.
    fn is_guest(&self, user_id: &Level) -> bool {
        let roster = &self.plan.roster;
        !roster.is_empty() && !roster.user_ids().any(|known| known == user_id)
    }

    /// Tells a device that its login began no session, where it can be told.
    pub(super) fn no_login(&self, user_id: &Level, why: String) -> Option<Effect<Report>> {
        let is_told = self.plan.verdict && !self.is_the_brokers(user_id);
        is_told.then(|| Effect::Publish(verdict_message(user_id, None, Word::Failed, &[why])))
    }

    /// Whether the topics below this USER_ID are the broker's own (section 4.7.2): mosquitto closes the connection of whoever
    /// publishes there, and a login as `$SYS` would cut off the whole class.
    fn is_the_brokers(&self, user_id: &Level) -> bool {
        self.plan.prefix.text().is_none() && user_id.as_str().starts_with('$')
    }

    /// The session that a login begins, or is part of; or why there is none.
    fn session_for(
        &mut self,
        now: Instant,
        login: &Message,
    ) -> Result<Vec<Effect<Report>>, String> {
        let Message { payload, qos, .. } = login;
        let user_id = match Level::from_bytes(payload) {
            Ok(user_id) => user_id,
            Err(why) => return Err(format!("as a topic level, {why}")),
        };
        if payload.len() > MAX_USER_ID {
            let size = payload.len();
            return Err(format!("it has {size} bytes, more than {MAX_USER_ID}"));
        }
        if self.is_the_brokers(&user_id) {
            return Err("topics that begin with $ are the broker's own".to_owned());
        }
        let lowest = self.lowest(*qos);
        if let Some(unique_id) = self.fresh.get(&user_id).cloned() {
            return Ok(self.introduce_again(user_id, unique_id, lowest));
        }
        if self.plan.sessions.is_some_and(|most| self.started >= most) {
            return Err("as many sessions as --sessions asks for have begun".to_owned());
        }
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(format!("there are {MAX_SESSIONS} sessions already"));
        }
        if self.is_guest(&user_id) {
            let sessions = self.sessions.values();
            let guests = sessions.filter(|session| self.is_guest(&session.user_id));
            if guests.count() >= MOST_GUESTS {
                return Err(format!(
                    "there are {MOST_GUESTS} sessions already of devices that are not on the roster"
                ));
            }
        }
        let Some(unique_id) = self.fresh_unique_id() else {
            return Ok(Vec::new());
        };
        self.started += 1;
        self.step(|| Step::LoggedIn {
            user_id: user_id.clone(),
            unique_id: unique_id.clone(),
        });
        let said = format!("{user_id} logged in as session {unique_id}");
        let mut effects = vec![Effect::Note(said)];
        effects.extend(self.subscribe(&unique_id, &user_id));
        self.fresh.insert(user_id.clone(), unique_id.clone());
        let session = Session::new(user_id, lowest, now);
        self.sessions.insert(unique_id.clone(), session);
        effects.push(self.remember(&unique_id));
        Ok(effects)
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
        session.logins = session.logins.saturating_add(1);
        let mut effects = vec![match session.logins {
            MOST_LOGINS => Effect::Warn(format!(
                "{user_id} has logged in {MOST_LOGINS} times in one session, so its commands go out now: one login is enough"
            )),
            _ => Effect::Note(format!(
                "{user_id} logged in again: it is session {unique_id}"
            )),
        }];
        let waits_anew = session.logins < MOST_LOGINS;
        if waits_anew && !matches!(session.stage, Stage::Subscribing) {
            let topic = unique_id_topic(&user_id);
            let introduction = Message::new(topic, unique_id.as_str(), self.plan.qos);
            effects.push(Effect::Publish(introduction));
            self.set_stage(&unique_id, Stage::Introducing);
        }
        effects.push(self.remember(&unique_id));
        effects
    }
}
