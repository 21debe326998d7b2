//! Carries out what the engine wants over rumqttc. The only room that names rumqttc, reads the clock, or
//! waits; it decides nothing.

#[cfg(feature = "tls")]
mod certificate;
mod connection;
mod errors;
mod quick_ack;
mod sending;
pub mod stages;
pub mod tls;
mod unsent;
mod way;
pub(super) mod wire;

use std::time::{Duration, Instant};

use log::debug;
use rumqttc::{Packet, StateError};

use super::engine::journal::Journal;
use super::engine::{Engine, ErasedRole, Input, Output};
use super::stop::WakeGuard;
use super::{Address, End, Lines, Options, Programs, Stop, Watcher};
use crate::mqtt::Message;
use crate::role::{Failure, Kind, Outcome};
use crate::utc;
use connection::{Connection, Waited};
use quick_ack::QuickAck;
use way::{Failed, Target};

/// The limits of an attempt to connect, from TCP to CONNACK. A busy broker takes its time.
const LONG_ATTEMPT: Duration = Duration::from_secs(20);
/// Where there are other brokers to try.
const SHORT_ATTEMPT: Duration = Duration::from_secs(5);

/// How many packets are taken in before what they led to is sent.
const BATCH: usize = 64;

/// What a role asks for beside the broker.
#[derive(Clone, Copy, Default)]
pub struct Sources<'a> {
    /// Where its lines come from.
    pub lines: Option<&'a Lines>,
    /// What runs its programs.
    pub programs: Option<&'a Programs>,
}

/// One run of one role over one rumqttc connection at a time.
pub struct Driver<'a> {
    engine: Engine<'a>,
    options: &'a Options,
    stop: &'a Stop,
    watcher: &'a mut dyn Watcher,
    sources: Sources<'a>,
    connection: Connection,
    /// The broker of the present attempt or connection.
    broker: Address,
    /// The CleanSession flag of that.
    clean_session: bool,
    /// The last will of that.
    will: Option<Message>,
    quick_ack: QuickAck,
    /// What the kernel held for the broker when the keep alive was due last.
    unsent: Option<u64>,
    /// Ends a wait when the run is to stop.
    _on_stop: WakeGuard,
    /// Packets have come that no packet of ours has answered yet.
    is_unanswered: bool,
    /// DISCONNECT is in the buffer; once it is out, the connection may be left, or not.
    disconnecting: Option<bool>,
}

