//! Several brokers, tried one after the other: which is next, and what was wrong with each.
//!
//! Their order is drawn anew in each run. So the clients of a cluster spread over its nodes, and those
//! of a node that dies spread over the others.

use super::Address;
use super::trouble::Trouble;
use crate::role::{Failure, Kind};

#[derive(Debug)]
struct Seat {
    address: Address,
    /// Why its last attempt failed, if it did since the last connection.
    trouble: Option<Trouble>,
}

/// The brokers, in the order in which they are tried.
#[derive(Debug)]
pub struct Round {
    seats: Vec<Seat>,
    at: usize,
    /// Failures since the round began.
    failures: usize,
}

impl Round {
    /// A round over `brokers`, at least one, that begins anywhere.
    #[must_use]
    pub fn new(mut brokers: Vec<Address>, seed: u64) -> Self {
        fastrand::Rng::with_seed(seed).shuffle(&mut brokers);
        let untried = |address| Seat {
            address,
            trouble: None,
        };
        Self {
            seats: brokers.into_iter().map(untried).collect(),
            at: 0,
            failures: 0,
        }
    }

    /// Whether there is more than one.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.seats.len() > 1
    }

    /// The broker whose turn it is.
    #[must_use]
    pub fn current(&self) -> Option<&Address> {
        self.seats.get(self.at).map(|seat| &seat.address)
    }

    /// Whether nothing is known against [`Round::current`].
    #[must_use]
    pub fn is_untried(&self) -> bool {
        let seat = self.seats.get(self.at);
        seat.is_some_and(|seat| seat.trouble.is_none())
    }

    /// It accepted the connection: those that did not deserve a new chance.
    pub fn connected(&mut self) {
        self.failures = 0;
        for seat in &mut self.seats {
            let waits = |trouble: &mut Trouble| trouble.hopeless.is_none();
            seat.trouble.take_if(waits);
        }
    }

    /// It granted a subscription: nothing is held against any of them.
    pub fn served(&mut self) {
        for seat in &mut self.seats {
            seat.trouble = None;
        }
    }

    /// It failed, and the next one's turn has come. Says whether that was the round's last.
    pub fn failed(&mut self, trouble: &Trouble) -> bool {
        if let Some(seat) = self.seats.get_mut(self.at) {
            seat.trouble = Some(trouble.clone());
        }
        self.at = (self.at + 1) % self.seats.len().max(1);
        self.failures += 1;
        let over = self.failures >= self.seats.len();
        if over {
            self.failures = 0;
        }
        over
    }

    /// Whether every broker has failed for a reason that waiting cannot mend.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        let is_hopeless = |trouble: &Trouble| trouble.hopeless.is_some();
        self.seats
            .iter()
            .all(|seat| seat.trouble.as_ref().is_some_and(is_hopeless))
    }

    /// Whether one of several is there and will serve when the others have been missed: a cluster that
    /// has lost a node answers "not available" until it has elected a leader.
    #[must_use]
    pub fn will_recover(&self) -> bool {
        self.has_choice() && self.known().any(|trouble| trouble.not_yet)
    }

    fn known(&self) -> impl Iterator<Item = &Trouble> {
        self.seats.iter().filter_map(|seat| seat.trouble.as_ref())
    }

    /// What is wrong with each broker that failed.
    pub fn troubles(&self) -> impl Iterator<Item = &str> {
        self.known().map(|trouble| trouble.text.as_str())
    }

    /// The end of the run, with what is wrong with each.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let kind = match self.is_hopeless() {
            true => self.known().find_map(|trouble| trouble.hopeless),
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

    fn trouble(text: &str, hopeless: Option<Kind>) -> Trouble {
        Trouble {
            text: text.to_owned(),
            hopeless,
            too_large: false,
            not_yet: text.contains("not yet"),
        }
    }

    fn host(round: &Round) -> String {
        round.current().unwrap().host.clone()
    }

    #[test]
    fn each_is_tried_once_a_round_and_any_may_be_the_first() {
        let mut first = BTreeSet::new();
        for seed in 0..30 {
            let mut round = Round::new(addresses(&["a", "b", "c"]), seed);
            first.insert(host(&round));
            let mut tried = BTreeSet::new();
            for last in [false, false, true] {
                assert!(round.is_untried());
                tried.insert(host(&round));
                assert_eq!(round.failed(&trouble("x", None)), last);
            }
            assert_eq!(tried.len(), 3);
            assert!(!round.is_untried());
        }
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn a_lone_broker_is_a_round_by_itself() {
        let mut round = Round::new(addresses(&["a"]), 1);
        assert!(!round.has_choice());
        for text in ["first", "not yet"] {
            assert!(round.failed(&trouble(text, None)));
            assert_eq!(round.failure().text, text);
            assert!(!round.will_recover(), "{text}");
        }
    }

    #[test]
    fn the_end_names_every_broker_and_is_final_only_where_all_refuse() {
        let mut round = Round::new(addresses(&["a", "b"]), 1);
        round.failed(&trouble("refused", Some(Kind::Refused)));
        assert!(!round.is_hopeless());
        round.failed(&trouble("down", None));
        let failure = round.failure();
        assert_eq!(
            (failure.kind, &*failure.text),
            (Kind::Unreachable, "refused; down")
        );
        round.failed(&trouble("refused", Some(Kind::Refused)));
        round.failed(&trouble("refused, too", Some(Kind::Refused)));
        assert!(round.is_hopeless());
        assert_eq!(round.failure().kind, Kind::Refused);
        // One after the other may accept the connection, and refuse the subscription.
        round.connected();
        assert!(round.is_hopeless());
        round.served();
        assert!(!round.is_hopeless() && !round.will_recover());
        assert_eq!(round.troubles().count(), 0);
        round.failed(&trouble("not yet", None));
        round.failed(&trouble("down", None));
        assert!(round.will_recover());
    }
}
