//! What the broker has delivered, and when it may be told so.
//!
//! Pure bookkeeping, like the outbox. Two rules live here. A message is acknowledged only when all
//! that its handling published is confirmed, in the order of arrival (MQTT 3.1.1, section 4.6). And a
//! message that was handled is not handled again: at QoS 2 by its packet identifier until PUBREL
//! (section 4.3.3), and beyond that, as at QoS 1, by packet identifier, DUP and content on a later
//! connection of the same session, which is the only moment at which a repetition is certain to be
//! one. (At QoS 2 this should not be needed. But mosquitto 2.0.11 repeats a PUBLISH whose PUBREL it has
//! sent, when two connections in a row end before it hears the PUBCOMP.)
//!
//! That certainty rests on a broker that counts its packet identifiers upwards, as mosquitto does. One
//! that gives the lowest free one away can repeat a new message that looks like an old one; as soon
//! as it is seen to do so, everything counts as new: better answered twice than not at all.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::mqtt::{Message, QoS};

/// An acknowledgement to send: PUBACK at QoS 1, PUBREC at QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The packet identifier.
    pub pkid: u16,
    /// Which of the two.
    pub qos: QoS,
}

/// How many acknowledged messages are remembered at most: more than mosquitto has in flight (20), and
/// far fewer than it has packet identifiers.
const MOST_ANSWERED: usize = 64;

/// What an arriving message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// To be handled; under this serial number where it has to be acknowledged.
    New(Option<u64>),
    /// Handled before. It is acknowledged when its time comes.
    Duplicate,
}

#[derive(Debug)]
struct Entry {
    pkid: u16,
    qos: QoS,
    digest: u64,
    /// How many packets that its handling led to are unconfirmed, and one for the handling itself.
    open: usize,
    /// The connection that delivered it last.
    generation: u64,
    /// The broker gave the packet identifier away to another message.
    superseded: bool,
}

#[derive(Debug)]
struct Answered {
    pkid: u16,
    qos: QoS,
    digest: u64,
    generation: u64,
    ack: u64,
}

/// The inbound ledger.
#[derive(Debug, Default)]
pub struct Inbound {
    generation: u64,
    /// Handled or in handling, not acknowledged.
    entries: VecDeque<Entry>,
    /// The serial number of the first of `entries`.
    first: u64,
    /// QoS 2, handled: their packet identifiers are taken until PUBREL.
    releasing: HashMap<u16, u64>,
    /// Acknowledged, or released, but the broker may not know it.
    answered: VecDeque<Answered>,
    /// Some of them may have been delivered by an earlier connection.
    outlived: bool,
    /// Acknowledgements for duplicates, due at once.
    again: VecDeque<Ack>,
    /// How many acknowledgements were handed out.
    acks: u64,
    /// The last packet identifier that the broker gave to a new message.
    last_new: u16,
    /// It has given one away again before all others had their turn.
    reuses_identifiers: bool,
}

fn digest(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.topic.hash(&mut hasher);
    message.payload.hash(&mut hasher);
    hasher.finish()
}

impl Inbound {
    /// A new connection. Where the broker kept no session, it will repeat nothing.
    pub fn connected(&mut self, session_present: bool) {
        self.generation += 1;
        self.outlived = true;
        self.again.clear();
        if !session_present {
            self.first += self.entries.len() as u64;
            self.entries.clear();
            self.releasing.clear();
            self.answered.clear();
            self.last_new = 0;
            self.reuses_identifiers = false;
        }
    }

    /// Sees how the broker numbers new messages.
    fn numbered(&mut self, pkid: u16) {
        let starts_over = self.last_new > u16::MAX - 1_000 && pkid < 1_000;
        self.reuses_identifiers |= pkid <= self.last_new && !starts_over;
        self.last_new = pkid;
        if self.reuses_identifiers {
            self.answered.clear();
        }
    }

