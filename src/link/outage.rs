//! A series of failures to connect, or to stay connected: how often, and what was said about it.

use std::time::{Duration, Instant};

use log::{info, warn};

use super::trouble::Trouble;

/// The shortest time between two lines about the same outage.
const REMINDER: Duration = Duration::from_secs(300);

/// From how many connections on, each ended right after it was made, another client is suspected.
const SUSPICIOUS: u32 = 3;

/// What is known and was said about the present series of failures.
#[derive(Default)]
pub struct Outage {
    /// The broker has accepted a connection in this run.
    pub ever_online: bool,
    /// Failures since the last connection.
    attempts: u32,
    last_line: Option<Instant>,
    too_large: bool,
    thrown_out: u32,
    /// What was said about the last failure, for the case that it was the last.
    pub last_trouble: Option<String>,
}

impl Outage {
    /// A connection has ended, after it had settled or not.
    pub fn connection_ended(&mut self, settled: bool) {
        self.thrown_out = match settled {
            true => 0,
            false => self.thrown_out + 1,
        };
    }

    /// A packet beyond the limit arrived. Says whether it was not the first: then it will come again,
    /// for the broker repeats what was not acknowledged.
    pub fn too_large_again(&mut self, too_large: bool) -> bool {
        let again = too_large && self.too_large;
        self.too_large |= too_large;
        again
    }

    /// Connected: how to say so, at which level.
    pub fn over(&mut self, address: &str, session: &str) {
        match (self.attempts, self.ever_online) {
            (0, _) => info!("connected to {address}, {session}"),
            (_, true) => warn!("connected to {address} again, {session}"),
            (_, false) => warn!("connected to {address}, {session}"),
        }
        self.ever_online = true;
        self.attempts = 0;
        self.last_line = None;
    }

    /// Reports a failure. The first line of an outage is a warning, and then one line every few
    /// minutes: a log on an SD card is read seldom and written often enough.
    pub fn report(&mut self, trouble: Trouble, wait: Duration, client_id: &str) {
        let now = Instant::now();
        self.attempts += 1;
        let text = match self.thrown_out {
            0..SUSPICIOUS => trouble.text,
            times => format!(
                "{}, for the {times}th time right after accepting it: is another client using the client id {client_id}?",
                trouble.text
            ),
        };
        let line = format!(
            "{text}; trying again in {:.1} s, attempt {}",
            wait.as_secs_f64(),
            self.attempts
        );
        let due = |last: Instant| now.saturating_duration_since(last) >= REMINDER;
        if self.last_line.is_none_or(due) || self.thrown_out == SUSPICIOUS {
            self.last_line = Some(now);
            warn!("{line}");
        } else {
            info!("{line}");
        }
        self.last_trouble = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Options;
    use rumqttc::{ConnectionError, StateError};

    #[test]
    fn the_last_trouble_is_what_was_said_about_it() {
        let mut outage = Outage::default();
        let options = Options::new("pi.local", 1883, "alice");
        let error = ConnectionError::MqttState(StateError::ConnectionAborted);
        for _ in 0..SUSPICIOUS {
            let trouble = Trouble::read(&error, &options, true);
            outage.connection_ended(false);
            outage.report(trouble, Duration::ZERO, "alice");
        }
        let said = outage.last_trouble.unwrap();
        assert!(
            said.contains("pi.local:1883 closed the connection"),
            "{said}"
        );
        assert!(said.contains("the client id alice?"), "{said}");
    }
}
