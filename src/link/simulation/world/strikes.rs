//! What happens to a connection, a broker or a run, and when.

use super::{Event, World};
use crate::link::Options;
use crate::link::simulation::broker::{Broker, Connection};
use crate::link::simulation::client::Client;
use crate::role::{Failure, Kind};

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

impl World {
    /// One more packet has arrived on this connection. What was to happen then happens now.
    pub(super) fn count(&mut self, connection: Connection) {
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
                let keep_alive = Options::KEEP_ALIVE + Options::KEEP_ALIVE / 2;
                self.schedule(self.now + keep_alive, Event::Expire(connection));
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
}
