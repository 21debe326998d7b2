//! What a program that the role wants run means for the message that led to it: that is acknowledged only when the program
//! has ended and the broker has confirmed what the role made of it.

use super::Delivery;
use super::journaled::noting;
use crate::link::engine::jobs::{Rules, Start};
use crate::link::engine::journal::Entry;
use crate::role::{Job, Outcome};

impl Delivery {
    /// Sets how programs are run; `seed` names the deliveries.
    pub fn allow_programs(&mut self, rules: Rules, seed: u64) {
        if rules.is_at_most_once {
            self.inbound.recall_earlier();
        }
        self.jobs.rules = rules;
        self.jobs.seed(seed);
    }

    /// Takes a program to run, which the received message `cause` led to, or gives it back.
    ///
    /// # Errors
    /// The program, where too many wait.
    pub fn want(&mut self, job: Box<Job>, cause: Option<u64>) -> Result<(), Box<Job>> {
        let mut note = noting(&mut self.journal);
        if let Some(serial) = cause {
            self.inbound.await_one_more(serial);
            if let Some(received) = self.inbound.note_cause(serial) {
                note(Entry::Received(received));
            }
        }
        self.jobs.push(job, cause, &mut note)
    }

    /// The first program that is not to be run: its number, and why.
    pub fn look_for_programs(
        &mut self,
        is_there: impl Fn(&Job) -> Result<(), Outcome>,
    ) -> Option<(u64, Outcome)> {
        self.jobs.look(is_there)
    }

    /// The next program to start, where another one may run.
    pub fn begin_program(&mut self) -> Option<Start> {
        self.jobs.begin(&mut noting(&mut self.journal))
    }

    /// A program has ended, or there is none.
    pub fn take_program(&mut self, number: u64) -> Option<(Box<Job>, Option<u64>)> {
        self.jobs.take(number)
    }

    /// The role has heard of that.
    pub fn program_over(&mut self, number: u64, cause: Option<u64>) {
        self.note(Entry::Over { serial: number });
        if let Some(serial) = cause {
            self.inbound.resolve_one(serial);
        }
    }

    /// The run ends: what waits for a program that has not begun is not acknowledged any more.
    pub fn put_off_programs(&mut self) {
        for cause in self.jobs.causes_of_waiting() {
            self.inbound.put_off(cause);
        }
    }
}
