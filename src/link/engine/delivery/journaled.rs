//! What the journal hears of delivery, and what delivery makes of an earlier process's journal.

use super::{Delivery, IDENTIFIERS};
use crate::link::Session;
use crate::link::engine::inbound::Inbound;
use crate::link::engine::jobs::Jobs;
use crate::link::engine::journal::{Entry, Journal, Open};
use crate::link::engine::outbox::{Confirmed, Outbox, Packet};
use crate::mqtt::QoS;

/// The ledgers, as the journal sees them.
struct Books<'a>(&'a Inbound, &'a Outbox, &'a Jobs);

impl Open for Books<'_> {
    fn write(&self, push: &mut dyn FnMut(Entry<'_>)) {
        // First what was sent perhaps before the PUBCOMPs of the other.
        self.1.write(push);
        self.0.write(push);
        self.2.write(push);
    }

    fn is_empty(&self) -> bool {
        self.0.is_settled() && self.0.is_released() && self.1.is_empty() && self.2.is_empty()
    }
}

/// Tells the journal, where there is one, while other ledgers are borrowed.
pub(super) fn noting(journal: &mut Option<Journal>) -> impl FnMut(Entry<'_>) {
    move |entry| {
        if let Some(journal) = journal {
            journal.note(entry);
        }
    }
}

impl Delivery {
    /// The books of a run with this session. With a journal it goes on where the process ended that wrote it. Where the
    /// session goes on and nothing says what the earlier process has left half-sent, that may be under any identifier.
    #[must_use]
    pub fn new(session: Session, journal: Option<Journal>) -> Self {
        let resumes = matches!(session, Session::Persistent { resume: true, .. });
        let mut delivery = Self {
            journal,
            ..Self::default()
        };
        if !resumes {
            return delivery;
        }
        let found = delivery.journal.as_mut().and_then(Journal::take_found);
        delivery.stale_pkids = (1..=IDENTIFIERS).collect();
        delivery.must_release = true;
        if let Some((found, is_exact)) = found {
            delivery.must_release = !is_exact;
            let queued = found.queued;
            let wanted = found.wanted;
            let open = |serial| {
                let queued = queued.iter().map(|queued| queued.cause);
                let wanted = wanted.iter().map(|wanted| wanted.cause);
                queued
                    .chain(wanted)
                    .filter(|cause| *cause == Some(serial))
                    .count()
            };
            let serials = delivery.inbound.restore(
                &found.received,
                &found.acknowledged,
                &found.completed,
                is_exact,
                open,
            );
            delivery.outbox.restore(queued, &serials);
            delivery.jobs.restore(wanted, &serials);
        }
        if delivery.must_release {
            delivery.note(Entry::MayLack(true));
        }
        delivery
    }

    pub(super) fn note(&mut self, entry: Entry<'_>) {
        noting(&mut self.journal)(entry);
    }

    pub(super) fn note_queued(&mut self, serial: u64, cause: Option<u64>, packet: &Packet) {
        match packet {
            Packet::Publish(message) if message.qos > QoS::AtMostOnce => self.note(Entry::Queued {
                serial,
                cause,
                message,
            }),
            _ => {}
        }
    }

    pub(super) fn note_done(&mut self, confirmed: &Confirmed) {
        if let Packet::Publish(_) = confirmed.packet {
            let serial = confirmed.serial;
            self.note(Entry::Done { serial });
        }
    }

    /// The role remembers this, or forgets it.
    pub fn remember(&mut self, name: &str, value: Option<&[u8]>) {
        self.note(Entry::Remember(name, value));
    }

    fn with_journal(&mut self) -> Option<(&mut Journal, Books<'_>)> {
        let journal = self.journal.as_mut()?;
        Some((journal, Books(&self.inbound, &self.outbox, &self.jobs)))
    }

    /// Writes down what is not written yet. Nothing is sent before that.
    pub fn commit(&mut self) {
        if let Some((journal, books)) = self.with_journal() {
            journal.commit(&books);
        }
    }

    /// Whether there is a journal that a later process can read.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_kept)
    }

    /// The run is over. The next one goes on with its session, or begins anew.
    pub fn close(&mut self, goes_on: bool) {
        if let Some((journal, books)) = self.with_journal() {
            journal.close(&books, goes_on);
        }
    }
}