    /// A message arrived. A new one with QoS above 0 needs [`Inbound::resolve_one`] afterwards.
    pub fn arrived(&mut self, message: &Message, pkid: u16, dup: bool) -> Arrival {
        let qos = message.qos;
        if qos == QoS::AtMostOnce {
            return Arrival::New(None);
        }
        let digest = digest(message);
        let generation = self.generation;
        if dup {
            let known = self.answered.iter().position(|answered| {
                (answered.pkid, answered.qos, answered.digest) == (pkid, qos, digest)
                    && answered.generation < generation
            });
            if known.is_some_and(|at| self.answered.remove(at).is_some()) {
                self.acknowledge_again(Ack { pkid, qos }, digest);
                return Arrival::Duplicate;
            }
        } else {
            self.numbered(pkid);
            // Messages are repeated in order and before new ones (section 4.6): what was not
            // repeated by now has reached the broker's books.
            if self.outlived || self.answered.iter().any(|answered| answered.pkid == pkid) {
                self.outlived = false;
                self.answered
                    .retain(|answered| answered.generation == generation && answered.pkid != pkid);
            }
        }
        if qos == QoS::ExactlyOnce {
            if let Some(known) = self.releasing.get(&pkid) {
                if dup || *known == digest {
                    self.acknowledge_again(Ack { pkid, qos }, digest);
                    return Arrival::Duplicate;
                }
            }
        }
        for entry in &mut self.entries {
            if (entry.pkid, entry.qos) == (pkid, qos) && !entry.superseded {
                if entry.digest == digest {
                    entry.generation = generation;
                    return Arrival::Duplicate;
                }
                entry.superseded = true;
            }
        }
        self.entries.push_back(Entry {
            pkid,
            qos,
            digest,
            open: 1,
            generation,
            superseded: false,
        });
        Arrival::New(Some(self.first + self.entries.len() as u64 - 1))
    }

    fn acknowledge_again(&mut self, ack: Ack, digest: u64) {
        self.again.push_back(ack);
        self.acknowledged(ack, digest, self.generation);
    }

    /// Remembers what has been acknowledged, until the broker is known to know.
    fn acknowledged(&mut self, ack: Ack, digest: u64, generation: u64) {
        match ack.qos {
            QoS::ExactlyOnce => {
                self.releasing.insert(ack.pkid, digest);
            }
            _ => self.answered(ack, digest, generation),
        }
    }

    fn answered(&mut self, Ack { pkid, qos }: Ack, digest: u64, generation: u64) {
        self.acks += 1;
        if self.reuses_identifiers {
            return;
        }
        self.outlived |= generation != self.generation;
        if self.answered.len() == MOST_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back(Answered {
            pkid,
            qos,
            digest,
            generation,
            ack: self.acks,
        });
    }

    fn entry(&mut self, serial: u64) -> Option<&mut Entry> {
        let at = serial.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(at).ok()?)
    }

    /// One more packet has to be confirmed before the message is acknowledged.
    pub fn await_one_more(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.open += 1;
        }
    }

    /// The message's handling is over, or one of the packets that it led to is confirmed.
    pub fn resolve_one(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Whether [`Inbound::next_ack`] has something to do.
    #[must_use]
    pub fn has_ack(&self) -> bool {
        !self.again.is_empty() || self.entries.front().is_some_and(|entry| entry.open == 0)
    }

    /// The next acknowledgement to send, in order of arrival.
    pub fn next_ack(&mut self) -> Option<Ack> {
        if let Some(ack) = self.again.pop_front() {
            return Some(ack);
        }
        while self.entries.front().is_some_and(|entry| entry.open == 0) {
            let entry = self.entries.pop_front()?;
            self.first += 1;
            if entry.superseded {
                continue;
            }
            let Entry { pkid, qos, .. } = entry;
            let ack = Ack { pkid, qos };
            self.acknowledged(ack, entry.digest, entry.generation);
            // Not delivered on this connection: an acknowledgement would confuse the broker. It will
            // repeat the message, and that is when to acknowledge.
            if entry.generation == self.generation {
                return Some(ack);
            }
        }
        None
    }

    /// PUBREL came, and PUBCOMP goes out: the packet identifier is free for another message.
    pub fn released(&mut self, pkid: u16) {
        if let Some(digest) = self.releasing.remove(&pkid) {
            let qos = QoS::ExactlyOnce;
            self.answered(Ack { pkid, qos }, digest, self.generation);
        }
    }

    /// How many acknowledgements have been handed out: PUBACK at QoS 1, PUBCOMP at QoS 2.
    #[must_use]
    pub fn acks(&self) -> u64 {
        self.acks
    }

    /// The broker has answered something that was sent on this connection after so many
    /// acknowledgements: it has read those, and will not repeat their messages.
    pub fn known_to_broker(&mut self, acks: u64) {
        let generation = self.generation;
        while self
            .answered
            .front()
            .is_some_and(|answered| answered.generation == generation && answered.ack <= acks)
        {
            self.answered.pop_front();
        }
    }

    /// Whether no message waits for its acknowledgement to be handed out.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.entries.is_empty() && self.again.is_empty()
    }

    /// Whether the broker has released every message that it sent with QoS 2.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.releasing.is_empty()
    }
}

#[cfg(test)]
mod tests;
