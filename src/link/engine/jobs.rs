//! The programs that the role wants run: which wait, which run, and which received message each answers. Where the
//! journal knows of them, a later process goes on with them.

use std::collections::{HashMap, VecDeque};

use super::journal::{Entry as Note, Wanted};
use crate::role::{Job, Outcome};

/// How many may wait that no acknowledgement holds back: at QoS 0 the broker sends on and on.
const MAX_WAITING: usize = 1000;

/// How programs are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How many may run at once.
    pub at_once: usize,
    /// One that may have run when the process ended is not run again: at most once, instead of at least once.
    pub is_at_most_once: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            at_once: 1,
            is_at_most_once: false,
        }
    }
}

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its number, for [`Input::Ran`](super::Input::Ran).
    pub number: u64,
    /// What tells this delivery from every other. It is the same when a later process runs the program again.
    pub delivery: u64,
    /// The program.
    pub job: Box<Job>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is not known yet whether there is such a program.
    New,
    Waiting,
    Running,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    cause: Option<u64>,
    delivery: u64,
    job: Box<Job>,
    stage: Stage,
    /// The journal knows of it.
    is_noted: bool,
    /// An earlier process may have run it.
    has_begun: bool,
}

/// The ledger.
#[derive(Debug, Default)]
pub struct Jobs {
    entries: VecDeque<Entry>,
    next: u64,
    random: fastrand::Rng,
    pub rules: Rules,
}

impl Jobs {
    /// Names the deliveries from now on by this seed.
    pub fn seed(&mut self, seed: u64) {
        self.random = fastrand::Rng::with_seed(seed);
    }

    /// Takes a program to run, which the received message `cause` led to, or gives it back. Tells the journal of it where
    /// the broker waits for the acknowledgement of that message.
    ///
    /// # Errors
    /// The program, where too many wait.
    pub fn push(
        &mut self,
        job: Box<Job>,
        cause: Option<u64>,
        note: &mut dyn FnMut(Note<'_>),
    ) -> Result<(), Box<Job>> {
        if cause.is_none() && self.entries.len() >= MAX_WAITING {
            return Err(job);
        }
        let entry = Entry {
            serial: self.next,
            cause,
            delivery: self.random.u64(..),
            job,
            stage: Stage::New,
            is_noted: cause.is_some(),
            has_begun: false,
        };
        self.next += 1;
        entry.note(note);
        self.entries.push_back(entry);
        Ok(())
    }

    /// Goes on with what an earlier process has left. `serials` has the numbers of its received messages.
    pub fn restore(&mut self, wanted: Vec<Wanted>, serials: &HashMap<u64, u64>) {
        for Wanted {
            cause,
            delivery,
            job,
            has_begun,
            ..
        } in wanted
        {
            self.entries.push_back(Entry {
                serial: self.next,
                cause: cause.and_then(|cause| serials.get(&cause).copied()),
                delivery,
                job: Box::new(job),
                stage: Stage::New,
                is_noted: true,
                has_begun,
            });
            self.next += 1;
        }
    }

    /// Looks whether there is a program for those of which that is not known. Returns the first that comes to nothing: its
    /// number, and why.
    pub fn look(
        &mut self,
        is_there: impl Fn(&Job) -> Result<(), Outcome>,
    ) -> Option<(u64, Outcome)> {
        let is_new = |entry: &&mut Entry| entry.stage == Stage::New;
        for entry in self.entries.iter_mut().filter(is_new) {
            if entry.has_begun && self.rules.is_at_most_once {
                let why = "it may have run when this device was interrupted, and is not run again";
                return Some((entry.serial, Outcome::failed(why)));
            }
            if let Err(outcome) = is_there(&entry.job) {
                return Some((entry.serial, outcome));
            }
            entry.stage = Stage::Waiting;
        }
        None
    }

    /// The next program to start, where another one may run.
    pub fn begin(&mut self, note: &mut dyn FnMut(Note<'_>)) -> Option<Start> {
        if self.running() >= self.rules.at_once {
            return None;
        }
        let is_next = |entry: &&mut Entry| entry.stage == Stage::Waiting;
        let entry = self.entries.iter_mut().find(is_next)?;
        entry.stage = Stage::Running;
        if entry.is_noted {
            note(Note::Begun {
                serial: entry.serial,
                is_precious: self.rules.is_at_most_once,
            });
        }
        Some(Start {
            number: entry.serial,
            delivery: entry.delivery,
            job: entry.job.clone(),
        })
    }

    /// The program of this number has ended, or there is none: what it was, and the message that led to it.
    pub fn take(&mut self, number: u64) -> Option<(Box<Job>, Option<u64>)> {
        let at = self.entries.iter().position(|e| e.serial == number)?;
        let entry = self.entries.remove(at)?;
        Some((entry.job, entry.cause))
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        let is_running = |entry: &&Entry| entry.stage == Stage::Running;
        self.entries.iter().filter(is_running).count()
    }

    /// The messages that led to those that have not begun.
    pub fn causes_of_waiting(&self) -> impl Iterator<Item = u64> {
        let is_waiting = |entry: &&Entry| entry.stage != Stage::Running;
        self.entries
            .iter()
            .filter(is_waiting)
            .filter_map(|e| e.cause)
    }

    /// Whether none is open that a later process would go on with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.entries.iter().any(|entry| entry.is_noted)
    }

    /// Tells the journal of all that are open.
    pub fn write(&self, push: &mut dyn FnMut(Note<'_>)) {
        for entry in &self.entries {
            entry.note(push);
            if entry.is_noted && (entry.stage == Stage::Running || entry.has_begun) {
                push(Note::Begun {
                    serial: entry.serial,
                    is_precious: false,
                });
            }
        }
    }
}

impl Entry {
    fn note(&self, push: &mut dyn FnMut(Note<'_>)) {
        if self.is_noted {
            push(Note::Wanted {
                serial: self.serial,
                cause: self.cause,
                delivery: self.delivery,
                job: &self.job,
            });
        }
    }
}