impl<'a> Driver<'a> {
    /// A run that begins now.
    ///
    /// # Errors
    /// When the kernel has no file for it.
    pub fn new(
        role: Box<dyn ErasedRole + 'a>,
        options: &'a Options,
        stop: &'a Stop,
        watcher: &'a mut dyn Watcher,
        sources: Sources<'a>,
        journal: Option<Journal>,
    ) -> Result<Self, Failure> {
        let broker = Address::new(&options.host, options.port);
        let connection = Connection::new(wire::to_rumqttc(options, &broker, true, None));
        let connection = connection.map_err(|error| {
            Failure::new(
                Kind::Unreachable,
                format!("cannot wait for a network: {error}"),
            )
        })?;
        let on_stop = connection.wake();
        let on_stop = stop.add_wake(move || on_stop.wake());
        let mut engine = Engine::new(role, options, Instant::now(), fastrand::u64(..), journal);
        if let Some(lines) = sources.lines {
            let on_line = connection.wake();
            lines.set_wake(move || on_line.wake());
        }
        let wakes = || {
            let (wake, paused) = (connection.wake(), stop.clone());
            move || {
                wake.wake();
                paused.end_wait();
            }
        };
        engine.set_input_wake(Box::new(wakes()));
        if let Some(programs) = sources.programs {
            engine.allow_programs(programs.rules(), fastrand::u64(..));
            programs.set_wake(wakes());
        }
        Ok(Self {
            engine,
            options,
            stop,
            watcher,
            sources,
            connection,
            broker,
            clean_session: true,
            will: None,
            quick_ack: QuickAck::default(),
            unsent: None,
            _on_stop: on_stop,
            is_unanswered: false,
            disconnecting: None,
        })
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Why the run failed.
    pub fn run(mut self) -> Result<End, Failure> {
        loop {
            if self.options.presence.is_some() {
                let unix = utc::since_1970().as_secs();
                self.engine.set_clock(Instant::now(), unix);
            }
            if self.stop.requested() {
                self.engine.handle(Instant::now(), Input::Stop);
            }
            self.take_line();
            if self.engine.take_inputs(Instant::now()) {
                self.engine.commit();
            }
            self.run_programs();
            match self.send_due() {
                Ok(wrote) => self.acknowledge(wrote),
                Err(error) => self.lost(&error.into()),
            }
            match self.engine.poll(Instant::now()) {
                Output::Connect {
                    to,
                    clean_session,
                    will,
                } => self.connect(to, clean_session, will),
                Output::Disconnect { may_leave } => self.disconnect(may_leave),
                Output::Wait(until) => self.wait(until),
                Output::Pause(until) => self.pause(until),
                Output::End(end) => {
                    self.leave();
                    return end;
                }
            }
        }
    }

    fn leave(self) {
        // First: the connection stays open for as long as a duplicate of its socket is.
        drop(self.quick_ack);
        self.connection.leave();
    }

    fn take_line(&mut self) {
        if self.engine.awaits_line() {
            if let Some(line) = self.sources.lines.and_then(Lines::next) {
                self.engine.handle(Instant::now(), Input::Line(line));
            }
        }
    }

    /// Hands over what the programs have come to, and starts the next ones. Both are written down first.
    fn run_programs(&mut self) {
        let programs = self.sources.programs;
        while let Some((number, outcome)) = programs.and_then(Programs::next) {
            let ran = Input::Ran(number, outcome);
            self.engine.handle(Instant::now(), ran);
            self.engine.commit();
        }
        let is_there = |job: &_| programs.map_or(Err(Outcome::Missing), |known| known.look(job));
        while let Some(start) = self.engine.next_program(Instant::now(), is_there) {
            self.engine.commit();
            if let Some(programs) = programs {
                programs.start(start);
            }
        }
    }

    /// Where nothing of ours went out that the kernel's acknowledgement could go with, it goes alone.
    fn acknowledge(&mut self, wrote: bool) {
        if std::mem::take(&mut self.is_unanswered) && !wrote && self.connection.is_open() {
            self.quick_ack.send(&self.broker);
        }
    }

    /// Begins anew: the attempt itself is made while it is waited for.
    fn connect(&mut self, to: Address, clean_session: bool, will: Option<Message>) {
        self.hang_up();
        debug!("connecting to {to}");
        self.broker = to;
        self.clean_session = clean_session;
        self.will = will;
    }

    fn attempt_limit(&self) -> Duration {
        match self.options.others.is_empty() {
            true => LONG_ATTEMPT,
            false => SHORT_ATTEMPT,
        }
    }

    fn disconnect(&mut self, may_leave: bool) {
        self.disconnecting = Some(may_leave);
        match self.connection.write(Packet::Disconnect) {
            Ok(()) => self.flush(),
            Err(error) => self.lost(&error.into()),
        }
    }

    fn flush(&mut self) {
        match self.connection.flush() {
            Ok(true) => {
                if let Some(may_leave) = self.disconnecting.take() {
                    self.finish(may_leave);
                }
            }
            Ok(false) => {}
            Err(error) => self.lost(&error.into()),
        }
    }

    /// DISCONNECT is out.
    fn finish(&mut self, may_leave: bool) {
        let is_encrypted = self.options.tls.is_some();
        let nothing_came = self.quick_ack.finish(&self.broker, is_encrypted);
        if may_leave && nothing_came {
            self.engine.handle(Instant::now(), Input::Left);
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        // First: the connection stays open for as long as a duplicate of its socket is.
        self.quick_ack = QuickAck::default();
        self.unsent = None;
        self.is_unanswered = false;
        self.disconnecting = None;
        self.connection.hang_up();
    }

    fn pause(&mut self, until: Option<Instant>) {
        self.hang_up();
        if self.is_due(until) {
            return;
        }
        let look = self.look();
        let until = look.into_iter().chain(until).min();
        match until.filter(|_| self.engine.is_closing()) {
            Some(until) => self.stop.wait_for_more(until),
            None => {
                let _ = self.stop.wait_until(until);
            }
        }
    }

    fn wait(&mut self, until: Option<Instant>) {
        if self.is_due(until) {
            return;
        }
        let waited = match self.connection.is_open() {
            true => {
                if self.disconnecting.is_some() {
                    self.flush();
                }
                let look = self.look();
                self.connection.wait(look.into_iter().chain(until).min())
            }
            false => {
                let limit = self.attempt_limit();
                let Self {
                    engine,
                    options,
                    broker,
                    clean_session,
                    will,
                    stop,
                    watcher,
                    connection,
                    ..
                } = self;
                // A stop at the end has been heard already: the attempt is part of that.
                let may_leave = !engine.is_closing();
                let target = Target {
                    broker,
                    options: &|to| wire::to_rumqttc(options, to, *clean_session, will.as_ref()),
                    limit,
                    needs_name: options.tls.is_some(),
                };
                connection.attempt(&target, until, || {
                    (!(may_leave && stop.requested())).then(|| look(*watcher, engine))
                })
            }
        };
        if self.connection.has_progressed() {
            self.engine.handle(Instant::now(), Input::Progress);
        }
        match waited {
            Waited::Connected { session_present } => {
                debug!("received ConnAck, session present: {session_present}");
                let connected = Input::Connected { session_present };
                self.engine.handle(Instant::now(), connected);
            }
            Waited::Read(packet) => {
                if let Err(error) = self.take_all(packet) {
                    self.lost(&error.into());
                }
            }
            Waited::Failed(error) => self.lost(&error),
            Waited::Nothing => {}
        }
    }

    /// Whether that instant has come. Then the engine knows.
    fn is_due(&mut self, until: Option<Instant>) -> bool {
        let now = Instant::now();
        let is_due = until.is_some_and(|at| at <= now);
        if is_due {
            // Not at each deadline of a role: a controller has thousands, and the kernel's table may be long.
            if self.connection.is_open() && self.engine.doubts_connection(now) {
                let before = std::mem::replace(&mut self.unsent, unsent::unsent(self.broker.port));
                if self.unsent.is_some() && self.unsent < before {
                    self.engine.handle(now, Input::Progress);
                }
            }
            self.engine.handle(now, Input::Timeout);
        }
        is_due
    }

    fn look(&mut self) -> Option<Instant> {
        look(self.watcher, &self.engine)
    }

    /// Takes this packet, and what has arrived with it.
    fn take_all(&mut self, first: Packet) -> Result<(), StateError> {
        self.is_unanswered = true;
        self.take(first)?;
        for _ in 1..BATCH {
            match self.connection.read_at_once()? {
                Some(packet) => self.take(packet)?,
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: Packet) -> Result<(), StateError> {
        debug!("received {packet:?}");
        let packet = wire::to_incoming(packet).ok_or(StateError::WrongPacket)?;
        self.engine.handle(Instant::now(), Input::Packet(packet));
        Ok(())
    }

    fn lost(&mut self, error: &Failed) {
        let trouble = errors::read(
            error,
            self.options,
            &self.broker,
            self.connection.is_open(),
            self.attempt_limit(),
        );
        self.engine.handle(Instant::now(), Input::Lost(trouble));
        self.hang_up();
    }
}

/// Lets the watcher look. Says when it wants to look again.
fn look(watcher: &mut dyn Watcher, engine: &Engine<'_>) -> Option<Instant> {
    let now = Instant::now();
    watcher.look(now, &|| engine.status());
    watcher.interval().map(|every| now + every)
}
