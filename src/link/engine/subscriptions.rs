//! What the role wants to be subscribed to, and what the broker made of it.

use std::collections::{BTreeMap, BTreeSet};

use log::{info, warn};

use super::outbox::Packet;
use crate::mqtt::{QoS, TopicFilter};

/// So many connections in a row may end before the broker answers a subscription that it may refuse. More would be no
/// accident, and the run does without such subscriptions from then on.
const MOST_UNANSWERED: u8 = 3;

/// The role's subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    wanted: BTreeMap<TopicFilter, Wanted>,
    /// Those that were asked for again on a session that goes on. The role knows them already.
    renewed: BTreeSet<TopicFilter>,
    /// How many connections in a row have ended before the answer to a subscription that the broker may refuse.
    unanswered: u8,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    qos: QoS,
    /// The broker may refuse it.
    is_try: bool,
}

impl Wanted {
    fn packet(self, filter: TopicFilter) -> Packet {
        match self.is_try {
            true => Packet::TrySubscribe(filter, self.qos),
            false => Packet::Subscribe(filter, self.qos),
        }
    }
}

impl Subscriptions {
    /// The role wants this one. Says whether it has wanted it before.
    pub fn add(&mut self, filter: TopicFilter, qos: QoS) -> bool {
        let is_try = false;
        self.wanted.insert(filter, Wanted { qos, is_try }).is_some()
    }

    /// The role wants this one where the broker allows it: gives the SUBSCRIBE. `None` where the broker closes its
    /// connections at such subscriptions.
    pub fn attempt(&mut self, filter: TopicFilter, qos: QoS) -> Option<Packet> {
        if self.unanswered >= MOST_UNANSWERED {
            return None;
        }
        let wanted = Wanted { qos, is_try: true };
        self.wanted.insert(filter.clone(), wanted);
        Some(wanted.packet(filter))
    }

    /// The role does not want this one any more.
    pub fn remove(&mut self, filter: &TopicFilter) {
        self.wanted.remove(filter);
    }

    /// The SUBSCRIBE for each that is wanted.
    pub fn packets(&self) -> impl Iterator<Item = Packet> {
        let wanted = self.wanted.iter();
        wanted.map(|(filter, wanted)| wanted.packet(filter.clone()))
    }

    /// None is wanted any more: gives those that were.
    pub fn take(&mut self) -> impl Iterator<Item = TopicFilter> {
        std::mem::take(&mut self.wanted).into_keys()
    }

    /// The link asks the broker again for those of which `is_due` is true, although the session goes on. Gives the SUBSCRIBE
    /// for each.
    pub fn renew(&mut self, is_due: impl Fn(&TopicFilter) -> bool) -> Vec<Packet> {
        let due = self.wanted.iter().filter(|(filter, _)| is_due(filter));
        let mut packets = Vec::new();
        for (filter, wanted) in due {
            self.renewed.insert(filter.clone());
            packets.push(wanted.packet(filter.clone()));
        }
        packets
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
        if self.is_try(filter) {
            self.unanswered = 0;
        }
        !renewed
    }

    /// The broker refused `filter` (SUBACK), as it may.
    pub fn refused(&mut self, filter: &TopicFilter) {
        info!("the broker refuses the subscription to {filter}: it goes without");
        self.unanswered = 0;
        self.give_up(filter);
    }

    /// A connection has ended before the broker answered these, which it may refuse. Some brokers close the connection
    /// instead of refusing.
    pub fn unanswered(&mut self, filters: Vec<TopicFilter>) {
        if filters.is_empty() {
            return;
        }
        filters.iter().for_each(|filter| self.give_up(filter));
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered == MOST_UNANSWERED {
            info!(
                "the broker closes the connection at subscriptions that it does not allow: it goes without"
            );
            self.wanted.retain(|_, wanted| !wanted.is_try);
        }
    }

    fn is_try(&self, filter: &TopicFilter) -> bool {
        self.wanted.get(filter).is_some_and(|wanted| wanted.is_try)
    }

    fn give_up(&mut self, filter: &TopicFilter) {
        self.renewed.remove(filter);
        if self.is_try(filter) {
            self.wanted.remove(filter);
        }
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
