//! When to say again what nobody has answered: at intervals that double.
//!
//! Knows neither what is said nor to whom; how often is too often is for the protocols to say.

use std::time::{Duration, Instant};

/// Of a time limit, the part after which something is repeated for the first time.
const FIRST: u32 = 5;

/// The intervals at which something is repeated.
#[derive(Debug)]
pub struct Repeats {
    interval: Duration,
    longest: Duration,
}

impl Repeats {
    /// Repetitions within `patience`: the first after a fifth of it. Where there is no limit, after
    /// `first`, and at intervals of no more than `longest`.
    #[must_use]
    pub fn new(patience: Option<Duration>, first: Duration, longest: Duration) -> Self {
        match patience {
            Some(patience) => Self {
                interval: patience / FIRST,
                longest: Duration::MAX,
            },
            None => Self {
                interval: first,
                longest,
            },
        }
    }

    /// When to repeat what has arrived at `now`.
    #[must_use]
    pub fn after(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.interval)
    }

    /// It is repeated: the next time only after twice as long.
    pub fn repeated(&mut self) {
        self.interval = self.interval.saturating_mul(2).min(self.longest);
    }
}
