//! Devices that leave the prefix out: where their logins and replies land, and what is said of them. Another class without
//! a prefix may be on the same broker, and then its logins are none of this controller's business: so each USER_ID is told
//! once, where there is a roster only one that is on it, and nothing is published outside of the prefix.

use std::time::Instant;

use super::judge::looks_like_unique_id;
use super::mistakes::Stray;
use super::places::listen;
use super::steps::Step;
use super::{Controller, MAX_USER_ID, Report};
use crate::device_session::{
    command_topic, login_topic, parse_reply_filter, parse_reply_topic, reply_topic, without_end,
};
use crate::mqtt::{Level, Message, printable};
use crate::role::Effect;

/// So many USER_IDs are told that they log in without the prefix.
const MOST_STRANGERS: usize = 1_000;

impl Controller {
    /// These effects, and beside each subscription and its end the same without the prefix.
    pub(super) fn with_those_without_prefix(
        &self,
        mut effects: Vec<Effect<Report>>,
    ) -> Vec<Effect<Report>> {
        let prefix = &self.plan.prefix;
        if prefix.text().is_none() || !self.plan.near_misses {
            return effects;
        }
        let more = effects.iter().filter_map(|effect| match effect {
            // That of the logins, or that of the replies of a session.
            Effect::Subscribe(filter, _) => prefix.local_filter(filter).map(listen),
            Effect::Unsubscribe(filter) => {
                let filter = prefix.local_filter(filter)?;
                let unique_id = parse_reply_filter(&filter)?;
                looks_like_unique_id(&unique_id).then_some(Effect::Unsubscribe(filter))
            }
            _ => None,
        });
        let more: Vec<_> = more.collect();
        effects.extend(more);
        effects
    }

    /// A message that came on a topic without the prefix.
    pub(super) fn without_prefix(
        &mut self,
        now: Instant,
        message: &Message,
    ) -> Vec<Effect<Report>> {
        if message.retain || message.payload.is_empty() {
            return Vec::new();
        }
        if message.topic == login_topic() {
            return self.login_without_prefix(&message.payload);
        }
        let Some((unique_id, command)) = parse_reply_topic(&message.topic) else {
            return Vec::new();
        };
        let prefix = &self.plan.prefix;
        let known = self.plan.replies.answer(command.as_str());
        let known = known.map(|(command, _)| command.clone());
        let Some(session) = self.sessions.get_mut(&unique_id) else {
            return Vec::new();
        };
        let belongs = match &known {
            Some(command) => prefix.shown(reply_topic(&unique_id, command)),
            None => format!("{}/COMMAND", prefix.shown(command_topic(&unique_id))),
        };
        let stray = Stray {
            kind: "prefix",
            sentence: format!(
                "`{}` came on {}, without the prefix {}; a reply belongs on {belongs}",
                printable(&message.payload),
                printable(message.topic.as_str().as_bytes()),
                prefix.text().unwrap_or_default(),
            ),
            command: known,
        };
        let told = session.mistakes.counts().1;
        let stage = session.take_stray(now, stray, &self.plan);
        self.new_mistakes(&unique_id, told);
        // Nothing in it has a topic.
        self.taken(&unique_id, stage)
    }

    fn login_without_prefix(&mut self, payload: &[u8]) -> Vec<Effect<Report>> {
        let user_id = Level::from_bytes(without_end(payload));
        let user_id = user_id.ok().filter(|id| id.as_str().len() <= MAX_USER_ID);
        let Some(user_id) = user_id else {
            return Vec::new();
        };
        let is_awaited = self.plan.roster.user_ids().any(|known| *known == user_id);
        let may_be_of_another_class = !self.plan.roster.is_empty() && !is_awaited;
        if may_be_of_another_class
            || self.strangers.len() >= MOST_STRANGERS
            || !self.strangers.insert(user_id.clone())
        {
            return Vec::new();
        }
        let login = self.plan.prefix.shown(login_topic());
        let why = format!(
            "`{user_id}` came on login instead of {login}: the prefix is missing, unless another controller here has none"
        );
        let warning = Effect::Warn(format!("no login: {why}"));
        if is_awaited {
            self.step(|| Step::NotLoggedIn {
                user_id: Some(user_id),
                why,
            });
        }
        vec![warning]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CONNECTED, message, plan, subscribed, verdict};
    use super::super::*;
    use crate::device_session::class::Roster;
    use crate::device_session::prefix::Prefix;
    use crate::role::Told;

