//! One run in simulated time: the real engine with rumqttc's packets, driven as `driver` drives them.

use std::any::Any;
use std::collections::VecDeque;
use std::time::Instant;

use rumqttc::Packet;

use super::disk::Disk;
use super::shelf::Shelf;
use crate::link::driver::wire;
use crate::link::engine::journal::Journal;
use crate::link::engine::{Engine, Input, Output, RoleWithSink, Trouble};
use crate::link::{Address, End, Inbox, Options};
use crate::mqtt::Message;
use crate::role::{Failure, Job, Kind, Outcome, Role};

/// What a client wants of the network.
#[derive(Debug)]
pub enum Wish {
    Connect {
        to: Address,
        clean_session: bool,
        will: Option<Message>,
    },
    Send(Packet),
    HangUp,
}

/// A run.
pub struct Client {
    pub id: String,
    engine: Engine<'static>,
    /// It has a connection, or makes an attempt.
    is_attached: bool,
    pub is_connected: bool,
    pub until: Option<Instant>,
    /// It was asked to stop then.
    pub stopped: Option<Instant>,
    pub lines: VecDeque<String>,
    /// How it ended, and when.
    pub end: Option<(Instant, Result<End, Failure>)>,
    pub wishes: Vec<Wish>,
    /// How many attempts to connect it has made.
    pub attempts: usize,
    /// Where its journal is. The process can end while it writes.
    disk: Option<Disk>,
    programs: Option<Shelf>,
    /// Its inbox, which is to live as long.
    _inbox: Option<Box<dyn Any>>,
    /// How many messages have arrived.
    pub heard: usize,
}

impl Client {
    /// A run of `role`.
    pub fn new<R: Role + 'static>(
        role: R,
        options: &Options,
        now: Instant,
        seed: u64,
        kept: Option<(Journal, Disk)>,
        inbox: Option<Inbox<R::Input>>,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> Self {
        let (journal, disk) = kept.unzip();
        let tap = inbox.as_ref().map(Inbox::tap);
        let role = Box::new(RoleWithSink::new(role, emit, tap));
        Self {
            id: options.client_id.clone(),
            engine: Engine::new(role, options, now, seed, journal),
            is_attached: false,
            is_connected: false,
            until: None,
            stopped: None,
            lines: VecDeque::new(),
            end: None,
            wishes: Vec::new(),
            attempts: 0,
            disk,
            programs: None,
            _inbox: inbox.map(|inbox| Box::new(inbox) as Box<dyn Any>),
            heard: 0,
        }
    }

    /// The same with programs that it can run.
    pub fn with_programs(mut self, programs: Shelf, seed: u64) -> Self {
        self.engine.allow_programs(programs.rules, seed);
        self.programs = Some(programs);
        self
    }

    pub fn is_closing(&self) -> bool {
        self.engine.is_closing()
    }

    /// The driver's loop, until it waits.
    pub fn turn(&mut self, now: Instant) {
        while self.end.is_none() {
            if self.stopped.is_some() {
                self.engine.handle(now, Input::Stop);
            }
            if self.engine.awaits_line() {
                let line = self.lines.pop_front();
                self.engine.handle(now, Input::Line(Ok(line)));
            }
            if self.engine.take_inputs(now) {
                self.engine.commit();
            }
            self.run_programs(now);
            if self.end.is_none() {
                self.send_due(now);
            }
            if self.end.is_some() {
                return;
            }
            match self.engine.poll(now) {
                Output::Connect {
                    to,
                    clean_session,
                    will,
                } => {
                    self.hang_up();
                    self.attempts += 1;
                    self.is_attached = true;
                    self.wishes.push(Wish::Connect {
                        to,
                        clean_session,
                        will,
                    });
                }
                Output::Disconnect { may_leave } => {
                    self.wishes.push(Wish::Send(Packet::Disconnect));
                    if may_leave {
                        self.engine.handle(now, Input::Left);
                        self.hang_up();
                    }
                }
                Output::End(end) => {
                    self.hang_up();
                    self.end = Some((now, end));
                }
                Output::Wait(until) => {
                    if self.waits(now, until) {
                        return;
                    }
                }
                Output::Pause(until) => {
                    self.hang_up();
                    if self.waits(now, until) {
                        return;
                    }
                }
            }
        }
    }

    fn waits(&mut self, now: Instant, until: Option<Instant>) -> bool {
        let ends = self.programs.as_ref().and_then(Shelf::until);
        self.until = until.into_iter().chain(ends).min();
        let is_due = until.is_some_and(|at| at <= now);
        if is_due {
            self.engine.handle(now, Input::Timeout);
        }
        !is_due
    }

    fn run_programs(&mut self, now: Instant) {
        let Some(programs) = &mut self.programs else {
            return;
        };
        let has_ended = |disk: &Option<Disk>| disk.as_ref().is_some_and(Disk::has_ended);
        while let Some((number, outcome)) = programs.next(now) {
            self.engine.handle(now, Input::Ran(number, outcome));
            self.engine.commit();
            if has_ended(&self.disk) {
                return self.killed(now);
            }
        }
        let is_there = |job: &Job| match job.program == "T" {
            true => Ok(()),
            false => Err(Outcome::Missing),
        };
        while let Some(start) = self.engine.next_program(now, is_there) {
            self.engine.commit();
            if has_ended(&self.disk) {
                return self.killed(now);
            }
            programs.start(now, &start);
        }
    }

    fn send_due(&mut self, now: Instant) {
        let sent = self.wishes.len();
        self.write_due(now);
        if self.wishes.len() > sent {
            self.engine.commit();
        }
        if self.disk.as_ref().is_some_and(Disk::has_ended) {
            self.wishes.truncate(sent);
            self.killed(now);
        }
    }

    /// In the middle of a write.
    fn killed(&mut self, now: Instant) {
        self.hang_up();
        self.end = Some((now, Err(Failure::new(Kind::Unreachable, "killed"))));
    }

    fn write_due(&mut self, now: Instant) {
        loop {
            let wishes = &mut self.wishes;
            let sent = self.engine.send_next(now, |outgoing| {
                wishes.push(Wish::Send(wire::to_packet(outgoing)));
                Ok::<_, std::convert::Infallible>(())
            });
            if sent.is_none() {
                return;
            }
        }
    }

    /// The broker accepted the connection.
    pub fn connected(&mut self, now: Instant, session_present: bool) {
        self.is_connected = true;
        let input = Input::Connected { session_present };
        self.engine.handle(now, input);
    }

    /// Packets that arrive together.
    pub fn read(&mut self, now: Instant, packets: Vec<Packet>) {
        for packet in packets {
            self.heard += usize::from(matches!(packet, Packet::Publish(_)));
            let packet = wire::to_incoming(packet).expect("a broker sends such a packet");
            self.engine.handle(now, Input::Packet(packet));
        }
    }

    /// The attempt failed, or the connection has ended.
    pub fn failed(&mut self, now: Instant, trouble: Trouble) {
        self.engine.handle(now, Input::Lost(trouble));
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.is_connected = false;
        if !std::mem::take(&mut self.is_attached) {
            return;
        }
        self.wishes.push(Wish::HangUp);
    }
}
