//! A proxy between a device and its broker that ends connections after exactly so many bytes.

use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

/// How often a pump looks whether its connection has been cut in the other direction.
const LOOK: Duration = Duration::from_millis(5);

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the device to the broker.
    Up,
    /// From the broker to the device.
    Down,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// FIN to both sides.
    Close,
    /// RST to both sides.
    Reset,
    /// Nothing is forwarded any more, and neither side is told.
    Silence,
    /// As silence, but in this direction only.
    OneWay,
}

/// One cut: after so many bytes in one direction, counted from the cut before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The direction whose bytes count.
    pub way: Way,
    /// How many bytes get through before it.
    pub after: u64,
    /// How the connection ends.
    pub ending: Ending,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}-{:?}", self.way, self.after, self.ending)
    }
}

/// What has gone through.
#[derive(Default)]
struct Traffic {
    connections: AtomicU32,
    up: AtomicU64,
    down: AtomicU64,
    cuts: Mutex<Plan>,
    held: AtomicBool,
    closed: AtomicBool,
}

#[derive(Default)]
struct Plan {
    left: VecDeque<Cut>,
    since_cut: u64,
}

impl Plan {
    /// How many of `size` bytes may pass, and the cut that comes after them.
    fn allow(&mut self, way: Way, size: usize) -> (usize, Option<Ending>) {
        let Some(cut) = self.left.front().filter(|cut| cut.way == way) else {
            return (size, None);
        };
        let left = cut.after - self.since_cut;
        if size as u64 <= left && left > 0 {
            self.since_cut += size as u64;
            if size as u64 != left {
                return (size, None);
            }
        }
        let ending = cut.ending;
        self.left.pop_front();
        self.since_cut = 0;
        (usize::try_from(left).unwrap().min(size), Some(ending))
    }
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    port: u16,
    traffic: Arc<Traffic>,
}

impl Proxy {
    /// Forwards to `broker`, a port on 127.0.0.1, with these cuts in turn.
    pub fn start(broker: u16, cuts: impl IntoIterator<Item = Cut>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let traffic = Arc::new(Traffic::default());
        traffic.cuts.lock().unwrap().left = cuts.into_iter().collect();
        let shared = Arc::clone(&traffic);
        std::thread::spawn(move || {
            for device in listener.incoming() {
                if shared.closed.load(Ordering::Relaxed) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let Ok(device) = device else { continue };
                if shared.held.load(Ordering::Relaxed) {
                    continue;
                }
                // A broker that is down for a restart: the device sees its connection closed.
                if let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)) {
                    forward(device, broker, &shared);
                }
            }
        });
        Self { port, traffic }
    }

    /// The port on 127.0.0.1 where it takes connections.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a cut, after those that are still to come.
    pub fn cut(&self, cut: Cut) {
        self.traffic.cuts.lock().unwrap().left.push_back(cut);
    }

    /// Closes each new connection at once, as long as `held`: a broker that is not back yet.
    pub fn hold(&self, held: bool) {
        self.traffic.held.store(held, Ordering::Relaxed);
    }

    /// How often the device connected.
    pub fn connections(&self) -> u32 {
        self.traffic.connections.load(Ordering::Relaxed)
    }

    /// How many bytes have passed, up and down.
    pub fn passed(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.traffic.up), load(&self.traffic.down))
    }

    /// How many cuts have not happened.
    pub fn cuts_left(&self) -> usize {
        self.traffic.cuts.lock().unwrap().left.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.traffic.closed.store(true, Ordering::Relaxed);
        // Ends the wait in `incoming`.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One connection's two sockets, closed when both pumps have let go of them.
struct Pair {
    device: TcpStream,
    broker: TcpStream,
    cut: AtomicBool,
    /// Up and down.
    silent: [AtomicBool; 2],
}

fn forward(device: TcpStream, broker: TcpStream, traffic: &Arc<Traffic>) {
    for stream in [&device, &broker] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LOOK)).unwrap();
    }
    let pair = Arc::new(Pair {
        device,
        broker,
        cut: AtomicBool::new(false),
        silent: [false, false].map(AtomicBool::new),
    });
    for way in [Way::Up, Way::Down] {
        let (pair, traffic) = (Arc::clone(&pair), Arc::clone(traffic));
        std::thread::spawn(move || pump(way, &pair, &traffic));
    }
}

fn pump(way: Way, pair: &Pair, traffic: &Traffic) {
    let (mut from, mut to, counter) = match way {
        Way::Up => (&pair.device, &pair.broker, &traffic.up),
        Way::Down => (&pair.broker, &pair.device, &traffic.down),
    };
    let mut buffer = [0; 4096];
    while !pair.cut.load(Ordering::SeqCst) {
        let size = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => size,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => break,
        };
        // Held while writing: what is forwarded before a cut is exactly what was allowed.
        let mut plan = traffic.cuts.lock().unwrap();
        if pair.cut.load(Ordering::SeqCst) {
            return;
        }
        if pair.silent[way as usize].load(Ordering::SeqCst) {
            continue;
        }
        let (size, ending) = plan.allow(way, size);
        counter.fetch_add(size as u64, Ordering::Relaxed);
        let written = to.write_all(&buffer[..size]);
        match ending {
            Some(Ending::Silence) => {
                for silent in &pair.silent {
                    silent.store(true, Ordering::SeqCst);
                }
            }
            Some(Ending::OneWay) => pair.silent[way as usize].store(true, Ordering::SeqCst),
            Some(Ending::Reset) => {
                for stream in [&pair.device, &pair.broker] {
                    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                }
                // The last pump to leave closes the sockets, and that sends the RST.
                pair.cut.store(true, Ordering::SeqCst);
                return;
            }
            Some(Ending::Close) => break,
            None if written.is_err() => break,
            None => {}
        }
    }
    // Behind a half-open link neither side learns that the other has gone.
    let silent = pair.silent.iter().any(|s| s.load(Ordering::SeqCst));
    if silent || pair.cut.swap(true, Ordering::SeqCst) {
        return;
    }
    for stream in [&pair.device, &pair.broker] {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}
