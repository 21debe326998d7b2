//! Whoever looks after all of them: reads what each says of its presence ([`crate::presence`]), and what the broker says
//! in its last will.
//!
//! The broker sends what it has retained after SUBACK, and says not when that was all. So this role publishes to itself
//! once its subscriptions are granted: mosquitto and others deliver in order, and what is retained comes before
//! that. aedes fetches it meanwhile. So the role does it again, until nothing has come between several of them.

mod board;

use std::rc::Rc;
use std::time::{Duration, Instant};

pub use board::{Board, GRACE, State, gone_to_json};

use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::presence::{ABOUT, OFFLINE, ONLINE, Said};
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role};

/// How long after its last word a change is shown: what belongs together comes together, a status and its details, or the
/// end of one connection and the next.
const SETTLE: Duration = Duration::from_millis(200);

/// After how many messages to itself without anything between them all is in.
const QUIET: u32 = 3;

/// How long the messages to oneself are awaited where no limit is given: the user may not be allowed to publish it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is looked at, and how.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The status topics.
    pub filter: TopicFilter,
    /// Ends with the first [`Seen::All`].
    pub is_once: bool,
    /// Where it ends with that: all of it may take so long.
    pub timeout: Option<Duration>,
}

impl FleetConfig {
    /// The status topics that the shipped units use.
    pub const FILTER: &'static str = "mqtt_client/+/status";
    /// The usual limit.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The filter of the details, where [`FleetConfig::filter`] does not match those already.
    fn about(&self) -> Option<TopicFilter> {
        let filter = self.filter.as_str();
        TopicFilter::new(format!("{filter}/{ABOUT}")).ok()
    }
}

/// What it hands to the caller of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Everything that the broker has retained.
    All {
        /// Sorted by topic.
        boards: Vec<Board>,
        /// That it is everything. Where the message to itself has not come, this is what came until then.
        is_certain: bool,
    },
    /// What has changed after that.
    Changed(Board),
    /// The broker has nothing of this one any more.
    Gone(TopicName),
}

#[derive(Debug)]
struct Entry {
    topic: TopicName,
    is_changed: bool,
    /// Whether it is online; `None` while only its details are known.
    status: Option<bool>,
    said: Option<Rc<Said>>,
    lost_at: Option<u64>,
    shown: Option<Board>,
    /// The number of the connection on which it was heard of last.
    heard_on: u64,
}

/// The role.
#[derive(Debug)]
pub struct Fleet {
    config: FleetConfig,
    echo: TopicName,
    /// An instant, and what the clock on the wall said then, in seconds since 1970.
    clock: (Instant, u64),
    limit: Option<Instant>,
    /// Sorted by topic. (A map of the standard library would be several kB of the binary.)
    entries: Vec<Entry>,
    /// Connections so far.
    connections: u64,
    /// Of the present connection.
    granted: Vec<TopicFilter>,
    /// The messages to itself are awaited until then.
    echo_until: Option<Instant>,
    /// Messages to itself so far, and how many of the last of them came back with nothing before them.
    echoes: u64,
    quiet: u32,
    is_complete: bool,
    settled_at: Option<Instant>,
    late_at: Option<Instant>,
    is_done: bool,
}

type Effects = Vec<Effect<Seen>>;

impl Fleet {
    /// It publishes to itself on `echo`. At `now` the clock on the wall says `unix`, in seconds since 1970.
    #[must_use]
    pub fn new(config: FleetConfig, echo: TopicName, now: Instant, unix: u64) -> Self {
        let timeout = config.timeout.filter(|_| config.is_once);
        Self {
            clock: (now, unix),
            limit: timeout.and_then(|timeout| now.checked_add(timeout)),
            config,
            echo,
            entries: Vec::new(),
            connections: 0,
            granted: Vec::new(),
            echo_until: None,
            echoes: 0,
            quiet: 0,
            is_complete: false,
            settled_at: None,
            late_at: None,
            is_done: false,
        }
    }

    fn filters(&self) -> impl Iterator<Item = TopicFilter> {
        let echo = TopicFilter::exactly(&self.echo);
        let status = self.config.filter.clone();
        [status]
            .into_iter()
            .chain(self.config.about())
            .chain([echo])
    }

    fn unix(&self, now: Instant) -> u64 {
        let (then, unix) = self.clock;
        unix.saturating_add(now.saturating_duration_since(then).as_secs())
    }

    fn instant(&self, unix: u64) -> Option<Instant> {
        let (then, now) = self.clock;
        then.checked_add(Duration::from_secs(unix.saturating_sub(now)))
    }

