//! Clients, brokers, the network between them and a clock that jumps. What happens is decided by seeds and by the
//! number of packets that have arrived; nothing here waits.

mod outside;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::broker::{Broker, Connection};
use super::client::{Client, Wish};
use super::disk::Disk;
use super::shelf::Shelf;
use crate::link::engine::Trouble;
use crate::link::engine::journal::Journal;
use crate::link::{End, Inbox, Options};
use crate::role::{Failure, Kind, Role};

mod network;
mod strikes;

pub use outside::Seen;
pub use strikes::Strike;

use network::Wire;

/// The packet identifiers that the brokers here use: few, so that they begin again.
pub const IDENTIFIERS: u16 = 60;

/// What a host without a broker says.
const REFUSED: &str = "refused the connection";

/// More events than any history has: a livelock.
const MOST_EVENTS: u32 = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The client's wait is over.
    Timer(usize),
    /// The first packet on its way up, or down, has arrived.
    Up(Connection),
    Down(Connection),
    /// CONNECT has arrived.
    Connect(Connection),
    /// The driver gives the attempt up.
    GiveUp(Connection),
    /// The host refuses the connection.
    Refuse(Connection),
    /// The client hears that the connection has ended.
    Lost(Connection),
    /// The broker gets to a SUBSCRIBE.
    Late(Connection),
    /// The broker has heard nothing for one and a half times the keep alive.
    Expire(Connection),
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
    /// Until then no host answers.
    all_down_until: Option<Instant>,
    pub connack_delay: Duration,
    latency: Duration,
    wires: BTreeMap<Connection, Wire>,
    /// The present connection, or attempt, of each client.
    current: Vec<Option<Connection>>,
    heap: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    numbers: u64,
    /// Packets that have arrived so far, in both directions.
    pub arrived: u32,
    /// After how many packets something happens, soonest first.
    pub strikes: VecDeque<(u32, Strike)>,
    /// Packets that arrived where the client had left the connection: its kernel resets it.
    pub resets: u32,
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
            all_down_until: None,
            connack_delay: Duration::ZERO,
            latency: Duration::from_millis(random.u64(1..80)),
            wires: BTreeMap::new(),
            current: Vec::new(),
            heap: BinaryHeap::new(),
            numbers: 0,
            arrived: 0,
            strikes: VecDeque::new(),
            resets: 0,
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
        self.begin_client(role, options, None, None, emit)
    }

    /// The same with a journal on this disk.
    pub fn begin_journaled<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        journal: Journal,
        disk: Disk,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> usize {
        self.begin_client(role, options, Some((journal, disk)), None, emit)
    }

    /// A client that runs programs.
    pub fn begin_with_programs<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        kept: Option<(Journal, Disk)>,
        programs: Shelf,
    ) -> usize {
        let seed = self.random.u64(..);
        let client = Client::new(role, options, self.now, seed, kept, None, |_| Ok(()));
        let seed = self.random.u64(..);
        self.add(client.with_programs(programs, seed))
    }

    /// A client with whatever there is.
    pub fn begin_client<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        kept: Option<(Journal, Disk)>,
        inbox: Option<Inbox<R::Input>>,
        emit: impl FnMut(R::Item) -> Result<(), Failure> + 'static,
    ) -> usize {
        let seed = self.random.u64(..);
        let client = Client::new(role, options, self.now, seed, kept, inbox, emit);
        self.add(client)
    }

    fn add(&mut self, client: Client) -> usize {
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
                Wish::Connect {
                    to,
                    clean_session,
                    will,
                } => self.connect(number, to.host, clean_session, will),
                Wish::Send(packet) => {
                    if let Some(connection) = self.current[number] {
                        self.send_up(connection, packet);
                    }
                }
                Wish::HangUp => {
                    if let Some(connection) = self.current[number].take() {
                        match self.is_disconnecting(connection) {
                            // The kernel sends what is on its way, and then the end.
                            true => {}
                            false => self.close(connection),
                        }
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
        while goes_on(self) {
            if !self.step(limit) {
                return false;
            }
            assert!(!self.is_endless(), "livelock");
        }
        true
    }

    /// Lets the next thing happen, unless that is later than so long after the beginning: then it is `false`, and that
    /// time has come.
    pub fn step(&mut self, limit: Duration) -> bool {
        let limit = self.start.checked_add(limit);
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
        true
    }

    /// More has happened than in any history: a livelock, or nothing that is waited for.
    pub fn is_endless(&self) -> bool {
        self.events >= MOST_EVENTS
    }

    /// Lets every client look for inputs, which come from outside of the world.
    pub fn turn_all(&mut self) {
        for number in 0..self.clients.len() {
            self.turn(number);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Timer(client) => {
                if self.clients[client].until.is_some_and(|at| at <= self.now) {
                    self.turn(client);
                }
            }
            Event::Connect(connection) => self.on_connect(connection),
            Event::Refuse(connection) => self.lose(connection, REFUSED, None),
            Event::Lost(connection) => self.lose(connection, "the connection has ended", None),
            Event::GiveUp(connection) => {
                let client = self.client_of(connection);
                if client.is_some_and(|client| !self.clients[client].is_connected) {
                    self.lose(connection, "did not answer within 5 s", None);
                }
            }
            Event::Up(connection) => self.on_up(connection),
            Event::Down(connection) => self.on_down(connection),
            Event::Late(connection) => self.on_late(connection),
            Event::Expire(connection) => {
                let now = self.now;
                let brokers = self.brokers.values_mut();
                brokers.for_each(|broker| broker.disconnected(now, connection));
            }
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
            let mut trouble = match fatal {
                Some(kind) => Trouble::fatal(kind, why.to_owned()),
                None if self.clients[client].is_connected => Trouble::closed(why.to_owned()),
                None => Trouble::new(why.to_owned()),
            };
            trouble.is_down = why == REFUSED;
            self.clients[client].failed(self.now, trouble);
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
        let wanted = routed.filter(|(_, message)| is_wanted(message.topic.as_str()));
        wanted
            .map(|(_, message)| String::from_utf8_lossy(&message.payload).into_owned())
            .collect()
    }
}
