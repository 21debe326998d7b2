//! A disk with one journal on it, which a crash can cut anywhere.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::link::engine::journal::{Header, Journal, Storage};
use crate::role::Memory;

/// What survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process ends: everything that the kernel has.
    Kill,
    /// The machine stops: everything that is on the disk.
    PowerCut,
}

#[derive(Default)]
struct State {
    /// As the kernel has it.
    file: Option<Vec<u8>>,
    /// As it is on the disk.
    synced: Option<Vec<u8>>,
    writes: u32,
    /// At which write the process ends, and how much of it arrives, of 1.
    ends_at: Option<(u32, f64)>,
    has_ended: bool,
    boots: u32,
}

/// The disk. Clones are the same one.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// What the role has remembered on it ([`Effect::Remember`](crate::role::Effect::Remember)), as the next process finds
    /// it.
    #[must_use]
    pub fn memory(&self, client_id: &str) -> Memory {
        self.journal(client_id, true).memory()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The journal on it, as a process opens it that begins.
    pub(crate) fn journal(&self, owner: &str, is_durable: bool) -> Journal {
        self.state().has_ended = false;
        let header = Header {
            owner: owner.to_owned(),
            boot: Some(self.state().boots.to_string()),
            is_durable,
        };
        Journal::open(Box::new(self.clone()), header)
    }

    /// The process ends in the middle of its next write but `after`.
    pub(crate) fn end_at_write(&self, after: u32, part: f64) {
        let mut state = self.state();
        state.ends_at = Some((state.writes + after + 1, part));
    }

    /// Whether that has happened.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Leaves what survives, for the next process. `part` of what is not on the disk yet gets there, from 0 to 1.
    pub fn crash(&self, crash: Crash, part: f64) {
        let mut state = self.state();
        state.ends_at = None;
        state.has_ended = false;
        if crash == Crash::Kill {
            return;
        }
        state.boots += 1;
        let file = state.file.take();
        let appended = match (&file, &state.synced) {
            (Some(file), Some(synced)) => file.strip_prefix(synced.as_slice()),
            _ => None,
        };
        state.file = match appended {
            Some(appended) => {
                let mut kept = state.synced.clone().unwrap_or_default();
                kept.extend(&appended[..share(appended, part)]);
                Some(kept)
            }
            None if part < 0.5 => state.synced.clone(),
            None => file,
        };
        state.synced = state.file.clone();
    }
}

fn share(bytes: &[u8], part: f64) -> usize {
    (bytes.len() as f64 * part) as usize
}

impl State {
    /// Counts a write. `Some` where it is the last: how much of it arrives.
    fn ends(&mut self) -> Option<f64> {
        self.writes += 1;
        let (_, part) = self.ends_at.filter(|(at, _)| *at == self.writes)?;
        self.has_ended = true;
        Some(part)
    }
}

impl Storage for Disk {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state().file.clone())
    }

    fn append(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        let mut state = self.state();
        assert!(!state.has_ended, "the process has ended");
        let arrives = state.ends().map_or(bytes.len(), |part| share(bytes, part));
        let file = state.file.as_mut().expect("a journal begins whole");
        file.extend(&bytes[..arrives]);
        if durably && !state.has_ended {
            state.synced = state.file.clone();
        }
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        let mut state = self.state();
        assert!(!state.has_ended, "the process has ended");
        if state.ends().is_none_or(|part| part > 0.5) {
            state.file = Some(bytes.to_vec());
            if durably {
                state.synced = state.file.clone();
            }
        }
        Ok(())
    }

    fn remove(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.file = None;
        state.synced = None;
        Ok(())
    }

    fn name(&self) -> String {
        "the journal".to_owned()
    }
}
