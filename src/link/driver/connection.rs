//! rumqttc's event loop, driven on the thread that calls: one connection at a time, packet by packet.
//!
//! rumqttc's own blocking `Connection` answers PUBREC and PUBREL in the same call that reads them, and ends the
//! connection at an acknowledgement that it does not expect. But the engine has to write down what a packet changes
//! before it is answered, and to pass over an acknowledgement that comes twice. So this does what that `Connection`
//! does, a runtime of one thread and `block_on`, and reads each packet itself once the broker has accepted the
//! connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rumqttc::{EventLoop, MqttOptions, Packet, StateError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::way::{Failed, Target, Ways};

/// Room in rumqttc's request channel, which nothing here uses.
const CHANNEL: usize = 1;

/// A connection, an attempt to make one, or neither.
pub struct Connection {
    runtime: Runtime,
    eventloop: EventLoop,
    wake: Arc<Notify>,
    ways: Ways,
    /// The socket has not taken everything that was written.
    is_backed_up: bool,
    /// A part of a packet has arrived, or left a full socket, in the last wait.
    has_progressed: bool,
}

/// How a wait ended.
pub enum Waited {
    /// The broker accepted the connection (CONNACK).
    Connected { session_present: bool },
    /// A packet arrived.
    Read(Packet),
    /// The attempt failed, or the connection has ended.
    Failed(Failed),
    /// The time is over, or [`Wake::wake`] was called, or the socket has taken what was waiting.
    Nothing,
}

/// Ends a wait from another thread.
#[derive(Clone)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Ends the present wait, or the next one.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Asks a future once.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Waits for a future of either kind: tokio's code for that would be there once for each (2 kB).
fn block_on(runtime: &Runtime, future: Pin<&mut dyn Future<Output = Waited>>) -> Waited {
    runtime.block_on(future)
}

fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |at| {
        at.saturating_duration_since(Instant::now())
    })
}

impl Connection {
    /// Not connected yet.
    ///
    /// # Errors
    /// When the kernel has no file for the runtime.
    pub fn new(options: MqttOptions) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut eventloop = EventLoop::new(options, CHANNEL);
        // Nagle's algorithm would hold a small packet back until the one before is acknowledged.
        eventloop.network_options.set_tcp_nodelay(true);
        Ok(Self {
            runtime,
            eventloop,
            wake: Arc::new(Notify::new()),
            ways: Ways::default(),
            is_backed_up: false,
            has_progressed: false,
        })
    }

    /// What ends a wait from another thread.
    pub fn wake(&self) -> Wake {
        Wake(Arc::clone(&self.wake))
    }

    /// Whether the broker has accepted the connection.
    pub fn is_open(&self) -> bool {
        self.eventloop.network.is_some()
    }

    /// Makes an attempt to connect, until `until` at the latest. A wake goes to `look`, which is called at the instant
    /// that it returned last, too; `None` from it gives the attempt up.
    pub fn attempt(
        &mut self,
        target: &Target<'_>,
        until: Option<Instant>,
        mut look: impl FnMut() -> Option<Option<Instant>>,
    ) -> Waited {
        let (eventloop, wake, ways) = (&mut self.eventloop, &self.wake, &mut self.ways);
        let attempt = async {
            let mut attempt = pin!(ways.reach(eventloop, target));
            loop {
                let Some(next) = look() else {
                    return Waited::Nothing;
                };
                let next = next.into_iter().chain(until).min();
                let mut woken = pin!(wake.notified());
                let first = poll_fn(|context| {
                    if let Poll::Ready(event) = attempt.as_mut().poll(context) {
                        return Poll::Ready(Some(event));
                    }
                    woken.as_mut().poll(context).map(|()| None)
                });
                match timeout(left(next), first).await {
                    Ok(Some(Ok(session_present))) => return Waited::Connected { session_present },
                    Ok(Some(Err(error))) => return Waited::Failed(error),
                    Ok(None) => {}
                    Err(_) if until.is_some_and(|until| until <= Instant::now()) => {
                        return Waited::Nothing;
                    }
                    Err(_) => {}
                }
            }
        };
        block_on(&self.runtime, pin!(attempt))
    }

    /// Waits for a packet, until `until` at the latest. Meanwhile what was written goes out, as the socket takes it.
    pub fn wait(&mut self, until: Option<Instant>) -> Waited {
        let (network, wake) = (&mut self.eventloop.network, &self.wake);
        let Some(network) = network else {
            return Waited::Nothing;
        };
        let is_backed_up = &mut self.is_backed_up;
        // rumqttc hides the parts of a packet. But while nothing is ready only the socket asks this again, and it does
        // so when bytes have come or gone; except that the end of the time asks once more, too.
        let mut fruitless = 0;
        let mut is_in_vain = false;
        let happened = async {
            let mut woken = pin!(wake.notified());
            let first = poll_fn(|context| {
                // Both futures may be dropped before they are ready: what they have done is in `network`.
                if let Poll::Ready(read) = pin!(network.read()).poll(context) {
                    return Poll::Ready(Some(read));
                }
                if *is_backed_up {
                    if let Poll::Ready(flushed) = pin!(network.flush()).poll(context) {
                        *is_backed_up = false;
                        return Poll::Ready(flushed.err().map(Err));
                    }
                }
                let woken = woken.as_mut().poll(context).map(|()| None);
                fruitless += u32::from(woken.is_pending());
                woken
            });
            let happened = timeout(left(until), first).await;
            is_in_vain = happened.is_err();
            match happened {
                Ok(Some(Ok(packet))) => Waited::Read(packet),
                Ok(Some(Err(error))) => Waited::Failed(error.into()),
                Ok(None) | Err(_) => Waited::Nothing,
            }
        };
        let waited = block_on(&self.runtime, pin!(happened));
        self.has_progressed = fruitless > 1 + u32::from(is_in_vain);
        waited
    }

    /// Whether bytes have come or gone in the last wait, though no whole packet came.
    pub fn has_progressed(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    /// A packet that has arrived already.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn read_at_once(&mut self) -> Result<Option<Packet>, StateError> {
        match &mut self.eventloop.network {
            Some(network) => at_once(network.read()).transpose(),
            None => Ok(None),
        }
    }

    /// Puts a packet into the buffer. While less than 8 KiB wait in it, tokio-util's `Framed`, to which rumqttc writes,
    /// takes a packet at once; from there on it would first wait for the socket.
    ///
    /// # Errors
    /// When the connection has ended, or the buffer is not empty enough.
    pub fn write(&mut self, packet: Packet) -> Result<(), StateError> {
        let network = self.eventloop.network.as_mut();
        let network = network.ok_or(StateError::ConnectionAborted)?;
        at_once(network.write(packet)).ok_or(StateError::InvalidState)?
    }

    /// Hands the buffer to the socket. Says whether the socket has taken all of it; [`Connection::wait`] hands it the
    /// rest.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn flush(&mut self) -> Result<bool, StateError> {
        let network = self.eventloop.network.as_mut();
        let network = network.ok_or(StateError::ConnectionAborted)?;
        let flushed = at_once(network.flush()).transpose()?;
        self.is_backed_up = flushed.is_none();
        Ok(!self.is_backed_up)
    }

    /// Leaves the connection.
    pub fn hang_up(&mut self) {
        self.eventloop.network = None;
        self.is_backed_up = false;
    }

    /// Leaves the connection for good, and does not wait for a name look-up that nothing needs any more.
    pub fn leave(mut self) {
        self.hang_up();
        self.runtime.shutdown_background();
    }
}
