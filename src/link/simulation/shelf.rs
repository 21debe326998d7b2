//! Programs that take simulated time, and a record of what has run, which survives every crash.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::link::engine::{Rules, Start};
use crate::role::Outcome;

/// How long a program takes at the most.
pub const LONGEST: Duration = Duration::from_millis(500);

/// A program that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub delivery: u64,
    pub arguments: String,
    pub has_ended: bool,
}

/// What has run in all processes. Clones are the same record.
pub type Record = Rc<RefCell<Vec<Ran>>>;

/// The programs of one process.
pub struct Shelf {
    record: Record,
    pub rules: Rules,
    /// When each ends, its number and its place in the record.
    running: Vec<(Instant, u64, usize)>,
    random: fastrand::Rng,
}

impl Shelf {
    pub fn new(record: &Record, rules: Rules, seed: u64) -> Self {
        Self {
            record: Rc::clone(record),
            rules,
            running: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// A program begins. The one that is called `T` prints its arguments, and takes up to [`LONGEST`].
    pub fn start(&mut self, now: Instant, start: &Start) {
        let mut record = self.record.borrow_mut();
        record.push(Ran {
            delivery: start.delivery,
            arguments: start.job.arguments.join(" "),
            has_ended: false,
        });
        let longest = LONGEST.as_millis() as u64;
        let takes = Duration::from_millis(self.random.u64(1..longest));
        self.running
            .push((now + takes, start.number, record.len() - 1));
    }

    /// One that has ended by now: its number, and what it has printed.
    pub fn next(&mut self, now: Instant) -> Option<(u64, Outcome)> {
        let at = self.running.iter().position(|(end, ..)| *end <= now)?;
        let (_, number, ran) = self.running.remove(at);
        let ran = &mut self.record.borrow_mut()[ran];
        ran.has_ended = true;
        Some((number, Outcome::Done(ran.arguments.clone().into_bytes())))
    }

    /// When the next one ends.
    pub fn until(&self) -> Option<Instant> {
        self.running.iter().map(|(end, ..)| *end).min()
    }
}
