//! Keeps what the broker has delivered until the link may acknowledge it, and recognizes what the broker repeats.
//!
//! It is pure bookkeeping, as the outbox is, and has two rules.
//!
//! 1. The link acknowledges a message when the broker has confirmed everything that its handling published, and
//!    acknowledges messages in the order of arrival (MQTT 3.1.1, section 4.6).
//! 2. The role does not get a message a second time. At QoS 2 its packet identifier belongs to it until PUBREL
//!    (section 4.3.3). After PUBREL, and at QoS 1, an arriving message is a repetition if packet identifier and content
//!    are the same, the broker has set DUP, and the connection is a later one of the same session, because in no other
//!    case is it certain to be one. (At QoS 2 the first part should be enough. But mosquitto 2.0.11 repeats a PUBLISH
//!    after its PUBREL, when two connections in a row end before it has received the PUBCOMP.)
//!
//! The second rule needs a broker that counts its packet identifiers upwards, as mosquitto does. A broker that takes the
//! lowest free identifier can repeat a new message that looks like an old one. So once the broker has reused an
//! identifier early, every message counts as new, because a second answer does less harm than none.
//!
//! A third rule is for aedes alone (`one_by_one`).

mod numbers;
mod one_by_one;
mod restored;

use std::collections::{HashMap, VecDeque};

use super::journal::digest;
use super::outbox::MOSQUITTO_WINDOW;
use crate::mqtt::{Message, QoS};
pub(super) use numbers::is_back;
use one_by_one::OneByOne;

/// An acknowledgement for the link to send: PUBACK at QoS 1, PUBREC at QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The packet identifier.
    pub pkid: u16,
    /// The QoS of the message, which decides between the two.
    pub qos: QoS,
}

/// How many acknowledged messages the ledger remembers: more than mosquitto has in flight, because it can repeat all of
/// those, and far fewer than there are packet identifiers.
const MAX_ANSWERED: usize = 64;

const _: () = assert!(MAX_ANSWERED > MOSQUITTO_WINDOW);

/// What an arriving message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The role has to handle it. It has a serial number unless its QoS is 0, which needs no acknowledgement.
    New(Option<u64>),
    /// The role has handled it, or is handling it. The link acknowledges it like any other.
    Duplicate,
}

#[derive(Debug)]
struct Entry {
    pkid: u16,
    qos: QoS,
    digest: u64,
    /// How many packets that its handling led to are not confirmed, plus one while the handling goes on.
    open: usize,
    /// The number of the connection that delivered it last.
    generation: u64,
    /// The broker has given the packet identifier to another message.
    superseded: bool,
    /// An earlier process has handled it, and perhaps more that no journal tells of: its PUBREL may have come, and the
    /// broker may have given its packet identifier to another message since. Then only DUP shows a repetition.
    is_uncertain: bool,
    /// The journal knows of it, though its QoS is 1: it waits for a program.
    is_noted: bool,
    /// The run ends before what it waits for.
    is_put_off: bool,
}

#[derive(Debug)]
struct Releasing {
    digest: u64,
    is_uncertain: bool,
}

#[derive(Debug)]
struct Answered {
    pkid: u16,
    qos: QoS,
    digest: u64,
    generation: u64,
    ack: u64,
    /// The journal knows of it: a program has answered it, at QoS 1.
    is_noted: bool,
}

/// The inbound ledger.
#[derive(Debug, Default)]
pub struct Inbound {
    generation: u64,
    /// The messages that are not acknowledged, in the order of arrival.
    entries: VecDeque<Entry>,
    /// The serial number of the first of `entries`.
    first: u64,
    /// The serial number of the last of `entries` with each packet identifier: there can be thousands.
    latest: HashMap<u64, u64>,
    /// The QoS 2 messages that are acknowledged by PUBREC, by their packet identifiers, which are theirs until PUBREL.
    releasing: HashMap<u16, Releasing>,
    one_by_one: OneByOne,
    /// The messages whose PUBACK or PUBCOMP the link has sent, and the broker may not have received.
    answered: VecDeque<Answered>,
    /// Whether an earlier connection may have delivered some of `answered`.
    outlived: bool,
    /// Acknowledgements for duplicates. They wait for nothing.
    again: VecDeque<Ack>,
    /// The PUBACKs of which the journal has still to hear.
    noted_acks: Vec<u16>,
    /// What an earlier process has sent PUBACK for. A repetition of it is known where nothing may be done twice.
    earlier: Vec<Answered>,
    /// How many PUBACKs and PUBCOMPs the ledger has handed out.
    acks: u64,
    /// The last packet identifier that the broker gave to a new message.
    last_new: u16,
    /// Whether the broker has reused an identifier before it had used all others.
    reuses_identifiers: bool,
    /// Whether the broker gives identifiers away anew on each connection, to repetitions too (RabbitMQ): at QoS 1
    /// nothing is known of what it repeats.
    renumbers: bool,
    /// The identifier of the last message whose acknowledgement the broker has certainly received.
    settled: Option<u16>,
    /// Whether the broker has gone back to an identifier that it had given away long ago, and not to the first.
    went_back: bool,
}

