//! When a role repeats a message that has had no answer: at intervals that double.
//!
//! It does not know what the message is. Each protocol chooses the first and the longest interval.

use std::time::{Duration, Instant};

/// The first repetition comes after this part of the time limit: a fifth.
const FIRST: u32 = 5;

/// The intervals at which a role repeats a message.
#[derive(Debug)]
pub struct Repeats {
    interval: Duration,
    longest: Duration,
}

impl Repeats {
    /// Repetitions within the time limit `timeout`, the first after a fifth of it: of 10 s, after 2 s and then 4 s
    /// more. Without a limit the first comes after `first`, and the intervals grow to `longest`.
    #[must_use]
    pub fn new(timeout: Option<Duration>, first: Duration, longest: Duration) -> Self {
        match timeout {
            Some(timeout) => Self {
                interval: timeout / FIRST,
                longest: Duration::MAX,
            },
            None => Self {
                interval: first,
                longest,
            },
        }
    }

    /// When to repeat a message that the broker confirmed at `now`; `None` beyond what the clock can represent.
    #[must_use]
    pub fn after(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.interval)
    }

    /// To be called when the message is repeated: the next interval is twice as long.
    pub fn repeated(&mut self) {
        self.interval = self.interval.saturating_mul(2).min(self.longest);
    }
}
