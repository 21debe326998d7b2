//! The books against a model of broker, network and rumqttc: random cuts, lost sessions and
//! confirmations out of order, with no socket and no clock. A failing seed can be run alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::link::engine::inbound::{Ack, Arrival, Inbound};
use crate::link::engine::outbox::{Outbox, Packet, Replay};
use crate::mqtt::{Message, QoS, TopicName};

/// What travels between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wire {
    Publish(u16, bool, Message),
    Ack(u16),
    Rec(u16),
    Rel(u16),
    Comp(u16),
}

/// A broker that keeps one session as the standard wants it: mosquitto's way.
#[derive(Default)]
struct Broker {
    queue: VecDeque<Message>,
    /// Sent to the client, unconfirmed; `true` once PUBREC came.
    inflight: Vec<(u16, Message, bool)>,
    last_pkid: u16,
    /// QoS 2 from the client, routed when PUBREL comes.
    stored: BTreeMap<u16, Message>,
    observed: Vec<Message>,
    /// PUBACKs and PUBRECs in the order in which they came.
    acked: Vec<String>,
}

impl Broker {
    const WINDOW: usize = 20;

    fn pump(&mut self) -> Option<Wire> {
        if self.inflight.len() >= Self::WINDOW {
            return None;
        }
        let message = self.queue.pop_front()?;
        if message.qos == QoS::AtMostOnce {
            return Some(Wire::Publish(0, false, message));
        }
        loop {
            self.last_pkid = self.last_pkid % u16::MAX + 1;
            let mut taken = self.inflight.iter().map(|(pkid, ..)| *pkid);
            if !taken.any(|pkid| pkid == self.last_pkid) {
                break;
            }
        }
        self.inflight.push((self.last_pkid, message.clone(), false));
        Some(Wire::Publish(self.last_pkid, false, message))
    }

    fn reconnect(&self) -> Vec<Wire> {
        let resend = |(pkid, message, received): &(u16, Message, bool)| match received {
            true => Wire::Rel(*pkid),
            false => Wire::Publish(*pkid, true, message.clone()),
        };
        self.inflight.iter().map(resend).collect()
    }

    fn forget(&mut self) {
        self.queue.clear();
        self.inflight.clear();
        self.stored.clear();
    }

    fn take(&mut self, packet: Wire) -> Option<Wire> {
        match packet {
            Wire::Publish(pkid, _, message) => match message.qos {
                QoS::AtMostOnce => {
                    self.observed.push(message);
                    None
                }
                QoS::AtLeastOnce => {
                    self.observed.push(message);
                    Some(Wire::Ack(pkid))
                }
                QoS::ExactlyOnce => {
                    self.stored.entry(pkid).or_insert(message);
                    Some(Wire::Rec(pkid))
                }
            },
            Wire::Rel(pkid) => {
                self.observed.extend(self.stored.remove(&pkid));
                Some(Wire::Comp(pkid))
            }
            Wire::Ack(pkid) => {
                let at = self.inflight.iter().position(|(known, ..)| *known == pkid);
                let (_, message, _) = self.inflight.remove(at.expect("an unasked PUBACK"));
                self.acked.push(text(&message));
                None
            }
            Wire::Rec(pkid) => {
                let entry = self.inflight.iter_mut().find(|(known, ..)| *known == pkid);
                let (_, message, received) = entry.expect("an unasked PUBREC");
                if !std::mem::replace(received, true) {
                    self.acked.push(text(message));
                }
                Some(Wire::Rel(pkid))
            }
            Wire::Comp(pkid) => {
                self.inflight.retain(|(known, ..)| *known != pkid);
                None
            }
        }
    }
}

/// The link's side: the books, and rumqttc's channel, packet identifiers and replay.
#[derive(Default)]
struct Client {
    outbox: Outbox,
    inbound: Inbound,
    channel: VecDeque<Request>,
    last_pkid: u16,
    outstanding: BTreeSet<u16>,
    handled: Vec<String>,
}

enum Request {
    Packet(Message),
    Ack(Ack),
    Replay(Replay),
}