impl Inbound {
    /// The broker has accepted a new connection. Without a session it repeats nothing.
    pub fn connected(&mut self, session_present: bool) {
        self.generation += 1;
        self.outlived = true;
        self.again.clear();
        self.one_by_one.connected(session_present);
        if !session_present {
            self.first += self.entries.len() as u64;
            self.entries.clear();
            self.latest.clear();
            self.releasing.clear();
            self.answered.clear();
            self.earlier.clear();
            self.last_new = 0;
            self.reuses_identifiers = false;
            self.renumbers = false;
            self.settled = None;
        }
        if self.renumbers {
            self.supersede();
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
        // In the session of an earlier process this may slow down a broker that began with 1.
        if self.last_new == 0 {
            self.one_by_one.begins_with(pkid);
        }
        if dup {
            self.repeated(pkid, qos, digest);
            let known = self.answered.iter().position(|answered| {
                (answered.pkid, answered.qos, answered.digest) == (pkid, qos, digest)
                    && answered.generation < generation
            });
            if let Some(known) = known.and_then(|at| self.answered.remove(at)) {
                self.acknowledge_again(Ack { pkid, qos }, digest, known.is_noted);
                return Arrival::Duplicate;
            }
        } else {
            self.numbered(pkid);
            // A broker repeats messages in order, and before it sends new ones (section 4.6). So it has received
            // the acknowledgement of every message that it has not repeated by now.
            if self.outlived || self.answered.iter().any(|answered| answered.pkid == pkid) {
                self.outlived = false;
                self.answered
                    .retain(|answered| answered.generation == generation && answered.pkid != pkid);
            }
        }
        if qos == QoS::ExactlyOnce {
            if let Some(known) = self.releasing.get(&pkid) {
                if known.digest == digest && (dup || !known.is_uncertain) {
                    self.acknowledge_again(Ack { pkid, qos }, digest, false);
                    return Arrival::Duplicate;
                }
            }
        }
        if let Some(entry) = self.known(pkid, qos) {
            if entry.digest == digest && (dup || !entry.is_uncertain) {
                entry.generation = generation;
                return Arrival::Duplicate;
            }
            entry.superseded = true;
        }
        self.entries.push_back(Entry {
            pkid,
            qos,
            digest,
            open: 1,
            generation,
            superseded: false,
            is_uncertain: false,
            is_noted: false,
            is_put_off: false,
        });
        let serial = self.first + self.entries.len() as u64 - 1;
        self.latest.insert(pkid.into(), serial);
        Arrival::New(Some(serial))
    }

    /// The message with this packet identifier that is not acknowledged.
    fn known(&mut self, pkid: u16, qos: QoS) -> Option<&mut Entry> {
        let serial = *self.latest.get(&pkid.into())?;
        let entry = self.entry(serial)?;
        (entry.qos == qos && !entry.superseded).then_some(entry)
    }

    fn acknowledge_again(&mut self, ack: Ack, digest: u64, is_noted: bool) {
        self.again.push_back(ack);
        if is_noted {
            self.noted_acks.push(ack.pkid);
        }
        let generation = self.generation;
        match ack.qos {
            QoS::ExactlyOnce => self.releases(ack.pkid, digest, false),
            _ => self.answered(ack, digest, generation, is_noted),
        }
    }

    /// Remembers a message with QoS 2 that is acknowledged by PUBREC, until PUBREL.
    fn releases(&mut self, pkid: u16, digest: u64, is_uncertain: bool) {
        let releasing = Releasing {
            digest,
            is_uncertain,
        };
        self.releasing.insert(pkid, releasing);
    }

    /// Remembers an acknowledged message until the broker has certainly received the acknowledgement.
    fn answered(&mut self, Ack { pkid, qos }: Ack, digest: u64, generation: u64, is_noted: bool) {
        self.acks += 1;
        if self.reuses_identifiers {
            return;
        }
        self.outlived |= generation != self.generation;
        if self.answered.len() == MAX_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back(Answered {
            pkid,
            qos,
            digest,
            generation,
            ack: self.acks,
            is_noted,
        });
    }

    fn entry(&mut self, serial: u64) -> Option<&mut Entry> {
        let at = serial.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(at).ok()?)
    }

