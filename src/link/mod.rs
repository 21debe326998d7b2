//! Carries one role over one broker connection, and makes delivery dependable. The only room that
//! names rumqttc.
//!
//! What it promises a role:
//!
//! 1. What the role publishes is kept (`outbox`) until the broker confirmed it, through any number of
//!    connections, in order, a window of it in flight.
//! 2. A received message is acknowledged only when everything that its handling published is
//!    confirmed (`inbound`).
//! 3. At QoS 2 the role sees a message once; at QoS 1 a repetition only where the first delivery was
//!    not acknowledged.
//! 4. Subscriptions are made again whenever the broker has lost the session; a refused one ends the run.
//! 5. Losing the connection is not the role's business: reconnecting (`backoff`), to one broker after
//!    the other where there are several (`round`), ends only with what waiting cannot mend (`trouble`),
//!    or with the role's own time limit.
//! 6. At the end (`close`): every confirmation, no session and no subscription left, DISCONNECT.
//! 7. A [`Stop`] ends it the same clean way; where the session is to be kept, it is.

mod backoff;
mod carried;
mod close;
mod driver;
mod effects;
/// Pure bookkeeping; open for the benchmarks.
pub mod engine;
mod lines;
#[cfg(test)]
mod model;
mod options;
mod outage;
mod packets;
mod reconnect;
mod round;
mod sending;
mod stop;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use log::{debug, info};
use rumqttc::{Client, Connection, ConnectionError, RecvTimeoutError};

pub use carried::Watcher;
pub use driver::tls::{Tls, TlsFiles};
pub use lines::Lines;
pub use options::{Address, Login, Options, Session};
pub use stop::Stop;

use crate::mqtt::{QoS, TopicFilter};
use crate::role::{Event, Failure, Kind, Role};
use backoff::Backoff;
use carried::{Carried, Emitting, Unwatched};
use driver::quick_ack::QuickAck;
use engine::inbound::Inbound;
use engine::outbox::Outbox;
use outage::Outage;
use round::Round;

/// Room in rumqttc's request channel, which takes DISCONNECT and what wakes it; all else goes past it
/// (`sending`).
const CHANNEL: usize = 8;

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The role asked for it.
    Finished,
    /// The [`Stop`] asked for it.
    Stopped,
}

/// A run of one role against the broker of `options`, or one of several.
///
/// ```text
/// Run::new(&options, &stop).watched_by(&mut systemd).carry(role, |item| print(item))
/// ```
pub struct Run<'a> {
    options: &'a Options,
    stop: &'a Stop,
    watcher: Option<&'a mut dyn Watcher>,
    lines: Option<&'a Lines>,
}

impl<'a> Run<'a> {
    /// A run that ends when the role finishes or fails, or when `stop` is requested.
    #[must_use]
    pub fn new(options: &'a Options, stop: &'a Stop) -> Self {
        Self {
            options,
            stop,
            watcher: None,
            lines: None,
        }
    }

    /// The same run with a service manager that watches its progress.
    #[must_use]
    pub fn watched_by(mut self, watcher: &'a mut dyn Watcher) -> Self {
        self.watcher = Some(watcher);
        self
    }

    /// The same run for a role that works on `lines`.
    #[must_use]
    pub fn on_lines(mut self, lines: &'a Lines) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Carries `role` until it finishes, fails or is stopped. What the role emits goes to `emit`, before
    /// the message that led to it is acknowledged.
    ///
    /// Ends within 3 s of a stop, unless the network itself keeps a call from returning (a name look-up).
    ///
    /// # Errors
    /// The role's own failure or that of `emit`, the broker's final refusal, no connection within the
    /// role's time limit, or a line that cannot be used.
    pub fn carry<R: Role>(
        self,
        role: R,
        emit: impl FnMut(R::Item) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let mut unwatched = Unwatched;
        let watcher = self.watcher.unwrap_or(&mut unwatched);
        let role = Box::new(Emitting { role, emit });
        let mut link = Link::new(role, self.options, self.stop, watcher);
        if let Some(lines) = self.lines {
            let client = link.client.clone();
            lines.set_wake(move || wake(&client));
            link.lines = Some(lines);
        }
        let end = link.serve();
        link.close(&end);
        end
    }
}

/// Where the connection stands.
enum Connectivity {
    Offline { next_attempt: Instant },
    Online { since: Instant },
}

struct Link<'a> {
    role: Box<dyn Carried + 'a>,
    /// With the broker whose turn it is.
    options: Options,
    round: Round,
    stop: &'a Stop,
    watcher: &'a mut dyn Watcher,
    lines: Option<&'a Lines>,
    /// The role wants the next of them.
    awaits_line: bool,
    client: Client,
    connection: Connection,
    connectivity: Connectivity,
    outbox: Outbox,
    inbound: Inbound,
    /// Packet identifiers under which the broker may hold a QoS 2 message that is over for this end: one
    /// that an earlier process left half-sent, or one that was completed before the broker was restored
    /// from an earlier state.
    left_behind: BTreeSet<u16>,
    quick_ack: QuickAck,
    /// A write has failed: what rumqttc said about it.
    broken: Option<ConnectionError>,
    /// Acknowledgements handed out before the PINGREQ that is under way.
    acks_before_ping: u64,
    /// What the role wants to be subscribed to.
    subscriptions: BTreeMap<TopicFilter, QoS>,
    /// Those of them that were asked for again on a session that goes on.
    renewed: BTreeSet<TopicFilter>,
    backoff: Backoff,
    outage: Outage,
    /// An earlier run's session has still to be emptied.
    must_begin_empty: bool,
    finished: bool,
    /// Messages with QoS 0 are being dropped, and it has been said.
    congested: bool,
    /// The broker keeps a message that is too large, and would deliver it again and again.
    poisoned: bool,
    /// The end has come: what arrives now is somebody else's to handle.
    deaf: bool,
    failure: Option<Failure>,
    /// The failure is the role's own, which its being done does not excuse.
    role_failed: bool,
}

