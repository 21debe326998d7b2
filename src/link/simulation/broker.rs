//! A broker that exists only in memory: it keeps sessions as the standard wants it, mosquitto's way, with the
//! oddities of other brokers as switches.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::QoS as WireQoS;
use rumqttc::{
    Packet, PubAck, PubComp, PubRec, PubRel, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};

use crate::mqtt::{Message, QoS, TopicFilter, TopicName};

/// The number of a connection.
pub type Connection = u64;

/// What this broker does differently.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// It gives packet identifiers away from 1 again on each connection, with DUP (RabbitMQ).
    pub renumbers: bool,
    /// It begins with any packet identifier, and takes a PUBREC for the one before whose PUBCOMP it has not received
    /// (aedes).
    pub mixes_up_pub_recs: bool,
    /// It sends each acknowledgement twice.
    pub acknowledges_twice: bool,
    /// It says nothing to a PUBREL that it does not expect.
    pub ignores_unknown_pub_rel: bool,
    /// It closes the connection at a PUBREL that it does not expect (NATS, aedes 0.51).
    pub closes_at_unknown_pub_rel: bool,
    /// The highest QoS that it grants.
    pub grants: Option<QoS>,
    /// It closes the connection at a PUBLISH on a topic that ends so.
    pub closes_at: Option<String>,
    /// It closes the connection at a PUBLISH with a larger payload (mosquitto's max_packet_size).
    pub max_payload: Option<usize>,
    /// It closes the connection at a PUBLISH with this QoS or a higher one (NATS).
    pub closes_at_qos: Option<QoS>,
    /// It takes `$share/GROUP/` for a part of the topic, grants it and delivers nothing on it (RabbitMQ, NATS, aedes).
    pub ignores_shared_subscriptions: bool,
    /// It takes up to so long over a SUBSCRIBE, and meanwhile takes what comes after it.
    pub subscribes_late: Option<Duration>,
    /// It refuses subscriptions.
    pub refuses_subscriptions: bool,
    /// It allows a controller no filter but those of the protocol: refuses others, or closes the connection at them
    /// (`true`).
    pub closes_at_near_misses: Option<bool>,
    /// It delivers a message once for each filter that matches (MQTT 3.1.1, section 3.3.5).
    pub delivers_for_each_filter: bool,
    /// It refuses every login (CONNACK 5).
    pub refuses_logins: bool,
    /// It refuses a login that comes with a last will (EMQX and others, where its topic is not allowed).
    pub refuses_wills: bool,
}

#[derive(Debug, Clone)]
struct InFlight {
    pkid: u16,
    message: Message,
    /// PUBREC has come.
    received: bool,
}

#[derive(Debug, Clone, Default)]
struct Session {
    persistent: bool,
    connection: Option<Connection>,
    /// What to publish when that connection ends without DISCONNECT.
    will: Option<Message>,
    subscriptions: BTreeMap<TopicFilter, QoS>,
    queue: VecDeque<Message>,
    in_flight: Vec<InFlight>,
    last_pkid: u16,
    /// With QoS 2 from the client, routed when PUBREL comes.
    stored: BTreeMap<u16, Message>,
}

/// The broker.
#[derive(Debug, Default)]
pub struct Broker {
    pub oddities: Oddities,
    sessions: BTreeMap<String, Session>,
    /// The sessions as they were last saved.
    saved: BTreeMap<String, Session>,
    /// Every message that it has taken over, in order, and when.
    pub routed: Vec<(Instant, Message)>,
    /// What a new subscription is answered with (MQTT 3.1.1, section 3.3.1.3).
    pub retained: Vec<Message>,
    /// Packets to send, and connections to close (`None`).
    pub out: VecDeque<(Connection, Option<Packet>)>,
}

/// mosquitto's max_inflight_messages.
const WINDOW: usize = 20;

fn from_wire(qos: WireQoS) -> QoS {
    QoS::try_from(qos as u8).unwrap()
}

