//! How long to wait before the next attempt to connect: exponential, with full jitter.

use std::time::Duration;

/// The longest wait, unless the lower bound is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// The waits between attempts, drawn from a range whose upper end doubles with each failure.
#[derive(Debug)]
pub struct Backoff {
    shortest: Duration,
    ceiling: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Waits from `shortest` up.
    #[must_use]
    pub fn new(shortest: Duration, seed: u64) -> Self {
        Self {
            shortest,
            ceiling: shortest,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait before the next attempt.
    pub fn next(&mut self) -> Duration {
        self.ceiling = (self.ceiling * 2).clamp(self.shortest, LONGEST.max(self.shortest));
        let spread = self.ceiling - self.shortest;
        self.shortest + spread.mul_f64(self.random.f64())
    }

    /// A connection lasted this long. One that clearly outlived the last range of waits ends the
    /// series, and `true` says so; a shorter one does not, or two clients with one client id would
    /// throw each other out at full speed.
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
        assert_eq!(backoff.ceiling, LONGEST);
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
