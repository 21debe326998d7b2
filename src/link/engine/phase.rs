//! Where a run stands, and its end step by step: every confirmation that comes in time, nothing left on
//! the broker, DISCONNECT.

mod leaving;
mod steps;

use std::time::{Duration, Instant};

use leaving::{LAST_READ, Quiet};
use log::{info, warn};
pub use steps::{Emptying, Step};

use super::outbox::Packet;
use super::reconnect::ConnectionEnd;
use super::{Engine, Output, Trouble};
use crate::link::{End, Session};
use crate::role::{Failure, Kind};

/// All of a run's end together.
pub const CLOSING_LIMIT: Duration = Duration::from_millis(2500);

/// What is left of [`CLOSING_LIMIT`] for UNSUBSCRIBE and the rest when confirmations do not come. Some never do: a
/// broker that has forgotten the session, and whose CONNACK for the new one was lost, says "session present" of that.
const LEAVING: Duration = Duration::from_secs(1);

/// The same while a program runs: its answer is worth more than what an UNSUBSCRIBE saves the broker.
const LEAVING_LATE: Duration = Duration::from_millis(500);

/// How a run ends.
type Outcome = Result<End, Failure>;

/// Where a run stands.
#[derive(Debug)]
pub enum Phase {
    /// There is no connection. The next attempt begins at this instant.
    Waiting { until: Instant },
    /// An attempt is under way.
    Connecting,
    /// There is a connection, since this instant.
    Online { since: Instant },
    /// Makes the broker forget the session: a connection with CleanSession 1, ended at once (MQTT 3.1.1,
    /// section 3.1.2.4). After that comes `then`, or the beginning.
    Emptying {
        step: Emptying,
        deadline: Option<Instant>,
        then: Option<Outcome>,
    },
    /// The run has an end, and there is a connection to be closed well.
    Closing {
        step: Step,
        deadline: Instant,
        end: Outcome,
    },
    /// All is done.
    Ended(Outcome),
}

impl Phase {
    /// The way to an empty session, and then to the end or the beginning.
    pub fn emptying(end: Option<(Outcome, Instant)>) -> Self {
        let (then, deadline) = end.unzip();
        Self::Emptying {
            step: Emptying::Connect,
            deadline,
            then,
        }
    }

    /// Whether packets from the broker are taken in, and packets for it sent.
    pub fn is_served(&self) -> bool {
        match self {
            Self::Online { .. } => true,
            Self::Closing { step, .. } => matches!(step, Step::Confirming | Step::Unsubscribing),
            _ => false,
        }
    }

    /// Whether the run's end is decided.
    pub fn is_closing(&self) -> bool {
        match self {
            Self::Waiting { .. } | Self::Connecting | Self::Online { .. } => false,
            Self::Emptying { then, .. } => then.is_some(),
            Self::Closing { .. } | Self::Ended(_) => true,
        }
    }

    /// The broker accepted a connection that is part of the end, or of an emptying. Says which step of the
    /// end begins.
    pub fn on_connected(&mut self) -> Option<Step> {
        match self {
            Self::Emptying { step, .. } => {
                *step = Emptying::Disconnect;
                None
            }
            Self::Closing { step, .. } => {
                *step = Step::Unsubscribing;
                Some(*step)
            }
            _ => None,
        }
    }
}

