//! What the journal hears of the ledger, and the ledger that a journal leaves.

use std::collections::HashMap;

use super::{Answered, Entry, Inbound, MAX_ANSWERED};
use crate::link::engine::journal::{Completed, Entry as Note, Received};
use crate::mqtt::QoS;

/// What stands for a serial number in the journal where nothing waits for the message: it is acknowledged. And where it
/// is uncertain besides.
const ACKNOWLEDGED: u64 = u64::MAX;
const UNCERTAIN: u64 = u64::MAX - 1;

impl Answered {
    /// One that an earlier process has acknowledged.
    fn earlier(received: &Received) -> Self {
        Self {
            pkid: received.pkid,
            qos: received.qos,
            digest: received.digest,
            generation: 0,
            ack: 0,
            is_noted: received.qos != QoS::ExactlyOnce,
        }
    }
}

impl Inbound {
    /// The ledger of a process that goes on where an earlier one has ended, of which `is_exact` says whether nothing is
    /// missing. `open` says how many packets that the message of this serial number led to are not confirmed. Says which
    /// serial number each has now.
    pub fn restore(
        &mut self,
        received: &[Received],
        acknowledged: &[Received],
        completed: &Completed,
        is_exact: bool,
        open: impl Fn(u64) -> usize,
    ) -> HashMap<u64, u64> {
        let completed = completed.last(MAX_ANSWERED).map(Answered::earlier);
        self.answered.extend(completed);
        let oldest = acknowledged.len().saturating_sub(MAX_ANSWERED);
        let acknowledged = acknowledged[oldest..].iter().map(Answered::earlier);
        self.earlier.extend(acknowledged);
        let mut serials = HashMap::new();
        for Received {
            serial,
            pkid,
            qos,
            digest,
        } in received
        {
            let now = self.entries.len() as u64;
            serials.insert(*serial, now);
            self.latest.insert((*pkid).into(), now);
            self.entries.push_back(Entry {
                pkid: *pkid,
                qos: *qos,
                digest: *digest,
                open: open(*serial),
                generation: 0,
                superseded: false,
                is_uncertain: !is_exact || *serial == UNCERTAIN || *qos != QoS::ExactlyOnce,
                is_noted: *qos != QoS::ExactlyOnce,
                is_put_off: false,
            });
        }
        serials
    }

    /// What the journal keeps of the message with this serial number.
    pub fn received(&mut self, serial: u64) -> Option<Received> {
        let Entry {
            pkid, qos, digest, ..
        } = *self.entry(serial)?;
        Some(Received {
            serial,
            pkid,
            qos,
            digest,
        })
    }

    /// Nothing that comes again is to be done again, even where the broker may have the acknowledgement of the first and
    /// sends another message that looks the same.
    pub fn recall_earlier(&mut self) {
        let earlier = std::mem::take(&mut self.earlier);
        self.answered.extend(earlier);
    }

    /// The next PUBACK of which the journal is to hear.
    pub fn take_noted_ack(&mut self) -> Option<u16> {
        self.noted_acks.pop()
    }

    /// A program is to answer the message with this serial number. What the journal is to hear of that, unless it knows.
    pub fn note_cause(&mut self, serial: u64) -> Option<Received> {
        let entry = self.entry(serial)?;
        let is_known = entry.qos == QoS::ExactlyOnce;
        if is_known || std::mem::replace(&mut entry.is_noted, true) {
            return None;
        }
        self.received(serial)
    }

    /// Tells the journal of every message with QoS 2 whose PUBREL has not come, or whose PUBCOMP is perhaps lost.
    pub fn write(&self, push: &mut dyn FnMut(Note<'_>)) {
        let answered = self.answered.iter();
        for known in answered.filter(|known| known.qos == QoS::ExactlyOnce) {
            push(Note::Received(Received {
                serial: ACKNOWLEDGED,
                pkid: known.pkid,
                qos: QoS::ExactlyOnce,
                digest: known.digest,
            }));
            push(Note::Forgotten(known.pkid));
        }
        if self.reuses_identifiers {
            push(Note::ReusesIdentifiers);
        }
        let earlier = self.earlier.iter().chain(&self.answered);
        for known in earlier.filter(|known| known.is_noted) {
            push(Note::Received(Received {
                serial: ACKNOWLEDGED,
                pkid: known.pkid,
                qos: QoS::AtLeastOnce,
                digest: known.digest,
            }));
            push(Note::Acknowledged(known.pkid));
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
                qos: QoS::ExactlyOnce,
                digest: releasing.digest,
            }));
        }
        for (at, entry) in self.entries.iter().enumerate() {
            // The serial number of one that the role is handling is not in any record yet.
            if (entry.qos == QoS::ExactlyOnce || entry.is_noted) && !entry.superseded {
                push(Note::Received(Received {
                    serial: self.first + at as u64,
                    pkid: entry.pkid,
                    qos: entry.qos,
                    digest: entry.digest,
                }));
            }
        }
    }
}
