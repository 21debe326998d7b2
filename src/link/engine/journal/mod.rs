//! What a new process needs so that the broker cannot tell it from the old one: packet identifiers, what is half-sent,
//! what was handled, what the role remembers.
//!
//! Each turn of the link that changes any of that is one record, written before anything that the turn led to is sent.
//! So what the broker has seen is always in the journal, and after a crash a new process goes on with the same packet
//! identifiers: a redelivered PUBLISH is known, PUBREL is answered, and what was sent goes out again under its
//! identifier with DUP, so that the broker's own rule for QoS 2 drops the second (MQTT 3.1.1, section 4.3.3).
//!
//! Without [`Header::is_durable`] a record is handed to the kernel and survives the end of the process; with it, it is
//! on the disk, and survives a power cut.

mod completed;
mod reader;
mod record;

use std::collections::BTreeMap;
use std::io;

use log::warn;

use crate::mqtt::{Message, QoS};
use crate::role::{Job, Memory};
pub(super) use completed::Completed;
use record::{Batch, parse, was_journal};
pub(super) use record::{Entry, digest};

/// Where the bytes are kept.
pub trait Storage: Send {
    /// All bytes; `None` where there are none.
    ///
    /// # Errors
    /// When they cannot be read.
    fn load(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Adds bytes at the end. A crash may leave the first part of them. With `durably` it returns when they survive
    /// a power cut.
    ///
    /// # Errors
    /// When they cannot be written.
    fn append(&mut self, bytes: &[u8], durably: bool) -> io::Result<()>;

    /// Puts bytes in the place of all others. A crash leaves the old or the new ones.
    ///
    /// # Errors
    /// When they cannot be written.
    fn replace(&mut self, bytes: &[u8], durably: bool) -> io::Result<()>;

    /// Removes all bytes.
    ///
    /// # Errors
    /// When they cannot be removed.
    fn remove(&mut self) -> io::Result<()>;

    /// What a text for the user calls it.
    fn name(&self) -> String;
}

/// Whose journal it is, and how far it can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The role and its client id. Another's journal is left alone as long as something is open in it.
    pub owner: String,
    /// The boot of the machine, as the kernel names it. A journal that is not durable may lack its end when another one
    /// wrote it.
    pub boot: Option<String>,
    /// Each record is on the disk before anything of it is sent.
    pub is_durable: bool,
}

/// A message that the role has handled: with QoS 2 one whose PUBREL has not come, with QoS 1 one that waits for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its number in the inbound ledger of the process that handled it.
    pub serial: u64,
    /// The packet identifier.
    pub pkid: u16,
    /// The QoS.
    pub qos: QoS,
    /// What tells its content from others.
    pub digest: u64,
}

/// How far a message to publish is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was never sent in this session.
    Waiting,
    /// PUBLISH went out under this packet identifier.
    Sent(u16),
    /// PUBREC has come, and PUBREL goes out.
    Released(u16),
}

/// A message to publish that the broker has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number in the outbox of the process that made it.
    pub serial: u64,
    /// The number of the received message that led to it.
    pub cause: Option<u64>,
    /// The message.
    pub message: Message,
    /// How far it is.
    pub stage: Stage,
}

/// A program to run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its number in the ledger of the process that wanted it.
    pub serial: u64,
    /// The number of the received message that led to it.
    pub cause: Option<u64>,
    /// What tells this delivery from every other, in this process and a later one.
    pub delivery: u64,
    /// The program.
    pub job: Job,
    /// It may have begun.
    pub has_begun: bool,
}

/// What an earlier process has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    header: Header,
    memory: BTreeMap<String, Vec<u8>>,
    /// What the inbound ledger goes on with.
    pub received: Vec<Received>,
    /// What it has sent PUBACK for and the broker has perhaps not received it, of that which programs have answered.
    pub acknowledged: Vec<Received>,
    /// What it has sent PUBCOMP for, and the broker has perhaps not received it.
    pub completed: Completed,
    /// What the outbox goes on with.
    pub queued: Vec<Queued>,
    /// What the ledger of programs goes on with.
    pub wanted: Vec<Wanted>,
    may_lack: bool,
}