impl<'a> Link<'a> {
    fn new(
        role: Box<dyn Carried + 'a>,
        options: &'a Options,
        stop: &'a Stop,
        watcher: &'a mut dyn Watcher,
    ) -> Self {
        let mut options = options.clone();
        let round = Round::new(options.brokers(), fastrand::u64(..));
        if let Some(broker) = round.current() {
            options.set_broker(broker);
        }
        let (client, mut connection) = Client::new(options.to_rumqttc(), CHANNEL);
        // Nagle's algorithm would hold a small packet back until the one before is acknowledged.
        connection.eventloop.network_options.set_tcp_nodelay(true);
        wake_on_stop(stop, &client);
        let left_behind: BTreeSet<u16> = match options.session {
            Session::Persistent { resume: true, .. } => (1..=options::IDENTIFIERS).collect(),
            _ => BTreeSet::new(),
        };
        connection.eventloop.pending = packets::replay(&left_behind, Vec::new());
        Self {
            role,
            round,
            stop,
            watcher,
            lines: None,
            awaits_line: false,
            client,
            connection,
            connectivity: Connectivity::Offline {
                next_attempt: Instant::now(),
            },
            outbox: Outbox::default(),
            inbound: Inbound::default(),
            left_behind,
            quick_ack: QuickAck::default(),
            broken: None,
            acks_before_ping: 0,
            subscriptions: BTreeMap::new(),
            renewed: BTreeSet::new(),
            backoff: Backoff::new(options.reconnect_delay, fastrand::u64(..)),
            outage: Outage::default(),
            must_begin_empty: matches!(options.session, Session::Persistent { resume: false, .. }),
            options,
            finished: false,
            congested: false,
            poisoned: false,
            deaf: false,
            failure: None,
            role_failed: false,
        }
    }

    fn serve(&mut self) -> Result<End, Failure> {
        loop {
            if self.stop.requested() {
                return Ok(match self.role.is_done() {
                    true => End::Finished,
                    false => End::Stopped,
                });
            }
            if self.role.deadline().is_some_and(|d| d <= Instant::now()) {
                // And no wait or attempt after it: it may have been the end.
                self.tell(Event::Deadline, None);
                self.exhaust();
            } else {
                self.be_looked_at();
                match self.connectivity {
                    _ if self.broken.is_some() => {}
                    Connectivity::Offline { next_attempt } => self.offline(next_attempt),
                    Connectivity::Online { .. } => self.online(),
                }
            }
            self.take_line();
            if let Some(error) = self.broken.take() {
                self.disconnected(&error);
            }
            self.check_time_limit();
            if let Some(failure) = self.failure.take() {
                if self.role.is_done() && !self.role_failed {
                    info!("all is done, so this is no failure: {failure}");
                    return Ok(End::Finished);
                }
                return Err(self.in_context(failure));
            }
            if self.finished && self.is_drained() {
                return Ok(End::Finished);
            }
        }
    }

    /// Nothing of ours is unconfirmed, nothing of the broker's unacknowledged.
    fn is_drained(&self) -> bool {
        let confirmed = self.outbox.is_empty() && self.inbound.is_settled();
        confirmed || self.options.session == Session::Clean
    }