impl Client {
    fn submit(&mut self) {
        while let Some(ack) = self.inbound.next_ack() {
            self.channel.push_back(Request::Ack(ack));
        }
        while let Some(Packet::Publish(message)) = self.outbox.next() {
            self.channel.push_back(Request::Packet(message.clone()));
            self.outbox.submitted(self.inbound.acks());
        }
    }

    /// rumqttc takes one request and writes it.
    fn write(&mut self) -> Option<Wire> {
        Some(match self.channel.pop_front()? {
            Request::Ack(Ack {
                pkid,
                qos: QoS::AtLeastOnce,
            }) => Wire::Ack(pkid),
            Request::Ack(Ack { pkid, .. }) => Wire::Rec(pkid),
            Request::Packet(message) if message.qos == QoS::AtMostOnce => {
                let confirmed = self.outbox.sent_at_most_once();
                self.settle(confirmed);
                Wire::Publish(0, false, message)
            }
            Request::Packet(message) => {
                self.last_pkid = self.last_pkid % 100 + 1;
                let pkid = self.last_pkid;
                assert!(self.outstanding.insert(pkid), "identifier {pkid} is taken");
                self.outbox.sent(pkid);
                Wire::Publish(pkid, false, message)
            }
            Request::Replay(Replay::Publish(pkid, message)) => {
                self.outbox.sent(pkid);
                Wire::Publish(pkid, true, message)
            }
            Request::Replay(Replay::Release(pkid)) => Wire::Rel(pkid),
        })
    }

    fn settle(&mut self, confirmed: Option<crate::link::engine::outbox::Confirmed>) {
        let Some(confirmed) = confirmed else { return };
        self.inbound.known_to_broker(confirmed.after_acks);
        if let Some(serial) = confirmed.cause {
            self.inbound.settle(serial);
        }
    }

    /// A device: every command is answered with its own text, some with nothing.
    fn take(&mut self, packet: Wire) -> Option<Wire> {
        match packet {
            Wire::Publish(pkid, dup, message) => {
                let Arrival::New(serial) = self.inbound.arrived(&message, pkid, dup) else {
                    return None;
                };
                self.handled.push(text(&message));
                if !text(&message).ends_with('?') {
                    if let Some(serial) = serial {
                        self.inbound.await_one_more(serial);
                    }
                    self.outbox.push(Packet::Publish(message), serial);
                }
                if let Some(serial) = serial {
                    self.inbound.settle(serial);
                }
                None
            }
            Wire::Ack(pkid) => {
                self.outstanding.remove(&pkid);
                let confirmed = self.outbox.confirmed(pkid);
                self.settle(confirmed);
                None
            }
            Wire::Comp(pkid) => {
                self.outstanding.remove(&pkid);
                let confirmed = self.outbox.completed(pkid);
                self.settle(confirmed);
                None
            }
            Wire::Rec(pkid) => {
                self.outbox.received(pkid);
                Some(Wire::Rel(pkid))
            }
            Wire::Rel(pkid) => {
                self.inbound.released(pkid);
                Some(Wire::Comp(pkid))
            }
        }
    }

