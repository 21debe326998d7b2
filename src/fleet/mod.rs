//! Whoever looks after all of them: reads what each says of its presence ([`crate::presence`]), and what the broker says
//! in its last will.
//!
//! The broker sends what it has retained after SUBACK, and says not when that was all. So this role publishes to itself
//! once its subscriptions are granted: mosquitto and others deliver in order, and what is retained comes before
//! that. aedes fetches it meanwhile. So the role does it again, until nothing has come between several of them.
//!
//! It subscribes with QoS 0, to one filter after the other. At QoS 1 mosquitto queues what is retained on a filter at once,
//! and drops in silence what is more than its `max_queued_messages` (1000). At QoS 0 it writes to the connection, and only
//! what a slow reader leaves waiting there counts. Then the confirmation or the message to itself is dropped, too, since it
//! comes last.

mod board;
mod config;

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use board::{Board, GRACE, State, gone_to_json};
pub use config::{FleetConfig, Seen};

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

/// After how many connections that ended while a message to itself was awaited it sends no more of them: some brokers close
/// the connection at what the user may not publish, mosquitto after it has confirmed it.
const CLOSED: u32 = 2;

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
    /// How many of the filters have been subscribed to.
    asked: usize,
    /// Of the present connection.
    granted: Vec<TopicFilter>,
    /// The messages to itself are awaited until then.
    echo_until: Option<Instant>,
    /// Messages to itself so far, and how many of the last of them came back with nothing before them.
    echoes: u64,
    quiet: u32,
    /// The connection on which the last one was handed to the link, and whether the link still has it.
    called_on: u64,
    is_calling: bool,
    /// How many connections in a row ended while one was awaited.
    closed: u32,
    /// How many ended before that.
    cut: u32,
    /// That no message to itself is of use: the broker does not take it, or does not send it back.
    is_mute: bool,
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
            asked: 0,
            granted: Vec::new(),
            echo_until: None,
            echoes: 0,
            quiet: 0,
            called_on: 0,
            is_calling: false,
            closed: 0,
            cut: 0,
            is_mute: false,
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

    fn connected(&mut self, now: Instant) -> Effects {
        let is_cut = self.connections > 0 && self.granted.len() < self.filters().count();
        self.connections += 1;
        self.granted.clear();
        self.cut += u32::from(is_cut);
        if self.echo_until.take().is_some() {
            self.closed += 1;
            self.is_mute |= self.closed >= CLOSED;
        }
        match self.asked {
            0 => self.ask(),
            // It may be so for ever: with a retained message that is too large, the link ends each connection at it.
            _ if self.cut >= CLOSED && !self.is_complete && !self.entries.is_empty() => {
                self.complete(now, false)
            }
            // The link subscribes again by itself.
            _ => Vec::new(),
        }
    }

    /// Subscribes to the next filter.
    fn ask(&mut self) -> Effects {
        let next = self.filters().nth(self.asked);
        self.asked += 1;
        let next = next.map(|filter| Effect::Subscribe(filter, QoS::AtMostOnce));
        next.into_iter().collect()
    }

    fn subscribed(&mut self, now: Instant, filter: &TopicFilter) -> Effects {
        self.granted.push(filter.clone());
        let mut asked = self.filters().take(self.asked);
        if !asked.all(|filter| self.granted.contains(&filter)) {
            return Vec::new();
        }
        drop(asked);
        if self.asked < self.filters().count() {
            return self.ask();
        }
        self.quiet = 0;
        if self.is_mute && self.is_complete {
            return Vec::new();
        }
        self.echo_until = now.checked_add(PATIENCE);
        match self.is_mute || self.is_calling {
            // One of an earlier connection, which the link repeats, may have been before the subscription.
            true => Vec::new(),
            false => self.call(now),
        }
    }

    fn call(&mut self, now: Instant) -> Effects {
        self.echo_until = now.checked_add(PATIENCE);
        self.echoes += 1;
        self.called_on = self.connections;
        self.is_calling = true;
        let payload = self.echoes.to_string();
        let echo = Message::new(self.echo.clone(), payload, QoS::AtLeastOnce);
        vec![Effect::Publish(echo)]
    }

    fn is_last_call(&self, message: &Message) -> bool {
        message.topic == self.echo && message.payload == self.echoes.to_string().as_bytes()
    }

    /// The broker has the message to itself.
    fn confirmed(&mut self, now: Instant, message: &Message) -> Effects {
        if !self.is_last_call(message) {
            return Vec::new();
        }
        self.is_calling = false;
        let is_old = self.called_on != self.connections;
        match is_old && self.echo_until.is_some() && !self.is_mute {
            true => self.call(now),
            false => Vec::new(),
        }
    }

    fn received(&mut self, now: Instant, message: &Message) -> Effects {
        if message.topic == self.echo {
            let is_it = self.is_last_call(message) && self.called_on == self.connections;
            // Late is not never.
            self.is_mute &= !is_it;
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
        let was_awaited = self.echo_until.take().is_some();
        self.is_mute = !is_certain && (self.is_mute || was_awaited);
        if is_certain {
            self.closed = 0;
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

    /// Until when the message to itself is awaited: to the limit, where there is one and it may still come.
    fn patience(&self) -> Option<Instant> {
        self.echo_until
            .filter(|_| self.limit.is_none() || self.is_mute)
    }

    fn on_deadline(&mut self, now: Instant) -> Reaction<Seen> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.limit) && !self.is_done {
            return match self.granted.is_empty() && self.entries.is_empty() {
                true => Err(Failure::new(Kind::NoAnswer, "no answer in time")),
                false => Ok(self.complete(now, false)),
            };
        }
        if is_over(self.patience()) {
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
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Seen> {
        Ok(match event {
            Event::Connected { .. } => self.connected(now),
            Event::Subscribed { filter, .. } => self.subscribed(now, filter),
            Event::Received(message) => self.received(now, message),
            Event::Confirmed(message) => self.confirmed(now, message),
            Event::Undeliverable(message, _) if message.topic == self.echo => {
                self.is_calling = false;
                self.is_mute = true;
                Vec::new()
            }
            Event::Deadline => return self.on_deadline(now),
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_done {
            return None;
        }
        let wishes = [self.limit, self.patience(), self.settled_at, self.late_at];
        wishes.into_iter().flatten().min()
    }

    /// With something to show the role ends by its deadline: the link would end the run without it where it cannot go on,
    /// as with a message that is too large, and that the broker delivers on each connection.
    fn time_limit(&self) -> Option<Instant> {
        self.limit
            .filter(|_| self.is_done || self.entries.is_empty())
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
