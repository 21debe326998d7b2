//! A connection has ended, or an attempt: what that says of the messages that were under way, and what comes next.

use std::time::Instant;

use log::{info, warn};

use super::keep_alive::Due;
use super::outbox::{By, Confirmed, Packet};
use super::phase::Phase;
use super::presence::Attempt;
use super::reconnect::{ConnectionEnd, Next, Reason};
use super::suspect::Finding;
use super::{Engine, Trouble};
use crate::link::Session;
use crate::role::{Event, Failure, Kind, Undeliverable};

impl Engine<'_> {
    /// Asks now and then whether the broker is still there.
    pub(super) fn check_connection(&mut self, now: Instant) {
        match self.keep_alive.due(now) {
            Due::Nothing => {}
            Due::Ping => {
                // From now on, even where the socket takes nothing: that is silence, too.
                self.keep_alive.pinged(now);
                self.delivery.ask_for_ping();
                self.refresh_presence(now);
                if let Some(presence) = &mut self.delivery.presence {
                    presence.on_ping(now);
                }
            }
            Due::GiveUp => {
                let text = format!(
                    "broker at {} did not answer a ping within {} s: connection given up",
                    self.reconnect.broker(),
                    self.keep_alive.seconds()
                );
                self.on_lost(now, Trouble::new(text));
            }
        }
    }

    pub(super) fn on_lost(&mut self, now: Instant, trouble: Trouble) {
        self.keep_alive.ended();
        let online = match self.phase {
            Phase::Connecting => None,
            Phase::Online { since } => Some(now.saturating_duration_since(since)),
            // An event that came with the error was a reason to leave.
            Phase::Waiting { .. } => return,
            Phase::Emptying { .. } | Phase::Closing { .. } | Phase::Ended(_) => {
                return self.on_lost_at_the_end(now, trouble);
            }
        };
        if online.is_none() && self.presence_failed(now, &trouble) {
            return;
        }
        self.was_down |= trouble.is_down;
        if trouble.too_large && std::mem::replace(&mut self.oversized_message_pending, true) {
            return self.on_oversized_again(now, trouble);
        }
        let tries = self.delivery.give_up_tries();
        self.subscriptions.unanswered(tries);
        let mut trouble = trouble;
        let mut given_up = Vec::new();
        let mut reason = Reason::Unknown;
        if let Some((what, confirmed)) = self.delivery.connection_ended(trouble.closed) {
            trouble.text = format!("{}, right after publishing {what}", trouble.text);
            reason = Reason::Suspect;
            given_up = confirmed;
        }
        if trouble.closed && self.presence_closed(now) && reason == Reason::Unknown {
            reason = Reason::Presence;
        }
        let end = ConnectionEnd {
            lasted: online,
            idle: now.saturating_duration_since(self.last_exchange),
            reason,
        };
        self.try_next(now, trouble, end);
        for given_up in given_up {
            match given_up.by {
                By::Closing => self.on_confirmed(now, &given_up),
                _ => self.on_rejected(now, &given_up),
            }
        }
    }

    /// An attempt to connect failed. Whether that may be for the sake of the last will: the next one, at once, shows it.
    fn presence_failed(&mut self, now: Instant, trouble: &Trouble) -> bool {
        let Some(presence) = &mut self.delivery.presence else {
            return false;
        };
        match presence.attempt_failed(now, trouble) {
            Attempt::Counts => return false,
            Attempt::Again => info!("{}; trying without a last will", trouble.text),
            Attempt::AgainWithout => warn!(
                "going on without --presence: the broker at {} refuses the connection for the sake of its last will, retained on {}; allow both there, or choose another topic",
                self.reconnect.broker(),
                presence.topic()
            ),
        }
        self.phase = Phase::Waiting { until: now };
        true
    }

    /// The broker closed the connection. Whether it did so at a message of the run's presence, as far as one can tell.
    fn presence_closed(&mut self, now: Instant) -> bool {
        let Some(presence) = &mut self.delivery.presence else {
            return false;
        };
        let Some(finding) = presence.closed() else {
            return false;
        };
        if finding == Finding::Guilty {
            warn!(
                "going on without --presence: the broker at {} closes the connection at a retained message on {}; allow it there, or choose another topic",
                self.reconnect.broker(),
                presence.topic()
            );
            presence.give_up(now);
        }
        true
    }

    /// The broker delivers a message that is too large on each connection. With the session it goes, and a service
    /// serves on. A run with a time limit ends where the broker keeps no session: what is too large is its answer.
    fn on_oversized_again(&mut self, now: Instant, trouble: Trouble) {
        self.oversized_message_pending = false;
        if self.session != Session::Clean {
            warn!(
                "{}; emptying the session, because the broker would deliver it again",
                trouble.text
            );
            self.phase = Phase::emptying(None);
        } else if self.role.time_limit().is_some() {
            let end = self.outcome(now, Failure::new(Kind::Protocol, trouble.text));
            self.phase = Phase::Ended(end);
        } else {
            self.try_next(now, trouble, ConnectionEnd::default());
        }
    }

    /// The broker closes its connections at this message.
    fn on_rejected(&mut self, now: Instant, given_up: &Confirmed) {
        if let Packet::Publish(message) = &given_up.packet {
            warn!(
                "dropped the message of {} bytes on {}: the broker at {} closes the connection at it; is it too large there (mosquitto: max_packet_size), the topic not allowed to this user, or {} too high (try -q {})?",
                message.payload.len(),
                message.topic,
                self.reconnect.broker(),
                message.qos,
                message.qos.level().saturating_sub(1),
            );
            self.delivery.rejected(now, message);
            let why = Undeliverable::Rejected;
            self.notify_role(now, Event::Undeliverable(message, why), None);
        }
        self.delivery.confirmed(given_up);
    }

    /// A broker has failed: on to the next attempt, or to the end.
    pub(super) fn try_next(&mut self, now: Instant, trouble: Trouble, end: ConnectionEnd) {
        let limit = self.role.time_limit();
        match self.reconnect.failed(now, trouble, end, limit) {
            Next::Attempt(until) => self.phase = Phase::Waiting { until },
            Next::GiveUp(failure) => {
                self.phase = Phase::Waiting { until: now };
                self.fail(now, failure);
            }
        }
    }
}
