//! Carries out what the engine wants over rumqttc. The only room that names rumqttc, reads the clock, or
//! waits; it decides nothing.

pub(super) mod books;
mod errors;
mod quick_ack;
mod sending;
pub mod tls;
mod wire;

use std::time::{Duration, Instant};

use log::debug;
use rumqttc::{Client, Connection, ConnectionError, Packet};

use super::engine::{Engine, ErasedRole, Input, Output};
use super::stop::WakeGuard;
use super::{Address, End, Lines, Options, Stop, Watcher};
use crate::role::Failure;
use quick_ack::QuickAck;

/// Room in rumqttc's request channel, which takes DISCONNECT and what wakes it; all else goes past it
/// (`sending`).
const CHANNEL: usize = 8;

/// The limits of an attempt to connect.
const SHORT_ATTEMPT: Duration = Duration::from_secs(5);
const LONG_ATTEMPT: Duration = Duration::from_secs(20);

/// One run of one role over one rumqttc connection at a time.
pub struct Driver<'a> {
    engine: Engine<'a>,
    options: &'a Options,
    stop: &'a Stop,
    watcher: &'a mut dyn Watcher,
    lines: Option<&'a Lines>,
    client: Client,
    connection: Connection,
    /// The broker of the present attempt or connection.
    broker: Address,
    /// An attempt has begun, and was given up or goes on.
    is_attempt: bool,
    /// The broker has accepted the connection.
    is_connected: bool,
    quick_ack: QuickAck,
    /// Ends rumqttc's wait when the run is to stop.
    _on_stop: WakeGuard,
    /// Packets have come that no packet of ours has answered yet.
    is_unanswered: bool,
}

