//! What the journal hears of the ledger, and the ledger that a journal leaves.

use std::collections::HashMap;

use super::{Answered, Entry, Inbound, MAX_ANSWERED};
use crate::link::engine::journal::{Completed, Entry as Note, Received};
use crate::mqtt::QoS;

/// What stands for a serial number in the journal where nothing waits for the message: it is acknowledged. And where it
/// is uncertain besides.
const ACKNOWLEDGED: u64 = u64::MAX;
const UNCERTAIN: u64 = u64::MAX - 1;

impl Inbound {
    /// The ledger of a process that goes on where an earlier one has ended, of which `is_exact` says whether nothing is
    /// missing. `open` says how many packets that the message of this serial number led to are not confirmed. Says which
    /// serial number each has now.
    pub fn restore(
        &mut self,
        received: &[Received],
        completed: &Completed,
        is_exact: bool,
        open: impl Fn(u64) -> usize,
    ) -> HashMap<u64, u64> {
        for Received { pkid, digest, .. } in completed.last(MAX_ANSWERED) {
            self.answered.push_back(Answered {
                pkid: *pkid,
                qos: QoS::ExactlyOnce,
                digest: *digest,
                generation: 0,
                ack: 0,
            });
        }
        let mut serials = HashMap::new();
        for Received {
            serial,
            pkid,
            digest,
        } in received
        {
            let now = self.entries.len() as u64;
            serials.insert(*serial, now);
            self.latest.insert((*pkid).into(), now);
            self.entries.push_back(Entry {
                pkid: *pkid,
                qos: QoS::ExactlyOnce,
                digest: *digest,
                open: open(*serial),
                generation: 0,
                superseded: false,
                is_uncertain: !is_exact || *serial == UNCERTAIN,
            });
        }
        serials
    }

    /// What the journal keeps of the message with this serial number.
    pub fn received(&mut self, serial: u64) -> Option<Received> {
        let Entry { pkid, digest, .. } = *self.entry(serial)?;
        Some(Received {
            serial,
            pkid,
            digest,
        })
    }

    /// Tells the journal of every message with QoS 2 whose PUBREL has not come, or whose PUBCOMP is perhaps lost.
    pub fn write(&self, push: &mut dyn FnMut(Note<'_>)) {
        let answered = self.answered.iter();
        for known in answered.filter(|known| known.qos == QoS::ExactlyOnce) {
            push(Note::Received(Received {
                serial: ACKNOWLEDGED,
                pkid: known.pkid,
                digest: known.digest,
            }));
            push(Note::Forgotten(known.pkid));
        }
        if self.reuses_identifiers {
            push(Note::ReusesIdentifiers);
        }
        // In the order of arrival: out of it the journal would take the broker for one that reuses identifiers.
        let mut releasing: Vec<_> = self.releasing.iter().collect();
        releasing.sort_unstable_by_key(|(pkid, _)| **pkid);
        for (pkid, releasing) in releasing {
            push(Note::Received(Received {
                serial: match releasing.is_uncertain {
                    true => UNCERTAIN,
                    false => ACKNOWLEDGED,
                },
                pkid: *pkid,
                digest: releasing.digest,
            }));
        }
        for (at, entry) in self.entries.iter().enumerate() {
            // The serial number of one that the role is handling is not in any record yet.
            if entry.qos == QoS::ExactlyOnce && !entry.superseded {
                push(Note::Received(Received {
                    serial: self.first + at as u64,
                    pkid: entry.pkid,
                    digest: entry.digest,
                }));
            }
        }
    }
}
