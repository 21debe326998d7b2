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
        match (self.last_line, self.ever_online) {
            (None, _) => info!("connected to {address}, {session}"),
            (_, true) => warn!("connected to {address} again, {session}"),
            (_, false) => warn!("connected to {address}, {session}"),
        }
        self.ever_online = true;
        self.attempts = 0;
        self.last_line = None;
    }

    /// Adds a suspicion, where connections have ended right after they were made too often for chance.
    pub fn suspect(&self, trouble: &mut Trouble, client_id: &str) {
        if self.thrown_out >= SUSPICIOUS {
            trouble.text = format!(
                "{}, for the {}th time right after accepting it: is another client using the client id {client_id}?",
                trouble.text, self.thrown_out
            );
        }
    }

    /// Reports a failure. The first line of an outage is a warning, and then one line every few
    /// minutes: a log on an SD card is read seldom and written often enough.
    /// `next` is what is tried after `wait`: another broker, or the same again.
    pub fn report(&mut self, trouble: &Trouble, next: &str, wait: Duration) {
        let now = Instant::now();
        self.attempts += 1;
        let text = &trouble.text;
        let attempt = self.attempts;
        // One node of a cluster is down, and there are others: for whoever wants to know.
        if wait.is_zero() {
            info!("{text}; trying {next} now, attempt {attempt}");
            return;
        }
        let wait = wait.as_secs_f64();
        let line = format!("{text}; trying {next} in {wait:.1} s, attempt {attempt}");
        let due = |last: Instant| now.saturating_duration_since(last) >= REMINDER;
        if self.last_line.is_none_or(due) || self.thrown_out == SUSPICIOUS {
            self.last_line = Some(now);
            warn!("{line}");
        } else {
            info!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Options;
    use rumqttc::{ConnectionError, StateError};

    #[test]
    fn a_client_that_is_thrown_out_again_and_again_suspects_another() {
        let mut outage = Outage::default();
        let options = Options::new("pi.local", 1883, "alice");
        let error = ConnectionError::MqttState(StateError::ConnectionAborted);
        for times in 1..=SUSPICIOUS {
            let mut trouble = Trouble::read(&error, &options, true);
            outage.connection_ended(false);
            outage.suspect(&mut trouble, "alice");
            let said = &trouble.text;
            assert!(
                said.contains("pi.local:1883 closed the connection"),
                "{said}"
            );
            let hint = said.contains("another client using the client id alice?");
            assert_eq!(hint, times == SUSPICIOUS, "{said}");
        }
    }
}
