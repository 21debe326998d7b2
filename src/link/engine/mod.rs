//! Makes delivery dependable, and nothing else: what has happened comes in with its time, what is to be
//! sent and awaited goes out. No socket, no clock, no thread; so all that docs/durability.md promises is decided here,
//! and is shown in simulated time (`simulation`) before it is shown on a broker.
//!
//! The grammar of names: `handle_*` takes in, `poll_*` and `send_*` give out, `on_*` reacts inside.
//!
//! What it promises a role:
//!
//! 1. What the role publishes is kept (`outbox`) until the broker has confirmed it, through any number of
//!    connections, in order, a window of it in flight. What cannot be sent is an event.
//! 2. A received message is acknowledged only when everything that its handling published is confirmed
//!    (`inbound`, joined to the outbox by `delivery`).
//! 3. At QoS 2 the role sees a message once; at QoS 1 a repetition only where the first delivery was
//!    not acknowledged.
//! 4. Subscriptions are made again whenever the broker has lost the session (`subscriptions`); a refused
//!    one ends the run.
//! 5. Losing the connection is not the role's business: the way back (`reconnect`) ends only with what
//!    waiting cannot mend, or with the role's own time limit.
//! 6. With a journal (`journal`) all that holds across the end of the process, too: a later one goes on with the same
//!    packet identifiers.
//! 7. A program that the role wants run (`jobs`) holds back the acknowledgement of the message that led to it, too.
//! 8. At the end (`phase`): every confirmation, no session and no subscription left, DISCONNECT.
//!
//! Beside the role's messages, and outside of these promises, it says that the client is there (`presence`), and a last
//! will that it is not.

mod backoff;
mod brokers;
mod delivery;
mod erased;
mod exchange;
/// Open for the benchmarks.
pub mod inbound;
mod inputs;
mod jobs;
pub mod journal;
mod keep_alive;
mod lost;
/// Open for the benchmarks.
pub mod outbox;
mod packets;
mod phase;
mod presence;
mod reconnect;
mod refused;
mod subscriptions;
mod suspect;
mod trouble;

use std::time::Instant;

use log::{debug, info};

pub use erased::{ErasedRole, RoleWithSink};
pub use exchange::{Incoming, Input, Outgoing, Output};
pub use jobs::{Rules, Start};
pub use phase::CLOSING_LIMIT;
pub use trouble::Trouble;

use super::{End, Options, Session};
use crate::mqtt::Message;
use crate::role::{Event, Failure, Job, Kind, Outcome};
use delivery::Delivery;
use journal::Journal;
use keep_alive::{Due, KeepAlive};
use phase::{Phase, Step};
use presence::Presence;
use reconnect::Reconnect;
use subscriptions::Subscriptions;

/// One run of one role.
pub struct Engine<'a> {
    role: Box<dyn ErasedRole + 'a>,
    client_id: String,
    will: Option<Message>,
    session: Session,
    phase: Phase,
    delivery: Delivery,
    subscriptions: Subscriptions,
    reconnect: Reconnect,
    keep_alive: KeepAlive,
    /// There has been a connection: the role has begun.
    has_begun: bool,
    /// The role wants the next line.
    awaits_line: bool,
    /// The role has asked for the end.
    finished: bool,
    /// An earlier run's session has still to be emptied.
    must_begin_empty: bool,
    /// A packet beyond the limit arrived once. When it comes again, the broker will deliver it on each
    /// connection, since it repeats what is not acknowledged.
    oversized_message_pending: bool,
    /// An attempt since the last connection found no broker: it may come back with an earlier state.
    was_down: bool,
    /// A message has come after the run's end was decided: the next may be on its way.
    passed_over: bool,
    /// When a packet other than PINGREQ and PINGRESP was sent or received last.
    last_exchange: Instant,
}

