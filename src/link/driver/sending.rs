//! What is due goes out: everything that one turn of the loop led to, in one write.
//!
//! Past rumqttc's request channel, which costs a turn of its runtime and a system call for each packet:
//! the packets go through the same books and into the same buffer, by calls that rumqttc makes
//! public. Nothing here waits; what the socket does not take at once stays in the buffer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use rumqttc::{EventLoop, PingReq, Request, StateError};

use super::{Driver, books};
use crate::link::engine::Outgoing;

/// How many bytes may wait in the buffer. Below 8 KiB tokio-util's `Framed`, to which rumqttc writes,
/// takes a packet at once; from there on it makes it wait for the socket.
const BUFFER: usize = 8 * 1024;

/// Asks a future once. rumqttc's writes are ready whenever the socket takes what it is given.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

impl Driver<'_> {
    /// Writes what is due, as far as the socket takes it. Says whether there was anything.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn send_due(&mut self) -> Result<bool, StateError> {
        let eventloop = &mut self.connection.eventloop;
        if eventloop.state.await_pingresp {
            // A second PINGREQ would be an error to rumqttc.
            let is_ping = |request: &Request| matches!(request, Request::PingReq(_));
            eventloop.pending.retain(|request| !is_ping(request));
        }
        // What an earlier turn, or rumqttc itself, could not get rid of comes first.
        if !self.engine.is_due() || !flush(eventloop)? {
            return Ok(false);
        }
        let now = Instant::now();
        let mut waiting = 0;
        loop {
            let written = self
                .engine
                .send_next(now, |packet| write(eventloop, packet, &mut waiting));
            match written {
                None => break,
                Some(written) => written?,
            }
            if waiting >= BUFFER {
                if !flush(eventloop)? {
                    return Ok(true);
                }
                waiting = 0;
            }
        }
        flush(eventloop)?;
        Ok(true)
    }
}

/// Through rumqttc's books into its buffer, whose fill is `waiting`; its packet identifier.
fn write(
    eventloop: &mut EventLoop,
    outgoing: Outgoing<'_>,
    waiting: &mut usize,
) -> Result<u16, StateError> {
    let packet = books::enter(&mut eventloop.state, outgoing)?;
    let pkid = books::pkid(&packet);
    *waiting += books::size(&packet);
    let network = eventloop.network.as_mut();
    let network = network.ok_or(StateError::ConnectionAborted)?;
    // Not ready would mean a buffer that was not empty before: `send_due` has seen to that.
    at_once(network.write(packet)).ok_or(StateError::InvalidState)??;
    Ok(pkid)
}

/// Whether the buffer is empty now.
fn flush(eventloop: &mut EventLoop) -> Result<bool, StateError> {
    let network = eventloop.network.as_mut();
    let network = network.ok_or(StateError::ConnectionAborted)?;
    if let Some(result) = at_once(network.flush()) {
        return result.map(|()| true);
    }
    // The socket is full. rumqttc waits for it to take more only while it writes something itself:
    // a PINGREQ. Where one is out already, the rest goes with whatever the broker answers to it.
    if !eventloop.state.await_pingresp && eventloop.pending.is_empty() {
        eventloop.pending.push_back(Request::PingReq(PingReq));
    }
    Ok(false)
}
