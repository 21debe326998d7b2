//! One connection of the client that is judged, from the side of a broker with a responder behind it: what comes is
//! written down and answered. It holds no socket: bytes come in and go out.
//!
//! It is generous: a request on a wrong topic, or before the subscription, is answered all the same. So one mistake does
//! not hide the others.

use std::time::Instant;

use super::packet::{self, LEVEL, Packet, Publish};
use super::{Run, Service};
use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::role::{Effect, Event, Role};
use crate::text_request::responder::{Responder, ResponderConfig};
use crate::text_request::{request_topic, response_topic};

/// Something that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The client sent this.
    Packet(Packet),
    /// The client sent what is no packet, or none that may stand there: a sentence.
    Broken(String),
    /// It was given the response, at this QoS and under this packet identifier.
    Response(u8, u16, Vec<u8>),
}

/// The most that is written down of one connection, and of one run.
const MOST: usize = 1000;

/// The most that is read of one connection, in bytes: what is kept is some times as much.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// CONNACK's return codes (section 3.2.2.3).
const ACCEPTED: u8 = 0;
const UNACCEPTABLE_PROTOCOL: u8 = 1;
const NOT_AUTHORIZED: u8 = 5;

/// A connection.
#[derive(Debug)]
pub struct Conversation {
    run: Run,
    seen: Vec<Seen>,
    unread: Vec<u8>,
    received: usize,
    is_connected: bool,
    is_over: bool,
    subscriptions: Vec<(TopicFilter, u8)>,
    responder: Responder,
    /// Responses that wait for a subscription.
    waiting: Vec<Message>,
    last_pkid: u16,
}

impl Conversation {
    /// A connection that has just been made.
    pub fn new(run: Run, seed: u64) -> Self {
        let config = ResponderConfig {
            seed,
            ..ResponderConfig::default()
        };
        Self {
            run,
            seen: Vec::new(),
            unread: Vec::new(),
            received: 0,
            is_connected: false,
            is_over: run.service == Service::None,
            subscriptions: Vec::new(),
            responder: Responder::new(config),
            waiting: Vec::new(),
            last_pkid: 0,
        }
    }

    /// Whether the broker closes the connection, once it has sent what it has to send.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What has happened.
    pub fn into_seen(self) -> Vec<Seen> {
        self.seen
    }