    fn connected(&mut self) -> Effects {
        self.connections += 1;
        self.granted.clear();
        self.echo_until = None;
        match self.connections {
            // Later the link subscribes again by itself.
            1 => self
                .filters()
                .map(|filter| Effect::Subscribe(filter, QoS::AtLeastOnce))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn subscribed(&mut self, now: Instant, filter: &TopicFilter) -> Effects {
        self.granted.push(filter.clone());
        if !self.filters().all(|filter| self.granted.contains(&filter)) {
            return Vec::new();
        }
        self.quiet = 0;
        self.call(now)
    }

    fn call(&mut self, now: Instant) -> Effects {
        self.echo_until = now.checked_add(PATIENCE);
        self.echoes += 1;
        let payload = self.echoes.to_string();
        let echo = Message::new(self.echo.clone(), payload, QoS::AtLeastOnce);
        vec![Effect::Publish(echo)]
    }

    fn received(&mut self, now: Instant, message: &Message) -> Effects {
        if message.topic == self.echo {
            let is_it = message.payload == self.echoes.to_string().as_bytes();
            if !is_it || self.echo_until.is_none() {
                return Vec::new();
            }
            self.quiet += 1;
            return match self.quiet > QUIET {
                true => self.complete(now, true),
                false => self.call(now),
            };
        }
        let is_taken = self.take(now, message).is_some();
        if message.retain {
            self.quiet = 0;
        }
        if is_taken && self.is_complete {
            self.settled_at = self.settled_at.or(now.checked_add(SETTLE));
        }
        Vec::new()
    }

    /// Takes a status, or details. `None` for what is neither.
    fn take(&mut self, now: Instant, message: &Message) -> Option<()> {
        let Message { topic, payload, .. } = message;
        let said = Said::read(payload);
        let base = topic.as_str().strip_suffix(ABOUT);
        let base = base.and_then(|base| base.strip_suffix('/'));
        let base = base.filter(|_| said.is_some() || payload.is_empty());
        let base = base.and_then(|base| TopicName::new(base).ok());
        if let Some(base) = base.filter(|base| self.config.filter.matches(base)) {
            self.entry(&base).said = said.map(Rc::new);
            return Some(());
        }
        let status = match payload.as_slice() {
            b"" => None,
            text if text == ONLINE.as_bytes() => Some(true),
            text if text == OFFLINE.as_bytes() => Some(false),
            _ => return None,
        };
        if !self.config.filter.matches(topic) {
            return None;
        }
        let unix = self.unix(now);
        let entry = self.entry(topic);
        entry.lost_at = match (status, entry.status) {
            (Some(false), Some(false)) => entry.lost_at,
            (Some(false), _) => (!message.retain).then_some(unix),
            _ => None,
        };
        entry.status = status;
        Some(())
    }

    /// The entry of this topic, of which something has been heard.
    fn entry(&mut self, topic: &TopicName) -> &mut Entry {
        let at = self.entries.partition_point(|entry| entry.topic < *topic);
        let is_known = self.entries.get(at).is_some_and(|at| at.topic == *topic);
        if !is_known {
            let entry = Entry {
                topic: topic.clone(),
                is_changed: true,
                status: None,
                said: None,
                lost_at: None,
                shown: None,
                heard_on: 0,
            };
            self.entries.insert(at, entry);
        }
        let entry = &mut self.entries[at];
        entry.is_changed = true;
        entry.heard_on = self.connections;
        entry
    }

    /// What was retained is in.
    fn complete(&mut self, now: Instant, is_certain: bool) -> Effects {
        if self.is_done {
            return Vec::new();
        }
        self.echo_until = None;
        if is_certain {
            // The broker has forgotten it while there was no connection.
            for entry in &mut self.entries {
                if entry.heard_on != self.connections {
                    entry.status = None;
                    entry.is_changed = true;
                }
            }
        }
        if std::mem::replace(&mut self.is_complete, true) {
            return self.show(now);
        }
        self.show(now);
        let boards = self.entries.iter();
        let boards = boards.filter_map(|entry| entry.shown.clone()).collect();
        let all = Effect::Emit(Seen::All { boards, is_certain });
        match self.config.is_once {
            true => {
                self.is_done = true;
                vec![all, Effect::Finish]
            }
            false => vec![all],
        }
    }

    /// Shows what has changed, and only what looks otherwise than before.
    fn show(&mut self, now: Instant) -> Effects {
        self.settled_at = None;
        let unix = self.unix(now);
        let mut effects = Vec::new();
        for entry in &mut self.entries {
            if !std::mem::take(&mut entry.is_changed) {
                continue;
            }
            let topic = &entry.topic;
            let board = entry.status.map(|is_online| {
                let said = entry.said.clone();
                Board::new(topic.clone(), is_online, said, entry.lost_at, unix)
            });
            if board == entry.shown {
                continue;
            }
            entry.shown = board.clone();
            effects.push(Effect::Emit(match board {
                Some(board) => Seen::Changed(board),
                None => Seen::Gone(entry.topic.clone()),
            }));
        }
        self.entries
            .retain(|entry| entry.status.is_some() || entry.said.is_some());
        let shown = self.entries.iter().flat_map(|entry| &entry.shown);
        let late_at = shown.filter_map(Board::is_late_at).min();
        self.late_at = late_at.and_then(|unix| self.instant(unix));
        effects
    }

    fn on_deadline(&mut self, now: Instant) -> Reaction<Seen> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.limit) && !self.is_done {
            return match self.granted.is_empty() {
                true => Err(Failure::new(Kind::NoAnswer, "no answer in time")),
                false => Ok(self.complete(now, false)),
            };
        }
        if self.limit.is_none() && is_over(self.echo_until) {
            return Ok(self.complete(now, false));
        }
        if is_over(self.late_at) {
            for entry in &mut self.entries {
                entry.is_changed = true;
            }
        }
        Ok(self.show(now))
    }
}

impl Role for Fleet {
    type Item = Seen;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Seen> {
        Ok(match event {
            Event::Connected { .. } => self.connected(),
            Event::Subscribed { filter, .. } => self.subscribed(now, filter),
            Event::Received(message) => self.received(now, message),
            Event::Deadline => return self.on_deadline(now),
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_done {
            return None;
        }
        let echo = self.echo_until.filter(|_| self.limit.is_none());
        let wishes = [self.limit, echo, self.settled_at, self.late_at];
        wishes.into_iter().flatten().min()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.limit
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn status(&self) -> String {
        format!("watching {}", self.config.filter)
    }
}

#[cfg(test)]
mod tests;
