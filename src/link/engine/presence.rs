//! What the broker is told of this client itself, beside the role's messages: see [`crate::presence`].
//!
//! It is no part of the promises of delivery. It is not in the outbox and not in the journal, has packet identifiers of its
//! own, and is never sent again on another connection: there it is said anew, because what was true of the one before may
//! be wrong by then. (MQTT 3.1.1, section 4.4, wants an unconfirmed PUBLISH again; at QoS 1 the broker keeps nothing that
//! waits for that.) What the broker does not take is given up, for a while, and the run goes on without it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Trouble;
use super::delivery::IDENTIFIERS;
use super::suspect::{Finding, Permitted, Suspect};
use crate::link::presence::Presence as Wanted;
use crate::link::{AtEnd, End, Options};
use crate::mqtt::{Message, QoS, TopicName};
use crate::presence::{Details, FINISHED, OFFLINE, ONLINE, STOPPED, about};
use crate::role::{Failure, Kind};

/// The shortest time between two details of a run that goes on, but for the first two.
const DETAILS_EVERY: Duration = Duration::from_secs(60);

/// How long it is given up where the broker does not take it: then the broker may have other settings.
const HOLDS: Duration = Duration::from_secs(24 * 3600);

/// How many of its messages may be unconfirmed. Their packet identifiers are above all others'.
const MOST: u16 = 8;

/// The suspect where there is one: these messages have no serial numbers.
const ANY: u64 = 0;

/// Whether the last will goes with the CONNECT. There are brokers that refuse the login for its sake, or close the
/// connection. So after such an end an attempt is made without it; and where that is accepted, one more with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Will {
    /// It goes with it.
    Carried,
    /// Not with this attempt.
    LeftOut,
    /// It goes with it; without it the broker has just accepted the connection.
    Doubted,
}

/// What becomes of an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It is what it would be without all this.
    Counts,
    /// The next one is made at once.
    Again,
    /// The same, and presence is given up.
    AgainWithout,
}

/// What the broker is told of this client.
#[derive(Debug)]
pub struct Presence {
    wanted: Wanted,
    about: TopicName,
    client_id: String,
    /// An instant, and what the clock on the wall said then, in seconds since 1970.
    clock: (Instant, u64),
    since: Instant,
    status: Option<Message>,
    details: Option<Message>,
    in_flight: Vec<u16>,
    /// How long after a connection an old one's last will may come, where there are several brokers: a node that is cut off
    /// from its cluster sends it one and a half keep alives after the last packet.
    late_wills: Option<Duration>,
    /// Then it is said once more that the client is there.
    again_at: Option<Instant>,
    /// What the details said last.
    told: (String, Option<u32>),
    next_look: Instant,
    /// The run has an end: this one.
    end: Option<Result<End, Failure>>,
    suspect: Option<Suspect>,
    /// The present connection has outlived the suspect, though the broker has not confirmed it: nothing waits for that any
    /// more.
    is_outlived: bool,
    will: Will,
}

impl Presence {
    /// Nothing is said yet.
    #[must_use]
    pub fn new(wanted: &Wanted, options: &Options, now: Instant) -> Self {
        let is_cluster = !options.others.is_empty() && !options.keep_alive.is_zero();
        Self {
            about: about(&wanted.topic),
            wanted: wanted.clone(),
            client_id: options.client_id.clone(),
            late_wills: is_cluster.then(|| options.keep_alive * 3 / 2),
            again_at: None,
            clock: (now, 0),
            since: now,
            status: None,
            details: None,
            in_flight: Vec::new(),
            told: (String::new(), None),
            next_look: now,
            end: None,
            suspect: None,
            is_outlived: false,
            will: Will::Carried,
        }
    }

    /// Whether the broker has to have the DISCONNECT, lest the last will put something where nothing is to be.
    #[must_use]
    pub fn must_be_heard(&self) -> bool {
        self.wanted.at_end == AtEnd::Clear
    }