impl Engine<'_> {
    /// The link fails. Once the role is done that is no failure any more.
    pub(super) fn fail(&mut self, now: Instant, failure: Failure) {
        let end = self.outcome(now, failure);
        self.end(now, end);
    }

    /// How the run ends when the link fails.
    pub(super) fn outcome(&self, now: Instant, failure: Failure) -> Outcome {
        if self.role.is_done() {
            info!("all is done, so this is no failure: {failure}");
            return Ok(End::Finished);
        }
        Err(self.in_context(now, failure))
    }

    /// The role fails, or the caller cannot take what it emits. That is a failure at any time.
    pub(super) fn on_role_failed(&mut self, now: Instant, failure: Failure) {
        match &mut self.phase {
            Phase::Closing { end, .. } => {
                if end.is_ok() {
                    *end = Err(failure);
                }
            }
            _ => {
                let failure = self.in_context(now, failure);
                self.end(now, Err(failure));
            }
        }
    }

    /// Without a connection "no answer" would be the wrong complaint.
    fn in_context(&self, now: Instant, failure: Failure) -> Failure {
        let under_way = match self.phase {
            Phase::Connecting => true,
            Phase::Waiting { until } => until <= now,
            _ => return failure,
        };
        match failure.kind {
            Kind::NoAnswer => self.reconnect.why_offline(under_way),
            _ => failure,
        }
    }

    /// The run's end is decided. Where there is a connection, it is closed well.
    pub(super) fn end(&mut self, now: Instant, end: Outcome) {
        self.delivery.put_off_programs();
        let Phase::Online { .. } = self.phase else {
            self.phase = match self.delivery.running_programs() {
                0 => Phase::Ended(end),
                _ => Phase::Closing {
                    step: Step::Running,
                    deadline: now + CLOSING_LIMIT - LEAVING_LATE,
                    end,
                },
            };
            return;
        };
        // Together with the last acknowledgements: to wait for the confirmations first would be a round trip more.
        if self.leaves_nothing(&end) {
            self.unsubscribe_all();
        }
        self.say_end(now, &end);
        self.phase = Phase::Closing {
            step: Step::Confirming,
            deadline: now + CLOSING_LIMIT,
            end,
        };
    }

    /// Says how the run ends. Whether that is news.
    fn say_end(&mut self, now: Instant, end: &Outcome) -> bool {
        let Some(presence) = &mut self.delivery.presence else {
            return false;
        };
        presence.ended(now, end, self.role.status())
    }

    /// Goes on to the next step where nothing is open any more: from the role's wish to finish to the end,
    /// and from one step of that to the next.
    pub(super) fn advance(&mut self, now: Instant) {
        let is_settled = self.delivery.is_settled();
        if let Phase::Online { .. } = self.phase {
            if self.finished && (is_settled || self.session == Session::Clean) {
                self.end(now, Ok(End::Finished));
            }
        }
        if self.is_at(Step::Running) && self.delivery.running_programs() == 0 {
            self.on_programs_over();
        }
        let is_over = is_settled && self.delivery.is_released() && self.delivery.has_said_all();
        if is_over && self.is_at(Step::Confirming) {
            self.on_confirmed_all(now);
        }
        let is_over = self.delivery.is_settled() && self.delivery.has_said_all();
        if self.is_at(Step::Unsubscribing) && is_over {
            self.set_step(Step::Disconnect);
        }
    }

    pub(super) fn poll_end(&mut self, now: Instant) -> Output {
        let quiet = self.quiet();
        let leaving = self.leaving();
        match &mut self.phase {
            Phase::Closing { step, deadline, .. } => match *step {
                Step::Running => Output::Pause(Some(*deadline)),
                Step::Confirming => Output::Wait(Some(*deadline - leaving)),
                Step::Unsubscribing | Step::Reconnecting => Output::Wait(Some(*deadline)),
                Step::Reconnect => {
                    *step = Step::Reconnecting;
                    self.connect(now, false)
                }
                Step::Disconnect => {
                    let until = (now + Quiet::last_read(quiet)).min(*deadline);
                    *step = Step::Disconnecting { until };
                    let may_leave = quiet == Some(Quiet::ForGood);
                    Output::Disconnect { may_leave }
                }
                Step::Disconnecting { until } => Output::Wait(Some(until)),
            },
            Phase::Emptying {
                step,
                deadline,
                then,
            } => match *step {
                Emptying::Connect => {
                    *step = Emptying::Connecting;
                    // Once the session is gone, a later process would publish what is not known to be confirmed anew.
                    self.delivery.commit();
                    self.connect(now, true)
                }
                Emptying::Connecting => Output::Wait(*deadline),
                Emptying::Disconnect => {
                    let until = now + LAST_READ;
                    let until = deadline.map_or(until, |deadline| until.min(deadline));
                    *step = Emptying::Disconnecting { until };
                    // Without a subscription nothing can come.
                    let may_leave = then.is_some();
                    Output::Disconnect { may_leave }
                }
                Emptying::Disconnecting { until } => Output::Wait(Some(until)),
            },
            Phase::Ended(end) => {
                let end = end.clone();
                let goes_on = !self.leaves_nothing(&end);
                if end == Ok(End::Stopped) {
                    self.tell_what_is_open(goes_on);
                }
                self.delivery.close(goes_on);
                Output::End(end)
            }
            Phase::Waiting { .. } | Phase::Connecting | Phase::Online { .. } => Output::Wait(None),
        }
    }

    /// The confirmation that the role waited for may have come in the end after all.
    fn take_late_success(&mut self) {
        let is_done = self.role.is_done();
        if let Phase::Closing { end, .. } = &mut self.phase {
            let was_late = match end {
                Ok(_) => true,
                Err(failure) => matches!(failure.kind, Kind::NoAnswer | Kind::Unreachable),
            };
            if is_done && was_late {
                *end = Ok(End::Finished);
            }
        }
    }

    /// The first step of the end is over, by confirmations or by its deadline.
    fn on_confirmed_all(&mut self, now: Instant) {
        self.take_late_success();
        let Phase::Closing { end, .. } = &self.phase else {
            return;
        };
        let end = end.clone();
        if self.say_end(now, &end) {
            return;
        }
        let next = match self.leaves_nothing(&end) {
            true => {
                self.unsubscribe_all();
                Step::Unsubscribing
            }
            false => Step::Disconnect,
        };
        self.set_step(next);
    }

    fn unsubscribe_all(&mut self) {
        for filter in self.subscriptions.take() {
            self.delivery.post(Packet::Unsubscribe(filter), None);
        }
    }

    fn leaving(&self) -> Duration {
        match self.delivery.running_programs() {
            0 => LEAVING,
            _ => LEAVING_LATE,
        }
    }

    pub(super) fn on_timeout_at_the_end(&mut self, now: Instant) {
        let leaving = self.leaving();
        match &mut self.phase {
            Phase::Closing { step, deadline, .. } => match *step {
                Step::Running if now >= *deadline => self.on_programs_over(),
                Step::Confirming if now >= *deadline - leaving => self.on_confirmed_all(now),
                Step::Unsubscribing if now >= *deadline => *step = Step::Disconnect,
                Step::Reconnecting if now >= *deadline => self.on_closed(),
                Step::Disconnecting { until } if now >= until => self.on_closed(),
                _ => {}
            },
            Phase::Emptying { step, deadline, .. } => match *step {
                Emptying::Connecting if deadline.is_some_and(|at| now >= at) => {
                    self.on_emptied(now, false);
                }
                Emptying::Disconnecting { until } if now >= until => self.on_emptied(now, true),
                _ => {}
            },
            _ => {}
        }
    }

    pub(super) fn on_lost_at_the_end(&mut self, now: Instant, trouble: Trouble) {
        match &self.phase {
            Phase::Closing { step, end, .. } => {
                let leaves_nothing = self.leaves_nothing(end);
                match step {
                    Step::Confirming if leaves_nothing => {
                        self.unsubscribe_all();
                        match self.delivery.is_settled() && self.delivery.has_said_all() {
                            true => self.on_closed(),
                            false => self.set_step(Step::Reconnect),
                        }
                    }
                    _ => self.on_closed(),
                }
            }
            Phase::Emptying { step, then, .. } => match (step, then) {
                (Emptying::Connect | Emptying::Connecting, None) => {
                    self.try_next(now, trouble, ConnectionEnd::default());
                }
                (Emptying::Connect | Emptying::Connecting, Some(_)) => self.on_emptied(now, false),
                _ => self.on_emptied(now, true),
            },
            _ => {}
        }
    }

    /// What the programs have come to is written down, or they have no time left.
    fn on_programs_over(&mut self) {
        if let Phase::Closing { end, .. } = &self.phase {
            self.phase = Phase::Ended(end.clone());
        }
    }

    fn is_at(&self, this: Step) -> bool {
        matches!(self.phase, Phase::Closing { step, .. } if step == this)
    }

    fn set_step(&mut self, next: Step) {
        if let Phase::Closing { step, .. } = &mut self.phase {
            *step = next;
        }
    }

    /// The last connection has ended. What the broker may keep of the session has still to go.
    fn on_closed(&mut self) {
        self.take_late_success();
        let Phase::Closing {
            step,
            deadline,
            end,
        } = &self.phase
        else {
            return;
        };
        if let Step::Disconnecting { .. } = step {
            info!("disconnected");
        }
        let (deadline, end) = (*deadline, end.clone());
        self.phase = match self.leaves_nothing(&end) {
            true => Phase::emptying(Some((end, deadline))),
            false => Phase::Ended(end),
        };
    }

    /// The broker has forgotten the session, or could not be told to in time.
    fn on_emptied(&mut self, now: Instant, emptied: bool) {
        let Phase::Emptying { then, .. } = &mut self.phase else {
            return;
        };
        let then = then.take();
        self.must_begin_empty &= !emptied;
        if !emptied {
            let client_id = &self.client_id;
            warn!("the broker may keep an empty session for client id {client_id}");
        }
        self.phase = match then {
            Some(end) => Phase::Ended(end),
            None => Phase::Waiting { until: now },
        };
    }
}

#[cfg(test)]
mod tests;