fn to_wire(qos: QoS) -> WireQoS {
    rumqttc::mqttbytes::qos(qos.level()).unwrap()
}

impl Broker {
    /// CONNECT. `Some(session present)`, or `None` for a refusal.
    pub fn connect(
        &mut self,
        now: Instant,
        id: &str,
        clean: bool,
        will: Option<Message>,
        connection: Connection,
    ) -> Option<bool> {
        let refuses_it = self.oddities.refuses_wills && will.is_some();
        if self.oddities.refuses_logins || refuses_it {
            return None;
        }
        // Before the CONNACK, as the standard wants the old connection ended by then (section 3.1.4).
        let old = self.sessions.get_mut(id).and_then(|old| old.will.take());
        if let Some(old) = old {
            self.route(now, old);
        }
        let session_present = !clean && self.sessions.contains_key(id);
        let session = self.sessions.entry(id.to_owned()).or_default();
        if let Some(old) = session.connection.replace(connection) {
            self.out.push_back((old, None));
        }
        if !session_present {
            *session = Session {
                persistent: !clean,
                connection: Some(connection),
                last_pkid: match self.oddities.mixes_up_pub_recs {
                    true => super::world::IDENTIFIERS / 2,
                    false => 0,
                },
                ..Session::default()
            };
        }
        session.persistent = !clean;
        session.will = will;
        Some(session_present)
    }

