//! How long the link waits before the next attempt to connect: the waits grow exponentially, and each is random.

use std::time::Duration;

/// The longest wait, unless the shortest is longer.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The waits between attempts, each drawn from a range whose upper end doubles with each failure.
#[derive(Debug)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    ceiling: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Waits that are never shorter than `shortest`.
    #[must_use]
    pub fn new(shortest: Duration, seed: u64) -> Self {
        Self::up_to(MAX_WAIT.max(shortest), shortest, seed)
    }

    /// Waits that are never shorter than `shortest`, nor longer than `longest`.
    #[must_use]
    pub fn up_to(longest: Duration, shortest: Duration, seed: u64) -> Self {
        Self {
            shortest,
            longest,
            ceiling: shortest,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait before the next attempt.
    pub fn next(&mut self) -> Duration {
        self.ceiling = (self.ceiling * 2).min(self.longest);
        let spread = self.ceiling - self.shortest;
        self.shortest + spread.mul_f64(self.random.f64())
    }

    /// The waits begin with the shortest again.
    pub fn reset(&mut self) {
        self.ceiling = self.shortest;
    }

    /// A connection has lasted for `time`. If that is clearly longer than the last range of waits, the waits begin
    /// with the shortest again, and the result is `true`. A short connection does not end the series, because two
    /// clients with the same client id would disconnect each other at full speed.
    pub fn lasted(&mut self, time: Duration) -> bool {
        let settled = time > self.ceiling * 4;
        if settled {
            self.ceiling = self.shortest;
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_never_go_below_the_lower_bound() {
        let mut backoff = Backoff::new(Duration::from_secs(1), 3);
        for doubled in [2, 4, 8, 16, 32, 60, 60, 60] {
            let wait = backoff.next();
            assert!(wait >= Duration::from_secs(1), "{wait:?}");
            assert!(wait <= Duration::from_secs(doubled), "{wait:?} {doubled}");
        }
        assert!(!backoff.lasted(Duration::from_secs(240)));
        assert_eq!(backoff.ceiling, MAX_WAIT);
        assert!(backoff.lasted(Duration::from_secs(241)));
        assert!(backoff.next() <= Duration::from_secs(2));
    }

    #[test]
    fn waits_differ_between_clients() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(1), seed);
            [backoff.next(), backoff.next()]
        };
        assert_ne!(waits(1), waits(2));
    }
}
