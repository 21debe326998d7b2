//! When a PINGREQ is due, and when its silence shows that the connection is dead (MQTT 3.1.1, section 3.1.2.10).

use std::time::{Duration, Instant};

/// The pings of one connection.
#[derive(Debug)]
pub struct KeepAlive {
    /// Zero for none.
    interval: Duration,
    /// When the next PINGREQ is due, whatever else is sent: it asks whether the broker is there.
    next: Option<Instant>,
    /// When a PINGREQ went out, if nothing has come since.
    unanswered: Option<Instant>,
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// A PINGREQ.
    Ping,
    /// The connection is dead: nothing has come for a whole interval after a PINGREQ.
    GiveUp,
}

impl KeepAlive {
    /// A PINGREQ each `interval`; none if that is zero.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: None,
            unanswered: None,
        }
    }

    /// The interval, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.interval.as_secs()
    }

    /// A connection begins.
    pub fn connected(&mut self, now: Instant) {
        self.unanswered = None;
        self.next = (!self.interval.is_zero()).then(|| now + self.interval);
    }

    /// The connection has ended.
    pub fn ended(&mut self) {
        self.next = None;
    }

    /// A PINGREQ went out.
    pub fn pinged(&mut self, now: Instant) {
        self.unanswered.get_or_insert(now);
        self.next = (!self.interval.is_zero()).then(|| now + self.interval);
    }

    /// A packet came, or a part of one, or the broker took a part. It lives, though its PINGRESP may be behind a long
    /// transfer.
    pub fn heard(&mut self) {
        self.unanswered = None;
    }

    /// When [`KeepAlive::due`] will say something else than nothing.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// What is due at `now`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Due {
        match (self.next, self.unanswered) {
            (Some(at), _) if at > now => Due::Nothing,
            (None, _) => Due::Nothing,
            (Some(_), Some(_)) => Due::GiveUp,
            (Some(_), None) => Due::Ping,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_each_interval_and_the_end_when_one_stays_without_an_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pings = KeepAlive::new(Duration::from_secs(10));
        assert_eq!(pings.deadline(), None);
        pings.connected(at(0));
        assert_eq!(pings.deadline(), Some(at(10)));
        assert_eq!(pings.due(at(9)), Due::Nothing);
        assert_eq!(pings.due(at(10)), Due::Ping);
        pings.pinged(at(10));
        assert_eq!(pings.due(at(19)), Due::Nothing);
        pings.heard();
        assert_eq!(pings.due(at(20)), Due::Ping);
        pings.pinged(at(20));
        // A ping in between does not end the wait for the first one's answer sooner.
        pings.pinged(at(25));
        assert_eq!(pings.due(at(30)), Due::Nothing);
        assert_eq!(pings.due(at(35)), Due::GiveUp);
        pings.connected(at(40));
        assert_eq!(pings.due(at(45)), Due::Nothing);
        pings.ended();
        assert_eq!(pings.due(at(99)), Due::Nothing);
        let mut none = KeepAlive::new(Duration::ZERO);
        none.connected(at(0));
        none.pinged(at(1));
        assert_eq!(none.due(at(99)), Due::Nothing);
    }
}