impl<'a> Engine<'a> {
    /// A run of `role` that begins at `now`. `seed` draws the order of the brokers and the delays. With a journal it goes
    /// on where an earlier process has ended, and a later one can go on with it.
    #[must_use]
    pub fn new(
        role: Box<dyn ErasedRole + 'a>,
        options: &Options,
        now: Instant,
        seed: u64,
        journal: Option<Journal>,
    ) -> Self {
        let mut delivery = Delivery::new(options.session, journal);
        let presence = options.presence.as_ref();
        delivery.presence = presence.map(|wanted| Presence::new(wanted, options, now));
        Self {
            role,
            client_id: options.client_id.clone(),
            will: options.will.clone(),
            session: options.session,
            phase: Phase::Waiting { until: now },
            delivery,
            subscriptions: Subscriptions::default(),
            reconnect: Reconnect::new(options, seed),
            keep_alive: KeepAlive::new(options.keep_alive),
            has_begun: false,
            awaits_line: false,
            finished: false,
            must_begin_empty: matches!(options.session, Session::Persistent { resume: false, .. }),
            oversized_message_pending: false,
            was_down: false,
            passed_over: false,
            last_exchange: now,
        }
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Connected { session_present } => self.on_connected(now, session_present),
            Input::Packet(packet) => self.on_packet(now, packet),
            Input::Progress => self.keep_alive.heard(),
            Input::Lost(trouble) => self.on_lost(now, trouble),
            Input::Left => self.on_left(now),
            Input::Line(line) => self.on_line(now, line),
            Input::Ran(number, outcome) => self.on_ran(now, number, &outcome),
            Input::Stop => self.on_stop(now),
            Input::Timeout => self.on_timeout(now),
        }
        self.advance(now);
        if self.delivery.is_settled() {
            self.refresh_presence(now);
        }
    }

    /// What the clock on the wall says at `now`, in seconds since 1970: people read it in what the run says of its own
    /// presence, and nothing here goes by it.
    pub fn set_clock(&mut self, now: Instant, unix: u64) {
        if let Some(presence) = &mut self.delivery.presence {
            presence.set_clock(now, unix);
        }
    }

    /// Whether there is something to send.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.phase.is_served() && self.delivery.is_due()
    }

    /// Sends the next packet that is due with `write`.
    pub fn send_next<E>(
        &mut self,
        now: Instant,
        write: impl FnOnce(Outgoing<'_>) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        if !self.is_due() {
            // What was sent last may have been the last.
            self.advance(now);
        }
        if !self.phase.is_served() {
            return None;
        }
        let sent = self.delivery.send_next(write)?;
        self.last_exchange = now;
        Some(sent.map(|confirmed| {
            if let Some(confirmed) = confirmed {
                self.on_confirmed(now, &confirmed);
            }
        }))
    }

    /// Writes down what has happened. The driver calls it before it gives anything to the network that
    /// [`Engine::send_next`] wrote.
    pub fn commit(&mut self) {
        self.delivery.commit();
    }

    /// Sets how programs are run. `seed` names each delivery.
    pub fn allow_programs(&mut self, rules: Rules, seed: u64) {
        self.delivery.allow_programs(rules, seed);
    }

    /// The next program to start, once [`Engine::commit`] has been called; the driver owes its [`Input::Ran`]. `is_there`
    /// says of each whether there is such a program. What comes to nothing the role hears at once.
    pub fn next_program(
        &mut self,
        now: Instant,
        is_there: impl Fn(&Job) -> Result<(), Outcome>,
    ) -> Option<Start> {
        if self.is_closing() {
            return None;
        }
        while let Some((number, outcome)) = self.delivery.look_for_programs(&is_there) {
            self.on_ran(now, number, &outcome);
        }
        self.delivery.begin_program()
    }

    fn on_ran(&mut self, now: Instant, number: u64, outcome: &Outcome) {
        if let Some((job, cause)) = self.delivery.take_program(number) {
            self.notify_role(now, Event::Ran(&job, outcome), cause);
            self.delivery.program_over(number, cause);
        }
    }

    /// What the driver is to do next.
    pub fn poll(&mut self, now: Instant) -> Output {
        match self.phase {
            Phase::Waiting { until } => {
                let due = self.next_timeout();
                if until > now || due.is_some_and(|at| at <= now) {
                    let until = due.map_or(until, |at| at.min(until));
                    return Output::Pause(Some(until));
                }
                self.phase = Phase::Connecting;
                self.connect(now, self.session == Session::Clean)
            }
            // Not `next_timeout`: a timeout gives the attempt up, so a short one would never connect.
            Phase::Connecting => Output::Wait(self.role.time_limit()),
            Phase::Online { .. } => {
                let due = self.next_timeout().into_iter();
                Output::Wait(due.chain(self.keep_alive.deadline()).min())
            }
            Phase::Emptying { .. } | Phase::Closing { .. } | Phase::Ended(_) => self.poll_end(now),
        }
    }

    fn connect(&self, now: Instant, clean_session: bool) -> Output {
        let will = match (&self.phase, &self.delivery.presence) {
            // Nothing is to be heard of this connection.
            (Phase::Emptying { .. }, _) => None,
            (_, Some(presence)) => presence.will(now),
            (_, None) => self.will.clone(),
        };
        Output::Connect {
            to: self.reconnect.broker().clone(),
            clean_session,
            will,
        }
    }

    /// Says what the run is doing, where that is news: with something else that has woken the link.
    fn refresh_presence(&mut self, now: Instant) {
        let Phase::Online { .. } = self.phase else {
            return;
        };
        if let Some(presence) = &mut self.delivery.presence {
            if presence.is_look_due(now) {
                presence.look(now, self.role.status());
            }
        }
    }

    /// When the role has something to do, or the run is over, whatever the connection brings.
    fn next_timeout(&self) -> Option<Instant> {
        let wishes = [self.role.deadline(), self.role.time_limit()];
        wishes.into_iter().flatten().min()
    }

    /// Whether the role waits for a line.
    #[must_use]
    pub fn awaits_line(&self) -> bool {
        self.awaits_line && matches!(self.phase, Phase::Online { .. })
    }

    /// Whether the keep alive is about to ask whether the broker is there, or to give it up: [`Input::Progress`] before
    /// [`Input::Timeout`] counts as an answer.
    #[must_use]
    pub fn doubts_connection(&self, now: Instant) -> bool {
        self.keep_alive.due(now) != Due::Nothing
    }

    /// Whether the run has an end already, and works on what has to be done before it.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.phase.is_closing()
    }

    /// Where things stand, in a few words.
    #[must_use]
    pub fn status(&self) -> String {
        match self.phase {
            Phase::Online { .. } => self.role.status(),
            _ => self.reconnect.status(),
        }
    }

    fn on_connected(&mut self, now: Instant, session_present: bool) {
        self.keep_alive.connected(now);
        match &mut self.phase {
            Phase::Connecting
                if self
                    .delivery
                    .presence
                    .as_mut()
                    .is_some_and(Presence::is_trial) =>
            {
                debug!("accepted without a last will: once more with it");
                self.phase = Phase::Waiting { until: now };
            }
            Phase::Connecting if self.must_begin_empty && session_present => {
                info!("emptying the session that an earlier run left");
                self.phase = Phase::emptying(None);
            }
            Phase::Connecting => {
                self.must_begin_empty = false;
                self.phase = Phase::Online { since: now };
                self.last_exchange = now;
                self.reconnect.connected(session_present);
                let was_down = std::mem::take(&mut self.was_down);
                self.delivery
                    .connected(session_present, was_down, &mut self.subscriptions);
                self.has_begun = true;
                self.notify_role(now, Event::Connected { session_present }, None);
                if let (Phase::Online { .. }, Some(presence)) =
                    (&self.phase, &mut self.delivery.presence)
                {
                    presence.connected(now, self.role.status());
                }
            }
            phase => {
                if phase.on_connected() == Some(Step::Unsubscribing) {
                    self.delivery
                        .connected(session_present, false, &mut self.subscriptions);
                    if let Some(presence) = &mut self.delivery.presence {
                        presence.say_end(now);
                    }
                }
            }
        }
    }

    fn on_line(&mut self, now: Instant, line: Result<Option<String>, Failure>) {
        match line {
            Ok(line) => {
                self.awaits_line = false;
                self.notify_role(now, Event::Line(line.as_deref()), None);
            }
            Err(failure) => self.fail(now, failure),
        }
    }

    fn on_stop(&mut self, now: Instant) {
        let end = match self.role.is_done() {
            true => End::Finished,
            false => End::Stopped,
        };
        match &mut self.phase {
            Phase::Emptying { then, .. } => {
                then.get_or_insert(Ok(end));
            }
            Phase::Closing { .. } | Phase::Ended(_) => {}
            _ => {
                self.say_stop(now);
                if !self.is_closing() {
                    self.end(now, Ok(end));
                }
            }
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::Waiting { .. } => self.check_role(now),
            Phase::Online { .. } => {
                self.check_connection(now);
                self.check_role(now);
            }
            Phase::Connecting => {
                self.check_role(now);
                if let Phase::Connecting = self.phase {
                    self.phase = Phase::Waiting { until: now };
                }
            }
            Phase::Emptying { .. } | Phase::Closing { .. } | Phase::Ended(_) => {
                self.on_timeout_at_the_end(now);
            }
        }
    }

    /// The role's deadline, and the run's time limit: while the last confirmations are awaited the role has
    /// no deadline any more, but the run has.
    fn check_role(&mut self, now: Instant) {
        if self.role.deadline().is_some_and(|at| at <= now) {
            self.notify_role(now, Event::Deadline, None);
        }
        let over = self.role.time_limit().is_some_and(|at| at <= now);
        if !over || self.is_closing() {
            return;
        }
        let text = match self.finished {
            true => format!(
                "the broker at {} did not confirm {} packets in time",
                self.reconnect.broker(),
                self.delivery.unconfirmed()
            ),
            false => "there was no end within the time limit".to_owned(),
        };
        self.fail(now, Failure::new(Kind::Unreachable, text));
    }
}
