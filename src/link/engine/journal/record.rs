//! The bytes of the journal: a line that names the format, then records, each with its length and its checksum. A
//! record holds entries, all that one turn of the link led to, and counts as a whole or not at all.

use std::collections::BTreeMap;

use crc::{CRC_64_XZ, Crc, Table};

use super::completed::Completed;
use super::reader::Reader;
use super::{Found, Header, Received, Stage};
use crate::mqtt::{Message, QoS};
use crate::role::Job;

/// What a journal begins with.
const MAGIC: &[u8] = b"mqtt_client journal 1\n";

/// What a journal of any version begins with.
const NAME: &[u8] = MAGIC.split_at(MAGIC.len() - 2).0;

/// Length and checksum.
const HEAD: usize = 4 + 8;

static CRC: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_XZ);

/// What tells two contents apart, in this process and in the next.
#[must_use]
pub fn digest(message: &Message) -> u64 {
    let mut digest = CRC.digest();
    digest.update(message.topic.as_str().as_bytes());
    // No topic name has it (MQTT 3.1.1, section 1.5.3).
    digest.update(&[0]);
    digest.update(&message.payload);
    digest.finalize()
}

/// One change.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// Whose journal it is: the first entry of all.
    Header(&'a Header),
    /// The role remembers this, or no longer anything under this name.
    Remember(&'a str, Option<&'a [u8]>),
    /// The role has handled a message that a later process has to know.
    Received(Received),
    /// Its PUBREL has come.
    Forgotten(u16),
    /// The PUBACK goes out for one with QoS 1. The broker may not receive it.
    Acknowledged(u16),
    /// The broker reuses packet identifiers early: what it repeats is not known by them.
    ReusesIdentifiers,
    /// A message is to be published. The received message `cause` led to it.
    Queued {
        serial: u64,
        cause: Option<u64>,
        message: &'a Message,
    },
    /// It goes out under this packet identifier.
    Sent { serial: u64, pkid: u16 },
    /// PUBREC has come: from now on PUBREL goes out.
    Released { serial: u64 },
    /// The broker has confirmed it, or it has been given up.
    Done { serial: u64 },
    /// The broker has lost the session: identifiers mean nothing any more.
    SessionLost,
    /// Whether the broker may hold something half-sent that no entry names: the end of an earlier journal was lost.
    MayLack(bool),
    /// A program is to be run. The received message `cause` led to it.
    Wanted {
        serial: u64,
        cause: Option<u64>,
        delivery: u64,
        job: &'a Job,
    },
    /// It may begin now.
    Begun {
        serial: u64,
        /// This has to survive a power cut, or it would run twice.
        is_precious: bool,
    },
    /// The role has heard of its end.
    Over { serial: u64 },
}

/// `None`, in a `cause`.
pub(super) const NONE: u64 = u64::MAX;

/// Entries on their way to a record.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<u8>);

impl Batch {
    /// The first batch of a journal.
    pub fn of_whole_file() -> Self {
        Self(MAGIC.to_vec())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Entry<'_>) {
        if self.0.is_empty() || self.0 == MAGIC {
            self.0.extend([0; HEAD]);
        }
        match entry {
            Entry::Header(header) => {
                self.tag(0);
                self.bytes(header.owner.as_bytes());
                self.bytes(header.boot.as_deref().unwrap_or_default().as_bytes());
                self.0.push(header.is_durable.into());
            }
            Entry::Remember(name, value) => {
                self.tag(if value.is_some() { 1 } else { 2 });
                self.bytes(name.as_bytes());
                self.bytes(value.unwrap_or_default());
            }
            Entry::Received(Received {
                serial,
                pkid,
                qos,
                digest,
            }) => {
                self.tag(match qos {
                    QoS::ExactlyOnce => 3,
                    _ => 16,
                });
                self.number(serial);
                self.pkid(pkid);
                self.number(digest);
            }
            Entry::Forgotten(pkid) => {
                self.tag(4);
                self.pkid(pkid);
            }
            Entry::Acknowledged(pkid) => {
                self.tag(17);
                self.pkid(pkid);
            }
            Entry::Queued {
                serial,
                cause,
                message,
            } => {
                self.tag(5);
                self.number(serial);
                self.number(cause.unwrap_or(NONE));
                self.0
                    .push(message.qos.level() | u8::from(message.retain) << 7);
                self.bytes(message.topic.as_str().as_bytes());
                self.bytes(&message.payload);
            }
            Entry::Sent { serial, pkid } => {
                self.tag(6);
                self.number(serial);
                self.pkid(pkid);
            }
            Entry::Released { serial } => {
                self.tag(7);
                self.number(serial);
            }
            Entry::Done { serial } => {
                self.tag(8);
                self.number(serial);
            }
            Entry::SessionLost => self.tag(9),
            Entry::MayLack(something) => self.tag(if something { 10 } else { 11 }),
            Entry::ReusesIdentifiers => self.tag(12),
            Entry::Wanted {
                serial,
                cause,
                delivery,
                job,
            } => {
                self.tag(13);
                self.number(serial);
                self.number(cause.unwrap_or(NONE));
                self.number(delivery);
                self.job(job);
            }
            Entry::Begun { serial, .. } => {
                self.tag(14);
                self.number(serial);
            }
            Entry::Over { serial } => {
                self.tag(15);
                self.number(serial);
            }
        }
    }

