//! The world as an outside party has it: it publishes, reads along at the broker, and waits.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::World;
use crate::mqtt::{Message, QoS, TopicName};

/// More time than any scenario needs.
const LIMIT: Duration = Duration::from_secs(3600);

/// One message as the broker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When, since the world began.
    pub at: Duration,
    /// The payload, as text.
    pub payload: String,
    /// The QoS that it was published with.
    pub qos: QoS,
    /// The RETAIN flag that it was published with.
    pub retain: bool,
}

impl World {
    /// The broker has this message from outside now.
    pub fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        let message = Message::new(TopicName::new(topic).unwrap(), payload, qos);
        let now = self.now;
        self.broker().route(now, message);
        self.carry();
    }

    /// No host takes a connection until then.
    pub fn refuse_until(&mut self, until: Instant) {
        self.all_down_until = Some(until);
    }

    /// The broker has had this retained message since before the world began.
    pub fn retain(&mut self, topic: &str, payload: &str) {
        let topic = TopicName::new(topic).unwrap();
        let mut message = Message::new(topic, payload, QoS::AtLeastOnce);
        message.retain = true;
        self.broker().retained.push(message);
    }

    /// Goes on until so long after the beginning.
    pub fn run_until(&mut self, time: Duration) {
        self.run_while(time, |_| true);
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now - self.start + time);
    }

    /// Goes on until this is so.
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let is_so = self.run_while(LIMIT, |world| !is_so(world));
        assert!(is_so, "never: {what}");
    }

    /// Goes on until this client has ended.
    pub fn wait_for_end(&mut self, client: usize) {
        self.wait_for("an end", |world| world.end(client).is_some());
    }

    /// Goes on until the broker has this subscription.
    pub fn wait_for_subscription(&mut self, client: usize, filter: &str) {
        self.wait_for(filter, |world| world.is_subscribed(client, filter));
    }

    /// The shortest and the longest time for a packet and its answer.
    pub fn round_trip(&self) -> RangeInclusive<Duration> {
        self.latency * 2..=self.latency * 4
    }

    /// Every message that the broker saw on this topic.
    pub fn seen_on(&self, topic: &str) -> Vec<Seen> {
        let routed = self.brokers[""].routed.iter();
        routed
            .filter(|(_, message)| message.topic.as_str() == topic)
            .map(|(at, message)| Seen {
                at: *at - self.start,
                payload: String::from_utf8_lossy(&message.payload).into_owned(),
                qos: message.qos,
                retain: message.retain,
            })
            .collect()
    }

    /// The same as text alone.
    pub fn said_on(&self, topic: &str) -> Vec<String> {
        let seen = self.seen_on(topic).into_iter();
        seen.map(|seen| seen.payload).collect()
    }

    pub fn is_subscribed(&self, client: usize, filter: &str) -> bool {
        self.brokers[""].is_subscribed(&self.clients[client].id, filter)
    }
}