    fn below_7b(roster: &str) -> Controller {
        Controller::new(Plan {
            prefix: Prefix::new("7b").unwrap(),
            roster: Roster::parse(roster).unwrap_or_default(),
            verdict: true,
            sessions: None,
            ..plan(1)
        })
    }

    fn topics(effects: &[Effect<Report>]) -> Vec<&str> {
        let topics = effects.iter().filter_map(|effect| match effect {
            Effect::Publish(message) => Some(message.topic.as_str()),
            _ => None,
        });
        topics.collect()
    }

    #[test]
    fn every_topic_and_sentence_has_the_prefix() {
        let now = Instant::now();
        let mut controller = below_7b("");
        let effects = controller.told(now, CONNECTED).unwrap();
        let filters: Vec<&str> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Subscribe(filter, _) | Effect::TrySubscribe(filter, _) => {
                    Some(filter.as_str())
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            filters,
            [
                "7b/login",
                "7b/Login",
                "7b/LOGIN",
                "7b//login",
                "7b/login/+",
                "login"
            ]
        );
        let login = message("7b/login", "alice", QoS::ExactlyOnce);
        controller.told(now, Event::Received(&login)).unwrap();
        let id = controller.sessions.keys().next().unwrap().clone();
        let filter = TopicFilter::new(format!("7b/{id}/+")).unwrap();
        let effects = controller.told(now, subscribed(&filter)).unwrap();
        assert_eq!(topics(&effects), ["7b/alice/UUID"]);
        let uuid = message("7b/alice/UUID", id.as_str(), QoS::ExactlyOnce);
        controller.told(now, Event::Confirmed(&uuid)).unwrap();
        let at = controller.deadline().unwrap();
        let effects = controller.told(at, Event::Deadline).unwrap();
        assert_eq!(topics(&effects), [&format!("7b/{id}")]);
        let asked = controller.sessions[&id].commands[0].clone();
        let wrong = message(&format!("7b/{id}/{asked}"), "Ape", QoS::ExactlyOnce);
        controller.told(at, Event::Received(&wrong)).unwrap();
        let bare = message(&format!("{id}/{asked}"), "Ape", QoS::ExactlyOnce);
        controller.told(at, Event::Received(&bare)).unwrap();
        let end = super::super::tests::ended(&mut controller, at + PATIENCE);
        let why = verdict(&end).unwrap().unwrap_err();
        for part in [
            format!("`Ape` came on 7b/{id}/{asked} instead of"),
            format!(
                "`Ape` came on {id}/{asked}, without the prefix 7b; a reply belongs on 7b/{id}/{asked}"
            ),
        ] {
            assert!(why.contains(&part), "{why}");
        }
        assert_eq!(topics(&end), ["7b/alice/verdict"]);
        for filter in [format!("7b/{id}/+"), format!("{id}/+")] {
            let over = Effect::Unsubscribe(TopicFilter::new(filter).unwrap());
            assert!(end.contains(&over), "{end:?}");
        }
    }

    #[test]
    fn a_login_without_the_prefix_is_told_once_and_only_of_this_class() {
        let now = Instant::now();
        let login = message("login", "alice", QoS::ExactlyOnce);
        for (roster, warns) in [("", true), ("alice", true), ("bob", false)] {
            let mut controller = below_7b(roster);
            let effects = controller.told(now, Event::Received(&login)).unwrap();
            let said = matches!(&effects[..], [Effect::Warn(said)] if said.contains("`alice` came on login instead of 7b/login"));
            assert_eq!(said, warns, "{effects:?}");
            assert_eq!(controller.told(now, Event::Received(&login)), Ok(vec![]));
            assert!(controller.sessions.is_empty());
        }
    }
}
