//! What is due goes out: everything that one turn of the loop led to, in one write.
//!
//! Past rumqttc's request channel, which costs a turn of its runtime and a system call for each packet:
//! the packets go through the same state machine and into the same buffer, by calls that rumqttc makes
//! public. Nothing here waits; what the socket does not take at once stays in the buffer.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use log::debug;
use rumqttc::{
    ConnectionError, PingReq, PubAck, PubRec, Publish, Request, StateError, Subscribe, Unsubscribe,
};

use super::packets::to_wire;
use super::{Connectivity, Link, options};
use crate::link::engine::inbound::Ack;
use crate::link::engine::outbox::Packet;
use crate::mqtt::{Message, QoS};

/// How many bytes may wait in the buffer. Below 8 KiB tokio-util's `Framed`, to which rumqttc writes,
/// takes a packet at once; from there on it makes it wait for the socket.
const BUFFER: usize = 8 * 1024;

/// What a packet has at most beyond its topic and its payload, in bytes.
const HEAD: usize = 16;

/// Asks a future once. rumqttc's writes are ready whenever the socket takes what it is given.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

fn size(request: &Request) -> usize {
    HEAD + match request {
        Request::Publish(publish) => publish.topic.len() + publish.payload.len(),
        Request::Subscribe(subscribe) => subscribe.filters.iter().map(|f| f.path.len()).sum(),
        Request::Unsubscribe(unsubscribe) => unsubscribe.topics.iter().map(String::len).sum(),
        _ => 0,
    }
}

impl Link<'_> {
    /// Writes what is due, as far as the socket takes it. Says whether there was anything.
    pub(super) fn submit(&mut self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.write_due().unwrap_or_else(|error| {
            self.broken = Some(ConnectionError::MqttState(error));
            false
        })
    }

    fn write_due(&mut self) -> Result<bool, StateError> {
        let eventloop = &mut self.connection.eventloop;
        if eventloop.state.await_pingresp {
            // A second one would be an error to rumqttc.
            eventloop
                .pending
                .retain(|request| !matches!(request, Request::PingReq(_)));
        }
        // What an earlier turn, or rumqttc itself, could not get rid of comes first.
        if !self.is_due() || !self.flush()? {
            return Ok(false);
        }
        let (mut any, mut waiting) = (false, 0);
        while let Some(request) = self.next_due() {
            any = true;
            waiting += size(&request);
            self.write(request)?;
            if waiting >= BUFFER {
                if !self.flush()? {
                    return Ok(any);
                }
                waiting = 0;
            }
        }
        self.flush()?;
        Ok(any)
    }

    fn is_due(&self) -> bool {
        let online = matches!(self.connectivity, Connectivity::Online { .. });
        online
            && self.failure.is_none()
            && (!self.connection.eventloop.pending.is_empty()
                || self.inbound.has_ack()
                || self.may_send() && self.outbox.next().is_some())
    }

    /// rumqttc stops when two packets want the same identifier, until the first is confirmed.
    fn may_send(&self) -> bool {
        let state = &self.connection.eventloop.state;
        state.collision.is_none() && state.inflight() < options::IDENTIFIERS
    }

    /// What continues the session comes first (MQTT 3.1.1, section 4.4), then acknowledgements.
    fn next_due(&mut self) -> Option<Request> {
        if let Some(request) = self.connection.eventloop.pending.pop_front() {
            return Some(request);
        }
        if let Some(Ack { pkid, qos }) = self.inbound.next_ack() {
            return Some(match qos {
                QoS::ExactlyOnce => Request::PubRec(PubRec::new(pkid)),
                _ => Request::PubAck(PubAck::new(pkid)),
            });
        }
        if !self.may_send() {
            return None;
        }
        let request = match self.outbox.next()? {
            Packet::Publish(Message {
                topic,
                payload,
                qos,
                retain,
            }) => {
                debug!("publishing on {topic}, {qos}, {} bytes", payload.len());
                let mut publish = Publish::new(topic.as_str(), to_wire(*qos), payload.as_slice());
                publish.retain = *retain;
                Request::Publish(publish)
            }
            Packet::Subscribe(filter, qos) => {
                Request::Subscribe(Subscribe::new(filter.as_str(), to_wire(*qos)))
            }
            Packet::Unsubscribe(filter) => Request::Unsubscribe(Unsubscribe::new(filter.as_str())),
        };
        self.outbox.submitted(self.inbound.acks());
        Some(request)
    }

    /// Through rumqttc's books into its buffer. What it has to say about that are its events.
    fn write(&mut self, request: Request) -> Result<(), StateError> {
        let eventloop = &mut self.connection.eventloop;
        let Some(packet) = eventloop.state.handle_outgoing_packet(request)? else {
            return Ok(());
        };
        let network = eventloop.network.as_mut();
        let network = network.ok_or(StateError::ConnectionAborted)?;
        // Not ready would mean a buffer that was not empty before: `submit` has seen to that.
        at_once(network.write(packet)).ok_or(StateError::InvalidState)?
    }

    /// Whether the buffer is empty now.
    fn flush(&mut self) -> Result<bool, StateError> {
        let eventloop = &mut self.connection.eventloop;
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
}
