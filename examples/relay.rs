//! A relay: `on` or `off` on `relay/NAME/set` switches a pin, and `relay/NAME/state` says how it stands, for whoever
//! subscribes later, too. `relay/NAME/available` says whether the relay is there: its last will says that it is not.
//!
//! `cargo run --example relay -- HOST PORT NAME`; it needs a broker.

use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use mqtt_client::link::{Options, Run, Session};
use mqtt_client::mqtt::{Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Reaction, Role};
use mqtt_client::signals;

struct Relay {
    set: TopicFilter,
    state: TopicName,
    available: TopicName,
    is_on: bool,
}

impl Relay {
    fn retained(topic: &TopicName, payload: &str) -> Message {
        Message::new(topic.clone(), payload, QoS::AtLeastOnce).retained()
    }

    fn tell(&self) -> Message {
        Self::retained(&self.state, if self.is_on { "on" } else { "off" })
    }
}

impl Role for Relay {
    /// How the pin is to stand.
    type Item = bool;
    type Input = Infallible;

    fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<bool> {
        Ok(match event {
            Event::Connected { .. } => vec![
                Effect::Subscribe(self.set.clone(), QoS::ExactlyOnce),
                Effect::Publish(Self::retained(&self.available, "online")),
                Effect::Publish(self.tell()),
            ],
            // A stored command is an old one.
            Event::Received(message) if !message.retain => {
                self.is_on = match &message.payload[..] {
                    b"on" => true,
                    b"off" => false,
                    other => {
                        let text = String::from_utf8_lossy(other);
                        return Ok(vec![Effect::Warn(format!(
                            "{text:?} is neither on nor off"
                        ))]);
                    }
                };
                // The pin is switched before the broker hears of it.
                vec![Effect::Emit(self.is_on), Effect::Publish(self.tell())]
            }
            Event::Stopping => vec![Effect::Publish(Self::retained(&self.available, "offline"))],
            _ => vec![],
        })
    }

    fn status(&self) -> String {
        format!("the pin is {}", if self.is_on { "high" } else { "low" })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, name] = &arguments[..] else {
        return Err("usage: relay HOST PORT NAME".into());
    };
    let topic = |last| TopicName::new(format!("relay/{name}/{last}"));
    let relay = Relay {
        set: TopicFilter::new(format!("relay/{name}/set"))?,
        state: topic("state")?,
        available: topic("available")?,
        is_on: false,
    };
    let mut options = Options::new(host, port.parse()?, format!("relay-{name}"));
    // What is sent while the relay is away comes when it is back.
    options.session = Session::LASTING;
    options.will = Some(Relay::retained(&relay.available, "offline"));
    signals::until_signal(
        || (),
        move |stop| {
            // A mock: a real one would write to `/sys/class/gpio` or use a crate for it.
            Run::new(&options, stop).carry(relay, |is_on| {
                println!("pin 17 {}", if is_on { "high" } else { "low" });
                Ok(())
            })
        },
    )?;
    Ok(())
}
