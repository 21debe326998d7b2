//! Clients, brokers, the network between them and a clock that jumps. What happens is decided by seeds and by the
//! number of packets that have arrived; nothing here waits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use rumqttc::Packet;

use super::broker::{Broker, Connection};
use super::client::{Client, Wish};
use crate::link::engine::Trouble;
use crate::link::{End, Options};
use crate::role::{Failure, Kind, Role};

/// The packet identifiers that the brokers here use: few, so that they begin again, and so that rumqttc's repair
/// takes no time.
pub const IDENTIFIERS: u16 = 60;

/// rumqttc gives up an attempt to connect then.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// More events than any history has: a livelock.
const MOST_EVENTS: u32 = 200_000;

/// How many packets rumqttc reads at once.
const BATCH: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The client's wait is over.
    Timer(usize),
    /// The first packet on its way up, or down, has arrived.
    Up(Connection),
    Down(Connection),
    /// CONNECT has arrived.
    Connect(Connection),
    /// rumqttc gives the attempt up.
    GiveUp(Connection),
    Ping(Connection),
    /// The host refuses the connection.
    Refuse(Connection),
    /// The client hears that the connection has ended.
    Lost(Connection),
}

#[derive(Debug)]
enum Down {
    ConnAck(Option<bool>),
    Packet(Packet),
    Closed,
}

#[derive(Debug)]
struct Wire {
    client: usize,
    host: String,
    clean_session: bool,
    up: VecDeque<(Instant, Packet)>,
    down: VecDeque<(Instant, Down)>,
    /// Nothing gets through any more, and neither end knows it.
    silent: bool,
}

/// What ends a connection, or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// Both ends see the connection end. What is on its way is lost.
    Cut,
    /// Nothing gets through any more, without a word.
    Silence,
    /// The broker restarts, and remembers its sessions.
    Restart,
    /// The broker restarts, and remembers nothing.
    Forget,
    /// The client that the packet belongs to is asked to stop.
    Stop,
}

