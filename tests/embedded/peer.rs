//! Somebody else on the broker, who plays no role of ours: rumqttc, by hand.

use std::collections::VecDeque;

use mqtt_client::demo::Broker;
use rumqttc::{Client, Connection, Event, Incoming, MqttOptions, Publish, QoS};

use crate::running::LIMIT;

pub struct Peer {
    client: Client,
    connection: Connection,
    received: VecDeque<Publish>,
    /// Whether the broker held a session for the client id.
    pub session_present: bool,
}

impl Peer {
    /// Connects without asking for an empty session.
    pub fn connect(broker: &Broker, client_id: &str) -> Self {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", broker.port());
        options.set_clean_session(false);
        let (client, connection) = Client::new(options, 16);
        let mut peer = Self {
            client,
            connection,
            received: VecDeque::new(),
            session_present: false,
        };
        peer.session_present = peer.wait_for(|packet| match packet {
            Incoming::ConnAck(connack) => Some(connack.session_present),
            _ => None,
        });
        peer
    }

    pub fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, QoS::ExactlyOnce).unwrap();
        self.wait_for(|packet| matches!(packet, Incoming::SubAck(_)).then_some(()));
    }

    pub fn publish(&mut self, topic: &str, payload: &str) {
        self.publish_with(topic, payload, false);
    }

    pub fn publish_retained(&mut self, topic: &str, payload: &str) {
        self.publish_with(topic, payload, true);
    }

    fn publish_with(&mut self, topic: &str, payload: &str, retain: bool) {
        let qos = QoS::AtLeastOnce;
        self.client.publish(topic, qos, retain, payload).unwrap();
        self.wait_for(|packet| matches!(packet, Incoming::PubAck(_)).then_some(()));
    }

    /// The next message, as topic and payload.
    pub fn receive(&mut self) -> (String, String) {
        let publish = match self.received.pop_front() {
            Some(publish) => publish,
            None => self.wait_for(|packet| match packet {
                Incoming::Publish(publish) => Some(publish.clone()),
                _ => None,
            }),
        };
        let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
        (publish.topic, payload)
    }

    fn wait_for<T>(&mut self, mut wanted: impl FnMut(&Incoming) -> Option<T>) -> T {
        loop {
            let event = self.connection.recv_timeout(LIMIT).unwrap().unwrap();
            let Event::Incoming(packet) = event else {
                continue;
            };
            if let Some(found) = wanted(&packet) {
                return found;
            }
            if let Incoming::Publish(publish) = packet {
                self.received.push_back(publish);
            }
        }
    }
}
