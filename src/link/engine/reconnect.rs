//! Which broker is tried next, when, and what the log says of it.
//!
//! One call for each failure, one for each success. The delay grows only when every broker has failed.

use std::time::{Duration, Instant};

use log::{Level, info, log};

use super::backoff::Backoff;
use super::brokers::Brokers;
use super::refused::Refused;
use super::trouble::Trouble;
use crate::link::{Address, Options, Refusals};
use crate::role::{Failure, Kind};

/// The shortest time between two warnings about the same outage: a log on an SD card is read seldom and
/// written often enough.
const REMINDER: Duration = Duration::from_secs(300);

/// From how many connections on, each ended right after it was made, another client is suspected.
const SUSPICIOUS: u32 = 3;

/// From how many connections on, each ended after the same time without a packet, a time-out is suspected.
const IDLE_ENDS: u32 = 2;

/// How much these times may differ. A rival for the client id comes back after delays of chance.
const IDLE_SPREAD: Duration = Duration::from_millis(200);

/// From how long on without a packet a connection counts as idle.
const IDLE: Duration = Duration::from_millis(1500);

/// What to do after a failure.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Connect to [`Reconnect::broker`] at this instant.
    Attempt(Instant),
    /// No broker will serve this client.
    GiveUp(Failure),
}

/// How a connection ended. The default is an attempt that failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectionEnd {
    /// How long the connection was there; `None` for an attempt.
    pub lasted: Option<Duration>,
    /// How long no packet but pings had been exchanged.
    pub idle: Duration,
    /// What the link knows of the reason.
    pub reason: Reason,
}

/// What the link knows of the reason for the end of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reason {
    /// Nothing: the way it ended, and how often, may tell.
    #[default]
    Unknown,
    /// The broker refused what the text says.
    Refusal,
    /// The message that the text names, it seems: the next connection tries that, or goes without it, and is not to
    /// wait long.
    Suspect,
    /// The same, a message of the run's presence. Nobody has to hear of that before it is certain.
    Presence,
}

/// The way back to a broker.
#[derive(Debug)]
pub struct Reconnect {
    client_id: String,
    shortest_delay: Duration,
    give_up_at_once: bool,
    brokers: Brokers,
    backoff: Backoff,
    /// `None` where a refusal is the end.
    refused: Option<Refused>,
    /// What failed last was refused, by every broker.
    is_refused: bool,
    /// A broker has accepted a connection in this run.
    ever_online: bool,
    /// Failures since the last connection.
    attempts: u32,
    /// When the present outage was last warned of.
    warned: Option<Instant>,
    /// Connections in a row that ended before they had settled.
    thrown_out: u32,
    /// Connections in a row that ended after the same time without a packet, and that time.
    idle_ends: u32,
    idle: Duration,
    /// The present connection has been granted a subscription.
    is_served: bool,
    keep_alive: Duration,
}

impl Reconnect {
    /// To the brokers of `options`, in an order and after delays that `seed` draws.
    #[must_use]
    pub fn new(options: &Options, seed: u64) -> Self {
        Self {
            client_id: options.client_id.clone(),
            shortest_delay: options.reconnect_delay,
            give_up_at_once: options.give_up_at_once,
            brokers: Brokers::new(options.brokers(), seed),
            backoff: Backoff::new(options.reconnect_delay, seed),
            refused: match options.refusals {
                Refusals::End => None,
                Refusals::RetrySlowly => Some(Refused::new(seed)),
            },
            is_refused: false,
            ever_online: false,
            attempts: 0,
            warned: None,
            thrown_out: 0,
            idle_ends: 0,
            idle: Duration::ZERO,
            is_served: false,
            keep_alive: options.keep_alive,
        }
    }

    /// The broker whose turn it is.
    #[must_use]
    pub fn broker(&self) -> &Address {
        self.brokers.current()
    }

    /// Whether there is a way on after the refusal of this broker.
    #[must_use]
    pub fn outlasts_refusals(&self) -> bool {
        self.brokers.has_choice() || self.refused.is_some()
    }

    /// What there is to say without a connection.
    #[must_use]
    pub fn status(&self) -> String {
        match &self.refused {
            Some(refused) if self.is_refused => refused.status().to_owned(),
            _ => format!("connecting to {}", self.broker()),
        }
    }

