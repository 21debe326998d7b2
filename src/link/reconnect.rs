//! A connection that broke, or could not be made: what is kept, which broker is next, and when.

use std::time::{Duration, Instant};

use rumqttc::ConnectionError;

use super::trouble::Trouble;
use super::{Connectivity, Link, packets};
use crate::link::driver::quick_ack::QuickAck;
use crate::link::engine::outbox::Confirmed;
use crate::role::{Failure, Kind};

impl Link<'_> {
    /// The connection is gone, or could not be made.
    pub(super) fn disconnected(&mut self, error: &ConnectionError) {
        // What was read together with the error happened before it.
        let was_online = matches!(self.connectivity, Connectivity::Online { .. });
        while let Some(event) = self.connection.eventloop.state.events.pop_front() {
            self.packet(event);
        }
        if was_online && matches!(self.connectivity, Connectivity::Offline { .. }) {
            // One of them was a reason to leave.
            return;
        }
        let now = Instant::now();
        let mut online = false;
        if let Connectivity::Online { since } = self.connectivity {
            online = true;
            let settled = self.backoff.lasted(now.saturating_duration_since(since));
            self.outage.connection_ended(settled);
        }
        self.go_offline();
        let mut trouble = Trouble::read(error, &self.options, online);
        self.outage.suspect(&mut trouble, &self.options.client_id);
        if self.outage.too_large_again(trouble.too_large) {
            self.poisoned = true;
            self.failure = Some(Failure::new(Kind::Protocol, trouble.text));
            return;
        }
        self.failed(&trouble, online);
    }

    /// Goes to the next broker with a packet that this one has refused.
    pub(super) fn leave_broker(&mut self, refused: Confirmed, trouble: &Trouble) {
        self.go_offline();
        self.outbox.push(refused.packet, refused.cause);
        self.failed(trouble, true);
    }

    /// A broker has failed; what next?
    fn failed(&mut self, trouble: &Trouble, online: bool) {
        let round_over = self.round.failed(trouble);
        let at_once = self.options.give_up_at_once && !self.outage.ever_online;
        let given_up = at_once && round_over && !self.round.will_recover();
        if self.round.is_hopeless() || given_up {
            self.failure = Some(self.round.failure());
            return;
        }
        // After a connection that broke, the others may be flooded by all that it broke for.
        let wait = match round_over || online {
            true => {
                let wait = self.backoff.next();
                self.in_time(wait)
            }
            false => Duration::ZERO,
        };
        self.connectivity = Connectivity::Offline {
            next_attempt: Instant::now() + wait,
        };
        let next = self.turn_to_next();
        self.outage.report(trouble, &next, wait);
    }

    /// A wait that leaves time for further attempts: at most a quarter of what is left.
    fn in_time(&self, wait: Duration) -> Duration {
        let Some(limit) = self.role.time_limit() else {
            return wait;
        };
        let left = limit.saturating_duration_since(Instant::now());
        wait.min((left / 4).max(self.options.reconnect_delay))
    }

    /// From now on the broker is the one whose turn it is. Says so.
    fn turn_to_next(&mut self) -> String {
        match self.round.current() {
            Some(broker) if self.round.has_choice() => {
                self.options.set_broker(broker);
                self.connection.eventloop.mqtt_options = self.options.to_rumqttc();
                self.options.address()
            }
            _ => "again".to_owned(),
        }
    }

    /// Leaves the connection as it is, and prepares what has to be said first on the next one.
    pub(super) fn go_offline(&mut self) {
        // First: the connection stays open for as long as anybody holds its socket.
        self.quick_ack = QuickAck::default();
        let eventloop = &mut self.connection.eventloop;
        eventloop.clean();
        eventloop.pending = packets::replay(&self.left_behind, self.outbox.disconnected());
        eventloop.state.events.clear();
        eventloop.state.collision = None;
        self.broken = None;
        self.acks_before_ping = 0;
        self.connectivity = Connectivity::Offline {
            next_attempt: Instant::now(),
        };
    }
}
