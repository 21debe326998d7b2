//! What the role wants to be subscribed to, and what the broker made of it.

use std::collections::{BTreeMap, BTreeSet};

use log::{info, warn};

use crate::mqtt::{QoS, TopicFilter};

/// The role's subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    wanted: BTreeMap<TopicFilter, QoS>,
    /// Those that were asked for again on a session that goes on. The role knows them already.
    renewed: BTreeSet<TopicFilter>,
}

impl Subscriptions {
    /// The role wants this one.
    pub fn add(&mut self, filter: TopicFilter, qos: QoS) {
        self.wanted.insert(filter, qos);
    }

    /// The role does not want this one any more.
    pub fn remove(&mut self, filter: &TopicFilter) {
        self.wanted.remove(filter);
    }

    /// All that are wanted.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicFilter, QoS)> {
        self.wanted.iter().map(|(filter, qos)| (filter, *qos))
    }

    /// None is wanted any more: gives those that were.
    pub fn take(&mut self) -> impl Iterator<Item = TopicFilter> {
        std::mem::take(&mut self.wanted).into_keys()
    }

    /// The link asks the broker for this one again, although the session goes on.
    pub fn renew(&mut self, filter: TopicFilter) {
        self.renewed.insert(filter);
    }

    /// The broker has lost the session: every subscription is made anew, and the role hears of it.
    pub fn session_lost(&mut self) {
        self.renewed.clear();
    }

    /// The broker granted `filter` (SUBACK). Says whether the role is to hear of it.
    pub fn granted(&mut self, filter: &TopicFilter, asked: QoS, granted: QoS) -> bool {
        let renewed = self.renewed.remove(filter);
        let once_more = if renewed { " once more" } else { "" };
        info!("subscribed to {filter}{once_more}, {granted} granted");
        if granted < asked {
            warn!("the broker grants only {granted} on {filter}, not {asked}");
        }
        !renewed
    }
}

/// Why the broker at `broker` may have refused `filter`, and what to do.
#[must_use]
pub fn refusal(broker: &impl std::fmt::Display, filter: &TopicFilter) -> String {
    let remedy = match filter.is_shared() {
        true => "does it have shared subscriptions, and the user the right to read it?",
        false => "the user needs the right to read it there",
    };
    format!("broker at {broker} refused the subscription to {filter}: {remedy}")
}