    /// The handling has led to one more packet, which the broker must confirm before the link acknowledges the message.
    pub fn await_one_more(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.open += 1;
        }
    }

    /// The handling of the message is over, or the broker has confirmed one of the packets that it led to.
    pub fn resolve_one(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.open = entry.open.saturating_sub(1);
        }
    }

    /// Whether [`Inbound::next_ack`] may return an acknowledgement.
    #[must_use]
    pub fn has_ack(&self) -> bool {
        let is_done = |entry: &Entry| entry.open == 0;
        !self.one_by_one.waits()
            && (!self.again.is_empty() || self.entries.front().is_some_and(is_done))
    }

    /// The next acknowledgement to send, in order of arrival.
    pub fn next_ack(&mut self) -> Option<Ack> {
        if self.one_by_one.waits() {
            return None;
        }
        let ack = self.take_ack()?;
        if ack.qos == QoS::ExactlyOnce {
            self.one_by_one.received(ack.pkid);
        }
        Some(ack)
    }

    fn take_ack(&mut self) -> Option<Ack> {
        if let Some(ack) = self.again.pop_front() {
            return Some(ack);
        }
        while self.entries.front().is_some_and(|entry| entry.open == 0) {
            let entry = self.entries.pop_front()?;
            if self.latest.get(&entry.pkid.into()) == Some(&self.first) {
                self.latest.remove(&entry.pkid.into());
            }
            self.first += 1;
            if entry.superseded {
                continue;
            }
            let Entry { pkid, qos, .. } = entry;
            let ack = Ack { pkid, qos };
            match qos {
                QoS::ExactlyOnce => self.releases(pkid, entry.digest, entry.is_uncertain),
                _ => self.answered(ack, entry.digest, entry.generation, entry.is_noted),
            }
            // A message that an earlier connection delivered gets no acknowledgement on this one, because the
            // broker has not sent its identifier here. The broker repeats the message, and gets it then.
            if entry.generation == self.generation {
                if entry.is_noted {
                    self.noted_acks.push(pkid);
                }
                return Some(ack);
            }
        }
        None
    }

    /// The broker has sent PUBREL, and the link answers PUBCOMP: the packet identifier is free for another message.
    pub fn released(&mut self, pkid: u16) {
        self.one_by_one.released(pkid);
        if let Some(Releasing { digest, .. }) = self.releasing.remove(&pkid) {
            let qos = QoS::ExactlyOnce;
            self.answered(Ack { pkid, qos }, digest, self.generation, false);
            return;
        }
        // Its PUBCOMP was lost, and the next one may be, too.
        let mut answered = self.answered.iter();
        let again = answered.position(|known| (known.pkid, known.qos) == (pkid, QoS::ExactlyOnce));
        if let Some(Answered { qos, digest, .. }) = again.and_then(|at| self.answered.remove(at)) {
            self.answered(Ack { pkid, qos }, digest, self.generation, false);
        }
    }

    /// PINGREQ went out.
    pub fn ping_sent(&mut self) {
        self.one_by_one.ping_sent();
    }

    /// PINGRESP came.
    pub fn ping_answered(&mut self) {
        self.one_by_one.ping_answered();
    }

    /// How many acknowledgements the ledger has handed out: PUBACK at QoS 1, PUBCOMP at QoS 2.
    #[must_use]
    pub fn acks(&self) -> u64 {
        self.acks
    }

    /// The broker has answered a packet that the link sent on this connection after `acks` acknowledgements. So it has
    /// read those acknowledgements, and does not repeat their messages.
    pub fn known_to_broker(&mut self, acks: u64) {
        let generation = self.generation;
        while self
            .answered
            .front()
            .is_some_and(|answered| answered.generation == generation && answered.ack <= acks)
        {
            self.settled = self.answered.pop_front().map(|answered| answered.pkid);
        }
    }

    /// The message is not acknowledged in this run any more, and so none after it.
    pub fn put_off(&mut self, serial: u64) {
        if let Some(entry) = self.entry(serial) {
            entry.is_put_off = true;
        }
    }

    /// Whether every message has been acknowledged, by PUBACK or PUBREC, but for those that are put off.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.entries.front().is_none_or(|first| first.is_put_off) && self.again.is_empty()
    }

    /// Whether the broker has released every message that it sent with QoS 2.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.releasing.is_empty()
    }
}

#[cfg(test)]
mod tests;
