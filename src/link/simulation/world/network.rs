//! Connections between clients and brokers: what is on its way, and what happens when it arrives.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rumqttc::Packet;

use super::{Event, World};
use crate::link::simulation::broker::Connection;
use crate::mqtt::Message;
use crate::role::Kind;

/// The driver gives up an attempt to connect then.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How many packets are read at once.
const BATCH: usize = 10;

#[derive(Debug)]
pub enum Down {
    ConnAck(Option<bool>),
    Packet(Packet),
    Closed,
}

#[derive(Debug)]
pub struct Wire {
    pub client: usize,
    pub host: String,
    pub clean_session: bool,
    pub will: Option<Message>,
    pub up: VecDeque<(Instant, Packet)>,
    pub down: VecDeque<(Instant, Down)>,
    /// SUBSCRIBEs that the broker has read and put off.
    pub late: VecDeque<(Instant, Packet)>,
    /// Nothing gets through any more, and neither end knows it.
    pub silent: bool,
}

impl World {
    pub(super) fn connect(
        &mut self,
        client: usize,
        host: String,
        clean_session: bool,
        will: Option<Message>,
    ) {
        self.numbers += 1;
        let connection = self.numbers;
        let down_until = self.down_until.get(&host).max(self.all_down_until.as_ref());
        let is_down = down_until.is_some_and(|at| *at > self.now);
        self.current[client] = Some(connection);
        let wire = Wire {
            client,
            host,
            clean_session,
            will,
            up: VecDeque::new(),
            down: VecDeque::new(),
            late: VecDeque::new(),
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

    pub(super) fn send_up(&mut self, connection: Connection, packet: Packet) {
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

    pub(super) fn send_down(&mut self, connection: Connection, down: Down) {
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
    pub(super) fn carry(&mut self) {
        while let Some((connection, packet)) =
            self.brokers.values_mut().find_map(|b| b.out.pop_front())
        {
            match packet {
                Some(packet) => self.send_down(connection, Down::Packet(packet)),
                None => {
                    if let Some(wire) = self.wires.get(&connection) {
                        let broker = Self::broker_of(&mut self.brokers, &wire.host);
                        broker.disconnected(self.now, connection);
                    }
                    self.send_down(connection, Down::Closed);
                }
            }
        }
    }

    /// The connection is gone, for the broker too: the kernel delivers what this end has sent, or the network loses it.
    pub(super) fn close(&mut self, connection: Connection) {
        while self.random.bool() && self.up_at_once(connection) {}
        let Some(wire) = self.wires.remove(&connection) else {
            return;
        };
        if !wire.silent {
            Self::broker_of(&mut self.brokers, &wire.host).disconnected(self.now, connection);
        }
    }

    pub(super) fn on_connect(&mut self, connection: Connection) {
        let Some(wire) = self.wires.get(&connection) else {
            return;
        };
        let id = &self.clients[wire.client].id;
        let broker = Self::broker_of(&mut self.brokers, &wire.host);
        let will = wire.will.clone();
        let answer = broker.connect(self.now, id, wire.clean_session, will, connection);
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

    /// The next packet on its way to the broker arrives now, if there is one.
    fn up_at_once(&mut self, connection: Connection) -> bool {
        let now = self.now;
        let wire = self.wires.get_mut(&connection);
        let Some((wire, (_, packet))) = wire.and_then(|wire| {
            let packet = wire.up.pop_front()?;
            Some((wire, packet))
        }) else {
            return false;
        };
        log::trace!("{:?} up, at last {packet:?}", self.now - self.start);
        let id = &self.clients[wire.client].id;
        Self::broker_of(&mut self.brokers, &wire.host).take(now, id, connection, packet);
        true
    }

    pub(super) fn on_up(&mut self, connection: Connection) {
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
        let broker = Self::broker_of(&mut self.brokers, &wire.host);
        match (&packet, broker.oddities.subscribes_late) {
            (Packet::Subscribe(_), Some(longest)) => {
                let at = now + longest.mul_f64(self.random.f64());
                wire.late.push_back((at, packet));
                self.schedule(at, Event::Late(connection));
            }
            _ => broker.take(now, id, connection, packet),
        }
        self.count(connection);
    }

    /// The broker takes the SUBSCRIBEs that it put off until now.
    pub(super) fn on_late(&mut self, connection: Connection) {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&connection) else {
            return;
        };
        while let Some(due) = wire.late.iter().position(|(at, _)| *at <= now) {
            if let Some((_, packet)) = wire.late.remove(due) {
                let id = &self.clients[wire.client].id;
                let broker = Self::broker_of(&mut self.brokers, &wire.host);
                broker.take(now, id, connection, packet);
            }
        }
    }

    pub(super) fn on_down(&mut self, connection: Connection) {
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
        if self.client_of(connection).is_none() {
            self.resets += u32::from(count > 0);
            if closed || count > 0 {
                self.close(connection);
            }
            return;
        }
        self.clients[client].read(now, packets);
        self.turn(client);
        if closed {
            self.lose(connection, "the broker closed the connection", None);
        }
        for _ in 0..count {
            self.count(connection);
        }
    }

    /// Whether DISCONNECT is on its way.
    pub(super) fn is_disconnecting(&self, connection: Connection) -> bool {
        let wire = self.wires.get(&connection);
        wire.is_some_and(|wire| wire.up.iter().any(|(_, p)| *p == Packet::Disconnect))
    }

    pub(super) fn on_conn_ack(&mut self, connection: Connection, answer: Option<bool>) {
        let Some(client) = self.client_of(connection) else {
            return;
        };
        let Some(session_present) = answer else {
            return self.lose(connection, "refused the login", Some(Kind::Refused));
        };
        self.clients[client].connected(self.now, session_present);
        self.turn(client);
        self.count(connection);
    }
}
