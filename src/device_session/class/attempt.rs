//! One attempt of one of a class: its session, line by line.

use std::time::{Duration, Instant};

use super::Standing;
use crate::device_session::report::Report;
use crate::mqtt::Level;

/// So many commands of an attempt are kept, and so many remarks; more are counted.
pub const MOST_LINES: usize = 60;

/// A command, and what came to it. Times count from the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The command.
    pub command: Level,
    /// When it was sent; `None` where a reply came without one, and where an earlier process has sent it.
    pub sent: Option<Duration>,
    /// What came, when, and whether nothing is wrong with it.
    pub reply: Option<(String, Duration, bool)>,
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Counted from 1, of this one's attempts.
    pub number: u64,
    /// What the session is called.
    pub unique_id: Level,
    since: Instant,
    /// How many commands were sent, and how many of them have a reply, right or wrong.
    pub sent: usize,
    /// See [`Attempt::sent`].
    pub answered: usize,
    /// The commands, in their order.
    pub rows: Vec<Row>,
    /// What was wrong or missing, and when.
    pub remarks: Vec<(Duration, String)>,
    /// How many rows and remarks are not kept.
    pub left_out: usize,
    /// From the login to the verdict, and whether that is that it has passed; `None` as long as it goes on.
    pub verdict: Option<(Duration, bool)>,
    /// What the controller sums it up in, where it has failed.
    pub mistakes: Vec<String>,
    /// What is no mistake, and worth a look.
    pub hints: Vec<String>,
}

impl Attempt {
    pub(super) fn new(unique_id: Level, now: Instant) -> Self {
        Self {
            number: 1,
            unique_id,
            since: now,
            sent: 0,
            answered: 0,
            rows: Vec::new(),
            remarks: Vec::new(),
            left_out: 0,
            verdict: None,
            mistakes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// One that an earlier process has begun: when it did is not known.
    pub(super) fn going_on(
        unique_id: Level,
        now: Instant,
        commands: Vec<Level>,
        answered: usize,
    ) -> Self {
        let mut attempt = Self::new(unique_id, now);
        attempt.send(commands, None);
        attempt.answered = answered;
        attempt
    }

    fn after(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(super) fn commanded(&mut self, now: Instant, commands: Vec<Level>) {
        let after = self.after(now);
        self.send(commands, Some(after));
    }

    fn send(&mut self, commands: Vec<Level>, sent: Option<Duration>) {
        self.sent += commands.len();
        for command in commands {
            self.push(Row {
                command,
                sent,
                reply: None,
            });
        }
    }

    fn push(&mut self, row: Row) {
        match self.rows.len() < MOST_LINES {
            true => self.rows.push(row),
            false => self.left_out += 1,
        }
    }

    pub(super) fn replied(&mut self, now: Instant, command: &Level, word: String, right: bool) {
        let reply = Some((word, self.after(now), right));
        let is_open = |row: &&mut Row| row.command == *command && row.reply.is_none();
        match self.rows.iter_mut().find(is_open) {
            Some(row) => {
                row.reply = reply;
                self.answered += 1;
            }
            None => {
                // Perhaps to a command that is not kept.
                self.answered += usize::from(self.sent > self.rows.len());
                self.push(Row {
                    command: command.clone(),
                    sent: None,
                    reply,
                });
            }
        }
    }

    pub(super) fn remark(&mut self, now: Instant, sentence: String) {
        match self.remarks.len() < MOST_LINES {
            true => self.remarks.push((self.after(now), sentence)),
            false => self.left_out += 1,
        }
    }

    pub(super) fn judged(&mut self, report: &Report) {
        self.verdict = Some((report.duration, report.verdict.is_ok()));
        self.mistakes = report.verdict.clone().err().unwrap_or_default();
        self.hints.clone_from(&report.hints);
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.verdict {
            Some((_, true)) => Standing::Passed,
            Some((_, false)) => Standing::Failed,
            None if self.sent == 0 => Standing::LoggedIn,
            None => Standing::Commanded {
                answered: self.answered.min(self.sent),
                sent: self.sent,
            },
        }
    }

    /// What was said of it last.
    #[must_use]
    pub fn last_words(&self) -> &str {
        let remark = self.remarks.last().map(|(_, sentence)| sentence);
        let last = self.mistakes.first().or(remark);
        last.map(String::as_str).unwrap_or_default()
    }
}