    /// Without a connection "no answer" would be the wrong complaint.
    fn in_context(&self, failure: Failure) -> Failure {
        match self.connectivity {
            Connectivity::Offline { next_attempt } if failure.kind == Kind::NoAnswer => {
                let mut why: Vec<String> = self.round.troubles().map(str::to_owned).collect();
                let trying = self.round.is_untried() && next_attempt <= Instant::now();
                if why.is_empty() || trying {
                    why.push(format!(
                        "broker at {} did not answer in time: is it an MQTT broker? (-W sets the limit)",
                        self.options.address()
                    ));
                }
                Failure::new(Kind::Unreachable, why.join("; "))
            }
            _ => failure,
        }
    }

    fn take_line(&mut self) {
        if !self.awaits_line || self.failure.is_some() {
            return;
        }
        match self.lines.and_then(Lines::next) {
            Some(Ok(line)) => {
                self.awaits_line = false;
                self.tell(Event::Line(line.as_deref()), None);
                self.exhaust();
            }
            Some(Err(failure)) => self.failure = Some(failure),
            None => {}
        }
    }

    fn be_looked_at(&mut self) {
        let (role, options) = (&self.role, &self.options);
        let online = matches!(self.connectivity, Connectivity::Online { .. });
        let status = || match online {
            true => role.status(),
            false => format!("connecting to {}", options.address()),
        };
        self.watcher.look(Instant::now(), &status);
    }

    /// When something has to be done here, whatever the network does.
    fn wake_up(&self) -> Option<Instant> {
        let look = self.watcher.interval().map(|every| Instant::now() + every);
        let wishes = [self.role.deadline(), self.role.time_limit(), look];
        wishes.into_iter().flatten().min()
    }

    fn offline(&mut self, next_attempt: Instant) {
        if next_attempt > Instant::now() {
            let until = self
                .wake_up()
                .map_or(next_attempt, |at| at.min(next_attempt));
            let _ = self.stop.wait_until(Some(until));
            return;
        }
        debug!("connecting to {}", self.options.address());
        // Nothing but the run's own limit may end the wait: that gives up the attempt, which with any
        // shorter time would never get anywhere. Nor does a stop get through to rumqttc before CONNACK.
        self.stop.set_nothing_to_close(true);
        let result = self.connection.recv_timeout(left(self.role.time_limit()));
        self.stop.set_nothing_to_close(false);
        self.act_on(result);
    }

    fn online(&mut self) {
        let result = self.connection.recv_timeout(left(self.wake_up()));
        self.act_on(result);
    }

    fn act_on(
        &mut self,
        result: Result<Result<rumqttc::Event, ConnectionError>, RecvTimeoutError>,
    ) {
        match result {
            Ok(Ok(event)) => self.take(event),
            Ok(Err(error)) => self.disconnected(&error),
            Err(_) => {}
        }
    }

    /// While the last confirmations are awaited the role has no deadline any more, but the run has.
    fn check_time_limit(&mut self) {
        if self.finished && self.role.time_limit().is_some_and(|t| t <= Instant::now()) {
            let unconfirmed = self.outbox.len();
            self.failure = Some(Failure::new(
                Kind::Unreachable,
                format!(
                    "the broker at {} did not confirm {unconfirmed} packets in time",
                    self.options.address()
                ),
            ));
        }
    }

    /// Takes an event and all that came with it, and sends what they led to.
    fn take(&mut self, event: rumqttc::Event) {
        let silent = matches!(event, rumqttc::Event::Incoming(_));
        self.packet(event);
        let silent = self.exhaust() && silent;
        if silent && matches!(self.connectivity, Connectivity::Online { .. }) {
            self.quick_ack.send(&self.options);
        }
    }

    /// Goes on until there is neither an event left nor a packet to send. Says whether nothing was sent.
    fn exhaust(&mut self) -> bool {
        let mut silent = true;
        loop {
            while self.failure.is_none() {
                let Some(event) = self.connection.eventloop.state.events.pop_front() else {
                    break;
                };
                silent &= matches!(event, rumqttc::Event::Incoming(_));
                self.packet(event);
            }
            if !self.submit() {
                return silent;
            }
        }
    }
}

/// How long to wait. Always some time: `recv` beside `recv_timeout` would be the whole of rumqttc's loop a
/// second time in the binary.
fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |at| {
        at.saturating_duration_since(Instant::now())
    })
}

fn wake_on_stop(stop: &Stop, client: &Client) {
    let client = client.clone();
    stop.set_wake(move || wake(&client));
}

/// Neither a signal nor a line ends rumqttc's wait, but a request does. An UNSUBSCRIBE of what nobody
/// subscribed to is the one request that every broker answers and that changes nothing (MQTT 3.1.1,
/// section 3.10.4).
fn wake(client: &Client) {
    // Where the channel is full, there is enough in it to end the wait.
    let _ = client.try_unsubscribe("mqtt_client/wake");
}