    /// The broker accepted the connection. The end of an outage is worth a warning, since its beginning was.
    pub fn connected(&mut self, session_present: bool) {
        let session = match session_present {
            true => "session present",
            false => "no session present",
        };
        let broker = self.broker();
        let (level, again) = match (self.warned, self.ever_online) {
            (None, _) => (Level::Info, ""),
            (_, true) => (Level::Warn, " again"),
            (_, false) => (Level::Warn, ""),
        };
        log!(level, "connected to {broker}{again}, {session}");
        self.brokers.connected();
        self.is_served = false;
        self.ever_online = true;
        self.attempts = 0;
        self.warned = None;
    }

    /// The broker granted a subscription, so it serves this client.
    pub fn subscription_granted(&mut self) {
        self.is_served = true;
        self.brokers.subscription_granted();
        if let Some(refused) = &mut self.refused {
            refused.served(self.brokers.current());
        }
    }

    /// An attempt failed, or a connection ended that had been there for `online`. No wait is so long that
    /// less than three quarters of the time until `time_limit` are left for further attempts.
    pub fn failed(
        &mut self,
        now: Instant,
        mut trouble: Trouble,
        end: ConnectionEnd,
        time_limit: Option<Instant>,
    ) -> Next {
        if let Some(lasted) = end.lasted {
            self.connection_ended(lasted, end.idle);
        }
        if end.reason == Reason::Unknown {
            self.explain(&mut trouble, end.idle);
        }
        let text = trouble.text.clone();
        let all_failed = self.brokers.failed(trouble);
        let give_up = self.give_up_at_once && !self.ever_online && all_failed;
        self.is_refused = false;
        if self.brokers.all_refuse() || give_up && !self.brokers.will_recover() {
            let failure = self.brokers.failure();
            self.is_refused = failure.kind == Kind::Refused;
            return match &mut self.refused {
                // No time limit shortens this wait: a service that ends there is started again, and asks at once.
                Some(refused) if self.is_refused => {
                    Next::Attempt(refused.again(now, &failure.text))
                }
                _ => Next::GiveUp(failure),
            };
        }
        // After a connection that broke, the others may be flooded by all that it broke for.
        let wait = match all_failed || end.lasted.is_some() {
            true if matches!(end.reason, Reason::Suspect | Reason::Presence) => self.shortest_delay,
            true => self.backoff.next(),
            false => Duration::ZERO,
        };
        let wait = time_limit.map_or(wait, |limit| {
            let quarter = limit.saturating_duration_since(now) / 4;
            wait.min(quarter.max(self.shortest_delay))
        });
        match end.reason {
            Reason::Presence => info!("{text}; trying again"),
            _ => self.report(now, &text, wait),
        }
        Next::Attempt(now + wait)
    }

