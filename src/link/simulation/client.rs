//! One run in simulated time: the real engine over rumqttc's real books, driven as `driver` drives them.

use std::collections::VecDeque;
use std::time::Instant;

use rumqttc::{Disconnect, MqttState, Packet, PingReq, Request};

use super::world::IDENTIFIERS;
use crate::link::driver::books;
use crate::link::engine::{self, Engine, Input, Output, RoleWithSink, Trouble};
use crate::link::{Address, End, Options};
use crate::role::{Failure, Role};

/// What a client wants of the network.
#[derive(Debug)]
pub enum Wish {
    Connect { to: Address, clean_session: bool },
    Send(Packet),
    HangUp,
}

/// A run.
pub struct Client {
    pub id: String,
    engine: Engine<'static>,
    state: MqttState,
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
}

impl Client {
    /// A run of `role`.
    pub fn new<R: Role + 'static>(
        role: R,
        options: &Options,
        now: Instant,
        seed: u64,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> Self {
        let role = Box::new(RoleWithSink { role, emit });
        Self {
            id: options.client_id.clone(),
            engine: Engine::new(role, options, now, seed),
            state: MqttState::new(engine::IDENTIFIERS, true),
            is_attached: false,
            is_connected: false,
            until: None,
            stopped: None,
            lines: VecDeque::new(),
            end: None,
            wishes: Vec::new(),
            attempts: 0,
        }
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
            self.send_due(now);
            match self.engine.poll(now) {
                Output::Connect { to, clean_session } => {
                    self.hang_up();
                    self.attempts += 1;
                    self.is_attached = true;
                    self.wishes.push(Wish::Connect { to, clean_session });
                }
                Output::Disconnect => self.request(now, Request::Disconnect(Disconnect)),
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
        self.until = until;
        let is_due = until.is_some_and(|at| at <= now);
        if is_due {
            self.engine.handle(now, Input::Timeout);
        }
        !is_due
    }

    fn send_due(&mut self, now: Instant) {
        loop {
            let (state, wishes) = (&mut self.state, &mut self.wishes);
            let sent = self.engine.send_next(now, |outgoing| {
                let packet = books::enter(state, outgoing)?;
                let pkid = books::pkid(&packet);
                wishes.push(Wish::Send(packet));
                Ok::<_, rumqttc::StateError>(pkid)
            });
            match sent {
                None => return,
                Some(Ok(())) => {}
                Some(Err(error)) => panic!("rumqttc's books refuse a packet: {error}"),
            }
        }
    }

    /// What rumqttc sends by itself.
    fn request(&mut self, now: Instant, request: Request) {
        match self.state.handle_outgoing_packet(request) {
            Ok(packet) => self.wishes.extend(packet.map(Wish::Send)),
            Err(_) => self.lost(now, "the broker did not answer a ping"),
        }
        self.take_events(now);
    }

    /// The keep alive interval is over.
    pub fn ping(&mut self, now: Instant) {
        self.request(now, Request::PingReq(PingReq));
    }

    /// The broker accepted the connection.
    pub fn connected(&mut self, now: Instant, session_present: bool) {
        self.is_connected = true;
        if session_present {
            books::expect_releases(&mut self.state, 1..=IDENTIFIERS);
        }
        let input = Input::Connected { session_present };
        self.engine.handle(now, input);
    }

    /// Packets that rumqttc reads at once.
    pub fn read(&mut self, now: Instant, packets: Vec<Packet>) {
        for packet in packets {
            match self.state.handle_incoming_packet(packet) {
                Ok(answer) => self.wishes.extend(answer.map(Wish::Send)),
                Err(error) => return self.lost(now, &error.to_string()),
            }
        }
        self.take_events(now);
    }

    fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.state.events.pop_front() {
            if let Some(input) = books::take(&mut self.state, event) {
                self.engine.handle(now, input);
            }
        }
    }

    /// The attempt failed, or the connection has ended.
    pub fn lost(&mut self, now: Instant, why: &str) {
        self.failed(now, Trouble::new(why.to_owned()));
    }

    /// The same, for a reason of the test's.
    pub fn failed(&mut self, now: Instant, trouble: Trouble) {
        self.take_events(now);
        self.engine.handle(now, Input::Lost(trouble));
        self.hang_up();
    }

    fn hang_up(&mut self) {
        self.is_connected = false;
        if !std::mem::take(&mut self.is_attached) {
            return;
        }
        self.wishes.push(Wish::HangUp);
        self.state.clean();
        self.state.events.clear();
        self.state.collision = None;
    }
}
