//! Messages with QoS 2 that are over for this end, and perhaps not for the broker: mosquitto 2.0.11 repeats a PUBLISH
//! after its PUBREL, when two connections in a row end before it has received the PUBCOMP. They are forgotten as the
//! inbound ledger forgets them.

use std::collections::{HashMap, VecDeque};

use super::Received;
use crate::link::engine::inbound::is_back;

/// Those that a journal tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completed {
    known: VecDeque<Received>,
    /// How many were known before those.
    first: u64,
    /// How many there had been when the message with this serial number went out, which the broker has not confirmed.
    before: HashMap<u64, u64>,
    /// The packet identifier that came last.
    last: u16,
    reuses_identifiers: bool,
}

impl Completed {
    /// A message has arrived. A broker that gives its identifier a second time so soon is not known by it.
    pub fn received(&mut self, pkid: u16) {
        if is_back(self.last, pkid) {
            self.reuses_identifiers();
        }
        self.last = pkid;
    }

    /// The broker is known to reuse identifiers early.
    pub fn reuses_identifiers(&mut self) {
        self.reuses_identifiers = true;
        self.first += self.known.len() as u64;
        self.known.clear();
    }

    /// Its PUBREL has come.
    pub fn push(&mut self, received: Received) {
        if !self.reuses_identifiers {
            self.known.push_back(received);
        }
    }

    /// Its PUBREL has come again, so its PUBCOMP was lost, and the next one may be, too.
    pub fn again(&mut self, pkid: u16) {
        let known = self.known.iter().rfind(|known| known.pkid == pkid).copied();
        self.known.extend(known);
    }

    /// A message goes out, after the PUBCOMPs of all that are known.
    pub fn sent(&mut self, serial: u64) {
        self.before
            .insert(serial, self.first + self.known.len() as u64);
    }

    /// The broker has confirmed that message, and so has read what was sent before.
    pub fn confirmed(&mut self, serial: u64) {
        let before = self.before.remove(&serial).unwrap_or(0);
        while self.first < before && self.known.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The last of them, `most` at most.
    pub fn last(&self, most: usize) -> impl Iterator<Item = &Received> {
        self.known
            .iter()
            .skip(self.known.len().saturating_sub(most))
    }
}