impl Found {
    /// Whether a process that goes on with it has nothing to do.
    fn is_idle(&self) -> bool {
        // What is acknowledged needs nothing more.
        self.memory.is_empty()
            && self.received.is_empty()
            && self.queued.is_empty()
            && self.wanted.is_empty()
    }

    fn stage(&mut self, serial: u64, next: impl FnOnce(Stage) -> Stage) {
        let known = self.queued.iter_mut().find(|known| known.serial == serial);
        if let Some(known) = known {
            known.stage = next(known.stage);
        }
    }
}

/// From how many bytes on the journal is written anew, without what is over: where something is open, and where nothing
/// is. But not before it is twice as long as it was then: a controller of thousands of sessions would write them all in
/// each turn.
const LONGEST: usize = 256 * 1024;
const LONGEST_IDLE: usize = 16 * 1024;

/// The journal of one run.
pub struct Journal {
    storage: Box<dyn Storage>,
    header: Header,
    memory: BTreeMap<String, Vec<u8>>,
    may_lack: bool,
    found: Option<Found>,
    batch: Batch,
    /// Something in it has to survive a power cut in any case.
    is_precious: bool,
    /// How many bytes are in the storage; `None` where the next record begins it anew.
    length: Option<usize>,
    /// How many there were when it was last written anew.
    shortest: usize,
    /// It could not be written, and is not used any more.
    is_given_up: bool,
    /// Another's, or unreadable: it must not be written over.
    is_foreign: bool,
}

/// What the journal asks for when it is written anew: everything that is open.
pub(super) trait Open {
    /// Adds it to a batch that begins a journal.
    fn write(&self, push: &mut dyn FnMut(Entry<'_>));
    /// Whether that is nothing.
    fn is_empty(&self) -> bool;
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({}, {:?})", self.storage.name(), self.header)
    }
}

impl Journal {
    /// The journal in `storage`, of an earlier process or a new one. What is there and of no use costs a warning, and is
    /// written over, unless it is another's.
    #[must_use]
    #[doc(hidden)]
    pub fn open(mut storage: Box<dyn Storage>, header: Header) -> Self {
        let mut is_foreign = false;
        let mut found = match storage.load() {
            Ok(None) => None,
            Ok(Some(bytes)) => match parse(&bytes) {
                None if !was_journal(&bytes) => {
                    is_foreign = true;
                    warn!(
                        "nothing is kept for a restart: {} is none of this program's; give another --state-dir",
                        storage.name()
                    );
                    None
                }
                None => {
                    warn!("beginning anew, for {} is damaged", storage.name());
                    None
                }
                // Of one that was renamed.
                Some(found) if found.header.owner != header.owner && found.is_idle() => None,
                Some(found) if found.header.owner != header.owner => {
                    is_foreign = true;
                    warn!(
                        "nothing is kept for a restart: {} belongs to {}, which has something open; give each its own --state-dir, or remove it where that is no more",
                        storage.name(),
                        found.header.owner
                    );
                    None
                }
                Some(found) => Some(found),
            },
            Err(error) => {
                is_foreign = true;
                warn!(
                    "nothing is kept for a restart: {} cannot be read: {error}",
                    storage.name()
                );
                None
            }
        };
        let memory = found.as_mut();
        let memory = memory.map(|found| std::mem::take(&mut found.memory));
        Self {
            storage,
            header,
            memory: memory.unwrap_or_default(),
            may_lack: false,
            found,
            batch: Batch::default(),
            is_precious: false,
            length: None,
            shortest: 0,
            is_given_up: is_foreign,
            is_foreign,
        }
    }