    /// Connections that served, and that each ended after the same idle time, ended for a reason that a longer delay
    /// does not mend.
    fn connection_ended(&mut self, lasted: Duration, idle: Duration) {
        let was_idle = self.is_served && idle >= IDLE && lasted >= IDLE;
        let is_as_before = self.idle_ends > 0 && self.idle.abs_diff(idle) <= IDLE_SPREAD;
        self.idle_ends = match (was_idle, is_as_before) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => self.idle_ends + 1,
        };
        self.idle = idle;
        let settled = self.backoff.lasted(lasted);
        let is_time_out = self.idle_ends >= IDLE_ENDS;
        if is_time_out {
            self.backoff.reset();
        }
        self.thrown_out = match settled || is_time_out {
            true => 0,
            false => self.thrown_out + 1,
        };
    }

    /// Adds a suspicion, where connections have ended in the same way too often for chance.
    fn explain(&self, trouble: &mut Trouble, idle: Duration) {
        let text = &trouble.text;
        if self.idle_ends >= IDLE_ENDS && idle < self.keep_alive {
            let (times, seconds) = (self.idle_ends, idle.as_secs());
            trouble.text = format!(
                "{text}, {times} times in a row after {seconds} s without a packet: does the broker, a proxy or the network end idle connections? set -k below {seconds}, or -i if another client uses the client id {}",
                self.client_id
            );
        } else if self.thrown_out >= SUSPICIOUS {
            trouble.text = format!(
                "{text}, {} times in a row right after accepting it: is another client using the client id {}?",
                self.thrown_out, self.client_id
            );
        }
    }

    /// The first line of an outage is a warning, and then one line every few minutes.
    fn report(&mut self, now: Instant, text: &str, wait: Duration) {
        self.attempts += 1;
        let attempt = self.attempts;
        let next = match self.brokers.has_choice() {
            true => self.broker().to_string(),
            false => "again".to_owned(),
        };
        if wait.is_zero() {
            // One node of a cluster is down, and there are others.
            info!("{text}; trying {next} now, attempt {attempt}");
            return;
        }
        let wait = crate::Seconds(wait);
        let line = format!("{text}; trying {next} in {wait:.1} s, attempt {attempt}");
        let due = |last: Instant| now.saturating_duration_since(last) >= REMINDER;
        let level = if self.warned.is_none_or(due) || self.thrown_out == SUSPICIOUS {
            self.warned = Some(now);
            Level::Warn
        } else {
            Level::Info
        };
        log!(level, "{line}");
    }

    /// Why there is no connection, where the time limit comes first: a refusal, where that is what every broker has
    /// for this client. While an attempt is `under_way` to a broker that has not failed yet, its silence is part of
    /// the reason.
    #[must_use]
    pub fn why_offline(&self, under_way: bool) -> Failure {
        let mut why: Vec<String> = self.brokers.troubles().map(str::to_owned).collect();
        if why.is_empty() || under_way && self.brokers.is_untried() {
            why.push(format!(
                "broker at {} did not answer in time: is it an MQTT broker? (-W sets the limit)",
                self.broker()
            ));
        }
        let kind = match self.is_refused {
            true => Kind::Refused,
            false => Kind::Unreachable,
        };
        Failure::new(kind, why.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect() -> Reconnect {
        Reconnect::new(&Options::new("pi.local", 1883, "alice"), 1)
    }

    fn closed() -> Trouble {
        Trouble::new("pi.local:1883 closed the connection".to_owned())
    }

    #[test]
    fn a_client_that_is_thrown_out_again_and_again_suspects_another() {
        let now = Instant::now();
        let mut reconnect = reconnect();
        for times in 1..=SUSPICIOUS {
            reconnect.connected(false);
            let next = reconnect.failed(now, closed(), lasted(Duration::from_millis(10)), None);
            assert!(matches!(next, Next::Attempt(at) if at > now), "{next:?}");
            let said = reconnect.why_offline(false).text;
            assert!(said.starts_with("pi.local:1883 closed"), "{said}");
            let hint = said.contains("another client using the client id alice?");
            assert_eq!(hint, times == SUSPICIOUS, "{said}");
        }
    }

    fn lasted(time: Duration) -> ConnectionEnd {
        ConnectionEnd {
            lasted: Some(time),
            ..ConnectionEnd::default()
        }
    }

    #[test]
    fn connections_that_end_while_idle_are_explained_and_come_back_soon() {
        let now = Instant::now();
        let mut reconnect = reconnect();
        for times in 1..=10 {
            reconnect.connected(true);
            reconnect.subscription_granted();
            let end = ConnectionEnd {
                idle: Duration::from_secs(4),
                ..lasted(Duration::from_secs(4))
            };
            let next = reconnect.failed(now, closed(), end, None);
            let Next::Attempt(at) = next else {
                panic!("{next:?}");
            };
            assert!(at <= now + Duration::from_secs(2), "{:?}", at - now);
            let said = reconnect.why_offline(false).text;
            assert_eq!(
                said.contains("set -k below 4"),
                times >= IDLE_ENDS,
                "{said}"
            );
        }
    }

    #[test]
    fn a_wait_leaves_time_for_further_attempts() {
        let now = Instant::now();
        let mut reconnect = reconnect();
        for _ in 0..20 {
            let limit = now + Duration::from_secs(8);
            let next = reconnect.failed(now, closed(), ConnectionEnd::default(), Some(limit));
            let Next::Attempt(at) = next else {
                panic!("{next:?}");
            };
            assert!(at <= now + Duration::from_secs(2), "{:?}", at - now);
        }
    }

    #[test]
    fn a_refusal_is_final_and_a_first_failure_where_it_is_to_be() {
        let now = Instant::now();
        let refused = Trouble::fatal(crate::role::Kind::Refused, "refused".to_owned());
        let next = reconnect().failed(now, refused, ConnectionEnd::default(), None);
        assert!(matches!(&next, Next::GiveUp(failure) if failure.text == "refused"));
        let mut options = Options::new("pi.local", 1883, "alice");
        options.give_up_at_once = true;
        let mut reconnect = Reconnect::new(&options, 1);
        reconnect.connected(false);
        let next = reconnect.failed(now, closed(), lasted(Duration::from_secs(1)), None);
        assert!(matches!(next, Next::Attempt(_)), "it was online before");
        let mut reconnect = Reconnect::new(&options, 1);
        let next = reconnect.failed(now, closed(), ConnectionEnd::default(), None);
        assert!(matches!(next, Next::GiveUp(_)), "{next:?}");
    }
}
