//! A service whose login or subscription every broker refuses: it asks again, seldom, and says little of it. Whoever
//! mends the broker's list of users does not have to go to every board.

use std::time::{Duration, Instant};

use log::{Level, log, warn};

use super::backoff::Backoff;
use crate::link::Address;

/// The waits: no attempt is so early that a broker, or what watches over its log, takes it for a guess of passwords.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// The shortest time between two warnings about the same refusal.
const REMINDER: Duration = Duration::from_secs(3600);

/// How a service lives through a refusal.
#[derive(Debug)]
pub struct Refused {
    backoff: Backoff,
    /// When the present refusal was last warned of; `None` where there is none.
    warned: Option<Instant>,
    status: String,
}

impl Refused {
    /// After delays that `seed` draws.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            backoff: Backoff::up_to(LONGEST, SHORTEST, seed),
            warned: None,
            status: String::new(),
        }
    }

    /// Every broker refuses, as `text` says. When to ask again.
    pub fn again(&mut self, now: Instant, text: &str) -> Instant {
        let wait = self.backoff.next();
        let minutes = wait.as_secs() / 60 + 1;
        self.status = format!("{text}; trying again within {minutes} min");
        let level = match self.is_warning_due(now) {
            true => Level::Warn,
            false => Level::Info,
        };
        log!(level, "{}", self.status);
        now + wait
    }

    fn is_warning_due(&mut self, now: Instant) -> bool {
        let is_recent = self.warned.is_some_and(|last| now < last + REMINDER);
        if !is_recent {
            self.warned = Some(now);
        }
        !is_recent
    }

    /// What is refused, and when it is asked for again.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// The broker serves this client. The end of a refusal is worth a warning, since its beginning was.
    pub fn served(&mut self, by: &Address) {
        if self.warned.take().is_some() {
            warn!("broker at {by} refuses nothing any more");
            self.backoff.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_refusals_is_few_attempts_and_a_warning_an_hour() {
        let mut refused = Refused::new(1);
        let start = Instant::now();
        let mut now = start;
        let (mut attempts, mut warnings) = (0, 0);
        while now - start < Duration::from_secs(86_400) {
            warnings += u32::from(refused.is_warning_due(now));
            let next = refused.again(now, "refused");
            assert!((SHORTEST..=LONGEST).contains(&(next - now)));
            now = next;
            attempts += 1;
        }
        // A quarter of an hour between two of them on an average, less at the beginning.
        assert!((50..200).contains(&attempts), "{attempts}");
        assert!((16..=24).contains(&warnings), "{warnings}");
        // What comes after it is another refusal.
        refused.served(&Address::new("pi.local", 1883));
        assert!(refused.is_warning_due(now));
        assert!(refused.again(now, "refused") - now <= 2 * SHORTEST);
    }
}