    fn job(&mut self, job: &Job) {
        self.bytes(job.program.as_bytes());
        self.number(job.arguments.len() as u64);
        for argument in &job.arguments {
            self.bytes(argument.as_bytes());
        }
        self.bytes(&job.input);
        self.number(job.variables.len() as u64);
        for (name, value) in &job.variables {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
        self.bytes(job.topic.as_str().as_bytes());
        self.0.push(job.qos.level());
    }

    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn pkid(&mut self, pkid: u16) {
        self.0.extend(pkid.to_le_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // A batch of 4 GiB does not exist: messages are far smaller, and a window of them is in it.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_le_bytes());
        self.0.extend(bytes);
    }

    /// The record, ready to be written.
    pub fn into_bytes(mut self) -> Vec<u8> {
        let start = match self.0.starts_with(MAGIC) {
            true => MAGIC.len(),
            false => 0,
        };
        if let Some((head, body)) = self.0[start..].split_at_mut_checked(HEAD) {
            let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
            head[..4].copy_from_slice(&length.to_le_bytes());
            head[4..].copy_from_slice(&CRC.checksum(body).to_le_bytes());
        }
        self.0
    }
}

/// Whether the bytes may be what a crash or an old disk has left of a journal; otherwise they are somebody's.
#[must_use]
pub(super) fn was_journal(bytes: &[u8]) -> bool {
    bytes.starts_with(NAME) || NAME.starts_with(bytes) || bytes.iter().all(|byte| *byte == 0)
}

/// What is in a journal's bytes. Where a crash has cut the last record it does not count: nothing that it was to hold
/// had been sent. One that is not durable ends at the first record that is not whole: a power cut leaves later ones in any
/// order. `None` where the bytes are something else, or one before the last record of a durable one is not whole.
#[must_use]
pub(super) fn parse(bytes: &[u8]) -> Option<Found> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut found: Option<Found> = None;
    // Zeros at the end, where a power cut came between the file's length and its content, are empty records.
    while let Some((head, after)) = rest.split_at_checked(HEAD) {
        let (length, checksum) = head.split_at(4);
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let Some((record, after)) = after.split_at_checked(length) else {
            break;
        };
        if CRC.checksum(record) != u64::from_le_bytes(checksum.try_into().ok()?) {
            let is_durable = found.as_ref().is_none_or(|found| found.header.is_durable);
            match after.is_empty() || !is_durable {
                true => break,
                false => return None,
            }
        }
        take_record(&mut found, record)?;
        rest = after;
    }
    found
}

fn take_record(found: &mut Option<Found>, record: &[u8]) -> Option<()> {
    let mut reader = Reader(record);
    while let Some((tag, rest)) = reader.0.split_first() {
        reader.0 = rest;
        if *tag == 0 && found.is_none() {
            *found = Some(Found {
                header: reader.header()?,
                memory: BTreeMap::new(),
                received: Vec::new(),
                completed: Completed::default(),
                acknowledged: Vec::new(),
                queued: Vec::new(),
                wanted: Vec::new(),
                may_lack: false,
            });
        } else {
            take_entry(found.as_mut()?, *tag, &mut reader)?;
        }
    }
    Some(())
}

fn take_entry(found: &mut Found, tag: u8, reader: &mut Reader<'_>) -> Option<()> {
    match tag {
        1 => {
            let name = reader.text()?;
            let value = reader.bytes()?.to_vec();
            found.memory.insert(name, value);
        }
        2 => {
            found.memory.remove(&reader.text()?);
            reader.bytes()?;
        }
        3 | 16 => {
            let serial = reader.number()?;
            let pkid = reader.pkid()?;
            let digest = reader.number()?;
            found.received.retain(|known| known.pkid != pkid);
            found.acknowledged.retain(|known| known.pkid != pkid);
            let qos = match tag {
                3 => QoS::ExactlyOnce,
                _ => QoS::AtLeastOnce,
            };
            if qos == QoS::ExactlyOnce {
                found.completed.received(pkid);
            }
            found.received.push(Received {
                serial,
                pkid,
                qos,
                digest,
            });
        }
        4 => {
            let pkid = reader.pkid()?;
            let known = found.received.iter().position(|known| known.pkid == pkid);
            match known {
                Some(at) => found.completed.push(found.received.remove(at)),
                None => found.completed.again(pkid),
            }
        }
        5 => {
            let queued = reader.queued()?;
            found.queued.push(queued);
        }
        6 => {
            let serial = reader.number()?;
            let pkid = reader.pkid()?;
            found.stage(serial, |_| Stage::Sent(pkid));
            found.completed.sent(serial);
        }
        7 => {
            let serial = reader.number()?;
            found.stage(serial, |stage| match stage {
                Stage::Sent(pkid) | Stage::Released(pkid) => Stage::Released(pkid),
                Stage::Waiting => Stage::Waiting,
            });
        }
        8 => {
            let serial = reader.number()?;
            found.queued.retain(|known| known.serial != serial);
            found.completed.confirmed(serial);
        }
        9 => {
            found.may_lack = false;
            found.received.clear();
            found.completed = Completed::default();
            for queued in &mut found.queued {
                queued.stage = Stage::Waiting;
            }
        }
        10 => found.may_lack = true,
        11 => found.may_lack = false,
        12 => found.completed.reuses_identifiers(),
        13 => found.wanted.push(reader.wanted()?),
        14 => {
            let serial = reader.number()?;
            let known = found.wanted.iter_mut().find(|known| known.serial == serial);
            if let Some(known) = known {
                known.has_begun = true;
            }
        }
        15 => {
            let serial = reader.number()?;
            found.wanted.retain(|known| known.serial != serial);
        }
        17 => {
            let pkid = reader.pkid()?;
            let is_known = |known: &Received| known.pkid == pkid && known.qos == QoS::AtLeastOnce;
            if let Some(at) = found.received.iter().position(is_known) {
                let known = found.received.remove(at);
                found.acknowledged.push(known);
            }
        }
        _ => return None,
    }
    Some(())
}