    /// The status topic.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.wanted.topic
    }

    /// What the clock on the wall says.
    pub fn set_clock(&mut self, now: Instant, unix: u64) {
        self.clock = (now, unix);
    }

    fn unix(&self, at: Instant) -> u64 {
        let (then, unix) = self.clock;
        match at.checked_duration_since(then) {
            Some(later) => unix.saturating_add(later.as_secs()),
            None => unix.saturating_sub(then.saturating_duration_since(at).as_secs()),
        }
    }

    fn is_refused(&self, now: Instant) -> bool {
        let until = self.wanted.refused_until.lock();
        let until = until.unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > now)
    }

    /// The broker does not take it.
    pub fn give_up(&mut self, now: Instant) {
        let until = self.wanted.refused_until.lock();
        *until.unwrap_or_else(PoisonError::into_inner) = Some(now + HOLDS);
        self.status = None;
        self.details = None;
        self.in_flight.clear();
        self.suspect = None;
        self.will = Will::Carried;
    }

    /// The last will of the next connection.
    #[must_use]
    pub fn will(&self, now: Instant) -> Option<Message> {
        let has_one = self.will != Will::LeftOut && !self.is_refused(now);
        has_one.then(|| retained(self.topic(), OFFLINE))
    }

    /// An attempt to connect failed.
    pub fn attempt_failed(&mut self, now: Instant, trouble: &Trouble) -> Attempt {
        let may_be_the_will = trouble.fatal == Some(Kind::Refused) || trouble.is_unanswered;
        let had_one = self.will(now).is_some();
        match (self.will, had_one && may_be_the_will) {
            (Will::Carried, true) => {
                self.will = Will::LeftOut;
                Attempt::Again
            }
            (Will::Doubted, true) => {
                self.give_up(now);
                Attempt::AgainWithout
            }
            _ => {
                self.will = Will::Carried;
                Attempt::Counts
            }
        }
    }

    /// The broker accepted an attempt. Whether it was only to see whether it would without the last will.
    pub fn is_trial(&mut self) -> bool {
        let was_left_out = self.will == Will::LeftOut;
        self.will = match was_left_out {
            true => Will::Doubted,
            false => Will::Carried,
        };
        was_left_out
    }

    /// A connection begins. What was not said on the one before is not true any more.
    pub fn begin(&mut self) {
        self.status = None;
        self.details = None;
        self.in_flight.clear();
        self.is_outlived = false;
        if let Some(suspect) = &mut self.suspect {
            suspect.connected();
        }
    }

    /// It is the connection on which the run goes on.
    pub fn connected(&mut self, now: Instant, doing: String) {
        self.since = now;
        // Once soon, when the run has found its feet.
        self.next_look = now;
        self.again_at = self.late_wills.map(|late| now + late);
        if !self.is_refused(now) {
            self.say_details(now, doing);
            self.status = Some(retained(self.topic(), ONLINE));
        }
    }

    /// A PINGREQ is due.
    pub fn on_ping(&mut self, now: Instant) {
        let is_over = self.again_at.take_if(|at| *at <= now).is_some();
        if is_over && !self.is_refused(now) {
            self.status = Some(retained(self.topic(), ONLINE));
        }
    }

    /// Whether [`Presence::look`] is to be asked.
    #[must_use]
    pub fn is_look_due(&self, now: Instant) -> bool {
        now >= self.next_look && self.is_settled() && !self.is_refused(now)
    }

    /// The run is doing this. Where that is news, it is said.
    pub fn look(&mut self, now: Instant, doing: String) {
        self.next_look = now + DETAILS_EVERY;
        if (&self.told.0, self.told.1) != (&doing, self.sessions()) {
            self.say_details(now, doing);
        }
    }

    fn sessions(&self) -> Option<u32> {
        let sessions = self.wanted.sessions.as_ref()?;
        Some(sessions.load(Ordering::Relaxed))
    }

    fn say_details(&mut self, now: Instant, doing: String) {
        self.told = (doing, self.sessions());
        let details = self.details(now, None, None);
        self.details = Some(retained(&self.about, &details.to_json()));
    }

    fn details(&self, now: Instant, end: Option<String>, next: Option<u64>) -> Details {
        Details {
            role: self.wanted.role.clone(),
            id: self.client_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.unix(self.wanted.started),
            since: self.unix(self.since),
            at: self.unix(now),
            doing: self.told.0.clone(),
            sessions: self.told.1.map(u64::from),
            end,
            next,
        }
    }

    /// The run has this end. Whether it was not known yet, and so has still to be said.
    pub fn ended(&mut self, now: Instant, end: &Result<End, Failure>, doing: String) -> bool {
        if self.end.as_ref() == Some(end) {
            return false;
        }
        self.end = Some(end.clone());
        self.told = (doing, self.sessions());
        self.say_end(now);
        true
    }

    /// Says how the run ends, perhaps on one more connection.
    pub fn say_end(&mut self, now: Instant) {
        let Some(end) = &self.end else { return };
        if self.is_refused(now) {
            return;
        }
        let pause = self.wanted.pause.filter(|_| *end == Ok(End::Finished));
        let next = pause.map(|pause| self.unix(now).saturating_add(pause.as_secs()));
        let text = match end {
            Ok(End::Finished) => FINISHED.to_owned(),
            Ok(End::Stopped) => STOPPED.to_owned(),
            Err(failure) => format!("failed: {failure}"),
        };
        let is_cleared = self.wanted.at_end == AtEnd::Clear && end.is_ok() && next.is_none();
        let (status, details) = match is_cleared {
            true => ("", String::new()),
            false => (OFFLINE, self.details(now, Some(text), next).to_json()),
        };
        self.details = Some(retained(&self.about, &details));
        self.status = Some(retained(self.topic(), status));
    }

    /// Whether all is said and confirmed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.has_sent_all() && self.in_flight.is_empty()
    }

    /// The next of its messages, and its packet identifier. While the role's messages are under suspicion, or these
    /// are and their turn has not come, there is none; at the end nothing waits.
    #[must_use]
    pub fn next(&self, others_are_suspect: bool) -> Option<(u16, &Message)> {
        // The details first: `offline` with old ones, of a run that ended well, would be wrong.
        let message = self.details.as_ref().or(self.status.as_ref())?;
        let has_turn = match self.permits() {
            None => !others_are_suspect,
            Some(Permitted::Only(_)) => !others_are_suspect,
            Some(_) => false,
        };
        if !has_turn && self.end.is_none() {
            return None;
        }
        let all = IDENTIFIERS + 1..=IDENTIFIERS + MOST;
        let mut free = all.filter(|pkid| !self.in_flight.contains(pkid));
        free.next().map(|pkid| (pkid, message))
    }

    /// [`Presence::next`] went out. Whether a PINGREQ is to follow it: its answer shows that the connection has outlived
    /// a suspect that the broker does not confirm.
    pub fn sent(&mut self, pkid: u16) -> bool {
        self.in_flight.push(pkid);
        if self.details.take().is_none() {
            self.status = None;
        }
        self.suspect.is_some() && self.has_sent_all()
    }

    fn has_sent_all(&self) -> bool {
        self.status.is_none() && self.details.is_none()
    }

    /// PUBACK came. Whether it was for one of these.
    pub fn acknowledged(&mut self, pkid: u16) -> bool {
        let is_one = (IDENTIFIERS + 1..=IDENTIFIERS + MOST).contains(&pkid);
        self.in_flight.retain(|sent| *sent != pkid);
        if is_one && self.is_settled() {
            self.suspect = None;
        }
        is_one
    }

    /// What may be sent while these messages are under suspicion.
    #[must_use]
    pub fn permits(&self) -> Option<Permitted> {
        let suspect = self.suspect.as_ref().filter(|_| !self.is_outlived);
        suspect.map(Suspect::permits)
    }

    /// PINGREQ went out.
    pub fn pinged(&mut self) {
        if let Some(suspect) = &mut self.suspect {
            suspect.pinged();
        }
    }

    /// PINGRESP came.
    pub fn answered(&mut self) {
        let is_on_its_way = self.permits() == Some(Permitted::Only(ANY)) && self.has_sent_all();
        self.is_outlived |= is_on_its_way;
        if let Some(suspect) = &mut self.suspect {
            suspect.answered();
        }
    }

    /// The connection was closed by the other end. What that says of these messages, if one of them was on its way.
    pub fn closed(&mut self) -> Option<Finding> {
        let was_on_its_way = !std::mem::take(&mut self.in_flight).is_empty();
        was_on_its_way.then(|| Suspect::closed(&mut self.suspect, ANY))
    }
}

fn retained(topic: &TopicName, payload: &str) -> Message {
    Message {
        retain: true,
        ..Message::new(topic.clone(), payload, QoS::AtLeastOnce)
    }
}

#[cfg(test)]
mod tests;