    /// Whether an earlier process has left something to go on with.
    #[must_use]
    pub fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// What the role has remembered.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut unconfirmed = Vec::new();
        if let Some(found) = &self.found {
            let queued = found.queued.iter().map(|queued| &queued.message.topic);
            let wanted = found.wanted.iter().map(|wanted| &wanted.job.topic);
            unconfirmed.extend(queued.chain(wanted).cloned());
        }
        Memory {
            values: self.memory.clone(),
            unconfirmed,
        }
    }

    /// What an earlier process has left for the link, once; and whether that is surely all that it had sent.
    pub(super) fn take_found(&mut self) -> Option<(Found, bool)> {
        let found = self.found.take()?;
        let is_same_boot = found.header.boot.is_some() && found.header.boot == self.header.boot;
        let is_exact = (found.header.is_durable || is_same_boot) && !found.may_lack;
        Some((found, is_exact))
    }

    /// Adds an entry to the record of this turn.
    pub(super) fn note(&mut self, entry: Entry<'_>) {
        if self.is_given_up
            || matches!(entry, Entry::MayLack(something) if something == self.may_lack)
        {
            return;
        }
        if let Entry::Remember(name, value) = entry {
            // A name is new once a session; a value may change with each message.
            self.is_precious |= value.is_some() && !self.memory.contains_key(name);
            match value {
                Some(value) => self.memory.insert(name.to_owned(), value.to_vec()),
                None => self.memory.remove(name),
            };
        }
        match entry {
            Entry::MayLack(something) => self.may_lack = something,
            Entry::SessionLost => self.may_lack = false,
            Entry::Begun {
                is_precious: true, ..
            } => self.is_precious = true,
            _ => {}
        }
        self.batch.push(entry);
    }

    /// Writes the record of this turn, before anything of it is sent.
    pub(super) fn commit(&mut self, open: &impl Open) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch).into_bytes();
        let longest = match open.is_empty() {
            true => LONGEST_IDLE,
            false => LONGEST,
        };
        let longest = longest.max(2 * self.shortest);
        let durably = std::mem::take(&mut self.is_precious) || self.header.is_durable;
        let written = match self.length {
            Some(length) if length + batch.len() <= longest => {
                let appended = self.storage.append(&batch, durably);
                appended.map(|()| length + batch.len())
            }
            _ => self
                .write_anew(open)
                .inspect(|length| self.shortest = *length),
        };
        match written {
            Ok(length) => self.length = Some(length),
            Err(error) => self.give_up(&error),
        }
    }

    fn write_anew(&mut self, open: &impl Open) -> io::Result<usize> {
        let mut batch = Batch::of_whole_file();
        batch.push(Entry::Header(&self.header));
        for (name, value) in &self.memory {
            batch.push(Entry::Remember(name, Some(value)));
        }
        if self.may_lack {
            batch.push(Entry::MayLack(true));
        }
        open.write(&mut |entry| batch.push(entry));
        let bytes = batch.into_bytes();
        // What the role remembers has to survive a power cut in any case.
        let durably = self.header.is_durable || !self.memory.is_empty();
        self.storage.replace(&bytes, durably)?;
        Ok(bytes.len())
    }

    fn give_up(&mut self, error: &io::Error) {
        warn!(
            "cannot write {}: {error}; nothing is kept for a restart any more",
            self.storage.name()
        );
        self.is_given_up = true;
        self.remove();
    }

    /// An old journal would be worse than none.
    fn remove(&mut self) {
        if let Err(error) = self.storage.remove() {
            warn!("cannot remove {}: {error}", self.storage.name());
        }
    }

    /// Whether what is written down stays.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_foreign && !self.is_given_up
    }

    /// The run is over, and the next one goes on with its session, or begins anew.
    pub(super) fn close(&mut self, open: &impl Open, goes_on: bool) {
        if self.is_foreign {
            return;
        }
        match goes_on {
            true => self.commit(open),
            // The second time, without a second warning.
            false if self.is_given_up => drop(self.storage.remove()),
            false => {
                self.is_given_up = true;
                self.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests;
