use super::*;
use crate::mqtt::{QoS, TopicName};
use std::sync::{Arc, Mutex};

/// A file in memory, which other handles see, too.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Option<Vec<u8>>>>);

impl Storage for Shared {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn append(&mut self, bytes: &[u8], _: bool) -> io::Result<()> {
        self.0.lock().unwrap().as_mut().unwrap().extend(bytes);
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8], _: bool) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self) -> io::Result<()> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }

    fn name(&self) -> String {
        "the journal".to_owned()
    }
}

struct Nothing;

impl Open for Nothing {
    fn write(&self, _: &mut dyn FnMut(Entry<'_>)) {}

    fn is_empty(&self) -> bool {
        true
    }
}

fn header(owner: &str) -> Header {
    Header {
        owner: owner.to_owned(),
        boot: Some("today".to_owned()),
        is_durable: false,
    }
}

fn open(storage: &Shared, owner: &str) -> Journal {
    Journal::open(Box::new(storage.clone()), header(owner))
}

fn message(topic: &str, payload: &str) -> Message {
    let topic = TopicName::new(topic).unwrap();
    Message::new(topic, payload, QoS::ExactlyOnce)
}

/// A journal of four records, and how long it is after each.
fn written() -> (Vec<u8>, Vec<usize>) {
    let storage = Shared::default();
    let mut journal = open(&storage, "alice");
    let length = || storage.0.lock().unwrap().as_ref().unwrap().len();
    let reply = message("U1/CMD1", "Apple");
    let records: [&[Entry<'_>]; 4] = [
        &[Entry::Remember("session", Some(b"U1"))],
        &[
            Entry::Received(Received {
                serial: 4,
                pkid: 9,
                qos: QoS::ExactlyOnce,
                digest: 77,
            }),
            Entry::Queued {
                serial: 2,
                cause: Some(4),
                message: &reply,
            },
            Entry::Sent { serial: 2, pkid: 3 },
        ],
        &[Entry::Forgotten(9), Entry::Released { serial: 2 }],
        &[Entry::Done { serial: 2 }],
    ];
    let lengths = records.map(|entries| {
        entries.iter().for_each(|entry| journal.note(*entry));
        journal.commit(&Nothing);
        length()
    });
    (storage.0.lock().unwrap().clone().unwrap(), lengths.to_vec())
}

#[test]
fn what_is_written_is_found_record_by_record() {
    let (bytes, lengths) = written();
    let found = |records: usize| parse(&bytes[..lengths[records - 1]]).unwrap();
    assert_eq!(found(1).memory["session"], b"U1");
    assert_eq!(found(1).queued, []);
    let two = found(2);
    assert_eq!((two.received[0].pkid, two.received[0].digest), (9, 77));
    assert_eq!(two.queued[0].cause, Some(4));
    assert_eq!(two.queued[0].message, message("U1/CMD1", "Apple"));
    assert_eq!(two.queued[0].stage, Stage::Sent(3));
    assert_eq!(found(3).received, []);
    assert_eq!(found(3).queued[0].stage, Stage::Released(3));
    assert_eq!(found(4).queued, []);
    assert_eq!(found(4).memory["session"], b"U1");
}

/// What a journal says of messages whose PUBREL has come.
fn completed(entries: &[Entry<'_>]) -> Vec<u16> {
    let storage = Shared::default();
    let mut journal = open(&storage, "alice");
    journal.commit(&Nothing);
    journal.note(Entry::Remember("session", Some(b"U1")));
    journal.commit(&Nothing);
    entries.iter().for_each(|entry| journal.note(*entry));
    journal.commit(&Nothing);
    let bytes = storage.0.lock().unwrap().clone().unwrap();
    let found = parse(&bytes).unwrap();
    found.completed.last(2).map(|known| known.pkid).collect()
}

/// mosquitto 2.0.11 repeats a PUBLISH after its PUBREL, to a new process, too.
#[test]
fn what_is_completed_is_known_until_the_broker_has_certainly_heard_of_it() {
    let received = |pkid| {
        Entry::Received(Received {
            serial: 0,
            pkid,
            qos: QoS::ExactlyOnce,
            digest: 1,
        })
    };
    let (serial, reply) = (7, message("t", "w"));
    let queued = Entry::Queued {
        serial,
        cause: None,
        message: &reply,
    };
    let one = [received(1), Entry::Forgotten(1)];
    let three = [
        &one[..],
        &[received(2), Entry::Forgotten(2)],
        &[received(3), Entry::Forgotten(3)],
    ]
    .concat();
    assert_eq!(completed(&one), [1]);
    assert_eq!(completed(&three), [2, 3], "the last two");
    let sent = [queued, Entry::Sent { serial, pkid: 4 }];
    let confirmed = [Entry::Done { serial }];
    let two = &three[2..];
    assert_eq!(completed(&[&one[..], &sent].concat()), [1]);
    assert_eq!(
        completed(&[&one[..], &sent, two, &confirmed].concat()),
        [2, 3]
    );
    let again = [Entry::Forgotten(1)];
    assert_eq!(
        completed(&[&one[..], &sent, &again, &confirmed].concat()),
        [1]
    );
    for nothing in [
        [&three[..], &sent, &confirmed].concat(),
        // The broker gives identifiers away again: what they say of a repetition is nothing.
        [one, one].concat(),
        [&[Entry::ReusesIdentifiers], &one[..]].concat(),
        [&one[..], &[Entry::SessionLost]].concat(),
    ] {
        assert!(completed(&nothing).is_empty(), "{nothing:?}");
    }
}

/// A crash in the middle of a write, at each byte.
#[test]
fn a_tail_that_is_cut_off_is_as_if_it_had_not_been_written() {
    let (bytes, lengths) = written();
    for cut in 0..=bytes.len() {
        let whole = lengths.iter().filter(|length| **length <= cut).count();
        let expected = match whole {
            0 => None,
            records => parse(&bytes[..lengths[records - 1]]),
        };
        assert_eq!(parse(&bytes[..cut]), expected, "{cut}");
        // The file has its length already, and not yet its content.
        let mut zeros = bytes[..cut].to_vec();
        zeros.resize(bytes.len(), 0);
        if lengths.contains(&cut) {
            assert_eq!(parse(&zeros), expected, "{cut}");
        }
    }
}

#[test]
fn a_changed_byte_is_damage_or_the_end() {
    let (bytes, lengths) = written();
    let last = lengths[lengths.len() - 2];
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let found = parse(&damaged);
        let as_if_cut = (0..lengths.len()).map(|records| match records {
            0 => None,
            records => parse(&bytes[..lengths[records - 1]]),
        });
        assert!(as_if_cut.clone().any(|known| known == found), "{at}");
        if at >= last {
            assert_eq!(found, parse(&bytes[..last]), "{at}");
        }
    }
}

#[test]
fn anothers_journal_is_neither_read_nor_written() {
    let storage = Shared::default();
    let mut alice = open(&storage, "alice");
    alice.note(Entry::Remember("session", Some(b"U1")));
    alice.commit(&Nothing);
    let before = storage.0.lock().unwrap().clone();
    let mut bob = open(&storage, "bob");
    assert!(!bob.has_found());
    assert_eq!(bob.memory(), Memory::default());
    bob.note(Entry::Remember("session", Some(b"U2")));
    bob.commit(&Nothing);
    bob.close(&Nothing, false);
    assert_eq!(*storage.0.lock().unwrap(), before);
}

#[test]
fn a_file_that_never_was_a_journal_is_left_alone() {
    for diary in ["Dear diary", "{\"session\": 1}\n", "\u{feff}mqtt_client"] {
        let storage = Shared(Arc::new(Mutex::new(Some(diary.into()))));
        let mut journal = open(&storage, "alice");
        assert!(!journal.has_found());
        journal.note(Entry::Remember("session", Some(b"U1")));
        journal.commit(&Nothing);
        journal.close(&Nothing, false);
        assert_eq!(*storage.0.lock().unwrap(), Some(diary.into()));
    }
}

/// A power cut leaves what was not synced in any order. What was synced is before that.
#[test]
fn a_journal_that_is_not_durable_ends_where_it_is_damaged() {
    let (mut bytes, lengths) = written();
    let before = bytes[..lengths[0]].to_vec();
    let second = lengths[0] + 20;
    bytes[second] ^= 0x55;
    assert_eq!(parse(&bytes), parse(&before));
    assert!(parse(&before).is_some());
}

#[test]
fn a_long_journal_is_not_written_anew_each_time() {
    let storage = Shared::default();
    let mut journal = open(&storage, "controller");
    let session = [0; 400];
    for number in 0..2_000 {
        journal.note(Entry::Remember(&number.to_string(), Some(&session)));
    }
    let mut lengths = (0..3).map(|_| {
        journal.note(Entry::Remember("0", Some(&session)));
        journal.commit(&Nothing);
        storage.0.lock().unwrap().as_ref().unwrap().len()
    });
    let (first, second) = (lengths.next().unwrap(), lengths.next().unwrap());
    assert!(first > LONGEST);
    assert!((first + 400..first + 500).contains(&second));
    assert_eq!(lengths.next().unwrap(), second + (second - first));
}

#[test]
fn a_damaged_journal_is_begun_anew() {
    for damaged in ["", "\0\0\0", "mqtt_cl", "mqtt_client journal 1\n\x01\x02"] {
        let storage = Shared(Arc::new(Mutex::new(Some(damaged.into()))));
        let mut journal = open(&storage, "alice");
        assert!(!journal.has_found());
        journal.note(Entry::Remember("session", Some(b"U1")));
        journal.commit(&Nothing);
        assert!(open(&storage, "alice").has_found());
    }
}

#[test]
fn it_stays_small_and_ends_empty() {
    let storage = Shared::default();
    let mut journal = open(&storage, "alice");
    journal.note(Entry::Remember("session", Some(b"U1")));
    let reply = message("U1/CMD1", "Apple");
    for serial in 0..10_000 {
        journal.note(Entry::Queued {
            serial,
            cause: None,
            message: &reply,
        });
        journal.note(Entry::Done { serial });
        journal.commit(&Nothing);
        let length = storage.0.lock().unwrap().as_ref().unwrap().len();
        assert!(length <= LONGEST_IDLE, "{length}");
    }
    let later = open(&storage, "alice");
    assert_eq!(later.memory().get("session"), Some(&b"U1"[..]));
    journal.close(&Nothing, false);
    assert_eq!(*storage.0.lock().unwrap(), None);
}

/// A disk that is full, or a folder that is read-only.
struct Broken;

impl Storage for Broken {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn append(&mut self, _: &[u8], _: bool) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn replace(&mut self, _: &[u8], _: bool) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn remove(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn name(&self) -> String {
        "the journal".to_owned()
    }
}

#[test]
fn what_cannot_be_written_is_not_relied_on() {
    let durable = Header {
        is_durable: true,
        ..header("alice")
    };
    let mut journal = Journal::open(Box::new(Broken), durable);
    journal.note(Entry::Forgotten(1));
    journal.commit(&Nothing);
    assert!(journal.is_given_up);
    journal.close(&Nothing, true);
}

/// A device whose USER_ID has changed would otherwise keep nothing for ever after.
#[test]
fn the_journal_of_another_is_taken_over_where_nothing_is_open_in_it() {
    let storage = Shared::default();
    let mut alice = open(&storage, "alice");
    alice.note(Entry::Remember("session", Some(b"U1")));
    alice.commit(&Nothing);
    let mut bob = open(&storage, "bob");
    bob.note(Entry::Remember("session", Some(b"U2")));
    bob.commit(&Nothing);
    assert_eq!(
        open(&storage, "alice").memory().get("session"),
        Some(&b"U1"[..])
    );
    let mut alice = open(&storage, "alice");
    alice.note(Entry::Remember("session", None));
    alice.commit(&Nothing);
    let mut bob = open(&storage, "bob");
    assert!(!bob.has_found());
    bob.note(Entry::Remember("session", Some(b"U2")));
    bob.commit(&Nothing);
    assert_eq!(
        open(&storage, "bob").memory().get("session"),
        Some(&b"U2"[..])
    );
}
