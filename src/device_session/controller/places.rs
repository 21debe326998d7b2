//! Where the replies of a session land, rightly and wrongly: the filters of its subscriptions. No two of them match one
//! topic that a device is likely to use, because brokers may deliver a message once for each that matches (MQTT 3.1.1,
//! section 3.3.5), and that would look like a reply that came twice.

use super::super::{command_topic, login_topic, reply_filter};
use super::{Controller, Report, Session};
use crate::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use crate::role::Effect;

/// Beside the one for the replies: the topic of the commands, deeper levels, one level before, and other letters.
fn near_misses(unique_id: &Level) -> impl Iterator<Item = TopicFilter> {
    let mut texts = vec![format!("{unique_id}/+/+/#"), format!("+/{unique_id}/#")];
    let upper = unique_id.as_str().to_uppercase();
    if upper != unique_id.as_str() {
        texts.push(format!("{upper}/#"));
    }
    let commands = TopicFilter::exactly(&command_topic(unique_id));
    let filters = texts.into_iter().flat_map(TopicFilter::new);
    std::iter::once(commands).chain(filters)
}

/// The filter for replies below the USER_ID, and for what another controller says there. None where a broker gives the
/// name a meaning of its own (section 4.7.2), and for `login`, below which logins land.
fn below_user(user_id: &Level) -> Option<TopicFilter> {
    let is_ordinary = !user_id.as_str().starts_with('$') && user_id.as_str() != "login";
    is_ordinary.then(|| TopicFilter::below(&TopicName::of(user_id)))
}

/// At QoS 0: a lost one costs a sentence and no verdict, and the controller's own commands come back with it.
pub(super) fn listen(filter: TopicFilter) -> Effect<Report> {
    Effect::TrySubscribe(filter, QoS::AtMostOnce)
}

impl Controller {
    /// The subscriptions of a session, at its login. For the replies at the highest QoS, because the broker lowers a
    /// message to the QoS of the subscription, and the controller judges the QoS with which the device published.
    pub(super) fn subscribe(&self, unique_id: &Level, user_id: &Level) -> Vec<Effect<Report>> {
        let mut effects = vec![Effect::Subscribe(reply_filter(unique_id), QoS::ExactlyOnce)];
        if self.plan.near_misses {
            effects.extend(below_user(user_id).map(listen));
        }
        effects
    }

    /// For logins on a wrong topic.
    pub(super) fn listen_for_logins(&self) -> impl Iterator<Item = Effect<Report>> {
        let filters = self.plan.near_misses.then(|| self.plan.stray_logins());
        filters.into_iter().flatten().map(listen)
    }

    /// Whether a message is on a topic of the protocol, right or wrong, and not only heard because of a wide filter.
    pub(super) fn is_for_the_protocol(&self, message: &Message) -> bool {
        let mut levels = message.topic.levels();
        let first = levels.next().and_then(|level| Level::new(level).ok());
        let is_session = first.is_some_and(|level| self.sessions.contains_key(&level));
        is_session || message.topic == login_topic()
    }

    /// Those that can wait until the device has its UNIQUE ID.
    pub(super) fn listen_around(&self, unique_id: &Level) -> impl Iterator<Item = Effect<Report>> {
        let filters = self.plan.near_misses.then(|| near_misses(unique_id));
        filters.into_iter().flatten().map(listen)
    }

    /// Ends the subscriptions of a session that is over.
    pub(super) fn unsubscribe(&self, unique_id: &Level, session: &Session) -> Vec<Effect<Report>> {
        let mut effects = vec![Effect::Unsubscribe(reply_filter(unique_id))];
        if self.plan.near_misses {
            effects.extend(near_misses(unique_id).map(Effect::Unsubscribe));
            let is_last = !self
                .sessions
                .values()
                .any(|other| other.user_id == session.user_id);
            let filter = below_user(&session.user_id).filter(|_| is_last);
            effects.extend(filter.map(Effect::Unsubscribe));
        }
        effects
    }
}
