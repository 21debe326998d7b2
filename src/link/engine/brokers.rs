//! The brokers of a cluster: which one the link tries next, and why each one failed.
//!
//! Each run draws its own order. So the clients of a cluster spread over its nodes, and the clients of a node that fails
//! spread over the others.

use super::trouble::Trouble;
use crate::link::Address;
use crate::role::{Failure, Kind};

#[derive(Debug)]
struct Candidate {
    address: Address,
    /// Why the last attempt with this broker failed, if one has failed since the last connection.
    trouble: Option<Trouble>,
}

/// The brokers, in the order in which the link tries them.
#[derive(Debug)]
pub struct Brokers {
    candidates: Vec<Candidate>,
    at: usize,
    /// How many brokers have failed since the link began with the first of them.
    failures: usize,
}

impl Brokers {
    /// These brokers, of which there is at least one, in an order that `seed` decides.
    #[must_use]
    pub fn new(mut brokers: Vec<Address>, seed: u64) -> Self {
        fastrand::Rng::with_seed(seed).shuffle(&mut brokers);
        let untried = |address| Candidate {
            address,
            trouble: None,
        };
        Self {
            candidates: brokers.into_iter().map(untried).collect(),
            at: 0,
            failures: 0,
        }
    }

    /// Whether there is more than one.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.candidates.len() > 1
    }

    /// The broker whose turn it is.
    #[must_use]
    pub fn current(&self) -> &Address {
        &self.candidates[self.at].address
    }

    /// Whether no failure of [`Brokers::current`] is remembered.
    #[must_use]
    pub fn is_untried(&self) -> bool {
        self.candidates[self.at].trouble.is_none()
    }

    /// The current broker has accepted the connection. Forgets every failure that waiting may mend.
    pub fn connected(&mut self) {
        self.failures = 0;
        for candidate in &mut self.candidates {
            let may_mend = |trouble: &mut Trouble| trouble.fatal.is_none();
            candidate.trouble.take_if(may_mend);
        }
    }

    /// The current broker has granted a subscription. Forgets every failure.
    pub fn subscription_granted(&mut self) {
        for candidate in &mut self.candidates {
            candidate.trouble = None;
        }
    }

    /// The current broker has failed, so the next one becomes the current. Says whether all brokers have failed now,
    /// one after the other.
    pub fn failed(&mut self, trouble: Trouble) -> bool {
        self.candidates[self.at].trouble = Some(trouble);
        self.at = (self.at + 1) % self.candidates.len();
        self.failures += 1;
        let over = self.failures >= self.candidates.len();
        if over {
            self.failures = 0;
        }
        over
    }

    /// Whether every broker has failed, each for a reason that waiting cannot mend.
    #[must_use]
    pub fn all_refuse(&self) -> bool {
        let refuses = |trouble: &Trouble| trouble.fatal.is_some();
        self.candidates
            .iter()
            .all(|candidate| candidate.trouble.as_ref().is_some_and(refuses))
    }

    /// Whether there are several brokers, and one of them has answered that it does not serve yet. The nodes of a
    /// cluster that has lost one answer so until they have elected a leader.
    #[must_use]
    pub fn will_recover(&self) -> bool {
        self.has_choice() && self.known().any(|trouble| trouble.temporarily_unavailable)
    }

    fn known(&self) -> impl Iterator<Item = &Trouble> {
        self.candidates
            .iter()
            .filter_map(|candidate| candidate.trouble.as_ref())
    }

    /// Why each broker failed, without those that did not.
    pub fn troubles(&self) -> impl Iterator<Item = &str> {
        self.known().map(|trouble| trouble.text.as_str())
    }

    /// The failure that ends the run: it says why each broker failed.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let kind = match self.all_refuse() {
            true => self.known().find_map(|trouble| trouble.fatal),
            false => None,
        };
        let texts: Vec<&str> = self.troubles().collect();
        Failure::new(kind.unwrap_or(Kind::Unreachable), texts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn addresses(names: &[&str]) -> Vec<Address> {
        let address = |name: &&str| Address::new(*name, 1883);
        names.iter().map(address).collect()
    }

    fn trouble(text: &str, fatal: Option<Kind>) -> Trouble {
        Trouble {
            fatal,
            temporarily_unavailable: text.contains("not yet"),
            ..Trouble::new(text.to_owned())
        }
    }

    fn host(brokers: &Brokers) -> String {
        brokers.current().host.clone()
    }

    #[test]
    fn each_broker_is_tried_once_a_round_and_any_may_be_the_first() {
        let mut first = BTreeSet::new();
        for seed in 0..30 {
            let mut brokers = Brokers::new(addresses(&["a", "b", "c"]), seed);
            first.insert(host(&brokers));
            let mut tried = BTreeSet::new();
            for last in [false, false, true] {
                assert!(brokers.is_untried());
                tried.insert(host(&brokers));
                assert_eq!(brokers.failed(trouble("x", None)), last);
            }
            assert_eq!(tried.len(), 3);
            assert!(!brokers.is_untried());
        }
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn a_lone_broker_is_a_round_by_itself() {
        let mut brokers = Brokers::new(addresses(&["a"]), 1);
        assert!(!brokers.has_choice());
        for text in ["first", "not yet"] {
            assert!(brokers.failed(trouble(text, None)));
            assert_eq!(brokers.failure().text, text);
            assert!(!brokers.will_recover(), "{text}");
        }
    }

    #[test]
    fn the_end_names_every_broker_and_is_final_only_where_all_refuse() {
        let mut brokers = Brokers::new(addresses(&["a", "b"]), 1);
        brokers.failed(trouble("refused", Some(Kind::Refused)));
        assert!(!brokers.all_refuse());
        brokers.failed(trouble("down", None));
        let failure = brokers.failure();
        assert_eq!(
            (failure.kind, &*failure.text),
            (Kind::Unreachable, "refused; down")
        );
        brokers.failed(trouble("refused", Some(Kind::Refused)));
        brokers.failed(trouble("refused, too", Some(Kind::Refused)));
        assert!(brokers.all_refuse());
        assert_eq!(brokers.failure().kind, Kind::Refused);
        // Each broker may accept the connection, and then refuse the subscription.
        brokers.connected();
        assert!(brokers.all_refuse());
        brokers.subscription_granted();
        assert!(!brokers.all_refuse() && !brokers.will_recover());
        assert_eq!(brokers.troubles().count(), 0);
        brokers.failed(trouble("not yet", None));
        brokers.failed(trouble("down", None));
        assert!(brokers.will_recover());
    }
}