    fn reconnect(&mut self, session_present: bool) {
        let replays = self.outbox.disconnected();
        self.channel.clear();
        self.inbound.connected(session_present);
        if session_present {
            self.channel
                .extend(replays.into_iter().map(Request::Replay));
        } else {
            self.outstanding.clear();
            self.outbox.session_lost(std::iter::empty());
        }
    }
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

struct Run {
    sent: Vec<String>,
    broker: Broker,
    client: Client,
    cuts: u32,
}

/// One random history: `commands` messages at `qos`, up to four cuts, then as long as it takes.
fn run(seed: u64, qos: QoS, commands: u32, may_lose_session: bool) -> Run {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut broker = Broker {
        // In every other history the packet identifiers start over half-way.
        last_pkid: if seed % 2 == 0 { 0 } else { u16::MAX - 75 },
        ..Broker::default()
    };
    let mut client = Client::default();
    client.inbound.connected(false);
    let mut up: VecDeque<Wire> = VecDeque::new();
    let mut down: VecDeque<Wire> = VecDeque::new();
    let mut sent = Vec::new();
    let mut cuts = 0;
    let most_cuts = random.u32(0..=4);
    for step in 0.. {
        assert!(step < 100_000, "no progress: livelock");
        let choice = random.u32(0..100);
        match choice {
            0..20 if sent.len() < commands as usize => {
                // Few different texts: duplicates must not be told by their text.
                let command = ["a", "b", "c?"][random.usize(0..3)].to_owned();
                sent.push(command.clone());
                let topic = TopicName::new("t").unwrap();
                broker.queue.push_back(Message::new(topic, command, qos));
            }
            20..40 => down.extend(broker.pump()),
            40..60 => {
                client.submit();
                up.extend(client.write());
            }
            60..77 => {
                if let Some(packet) = up.pop_front() {
                    let answer = broker.take(packet);
                    // Confirmations of different messages may overtake each other; PUBRELs may not.
                    let at = match answer {
                        Some(Wire::Ack(_)) => random.usize(0..=down.len()),
                        _ => down.len(),
                    };
                    if let Some(answer) = answer {
                        down.insert(at, answer);
                    }
                }
            }
            77..94 => {
                if let Some(packet) = down.pop_front() {
                    up.extend(client.take(packet));
                }
            }
            94..96 if cuts < most_cuts && random.u32(0..6) == 0 => {
                cuts += 1;
                up.clear();
                down.clear();
                let session_present = !(may_lose_session && random.bool());
                if !session_present {
                    broker.forget();
                }
                client.reconnect(session_present);
                down.extend(broker.reconnect());
            }
            _ => {}
        }
        let idle = up.is_empty() && down.is_empty() && client.channel.is_empty();
        let done = sent.len() == commands as usize
            && broker.queue.is_empty()
            && broker.inflight.is_empty()
            && client.outbox.is_empty()
            && client.inbound.is_settled();
        if idle && done {
            break;
        }
    }
    Run {
        sent,
        broker,
        client,
        cuts,
    }
}

/// How many histories each test tries: enough for a second in a debug build.
const SEEDS: u64 = 600;

fn answered(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .filter(|text| !text.ends_with('?'))
        .cloned()
        .collect()
}

#[test]
fn qos_2_is_exactly_once_and_in_order_over_any_cuts() {
    let mut cuts = 0;
    for seed in 0..SEEDS {
        let run = run(seed, QoS::ExactlyOnce, 150, false);
        assert_eq!(run.client.handled, run.sent, "seed {seed}");
        let observed: Vec<String> = run.broker.observed.iter().map(text).collect();
        assert_eq!(observed, answered(&run.sent), "seed {seed}");
        assert_eq!(
            run.broker.acked, run.sent,
            "seed {seed}: acknowledged out of order"
        );
        cuts += run.cuts;
    }
    assert!(cuts > 600, "only {cuts} cuts");
}

#[test]
fn qos_1_handles_everything_once_and_loses_nothing_over_any_cuts() {
    for seed in 0..SEEDS {
        let run = run(seed, QoS::AtLeastOnce, 150, false);
        assert_eq!(run.client.handled, run.sent, "seed {seed}");
        let observed: Vec<String> = run.broker.observed.iter().map(text).collect();
        let wanted = answered(&run.sent);
        // A reply whose PUBACK was cut comes again, with its window: everything in order, repeats aside.
        let mut next = wanted.iter().peekable();
        for seen in &observed {
            next.next_if(|wanted| *wanted == seen);
        }
        assert_eq!(next.next(), None, "seed {seed}: lost");
        let most = wanted.len() + run.cuts as usize * crate::link::engine::outbox::WINDOW;
        assert!(observed.len() <= most, "seed {seed}");
        assert_eq!(
            run.broker.acked, run.sent,
            "seed {seed}: acknowledged out of order"
        );
    }
}

#[test]
fn a_lost_session_loses_no_reply() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for seed in 0..SEEDS / 2 {
            let run = run(seed, qos, 150, true);
            let observed: Vec<String> = run.broker.observed.iter().map(text).collect();
            let wanted = answered(&run.client.handled);
            for word in ["a", "b"] {
                let count = |texts: &[String]| texts.iter().filter(|t| *t == word).count();
                assert!(count(&observed) >= count(&wanted), "seed {seed} {qos}");
            }
        }
    }
}
