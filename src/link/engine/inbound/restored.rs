//! What the journal hears of the ledger, and the ledger that a journal leaves.

use std::collections::HashMap;

use super::{Entry, Inbound};
use crate::link::engine::journal::{Entry as Note, Received};
use crate::mqtt::QoS;

impl Inbound {
    /// The ledger of a process that goes on where an earlier one has ended. `open` says how many packets that the
    /// message of this serial number led to are not confirmed. Says which serial number each has now.
    pub fn restore(
        &mut self,
        received: &[Received],
        open: impl Fn(u64) -> usize,
    ) -> HashMap<u64, u64> {
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
                is_restored: true,
            });
        }
        serials
    }

    /// Tells the journal of every message with QoS 2 whose PUBREL has not come.
    pub fn write(&self, push: &mut dyn FnMut(Note<'_>)) {
        for (pkid, releasing) in &self.releasing {
            push(Note::Received(Received {
                serial: u64::MAX,
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
