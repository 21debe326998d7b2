//! Packet by packet: what rumqttc reports goes into the books and to the role, what is due goes out.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use log::{debug, info, warn};
use rumqttc::mqttbytes::QoS as WireQoS;
use rumqttc::{ConnAck, Incoming, Outgoing, PubRel, Publish, Request, SubAck, SubscribeReasonCode};

use super::trouble::Trouble;
use super::{Connectivity, Link};
use crate::link::engine::inbound::Arrival;
use crate::link::engine::outbox::{Confirmed, Packet, Replay};
use crate::mqtt::{Message, QoS, TopicName, printable};
use crate::role::{Event, Failure, Kind};

pub(super) fn to_wire(qos: QoS) -> WireQoS {
    match qos {
        QoS::AtMostOnce => WireQoS::AtMostOnce,
        QoS::AtLeastOnce => WireQoS::AtLeastOnce,
        QoS::ExactlyOnce => WireQoS::ExactlyOnce,
    }
}

fn from_wire(qos: WireQoS) -> QoS {
    match qos {
        WireQoS::AtMostOnce => QoS::AtMostOnce,
        WireQoS::AtLeastOnce => QoS::AtLeastOnce,
        WireQoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

/// What rumqttc is to send first where the broker kept the session. It clears this itself where not.
///
/// `left_behind` are the packet identifiers under which the broker may hold a QoS 2 message without
/// PUBREL that is over for this end. It would take new messages under them for repetitions (MQTT 3.1.1,
/// section 4.3.3); and mosquitto counts them against its max_inflight_messages, and drops what is beyond
/// that although it confirms it. What is replayed is not over: its PUBREL would part it from its DUP.
pub(super) fn replay(left_behind: &BTreeSet<u16>, replays: Vec<Replay>) -> VecDeque<Request> {
    let outstanding: BTreeSet<u16> = replays.iter().map(Replay::pkid).collect();
    let left_behind = left_behind.difference(&outstanding).copied();
    left_behind
        .map(Replay::Release)
        .chain(replays)
        .map(|replay| match replay {
            Replay::Publish(pkid, message) => {
                let qos = to_wire(message.qos);
                let mut publish = Publish::new(message.topic.as_str(), qos, message.payload);
                publish.pkid = pkid;
                publish.dup = true;
                Request::Publish(publish)
            }
            Replay::Release(pkid) => Request::PubRel(PubRel::new(pkid)),
        })
        .collect()
}

impl Link<'_> {
    /// One event of rumqttc's.
    pub(super) fn packet(&mut self, event: rumqttc::Event) {
        debug!("{event:?}");
        match event {
            rumqttc::Event::Incoming(packet) => self.incoming(packet),
            rumqttc::Event::Outgoing(outgoing) => self.outgoing(&outgoing),
        }
    }

    fn incoming(&mut self, packet: Incoming) {
        match packet {
            Incoming::ConnAck(connack) => self.connected(&connack),
            Incoming::Publish(publish) => self.received(publish),
            Incoming::PubRec(pubrec) => self.outbox.received(pubrec.pkid),
            Incoming::PubAck(puback) => self.confirmed(puback.pkid),
            Incoming::PubComp(pubcomp) => {
                if let Some(confirmed) = self.outbox.completed(pubcomp.pkid) {
                    // Over for this end; not for a broker that is restored from an earlier state.
                    self.left_behind.insert(pubcomp.pkid);
                    self.settle(confirmed);
                }
            }
            Incoming::UnsubAck(unsuback) => self.confirmed(unsuback.pkid),
            Incoming::SubAck(suback) => self.subscribed(&suback),
            Incoming::PubRel(pubrel) => {
                self.inbound.released(pubrel.pkid);
                self.expect_release(pubrel.pkid);
            }
            Incoming::PingResp => self.inbound.known_to_broker(self.acks_before_ping),
            _ => {}
        }
    }

    fn outgoing(&mut self, outgoing: &Outgoing) {
        match outgoing {
            Outgoing::Publish(0) => {
                if let Some(confirmed) = self.outbox.sent_at_most_once() {
                    self.settle(confirmed);
                }
            }
            Outgoing::Unsubscribe(pkid) => self.outbox.sent_unsubscribe(*pkid),
            Outgoing::Publish(pkid) | Outgoing::Subscribe(pkid) => {
                self.outbox.sent(*pkid);
            }
            Outgoing::PingReq => self.acks_before_ping = self.inbound.acks(),
            _ => {}
        }
    }

    fn connected(&mut self, connack: &ConnAck) {
        let session_present = connack.session_present;
        if std::mem::take(&mut self.must_begin_empty) && session_present {
            info!("emptying the session that an earlier run left");
            if let Err(error) = self.empty_session(Instant::now() + super::close::LIMIT) {
                self.must_begin_empty = true;
                self.disconnected(&error);
            }
            return;
        }
        let session = match session_present {
            true => "session present",
            false => "no session present",
        };
        self.round.connected();
        self.outage.over(&self.options.address(), session);
        self.connectivity = Connectivity::Online {
            since: Instant::now(),
        };
        self.inbound.connected(session_present);
        if session_present {
            for pkid in 1..=u16::MAX {
                self.expect_release(pkid);
            }
            self.renew_subscriptions();
        } else {
            self.left_behind.clear();
            self.renewed.clear();
            let subscriptions = self.subscriptions.iter().map(|(f, q)| (f.clone(), *q));
            self.outbox.session_lost(subscriptions);
        }
        self.tell(Event::Connected { session_present }, None);
    }

    /// A broker that lost its power may hold a session as it was half an hour ago (mosquitto saves every
    /// 1,800 s): it says "session present", and has none of the later subscriptions. Renewing one that
    /// is there changes nothing (MQTT 3.1.1, section 3.8.4), and is not the role's business.
    fn renew_subscriptions(&mut self) {
        for (filter, qos) in &self.subscriptions {
            if !self.outbox.has_subscription(filter) {
                self.renewed.insert(filter.clone());
                self.outbox
                    .push(Packet::Subscribe(filter.clone(), *qos), None);
            }
        }
    }

    /// rumqttc forgets which QoS 2 identifiers it has received, and then takes the broker's PUBREL for
    /// an error, for ever. Whatever the identifier, PUBCOMP is the right answer (MQTT 3.1.1, section
    /// 4.3.3), so every one counts as received.
    fn expect_release(&mut self, pkid: u16) {
        let state = &mut self.connection.eventloop.state;
        let mut publish = Publish::new(String::new(), WireQoS::ExactlyOnce, Vec::new());
        publish.pkid = pkid;
        let _ = state.handle_incoming_packet(Incoming::Publish(publish));
        state.events.pop_back();
    }

    fn received(&mut self, publish: Publish) {
        if self.deaf {
            return;
        }
        let Publish {
            dup,
            pkid,
            topic,
            payload,
            ..
        } = publish;
        let qos = from_wire(publish.qos);
        let size = payload.len();
        let (topic, problem) = match TopicName::new(topic) {
            Ok(topic) => (topic, None),
            Err(why) => (TopicName::invalid(), Some(why)),
        };
        let mut message = Message::new(topic, payload, qos);
        message.retain = publish.retain;
        let Arrival::New(serial) = self.inbound.arrived(&message, pkid, dup) else {
            info!("received on {} again: handled before", message.topic);
            return;
        };
        match problem {
            Some(why) => warn!("ignored a message on an invalid topic name: {why}"),
            None => {
                let bytes = if size == 1 { "byte" } else { "bytes" };
                info!(
                    "received on {}, {qos}, {size} {bytes}: {}",
                    message.topic,
                    printable(&message.payload)
                );
                self.tell(Event::Received(&message), serial);
            }
        }
        if let Some(serial) = serial {
            self.inbound.settle(serial);
        }
    }

    fn subscribed(&mut self, suback: &SubAck) {
        let Some(confirmed) = self.outbox.confirmed(suback.pkid) else {
            return;
        };
        if let Packet::Subscribe(filter, asked) = &confirmed.packet {
            match suback.return_codes.first() {
                Some(SubscribeReasonCode::Success(granted)) => {
                    self.round.served();
                    let granted = from_wire(*granted);
                    let renewed = self.renewed.remove(filter);
                    match renewed {
                        true => info!("subscribed to {filter} once more, {granted} granted"),
                        false => info!("subscribed to {filter}, {granted} granted"),
                    }
                    if granted < *asked {
                        warn!("the broker grants only {granted} on {filter}, not {asked}");
                    }
                    if !renewed {
                        self.tell(Event::Subscribed(filter), None);
                    }
                }
                _ => {
                    let remedy = match filter.is_shared() {
                        true => {
                            "does it have shared subscriptions, and the user the right to read it?"
                        }
                        false => "the user needs the right to read it there",
                    };
                    let text = format!(
                        "broker at {} refused the subscription to {filter}: {remedy}",
                        self.options.address()
                    );
                    if self.round.has_choice() && !self.finished && !self.deaf {
                        // A node that has lost touch with its cluster refuses, too.
                        let trouble = Trouble::hopeless(Kind::Refused, text);
                        return self.leave_broker(confirmed, &trouble);
                    }
                    self.failure = Some(Failure::new(Kind::Refused, text));
                }
            }
        }
        self.settle(confirmed);
    }

    fn confirmed(&mut self, pkid: u16) {
        if let Some(confirmed) = self.outbox.confirmed(pkid) {
            self.settle(confirmed);
        }
    }

    fn settle(&mut self, confirmed: Confirmed) {
        self.inbound.known_to_broker(confirmed.after_acks);
        match &confirmed.packet {
            Packet::Publish(message) => {
                let how = match message.qos {
                    QoS::AtMostOnce => "QoS 0",
                    QoS::AtLeastOnce => "confirmed by PUBACK (QoS 1)",
                    QoS::ExactlyOnce => "confirmed by PUBCOMP (QoS 2)",
                };
                let payload = printable(&message.payload);
                info!("published on {}, {how}: {payload}", message.topic);
                self.tell(Event::Confirmed(message), None);
            }
            Packet::Unsubscribe(filter) => info!("unsubscribed from {filter}"),
            Packet::Subscribe(..) => {}
        }
        if let Some(serial) = confirmed.cause {
            self.inbound.settle(serial);
        }
        self.congested &= !self.outbox.is_empty();
    }
}