/// The world.
pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub random: fastrand::Rng,
    pub clients: Vec<Client>,
    /// By host name. Hosts without an entry of their own share the one named "".
    pub brokers: BTreeMap<String, Broker>,
    /// Hosts that do not answer until then.
    pub down_until: BTreeMap<String, Instant>,
    pub connack_delay: Duration,
    latency: Duration,
    keep_alive: Duration,
    wires: BTreeMap<Connection, Wire>,
    /// The present connection, or attempt, of each client.
    current: Vec<Option<Connection>>,
    heap: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    numbers: u64,
    /// Packets that have arrived so far, in both directions.
    pub arrived: u32,
    /// After how many packets something happens, soonest first.
    pub strikes: VecDeque<(u32, Strike)>,
    /// Something has happened to a connection while its client was closing.
    pub struck_while_closing: bool,
    events: u32,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            now,
            start: now,
            clients: Vec::new(),
            brokers: BTreeMap::from([(String::new(), Broker::default())]),
            down_until: BTreeMap::new(),
            connack_delay: Duration::ZERO,
            latency: Duration::from_millis(random.u64(1..80)),
            keep_alive: Duration::from_secs(15),
            wires: BTreeMap::new(),
            current: Vec::new(),
            heap: BinaryHeap::new(),
            numbers: 0,
            arrived: 0,
            strikes: VecDeque::new(),
            struck_while_closing: false,
            events: 0,
            random,
        }
    }

    /// The broker, where there is one.
    pub fn broker(&mut self) -> &mut Broker {
        self.brokers.get_mut("").unwrap()
    }

    fn broker_of<'b>(brokers: &'b mut BTreeMap<String, Broker>, host: &str) -> &'b mut Broker {
        let name = match brokers.contains_key(host) {
            true => host,
            false => "",
        };
        brokers.get_mut(name).unwrap()
    }

    /// A client begins; its number.
    pub fn begin<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> usize {
        let seed = self.random.u64(..);
        let client = Client::new(role, options, self.now, seed, emit);
        self.clients.push(client);
        self.current.push(None);
        let number = self.clients.len() - 1;
        self.turn(number);
        number
    }

    /// The same with lines to work on, and then the end of them.
    pub fn begin_with_lines<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        lines: VecDeque<String>,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> usize {
        let number = self.begin(role, options, emit);
        self.clients[number].lines = lines;
        number
    }

    /// The process of a client is gone, without a word.
    pub fn kill(&mut self, client: usize) {
        if let Some(connection) = self.current[client].take() {
            self.close(connection);
        }
        let gone = Failure::new(Kind::Unreachable, "killed");
        self.clients[client]
            .end
            .get_or_insert((self.now, Err(gone)));
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.numbers += 1;
        self.heap.push(Reverse((at, self.numbers, event)));
    }

    fn delay(&mut self) -> Duration {
        self.latency + self.latency.mul_f64(self.random.f64())
    }

    /// Lets a client go on, and carries out what it wants.
    fn turn(&mut self, number: usize) {
        let before = self.clients[number].until;
        self.clients[number].turn(self.now);
        for wish in std::mem::take(&mut self.clients[number].wishes) {
            match wish {
                Wish::Connect { to, clean_session } => {
                    self.connect(number, to.host, clean_session);
                }
                Wish::Send(packet) => {
                    if let Some(connection) = self.current[number] {
                        self.send_up(connection, packet);
                    }
                }
                Wish::HangUp => {
                    if let Some(connection) = self.current[number].take() {
                        self.close(connection);
                    }
                }
            }
        }
        let until = self.clients[number].until;
        if until != before {
            if let Some(at) = until {
                self.schedule(at, Event::Timer(number));
            }
        }
    }

    fn connect(&mut self, client: usize, host: String, clean_session: bool) {
        self.numbers += 1;
        let connection = self.numbers;
        let is_down = self.down_until.get(&host).is_some_and(|at| *at > self.now);
        self.current[client] = Some(connection);
        let wire = Wire {
            client,
            host,
            clean_session,
            up: VecDeque::new(),
            down: VecDeque::new(),
            silent: false,
        };
        self.wires.insert(connection, wire);
        let arrives = self.now + self.delay();
        let event = match is_down {
            true => Event::Refuse(connection),
            false => Event::Connect(connection),
        };
        self.schedule(arrives, event);
        self.schedule(self.now + CONNECT_LIMIT, Event::GiveUp(connection));
    }

    fn send_up(&mut self, connection: Connection, packet: Packet) {
        let at = self.now + self.delay();
        let Some(wire) = self.wires.get_mut(&connection) else {
            return;
        };
        if !wire.silent {
            let at = wire.up.back().map_or(at, |(last, _)| at.max(*last));
            wire.up.push_back((at, packet));
            self.schedule(at, Event::Up(connection));
        }
    }

    fn send_down(&mut self, connection: Connection, down: Down) {
        let at = self.now + self.delay();
        let Some(wire) = self.wires.get_mut(&connection) else {
            return;
        };
        if !wire.silent {
            let at = wire.down.back().map_or(at, |(last, _)| at.max(*last));
            wire.down.push_back((at, down));
            self.schedule(at, Event::Down(connection));
        }
    }

    /// What the brokers have to send.
    fn carry(&mut self) {
        while let Some((connection, packet)) =
            self.brokers.values_mut().find_map(|b| b.out.pop_front())
        {
            match packet {
                Some(packet) => self.send_down(connection, Down::Packet(packet)),
                None => {
                    if let Some(wire) = self.wires.get(&connection) {
                        let id = &self.clients[wire.client].id;
                        let broker = Self::broker_of(&mut self.brokers, &wire.host);
                        broker.disconnected(id, connection);
                    }
                    self.send_down(connection, Down::Closed);
                }
            }
        }
    }

    /// The connection is gone, for the broker too.
    fn close(&mut self, connection: Connection) {
        let Some(wire) = self.wires.remove(&connection) else {
            return;
        };
        if !wire.silent {
            let id = &self.clients[wire.client].id;
            Self::broker_of(&mut self.brokers, &wire.host).disconnected(id, connection);
        }
    }

    /// Goes on until every client has ended, or until so long after the beginning. Says whether they have.
    pub fn run(&mut self, limit: Duration) -> bool {
        self.run_while(limit, |world| {
            world.clients.iter().any(|client| client.end.is_none())
        })
    }

    /// Goes on until so many packets have arrived, or every client has ended.
    pub fn run_until_arrived(&mut self, count: u32) {
        self.run_while(Duration::MAX, |world| {
            world.arrived < count && world.clients.iter().any(|client| client.end.is_none())
        });
    }

    /// Goes on as long as `goes_on`, until `limit` after the beginning. Says whether it stopped before.
    pub fn run_while(&mut self, limit: Duration, goes_on: impl Fn(&Self) -> bool) -> bool {
        let limit = self.start.checked_add(limit);
        while goes_on(self) {
            match self.heap.peek() {
                Some(Reverse((at, ..))) if limit.is_none_or(|limit| *at <= limit) => {}
                _ => {
                    self.now = limit.map_or(self.now, |limit| self.now.max(limit));
                    return false;
                }
            }
            if let Some(Reverse((at, _, event))) = self.heap.pop() {
                self.now = self.now.max(at);
                self.take(event);
            }
            self.events += 1;
            assert!(self.events < MOST_EVENTS, "livelock");
        }
        true
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Timer(client) => {
                if self.clients[client].until.is_some_and(|at| at <= self.now) {
                    self.turn(client);
                }
            }
            Event::Connect(connection) => self.on_connect(connection),
            Event::Refuse(connection) => self.lose(connection, "refused the connection", None),
            Event::Lost(connection) => self.lose(connection, "the connection has ended", None),
            Event::GiveUp(connection) => {
                let client = self.client_of(connection);
                if client.is_some_and(|client| !self.clients[client].is_connected) {
                    self.lose(connection, "did not answer within 5 s", None);
                }
            }
            Event::Ping(connection) => {
                let Some(client) = self.client_of(connection) else {
                    return;
                };
                self.clients[client].ping(self.now);
                self.schedule(self.now + self.keep_alive, Event::Ping(connection));
                self.turn(client);
            }
            Event::Up(connection) => self.on_up(connection),
            Event::Down(connection) => self.on_down(connection),
        }
        self.carry();
    }

    /// Whose connection it is, as long as the client has it.
    fn client_of(&self, connection: Connection) -> Option<usize> {
        let client = self.wires.get(&connection)?.client;
        (self.current[client] == Some(connection)).then_some(client)
    }

    fn lose(&mut self, connection: Connection, why: &str, fatal: Option<Kind>) {
        if let Some(client) = self.client_of(connection) {
            let trouble = match fatal {
                Some(kind) => Trouble::fatal(kind, why.to_owned()),
                None => Trouble::new(why.to_owned()),
            };
            self.clients[client].failed(self.now, trouble);
            self.turn(client);
        }
    }

    fn on_connect(&mut self, connection: Connection) {
        let Some(wire) = self.wires.get(&connection) else {
            return;
        };
        let id = &self.clients[wire.client].id;
        let broker = Self::broker_of(&mut self.brokers, &wire.host);
        let answer = broker.connect(id, wire.clean_session, connection);
        let now = self.now;
        self.now += self.connack_delay;
        self.send_down(connection, Down::ConnAck(answer));
        self.now = now;
        if answer.is_some() {
            let wire = &self.wires[&connection];
            let id = &self.clients[wire.client].id;
            Self::broker_of(&mut self.brokers, &wire.host).resume(id);
        }
    }

    fn on_up(&mut self, connection: Connection) {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&connection) else {
            return;
        };
        if wire.up.front().is_none_or(|(at, _)| *at > now) {
            return;
        }
        let Some((_, packet)) = wire.up.pop_front() else {
            return;
        };
        log::trace!("{:?} up {packet:?}", self.now - self.start);
        let id = &self.clients[wire.client].id;
        Self::broker_of(&mut self.brokers, &wire.host).take(id, connection, packet);
        self.count(connection);
    }

    fn on_down(&mut self, connection: Connection) {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&connection) else {
            return;
        };
        let client = wire.client;
        let mut packets = Vec::new();
        let mut closed = false;
        while packets.len() < BATCH && wire.down.front().is_some_and(|(at, _)| *at <= now) {
            match wire.down.pop_front() {
                Some((_, Down::Packet(packet))) => packets.push(packet),
                Some((_, Down::ConnAck(answer))) => return self.on_conn_ack(connection, answer),
                Some((_, Down::Closed)) => closed = true,
                None => {}
            }
        }
        let count = packets.len();
        log::trace!("{:?} down {packets:?}", self.now - self.start);
        self.clients[client].read(now, packets);
        self.turn(client);
        if closed {
            self.lose(connection, "the broker closed the connection", None);
        }
        for _ in 0..count {
            self.count(connection);
        }
    }

    fn on_conn_ack(&mut self, connection: Connection, answer: Option<bool>) {
        let Some(client) = self.client_of(connection) else {
            return;
        };
        let Some(session_present) = answer else {
            return self.lose(connection, "refused the login", Some(Kind::Refused));
        };
        self.clients[client].connected(self.now, session_present);
        self.schedule(self.now + self.keep_alive, Event::Ping(connection));
        self.turn(client);
        self.count(connection);
    }

    /// One more packet has arrived on this connection. What was to happen then happens now.
    fn count(&mut self, connection: Connection) {
        self.arrived += 1;
        while let Some((after, strike)) = self.strikes.front().copied() {
            if after > self.arrived {
                return;
            }
            self.strikes.pop_front();
            if let Some(wire) = self.wires.get(&connection) {
                self.strike(wire.client, connection, strike);
            }
        }
    }

    fn strike(&mut self, client: usize, connection: Connection, strike: Strike) {
        log::debug!(
            "{:?} {strike:?} of {}",
            self.now - self.start,
            self.clients[client].id
        );
        self.struck_while_closing |= self.clients[client].is_closing();
        match strike {
            Strike::Cut => self.schedule(self.now, Event::Lost(connection)),
            Strike::Silence => {
                if let Some(wire) = self.wires.get_mut(&connection) {
                    wire.silent = true;
                    wire.up.clear();
                    wire.down.clear();
                }
            }
            Strike::Restart | Strike::Forget => {
                if strike == Strike::Forget {
                    self.brokers.values_mut().for_each(Broker::forget);
                }
                self.struck_while_closing |= self.clients.iter().any(Client::is_closing);
                let all: Vec<Connection> = self.wires.keys().copied().collect();
                for connection in all {
                    self.schedule(self.now, Event::Lost(connection));
                }
            }
            Strike::Stop => {
                self.stop(client);
            }
        }
        if strike == Strike::Cut {
            if let Some(wire) = self.wires.get_mut(&connection) {
                wire.up.clear();
                wire.down.clear();
            }
        }
    }

    /// Something happens to every connection.
    pub fn strike_all(&mut self, strike: Strike) {
        let all: Vec<(Connection, usize)> =
            self.wires.iter().map(|(c, w)| (*c, w.client)).collect();
        for (connection, client) in all {
            self.strike(client, connection, strike);
        }
    }

    /// Asks a client to stop.
    pub fn stop(&mut self, client: usize) {
        if self.clients[client].stopped.is_none() {
            self.clients[client].stopped = Some(self.now);
            self.turn(client);
        }
    }

    /// How a client ended.
    pub fn end(&self, client: usize) -> Option<&Result<End, Failure>> {
        self.clients[client].end.as_ref().map(|(_, end)| end)
    }

    /// What the broker was told on topics with this end, in order.
    pub fn said(&mut self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let routed = self.broker().routed.iter();
        let wanted = routed.filter(|message| is_wanted(message.topic.as_str()));
        wanted
            .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
            .collect()
    }
}
