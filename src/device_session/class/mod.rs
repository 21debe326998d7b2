//! A class: who is awaited, how often each has tried, and where each stands, as a controller's steps and reports tell it.
//! What is shown of it (the page, the table, the lines of CSV) is a function of this. It knows no file, no terminal and no
//! clock, and is bounded however long a class goes on: see the constants.

mod attempt;
pub mod csv;
pub mod page;
mod roster;
pub mod table;

use std::time::Instant;

pub use attempt::{Attempt, MOST_LINES, Row};
pub use roster::{Entry, Roster};

use super::controller::Step;
use super::report::Report;
use crate::mqtt::Level;

/// So many of each one's attempts are kept with what happened in them, the newest; older ones are counted.
pub const MOST_ATTEMPTS: usize = 3;

/// So many devices are shown that are not on the roster, those that came first; the others are counted. Whoever is on it
/// is always shown.
pub const MOST_GUESTS: usize = 200;

/// Where one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No login has come.
    Awaited,
    /// It has its UNIQUE ID, or is about to get it.
    LoggedIn,
    /// The commands are out, and so many of them have an answer.
    Commanded {
        /// How many of them have a reply, right or wrong.
        answered: usize,
        /// How many commands were sent.
        sent: usize,
    },
    /// The last attempt has failed, or the last login was none.
    Failed,
    /// One attempt has passed. It counts, whatever follows.
    Passed,
}

impl Standing {
    /// In a word or two, as the table and the page have it.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Awaited => "awaited".to_owned(),
            Self::LoggedIn => "logged in".to_owned(),
            Self::Commanded { answered, sent } => format!("{answered} of {sent} replies"),
            Self::Failed => "failed".to_owned(),
            Self::Passed => "passed".to_owned(),
        }
    }

    /// The sign before the word.
    #[must_use]
    pub fn symbol(self) -> char {
        match self {
            Self::Awaited => '○',
            Self::LoggedIn => '→',
            Self::Commanded { .. } => '…',
            Self::Failed => '✗',
            Self::Passed => '✓',
        }
    }
}

/// One of the class.
#[derive(Debug, Clone)]
pub struct Seat {
    /// What the device logs in as.
    pub user_id: Level,
    /// Whose it is; empty where nothing says so.
    pub name: String,
    /// Whether the roster has it; true where there is no roster.
    pub is_on_roster: bool,
    /// How many sessions it has begun.
    pub begun: u64,
    /// How many of them have passed; and those of an earlier process count as one.
    pub passed: u64,
    /// How many have failed.
    pub failed: u64,
    /// The newest [`MOST_ATTEMPTS`] of them.
    pub attempts: Vec<Attempt>,
    /// Why the last login began no session, where nothing has come since.
    pub refused: Option<String>,
}

impl Seat {
    fn new(entry: Entry, is_on_roster: bool) -> Self {
        Self {
            user_id: entry.user_id,
            name: entry.name,
            is_on_roster,
            begun: 0,
            passed: 0,
            failed: 0,
            attempts: Vec::new(),
            refused: None,
        }
    }

    /// Where it stands: the best attempt counts, and of the others the newest.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.passed > 0 {
            return Standing::Passed;
        }
        if self.refused.is_some() {
            return Standing::Failed;
        }
        match self.attempts.last() {
            None => Standing::Awaited,
            Some(attempt) => attempt.standing(),
        }
    }

    /// What it is called: the person's name, or else the USER_ID.
    #[must_use]
    pub fn title(&self) -> &str {
        match self.name.is_empty() {
            true => self.user_id.as_str(),
            false => &self.name,
        }
    }

    /// What was said of it last: a mistake, what is missing, or nothing. Where there is little room the UNIQUE ID would
    /// hide the rest, so it is called that.
    #[must_use]
    pub fn last_words(&self) -> String {
        match (&self.refused, self.standing(), self.attempts.last()) {
            (Some(why), Standing::Failed, _) => why.clone(),
            (_, Standing::Passed, _) | (_, _, None) => String::new(),
            (.., Some(attempt)) => {
                let words = attempt.last_words();
                words.replace(attempt.unique_id.as_str(), "UNIQUE_ID")
            }
        }
    }

    fn begin(&mut self, mut attempt: Attempt) {
        self.begun += 1;
        attempt.number = self.begun;
        self.refused = None;
        if self.attempts.len() >= MOST_ATTEMPTS {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }
}

/// The class.
#[derive(Debug, Clone)]
pub struct Class {
    has_roster: bool,
    seats: Vec<Seat>,
    /// The logins of devices beyond [`MOST_GUESTS`].
    uncounted: u64,
}

impl Class {
    /// A class whose roster is this one; where that is empty, of whoever comes.
    #[must_use]
    pub fn new(roster: &Roster) -> Self {
        Self {
            has_roster: !roster.is_empty(),
            seats: roster
                .entries()
                .map(|entry| Seat::new(entry.clone(), true))
                .collect(),
            uncounted: 0,
        }
    }

