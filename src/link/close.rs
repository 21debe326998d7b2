//! The end: every confirmation that comes in time, nothing left on the broker, DISCONNECT.

use std::time::{Duration, Instant};

use log::{info, warn};
use rumqttc::{ConnectionError, Incoming, Outgoing};

use super::{Connectivity, End, Link, Session};
use crate::link::engine::outbox::Packet;
use crate::role::{Failure, Kind};

/// All of it together: less than the 3 s that a stop may take.
pub(super) const LIMIT: Duration = Duration::from_millis(2500);

/// What to read after DISCONNECT: unread data would make the kernel reset the connection, and the
/// broker take the end for a failure.
const LAST_READ: Duration = Duration::from_secs(1);

/// Whether a later run may take up where this one ended.
fn may_go_on(end: &Result<End, Failure>) -> bool {
    match end {
        Ok(End::Stopped) => true,
        Ok(End::Finished) => false,
        // Not after silence: whoever was to speak has gone, and the next run begins anew.
        Err(failure) => failure.kind == Kind::Unreachable,
    }
}

impl Link<'_> {
    pub(super) fn close(&mut self, end: &Result<End, Failure>) {
        let deadline = Instant::now() + LIMIT;
        if !matches!(self.connectivity, Connectivity::Online { .. }) {
            if self.poisoned && self.options.session != Session::Clean {
                // Or the next run would meet the same message.
                let _ = self.empty_session(deadline);
            }
            return;
        }
        // What arrives from now on is not ours to handle any more.
        self.deaf = true;
        self.failure = None;
        self.drain(deadline);
        let keep = matches!(self.options.session, Session::Persistent { keep: true, .. })
            && may_go_on(end);
        let persistent = self.options.session != Session::Clean;
        if persistent && !keep {
            for (filter, _) in std::mem::take(&mut self.subscriptions) {
                self.outbox.push(Packet::Unsubscribe(filter), None);
            }
            self.drain(deadline);
        }
        if !self.outbox.is_empty() && *end == Ok(End::Stopped) {
            warn!("stopped with {} packets unconfirmed", self.outbox.len());
        }
        self.disconnect(deadline);
        if persistent && !keep && self.empty_session(deadline).is_err() {
            warn!(
                "the broker may keep an empty session for client id {}",
                self.options.client_id
            );
        }
    }

    fn drain(&mut self, deadline: Instant) {
        self.submit();
        // To a PUBREL that comes after DISCONNECT rumqttc would still send PUBCOMP, against MQTT 3.1.1,
        // section 3.14.4.
        while !(self.outbox.is_empty() && self.inbound.is_settled() && self.inbound.is_released()) {
            if self.broken.is_some() {
                return self.go_offline();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.recv_timeout(left) {
                Ok(Ok(event)) => self.take(event),
                Ok(Err(_)) => return self.go_offline(),
                Err(_) => return,
            }
            self.failure = None;
        }
    }

    fn disconnect(&mut self, deadline: Instant) {
        if !matches!(self.connectivity, Connectivity::Online { .. })
            || self.client.try_disconnect().is_err()
        {
            return;
        }
        let deadline = deadline.min(Instant::now() + LAST_READ);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.recv_timeout(left) {
                Ok(Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect))) => {
                    info!("disconnected");
                    self.quick_ack.finish(&self.options);
                }
                Ok(Ok(_)) => {}
                // The next call would connect again.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        self.go_offline();
    }

    /// Makes the broker forget the session: a connection with CleanSession 1, ended at once (MQTT
    /// 3.1.1, section 3.1.2.4). Leaves the link offline, ready for an attempt of its own.
    pub(super) fn empty_session(&mut self, deadline: Instant) -> Result<(), Box<ConnectionError>> {
        self.go_offline();
        self.connection.eventloop.pending.clear();
        self.connection
            .eventloop
            .mqtt_options
            .set_clean_session(true);
        let mut result = Err(Box::new(ConnectionError::NetworkTimeout));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.connection.recv_timeout(left) {
                Ok(Ok(rumqttc::Event::Incoming(Incoming::ConnAck(_)))) => {
                    result = Ok(());
                    if self.client.try_disconnect().is_err() {
                        break;
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    if result.is_err() {
                        result = Err(Box::new(error));
                    }
                    break;
                }
                Err(_) => break,
            }
        }
        self.connection
            .eventloop
            .mqtt_options
            .set_clean_session(false);
        self.go_offline();
        result
    }
}