impl<'a> Driver<'a> {
    /// A run that begins now.
    pub fn new(
        role: Box<dyn ErasedRole + 'a>,
        options: &'a Options,
        stop: &'a Stop,
        watcher: &'a mut dyn Watcher,
        lines: Option<&'a Lines>,
    ) -> Self {
        let broker = Address::new(&options.host, options.port);
        let (client, mut connection) =
            Client::new(wire::to_rumqttc(options, &broker, true), CHANNEL);
        // Nagle's algorithm would hold a small packet back until the one before is acknowledged.
        connection.eventloop.network_options.set_tcp_nodelay(true);
        let on_stop = client.clone();
        let on_stop = stop.add_wake(move || wake(&on_stop));
        if let Some(lines) = lines {
            let on_line = client.clone();
            lines.set_wake(move || wake(&on_line));
        }
        Self {
            engine: Engine::new(role, options, Instant::now(), fastrand::u64(..)),
            options,
            stop,
            watcher,
            lines,
            client,
            connection,
            broker,
            is_attempt: false,
            is_connected: false,
            quick_ack: QuickAck::default(),
            _on_stop: on_stop,
            is_unanswered: false,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Why the run failed.
    pub fn run(mut self) -> Result<End, Failure> {
        loop {
            if self.stop.requested() {
                self.engine.handle(Instant::now(), Input::Stop);
            }
            self.take_line();
            match self.send_due() {
                Ok(wrote) => self.acknowledge(wrote),
                Err(error) => self.lost(&ConnectionError::MqttState(error)),
            }
            match self.engine.poll(Instant::now()) {
                Output::Connect { to, clean_session } => self.connect(to, clean_session),
                Output::Disconnect => self.disconnect(),
                Output::Wait(until) => self.wait(until),
                Output::Pause(until) => self.pause(until),
                Output::End(end) => {
                    self.leave();
                    return end;
                }
            }
        }
    }

    /// rumqttc's runtime would wait in its drop for a name look-up that nothing needs any more: it is left to itself.
    fn leave(mut self) {
        let is_attempt = self.is_attempt;
        self.hang_up();
        if is_attempt {
            std::mem::forget(self.connection);
        }
    }

    fn take_line(&mut self) {
        if self.engine.awaits_line() {
            if let Some(line) = self.lines.and_then(Lines::next) {
                self.engine.handle(Instant::now(), Input::Line(line));
            }
        }
    }

    /// Where nothing of ours went out that the kernel's acknowledgement could go with, it goes alone.
    fn acknowledge(&mut self, wrote: bool) {
        if std::mem::take(&mut self.is_unanswered) && !wrote && self.is_connected {
            self.quick_ack.send(&self.broker);
        }
    }

    /// Begins anew: an attempt itself is made by rumqttc, while it is waited for.
    fn connect(&mut self, to: Address, clean_session: bool) {
        self.hang_up();
        debug!("connecting to {to}");
        let options = wire::to_rumqttc(self.options, &to, clean_session);
        let limit = self.attempt_limit().as_secs();
        let eventloop = &mut self.connection.eventloop;
        eventloop.mqtt_options = options;
        eventloop.network_options.set_connection_timeout(limit);
        self.broker = to;
        self.is_attempt = true;
    }

    /// How long rumqttc may take for one attempt, from the name's look-up to CONNACK, and for one write. A silent name
    /// server alone takes 5 s, and a busy broker some more. Where there are others, or a watchdog that would not hear of
    /// this end meanwhile, it is less.
    fn attempt_limit(&self) -> Duration {
        let watched = self
            .watcher
            .interval()
            .map_or(LONG_ATTEMPT, |every| every * 3 / 2);
        match self.options.others.is_empty() {
            true => watched.clamp(SHORT_ATTEMPT, LONG_ATTEMPT),
            false => SHORT_ATTEMPT,
        }
    }

    /// Through the channel, so that rumqttc waits until the socket has taken it.
    fn disconnect(&mut self) {
        // The channel is never full: nothing but a wake is ever in it.
        let _ = self.client.try_disconnect();
    }

    /// Leaves the connection, and forgets what rumqttc would do about it.
    fn hang_up(&mut self) {
        // First: the connection stays open for as long as a duplicate of its socket is.
        self.quick_ack = QuickAck::default();
        self.is_connected = false;
        self.is_unanswered = false;
        let eventloop = &mut self.connection.eventloop;
        eventloop.clean();
        eventloop.pending.clear();
        eventloop.state.events.clear();
        eventloop.state.collision = None;
    }

    fn pause(&mut self, until: Option<Instant>) {
        if self.connection.eventloop.network.is_some() {
            self.hang_up();
        }
        if self.is_due(until) {
            return;
        }
        let look = self.look();
        let _ = self.stop.wait_until(look.into_iter().chain(until).min());
    }

    fn wait(&mut self, until: Option<Instant>) {
        if self.is_due(until) {
            return;
        }
        let attempt = self.connection.eventloop.network.is_none();
        let look = self.look();
        // Nothing but the engine's own limit may end an attempt: that gives the attempt up.
        let until = match attempt {
            true => until,
            false => look.into_iter().chain(until).min(),
        };
        // Always some time: `recv` beside `recv_timeout` would be the whole of rumqttc's loop a second time
        // in the binary.
        let left = until.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        // A stop does not get through to rumqttc before CONNACK, and there is nothing to close.
        let may_leave = attempt && !self.engine.is_closing();
        self.stop.set_nothing_to_close(may_leave);
        let happened = self.connection.recv_timeout(left);
        self.stop.set_nothing_to_close(false);
        match happened {
            Ok(Ok(event)) => {
                self.is_unanswered = true;
                self.take(event);
                self.take_all();
            }
            Ok(Err(error)) => self.lost(&error),
            Err(_) => {}
        }
    }

    /// Whether that instant has come. Then the engine knows.
    fn is_due(&mut self, until: Option<Instant>) -> bool {
        let now = Instant::now();
        let is_due = until.is_some_and(|at| at <= now);
        if is_due {
            self.engine.handle(now, Input::Timeout);
        }
        is_due
    }

    /// Lets the watcher look. Says when it wants to look again.
    fn look(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let engine = &self.engine;
        self.watcher.look(now, &|| engine.status());
        self.watcher.interval().map(|every| now + every)
    }

    /// Everything that has been read, and not told of yet.
    fn take_all(&mut self) {
        while let Some(event) = self.connection.eventloop.state.events.pop_front() {
            self.take(event);
        }
    }

    fn take(&mut self, event: rumqttc::Event) {
        debug!("{event:?}");
        let now = Instant::now();
        let state = &mut self.connection.eventloop.state;
        match event {
            rumqttc::Event::Incoming(Packet::ConnAck(connack)) => {
                self.is_connected = true;
                self.is_attempt = false;
                let session_present = connack.session_present;
                if session_present {
                    books::expect_releases(state, 1..=u16::MAX);
                }
                self.engine
                    .handle(now, Input::Connected { session_present });
            }
            event => {
                if let rumqttc::Event::Outgoing(outgoing) = &event {
                    self.is_unanswered = false;
                    if let rumqttc::Outgoing::Disconnect = outgoing {
                        self.quick_ack.finish(self.options.tls.is_some());
                    }
                }
                if let Some(input) = books::take(state, event) {
                    self.engine.handle(now, input);
                }
            }
        }
    }

    fn lost(&mut self, error: &ConnectionError) {
        // What was read together with the error happened before it.
        self.take_all();
        let trouble = errors::read(
            error,
            self.options,
            &self.broker,
            self.is_connected,
            self.attempt_limit(),
        );
        self.engine.handle(Instant::now(), Input::Lost(trouble));
        self.hang_up();
    }
}

/// Neither a signal nor a line ends rumqttc's wait, but a request does. An UNSUBSCRIBE of what this
/// client has not subscribed to is the one request that every broker answers and that changes nothing (MQTT 3.1.1,
/// section 3.10.4).
fn wake(client: &Client) {
    // Where the channel is full, there is enough in it to end the wait.
    let _ = client.try_unsubscribe("mqtt_client/wake");
}