    /// This one has passed in an earlier process: it counts where it is on the roster.
    pub fn has_passed_before(&mut self, user_id: &Level) {
        let mut seats = self.seats.iter_mut();
        if let Some(seat) = seats.find(|seat| seat.user_id == *user_id) {
            seat.passed += 1;
        }
    }

    fn seat(&mut self, user_id: &Level) -> Option<&mut Seat> {
        let found = self.seats.iter().position(|seat| seat.user_id == *user_id);
        let at = match found {
            Some(at) => at,
            None => {
                let guests = self.seats.iter().filter(|seat| seat.is_guest(self)).count();
                if guests >= MOST_GUESTS {
                    self.uncounted += 1;
                    return None;
                }
                let entry = Entry {
                    user_id: user_id.clone(),
                    name: String::new(),
                };
                self.seats.push(Seat::new(entry, !self.has_roster));
                self.seats.len() - 1
            }
        };
        self.seats.get_mut(at)
    }

    fn attempt(&mut self, unique_id: &Level) -> Option<&mut Attempt> {
        let attempts = self.seats.iter_mut().flat_map(|seat| &mut seat.attempts);
        attempts
            .rev()
            .find(|attempt| attempt.unique_id == *unique_id)
    }

    /// Takes down what happened at `now`.
    pub fn take(&mut self, now: Instant, step: Step) {
        match step {
            Step::LoggedIn { user_id, unique_id } => {
                if let Some(seat) = self.seat(&user_id) {
                    seat.begin(Attempt::new(unique_id, now));
                }
            }
            Step::WentOn {
                user_id,
                unique_id,
                commands,
                answered,
            } => {
                if let Some(seat) = self.seat(&user_id) {
                    seat.begin(Attempt::going_on(unique_id, now, commands, answered));
                }
            }
            Step::NotLoggedIn { user_id, why } => {
                if let Some(seat) = user_id.and_then(|user_id| self.seat(&user_id)) {
                    let is_busy = seat.attempts.last().is_some_and(|a| a.verdict.is_none());
                    seat.refused = Some(why).filter(|_| !is_busy);
                }
            }
            Step::Commanded {
                unique_id,
                commands,
            } => self.with(&unique_id, |attempt| attempt.commanded(now, commands)),
            Step::Replied {
                unique_id,
                command,
                word,
                is_right,
            } => self.with(&unique_id, |attempt| {
                attempt.replied(now, &command, word, is_right);
            }),
            Step::Mistaken {
                unique_id,
                sentence,
            } => self.with(&unique_id, |attempt| attempt.remark(now, sentence)),
            Step::Missing {
                unique_id,
                sentences,
            } => self.with(&unique_id, |attempt| {
                for sentence in sentences {
                    attempt.remark(now, sentence);
                }
            }),
        }
    }

    fn with(&mut self, unique_id: &Level, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.attempt(unique_id) {
            change(attempt);
        }
    }

    /// Takes down that a session is over.
    pub fn judged(&mut self, report: &Report) {
        if let Some(seat) = self.seat(&report.user_id) {
            match report.verdict.is_ok() {
                true => seat.passed += 1,
                false => seat.failed += 1,
            }
        }
        self.with(&report.unique_id, |attempt| attempt.judged(report));
    }

    /// Each of the class: those of the roster in its order, then the others as they came.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = &Seat> {
        self.seats.iter()
    }

    /// The one that logs in as `user_id`.
    #[must_use]
    pub fn seat_of(&self, user_id: &Level) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.user_id == *user_id)
    }

    /// Whether there is a roster, so that the class has an end.
    #[must_use]
    pub fn has_roster(&self) -> bool {
        self.has_roster
    }

    /// How many have passed, and how many there are: of the roster, where there is one.
    #[must_use]
    pub fn passed(&self) -> (usize, usize) {
        let counted = || self.seats.iter().filter(|seat| seat.is_on_roster);
        let passed = counted().filter(|seat| seat.passed > 0);
        (passed.count(), counted().count())
    }

    /// The logins that are not shown.
    #[must_use]
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// Who of the roster has not passed and where each stands, in a line; `None` where all have, or there is no roster.
    #[must_use]
    pub fn outstanding(&self) -> Option<String> {
        let (passed, all) = self.passed();
        if !self.has_roster || passed == all {
            return None;
        }
        let mut line = format!("{passed} of {all} on the roster have passed, and not ");
        let missing = self
            .seats
            .iter()
            .filter(|s| s.is_on_roster && s.passed == 0);
        for (index, seat) in missing.enumerate() {
            if index > 0 {
                line.push_str(", ");
            }
            line.push_str(seat.user_id.as_str());
            let words = match (seat.standing(), seat.begun) {
                (Standing::Failed, 0) => "no login".to_owned(),
                (standing, 0 | 1) => standing.words(),
                (standing, begun) => format!("{}, attempt {begun}", standing.words()),
            };
            line.push_str(" (");
            line.push_str(&words);
            line.push(')');
        }
        Some(line)
    }
}

impl Seat {
    fn is_guest(&self, class: &Class) -> bool {
        !(self.is_on_roster && class.has_roster)
    }
}

#[cfg(test)]
mod tests;
