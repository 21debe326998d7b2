//! A broker that does what a script says: it counts connections, remembers what each asked for, and
//! knows nothing about the program behind them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::process::GUARD;
use crate::wire::{self, Packet};

/// One connection, as the broker saw it.
#[derive(Debug)]
pub struct Connection {
    /// When it was accepted, before the script said anything on it.
    pub accepted: Instant,
    /// CleanSession, as its CONNECT said.
    pub clean_session: bool,
    /// The filters that it subscribed to.
    pub filters: Vec<String>,
    /// Topic and payload of what it published, of payloads no longer than 1 KiB.
    pub published: Vec<(String, Vec<u8>)>,
    /// Whether it ended with DISCONNECT.
    pub disconnected: bool,
}

#[derive(Default)]
struct Books {
    connections: Mutex<Vec<Connection>>,
    more: Condvar,
    over: AtomicBool,
}

/// The broker. Listens until it is dropped.
pub struct ScriptedBroker {
    host: &'static str,
    port: u16,
    books: Arc<Books>,
}

impl ScriptedBroker {
    /// Runs `script` on each connection, on a thread of its own, once its CONNECT has come. The
    /// connection ends where the script ends.
    pub fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1", script)
    }

    /// The same, on this address.
    pub fn start_on(
        host: &'static str,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let books = Arc::new(Books::default());
        let broker = Self {
            host,
            port,
            books: Arc::clone(&books),
        };
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if books.over.load(Ordering::SeqCst) {
                    break;
                }
                let (stream, accepted) = (stream.unwrap(), Instant::now());
                let (books, script) = (Arc::clone(&books), Arc::clone(&script));
                std::thread::spawn(move || {
                    if let Some(mut peer) = Peer::begin(stream, accepted, books) {
                        script(&mut peer);
                    }
                });
            }
        });
        broker
    }

    /// Its port.
    pub fn port(&self) -> String {
        self.port.to_string()
    }

    /// Waits until `found` is content with the connections so far.
    pub fn wait_for<T>(&self, what: &str, found: impl Fn(&[Connection]) -> Option<T>) -> T {
        let guard = Instant::now() + GUARD;
        let mut connections = self.books.connections.lock().unwrap();
        loop {
            if let Some(found) = found(&connections) {
                return found;
            }
            let left = guard.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come: {connections:?}");
            connections = self.books.more.wait_timeout(connections, left).unwrap().0;
        }
    }

    /// All connections so far.
    pub fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.books.connections.lock().unwrap()
    }
}

impl Drop for ScriptedBroker {
    fn drop(&mut self) {
        self.books.over.store(true, Ordering::SeqCst);
        self.books.more.notify_all();
        // Only to wake it.
        let _ = TcpStream::connect((self.host, self.port));
    }
}

/// What becomes of a packet that a script has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is answered as the standard says.
    Answer,
    /// It is not answered.
    Swallow,
}

/// The broker's end of one connection.
pub struct Peer {
    stream: TcpStream,
    books: Arc<Books>,
    /// Which connection this is, from 0.
    pub number: usize,
}

impl Peer {
    fn begin(stream: TcpStream, accepted: Instant, books: Arc<Books>) -> Option<Self> {
        stream.set_nodelay(true).unwrap();
        let mut peer = Self {
            stream,
            books: Arc::clone(&books),
            number: 0,
        };
        let connect = peer.read()?;
        assert_eq!(connect.kind, wire::CONNECT);
        let mut connections = books.connections.lock().unwrap();
        peer.number = connections.len();
        connections.push(Connection {
            accepted,
            clean_session: connect.clean_session(),
            filters: Vec::new(),
            published: Vec::new(),
            disconnected: false,
        });
        books.more.notify_all();
        Some(peer)
    }

    /// Writes bytes. A client that has gone away is its own business.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Another writer to the same client, for another thread.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Ends what is sent, and lets the client read all of it: a plain close would reset the connection
    /// where the client's bytes are unread.
    pub fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        self.read_to_end();
    }

    /// Says nothing more, until the client goes.
    pub fn read_to_end(&mut self) {
        while self.receive().is_some() {}
    }

    /// Neither reads nor writes, until the client has given this connection up and made another.
    pub fn wait_for_next_connection(&mut self) {
        let mut connections = self.books.connections.lock().unwrap();
        while connections.len() == self.number + 1 && !self.books.over.load(Ordering::SeqCst) {
            connections = self.books.more.wait_timeout(connections, GUARD).unwrap().0;
        }
    }

    /// The client's next packet; `None` when it has gone.
    pub fn receive(&mut self) -> Option<Packet> {
        let packet = self.read()?;
        let mut connections = self.books.connections.lock().unwrap();
        // Where there is none, the test is over and has taken the books.
        let connection = connections.get_mut(self.number)?;
        match packet.kind {
            wire::SUBSCRIBE => connection.filters.push(packet.filter().0),
            wire::PUBLISH if packet.payload().len() <= 1024 => {
                let message = (packet.topic(), packet.payload().to_vec());
                connection.published.push(message);
            }
            wire::DISCONNECT => connection.disconnected = true,
            _ => {}
        }
        self.books.more.notify_all();
        Some(packet)
    }

    fn read(&mut self) -> Option<Packet> {
        let first = self.byte()?;
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Packet {
            kind: first >> 4,
            flags: first & 0xf,
            body,
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).ok()?;
        Some(byte[0])
    }

    /// Answers packet after packet, each once `first` has seen it, until the client goes or disconnects.
    pub fn serve(&mut self, mut first: impl FnMut(&mut Self, &Packet) -> Turn) {
        while let Some(packet) = self.receive() {
            if first(self, &packet) == Turn::Swallow {
                continue;
            }
            if packet.kind == wire::DISCONNECT {
                break;
            }
            if let Some(answer) = answer(&packet) {
                self.send(answer);
            }
        }
    }
}

/// What the standard wants in answer to a packet.
pub fn answer(packet: &Packet) -> Option<Vec<u8>> {
    Some(match (packet.kind, packet.qos()) {
        (wire::SUBSCRIBE, _) => wire::suback(packet.pkid(), &[packet.filter().1]),
        (wire::UNSUBSCRIBE, _) => wire::ack(0xb0, packet.pkid()),
        (wire::PUBLISH, 1) => wire::ack(0x40, packet.pkid()),
        (wire::PUBLISH, 2) => wire::ack(0x50, packet.pkid()),
        (wire::PUBREC, _) => wire::ack(0x62, packet.pkid()),
        (wire::PUBREL, _) => wire::ack(0x70, packet.pkid()),
        (wire::PINGREQ, _) => wire::PINGRESP.to_vec(),
        _ => return None,
    })
}
