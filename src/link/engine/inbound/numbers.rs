//! What a broker's packet identifiers show: whether they tell a repetition from a new message, and whether the broker was
//! restored from an earlier state.

use super::{Answered, Inbound};
use crate::mqtt::QoS;

/// Whether a broker that gave `last` away has gone back to `pkid`, and not begun again after the highest.
pub fn is_back(last: u16, pkid: u16) -> bool {
    let starts_over = last > u16::MAX - 1_000 && pkid < 1_000;
    pkid <= last && !starts_over
}

impl Inbound {
    /// What the broker repeats is not known by its identifier any more: better answered twice than not at all.
    pub(super) fn supersede(&mut self) {
        let is_qos_1 = |qos: QoS| qos == QoS::AtLeastOnce;
        self.answered.retain(|answered| !is_qos_1(answered.qos));
        for entry in self.entries.iter_mut().filter(|entry| is_qos_1(entry.qos)) {
            entry.superseded = true;
        }
    }

    /// Sees that a repetition cannot be the message that was known by its identifier: it has other content, or the
    /// broker has received the acknowledgement of that message. A broker that repeats keeps the identifier (section
    /// 4.4), and counts on for new messages.
    pub(super) fn repeated(&mut self, pkid: u16, qos: QoS, digest: u64) {
        let is_settled = self
            .settled
            .is_some_and(|settled| settled.wrapping_sub(pkid) < u16::MAX / 2);
        self.went_back |= is_settled && pkid > 1;
        if self.renumbers || qos != QoS::AtLeastOnce {
            return;
        }
        let generation = self.generation;
        let is_answered = |known: &Answered| {
            (known.pkid, known.qos) == (pkid, qos) && known.generation < generation
        };
        let mut answered = self.answered.iter().filter(|known| is_answered(known));
        let is_other = answered.any(|known| known.digest != digest)
            || self
                .known(pkid, qos)
                .is_some_and(|known| known.digest != digest);
        if is_settled || is_other {
            self.renumbers = true;
            self.supersede();
        }
    }

    /// Whether the broker has gone back in its numbers since the last call, as one does that was restored from an
    /// earlier state.
    pub fn take_went_back(&mut self) -> bool {
        std::mem::take(&mut self.went_back)
    }

    /// Watches in which order the broker gives packet identifiers to new messages.
    pub(super) fn numbered(&mut self, pkid: u16) {
        let is_back = is_back(self.last_new, pkid);
        self.went_back |= is_back && pkid > 1 && !self.reuses_identifiers;
        self.reuses_identifiers |= is_back;
        self.last_new = pkid;
        if self.reuses_identifiers {
            self.answered.clear();
        }
    }
}