    /// What the client has sent; returns what it is sent.
    pub fn take(&mut self, now: Instant, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_over {
            return out;
        }
        self.unread.extend_from_slice(bytes);
        self.received += bytes.len();
        while !self.is_over {
            match packet::read(&mut self.unread) {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    self.seen.push(Seen::Packet(packet.clone()));
                    self.answer(now, packet, &mut out);
                }
                Err(why) => self.broken(why),
            }
            if self.seen.len() > MOST {
                self.broken(format!("more than {MOST} packets came"));
            }
        }
        if self.received > MOST_BYTES && !self.is_over {
            self.broken(format!("more than {MOST_BYTES} bytes came"));
        }
        out
    }

    fn broken(&mut self, why: String) {
        self.seen.push(Seen::Broken(why));
        self.is_over = true;
    }

    fn answer(&mut self, now: Instant, packet: Packet, out: &mut Vec<u8>) {
        match packet {
            Packet::Connect { .. } if self.is_connected => {
                self.broken("a second CONNECT came on the same connection".to_owned());
            }
            Packet::Connect { level, .. } => {
                let code = match (level, self.run.service) {
                    (LEVEL, Service::Refused) => NOT_AUTHORIZED,
                    (LEVEL, _) => ACCEPTED,
                    // [MQTT-3.1.2-2].
                    _ => UNACCEPTABLE_PROTOCOL,
                };
                out.extend(packet::connack(code));
                self.is_connected = true;
                self.is_over = code != ACCEPTED;
            }
            _ if !self.is_connected => {
                self.broken("the first packet on a connection is not CONNECT".to_owned());
            }
            Packet::Subscribe(pkid, filters) => self.subscribe(pkid, filters, out),
            Packet::Unsubscribe(pkid, filters) => {
                self.subscriptions
                    .retain(|(known, _)| filters.iter().all(|filter| filter != known.as_str()));
                out.extend(packet::acknowledgement(0xb0, pkid));
            }
            Packet::Publish(publish) => {
                match publish.qos {
                    0 => {}
                    1 => out.extend(packet::acknowledgement(0x40, publish.pkid)),
                    _ => out.extend(packet::acknowledgement(0x50, publish.pkid)),
                }
                self.request(now, publish);
            }
            Packet::PubRel(pkid) => out.extend(packet::acknowledgement(0x70, pkid)),
            Packet::PingReq => out.extend([0xd0, 0]),
            Packet::Disconnect => self.is_over = true,
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) => {}
        }
        self.deliver(out);
    }

    fn subscribe(&mut self, pkid: u16, filters: Vec<(String, u8)>, out: &mut Vec<u8>) {
        /// What says in SUBACK that a filter is refused.
        const FAILURE: u8 = 0x80;
        let mut granted = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            match TopicFilter::new(filter) {
                Ok(filter) => {
                    // A broker may grant less: so no response goes out with QoS 2.
                    let qos = qos.min(1);
                    self.subscriptions.retain(|(known, _)| *known != filter);
                    self.subscriptions.push((filter, qos));
                    granted.push(qos);
                }
                Err(_) => granted.push(FAILURE),
            }
        }
        out.extend(packet::suback(pkid, &granted));
    }

    /// A message that may be the request, as the responder would have it if its topic were right.
    fn request(&mut self, now: Instant, publish: Publish) {
        let Some((net_id, message)) = self.run.request() else {
            return;
        };
        let topic = request_topic(&net_id, self.run.action);
        let lower = publish.topic.to_lowercase();
        let is_meant = publish.topic == topic.as_str()
            || publish.payload == message.as_bytes()
            || lower.contains(self.run.action.name())
            || lower.contains("request");
        if !is_meant {
            return;
        }
        let qos = match publish.qos {
            0 => QoS::AtMostOnce,
            _ => QoS::AtLeastOnce,
        };
        let text = String::from_utf8_lossy(&publish.payload).into_owned();
        let request = Message::new(topic, text, qos);
        // It never fails.
        let effects = self.responder.handle(now, Event::Received(&request));
        for effect in effects.unwrap_or_default() {
            if let Effect::Publish(response) = effect {
                self.waiting.push(response);
            }
        }
    }

    fn deliver(&mut self, out: &mut Vec<u8>) {
        while let Some(response) = self.waiting.first() {
            let right = &response.topic;
            let found = self
                .subscriptions
                .iter()
                .find(|(filter, _)| filter.matches(right));
            let found = found.map(|(_, qos)| (right.clone(), *qos));
            let has_wildcard = |filter: &TopicFilter| filter.as_str().contains(['+', '#']);
            let near = || {
                let mut named = self.subscriptions.iter();
                let (filter, qos) = named.find(|(filter, _)| !has_wildcard(filter))?;
                Some((TopicName::new(filter.as_str()).ok()?, *qos))
            };
            let Some((topic, granted)) = found.or_else(near) else {
                return;
            };
            let qos = granted.min(response.qos.level());
            let pkid = match qos {
                0 => 0,
                _ => {
                    self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
                    self.last_pkid
                }
            };
            let payload = self.waiting.remove(0).payload;
            out.extend(packet::publish(topic.as_str(), qos, pkid, &payload));
            self.seen.push(Seen::Response(qos, pkid, payload));
        }
    }
}

/// The topics of a run, as they have to be: request and response.
pub fn topics(run: &Run) -> Option<(String, String)> {
    let (net_id, _) = run.request()?;
    let request = request_topic(&net_id, run.action);
    let response = response_topic(&net_id, run.action);
    Some((request.to_string(), response.to_string()))
}
