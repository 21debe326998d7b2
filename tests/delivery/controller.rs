//! A controller by another hand: rumqttc alone, on a connection of its own that nothing cuts. What it
//! hears is what an observer hears.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use harness::observer::Heard;
use mqtt_client::mqtt::QoS;
use rumqttc::{Client, Event, MqttOptions, Packet};

/// After this, what has not happened will not.
pub const GUARD: Duration = Duration::from_secs(30);

pub struct Controller {
    client: Client,
    heard: Receiver<Heard>,
}

pub fn wire(qos: QoS) -> rumqttc::QoS {
    rumqttc::qos(qos.level()).unwrap()
}

/// What devices say.
const FILTERS: [&str; 2] = ["login", "+/+"];

impl Controller {
    /// Connects and subscribes to what devices say, at QoS 2.
    pub fn connect(port: u16) -> Self {
        Self::hearing(port, &FILTERS)
    }

    /// Connects and subscribes to these filters, at QoS 2.
    pub fn hearing(port: u16, filters: &'static [&'static str]) -> Self {
        let mut options = MqttOptions::new("observer", "127.0.0.1", port);
        options.set_max_packet_size(1 << 20, 1 << 20);
        // mosquitto 2.0.11 throws a publisher out that has more than 20 messages in flight.
        options.set_inflight(10);
        let (client, mut connection) = Client::new(options, 1000);
        let (sender, heard) = channel();
        let (ready, subscribed) = channel();
        let requests = client.clone();
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let heard = Heard {
                            topic: publish.topic,
                            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                            qos: publish.qos as u8,
                        };
                        if sender.send(heard).is_err() {
                            return;
                        }
                    }
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        for filter in filters {
                            let qos = rumqttc::QoS::ExactlyOnce;
                            requests.try_subscribe(*filter, qos).unwrap();
                        }
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        let _ = ready.send(());
                    }
                    Ok(_) => {}
                    // The test is over.
                    Err(_) => return,
                }
            }
        });
        for _ in filters {
            subscribed.recv_timeout(GUARD).unwrap();
        }
        Self { client, heard }
    }

    pub fn publish(&self, topic: &str, payload: &str, qos: QoS) {
        self.client
            .publish(topic, wire(qos), false, payload)
            .unwrap();
    }

    /// The next message, if it comes within `wait`.
    pub fn next(&self, wait: Duration) -> Option<Heard> {
        self.heard.recv_timeout(wait).ok()
    }

    /// The next message that `wanted` accepts; every other one goes to `others`.
    pub fn hear(
        &self,
        what: &str,
        others: &mut Vec<Heard>,
        wanted: impl Fn(&Heard) -> bool,
    ) -> Result<Heard, String> {
        let guard = Instant::now() + GUARD;
        loop {
            let left = guard.saturating_duration_since(Instant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                return Err(format!("{what} was not heard; heard {others:?}"));
            };
            if wanted(&heard) {
                return Ok(heard);
            }
            others.push(heard);
        }
    }

    /// All that was said before now, whether it has arrived yet or not.
    pub fn hear_everything(&self, name: &str) -> Result<Vec<Heard>, String> {
        let mut others = Vec::new();
        self.publish("marker/now", name, QoS::ExactlyOnce);
        self.hear("the marker", &mut others, |heard| {
            heard.topic == "marker/now" && heard.payload == name
        })?;
        Ok(others)
    }
}