    /// The client has the CONNACK on its way: what continues the session follows it.
    pub fn resume(&mut self, id: &str) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if self.oddities.renumbers {
            for (number, flight) in session.in_flight.iter_mut().enumerate() {
                flight.pkid = u16::try_from(number).unwrap() + 1;
                flight.received = false;
            }
            session.last_pkid = u16::try_from(session.in_flight.len()).unwrap();
        }
        let Some(connection) = session.connection else {
            return;
        };
        for flight in &session.in_flight {
            let packet = match flight.received {
                true => Packet::PubRel(PubRel::new(flight.pkid)),
                false => publish(flight.pkid, true, &flight.message),
            };
            self.out.push_back((connection, Some(packet)));
        }
        session.pump(&mut self.out);
    }

    /// The connection has ended, one way or the other, or its keep alive has: for the broker that is the same.
    pub fn disconnected(&mut self, now: Instant, connection: Connection) {
        let mut sessions = self.sessions.iter_mut();
        let Some((id, session)) = sessions.find(|(_, s)| s.connection == Some(connection)) else {
            return;
        };
        session.connection = None;
        let will = session.will.take();
        if !session.persistent {
            let id = id.clone();
            self.sessions.remove(&id);
        }
        if let Some(will) = will {
            self.route(now, will);
        }
    }

    /// The retained message on this topic; empty where there is none.
    pub fn retained_on(&self, topic: &str) -> String {
        let mut retained = self.retained.iter();
        let on_it = retained.find(|message| message.topic.as_str() == topic);
        on_it.map_or(String::new(), |message| {
            String::from_utf8_lossy(&message.payload).into_owned()
        })
    }

    /// Restarts without what was not saved.
    pub fn forget(&mut self) {
        for session in self.sessions.values() {
            self.out.extend(session.connection.map(|c| (c, None)));
        }
        self.sessions.clear();
        self.retained.clear();
    }

    /// Saves the sessions, as mosquitto does now and then.
    pub fn save(&mut self) {
        self.saved = self.sessions.clone();
    }

    /// Restarts with what was last saved.
    pub fn restore(&mut self) {
        self.forget();
        self.sessions = self.saved.clone();
        for session in self.sessions.values_mut() {
            session.connection = None;
        }
    }

    /// Whether there is a session that outlives its connection.
    pub fn has_session(&self, id: &str) -> bool {
        self.sessions.get(id).is_some_and(|s| s.persistent)
    }

    /// Whether the client `id` has a subscription with this filter.
    pub fn is_subscribed(&self, id: &str, filter: &str) -> bool {
        let session = self.sessions.get(id);
        session.is_some_and(|s| s.subscriptions.keys().any(|f| f.as_str() == filter))
    }

    /// A packet from the client `id`.
    pub fn take(&mut self, now: Instant, id: &str, connection: Connection, packet: Packet) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.connection != Some(connection) {
            return;
        }
        let mut answers = Vec::new();
        let mut routed = None;
        match packet {
            Packet::Publish(publish) => {
                if publish.payload.len() > self.oddities.max_payload.unwrap_or(usize::MAX) {
                    return self.out.push_back((connection, None));
                }
                if let Some(end) = &self.oddities.closes_at {
                    if publish.topic.ends_with(end) {
                        return self.out.push_back((connection, None));
                    }
                }
                let qos = from_wire(publish.qos);
                if self
                    .oddities
                    .closes_at_qos
                    .is_some_and(|least| qos >= least)
                {
                    return self.out.push_back((connection, None));
                }
                let topic = TopicName::new(publish.topic).unwrap();
                let mut message = Message::new(topic, publish.payload, qos);
                message.retain = publish.retain;
                match qos {
                    QoS::AtMostOnce => routed = Some(message),
                    QoS::AtLeastOnce => {
                        answers.push(Packet::PubAck(PubAck::new(publish.pkid)));
                        routed = Some(message);
                    }
                    QoS::ExactlyOnce => {
                        // mosquitto 2.0.11 confirms what is beyond its max_inflight_messages, and drops it.
                        if session.stored.len() < WINDOW {
                            session.stored.entry(publish.pkid).or_insert(message);
                        }
                        answers.push(Packet::PubRec(PubRec::new(publish.pkid)));
                    }
                }
            }
            Packet::PubRel(PubRel { pkid }) => {
                routed = session.stored.remove(&pkid);
                if routed.is_none() && self.oddities.closes_at_unknown_pub_rel {
                    return self.out.push_back((connection, None));
                }
                if routed.is_some() || !self.oddities.ignores_unknown_pub_rel {
                    answers.push(Packet::PubComp(PubComp::new(pkid)));
                }
            }
            Packet::PubAck(PubAck { pkid }) | Packet::PubComp(PubComp { pkid }) => {
                session.in_flight.retain(|flight| flight.pkid != pkid);
            }
            Packet::PubRec(PubRec { pkid }) => {
                let mut flights = session.in_flight.iter_mut();
                match flights.find(|flight| flight.received) {
                    Some(other) if self.oddities.mixes_up_pub_recs => other.pkid = pkid,
                    _ => session.receive(pkid),
                }
                answers.push(Packet::PubRel(PubRel::new(pkid)));
            }
            Packet::Subscribe(subscribe) => {
                let path = &subscribe.filters[0].path;
                let is_reply = path.strip_suffix("/+").is_some_and(|id| id.len() == 32);
                let is_near_miss = id == "controller" && path != "login" && !is_reply;
                if is_near_miss && self.oddities.closes_at_near_misses == Some(true) {
                    return self.out.push_back((connection, None));
                }
                let is_refused = is_near_miss && self.oddities.closes_at_near_misses.is_some();
                let most = self.oddities.grants.unwrap_or(QoS::ExactlyOnce);
                let code = match self.oddities.refuses_subscriptions || is_refused {
                    true => SubscribeReasonCode::Failure,
                    false => {
                        let filter = &subscribe.filters[0];
                        let granted = from_wire(filter.qos).min(most);
                        let filter = TopicFilter::new(filter.path.clone()).unwrap();
                        for message in &self.retained {
                            if filter.matches(&message.topic) {
                                let mut copy = message.clone();
                                copy.qos = copy.qos.min(granted);
                                session.queue.push_back(copy);
                            }
                        }
                        session.subscriptions.insert(filter, granted);
                        SubscribeReasonCode::Success(to_wire(granted))
                    }
                };
                answers.push(Packet::SubAck(SubAck::new(subscribe.pkid, vec![code])));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let gone = |filter: &TopicFilter| filter.as_str() == unsubscribe.topics[0];
                session.subscriptions.retain(|filter, _| !gone(filter));
                answers.push(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
            }
            Packet::PingReq => answers.push(Packet::PingResp),
            Packet::Disconnect => {
                session.will = None;
                return self.out.push_back((connection, None));
            }
            other => panic!("a client sends no {other:?}"),
        }
        for answer in answers {
            let is_ack = matches!(answer, Packet::PubAck(_) | Packet::PubComp(_));
            if is_ack && self.oddities.acknowledges_twice {
                self.out.push_back((connection, Some(answer.clone())));
            }
            self.out.push_back((connection, Some(answer)));
        }
        session.pump(&mut self.out);
        if let Some(message) = routed {
            self.route(now, message);
        }
    }

    /// Takes a message over, and gives it to each session that wants it.
    pub fn route(&mut self, now: Instant, message: Message) {
        let has_groups = !self.oddities.ignores_shared_subscriptions;
        for session in self.sessions.values_mut() {
            let matching = session.subscriptions.iter();
            let matching = matching.filter(|(filter, _)| {
                // Each group has one member here.
                let shared = filter.as_str().strip_prefix("$share/");
                match shared.and_then(|shared| shared.split_once('/')) {
                    Some((_, filter)) if has_groups => {
                        TopicFilter::new(filter).is_ok_and(|filter| filter.matches(&message.topic))
                    }
                    _ => filter.matches(&message.topic),
                }
            });
            let mut granted: Vec<QoS> = matching.map(|(_, qos)| *qos).collect();
            granted.sort_unstable();
            if !self.oddities.delivers_for_each_filter {
                granted.drain(..granted.len().saturating_sub(1));
            }
            for granted in granted {
                let mut copy = message.clone();
                copy.retain = false;
                copy.qos = copy.qos.min(granted);
                if session.connection.is_some() || copy.qos > QoS::AtMostOnce {
                    session.queue.push_back(copy);
                }
                session.pump(&mut self.out);
            }
        }
        if message.retain {
            self.retained.retain(|old| old.topic != message.topic);
            if !message.payload.is_empty() {
                self.retained.push(message.clone());
            }
        }
        self.routed.push((now, message));
    }
}

impl Session {
    /// PUBREC came.
    fn receive(&mut self, pkid: u16) {
        for flight in &mut self.in_flight {
            flight.received |= flight.pkid == pkid;
        }
    }

    /// Sends what the window has room for.
    fn pump(&mut self, out: &mut VecDeque<(Connection, Option<Packet>)>) {
        let Some(connection) = self.connection else {
            return;
        };
        while self.in_flight.len() < WINDOW {
            let Some(message) = self.queue.pop_front() else {
                return;
            };
            if message.qos == QoS::AtMostOnce {
                out.push_back((connection, Some(publish(0, false, &message))));
                continue;
            }
            loop {
                self.last_pkid = self.last_pkid % super::world::IDENTIFIERS + 1;
                let is_taken = |flight: &InFlight| flight.pkid == self.last_pkid;
                if !self.in_flight.iter().any(is_taken) {
                    break;
                }
            }
            let pkid = self.last_pkid;
            out.push_back((connection, Some(publish(pkid, false, &message))));
            self.in_flight.push(InFlight {
                pkid,
                message,
                received: false,
            });
        }
    }
}

fn publish(pkid: u16, dup: bool, message: &Message) -> Packet {
    let topic = message.topic.as_str();
    let mut publish = Publish::new(topic, to_wire(message.qos), message.payload.clone());
    publish.pkid = pkid;
    publish.dup = dup;
    publish.retain = message.retain;
    Packet::Publish(publish)
}
