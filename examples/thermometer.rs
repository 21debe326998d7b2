//! A thermometer that publishes the temperature each minute on `thermometer/NAME/celsius`, and takes another interval,
//! in seconds, on `thermometer/NAME/set-interval`. A thread of its own reads the sensor.
//!
//! `cargo run --example thermometer -- HOST PORT NAME`; it needs a broker.

use std::convert::Infallible;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use mqtt_client::link::{Feed, Options, Run, Stop, WhenFull, inbox};
use mqtt_client::mqtt::{Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Failure, Kind, Reaction, Role};
use mqtt_client::signals;

struct Thermometer {
    celsius: TopicName,
    set_interval: TopicFilter,
    interval: Duration,
    reading: f64,
    /// When the next reading is published; `None` before the first one.
    next: Option<Instant>,
}

impl Role for Thermometer {
    type Item = Infallible;
    type Input = f64;

    fn handle(&mut self, now: Instant, event: Event<'_, f64>) -> Reaction<Infallible> {
        Ok(match event {
            Event::Connected { .. } => {
                let filter = self.set_interval.clone();
                vec![Effect::Subscribe(filter, QoS::AtLeastOnce)]
            }
            Event::Input(reading) => {
                self.reading = *reading;
                self.next.get_or_insert(now);
                vec![]
            }
            Event::InputsEnded => Err(Failure::new(Kind::Input, "the sensor is gone"))?,
            Event::Deadline => {
                self.next = Some(now + self.interval);
                let celsius = format!("{:.1}", self.reading);
                let message = Message::new(self.celsius.clone(), celsius, QoS::AtLeastOnce);
                vec![Effect::Publish(message)]
            }
            Event::Received(message) => {
                let text = String::from_utf8_lossy(&message.payload);
                let Ok(seconds @ 1..=86_400) = text.trim().parse() else {
                    return Ok(vec![Effect::Warn(format!("no interval: {text:?}"))]);
                };
                self.interval = Duration::from_secs(seconds);
                self.next = self.next.and(Some(now + self.interval));
                vec![Effect::Note(format!("a reading each {seconds} s"))]
            }
            _ => vec![],
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

/// A mock: a real one would read `/sys/bus/w1/devices/28-*/temperature`.
fn read_sensor(readings: &Feed<f64>) {
    for tenths in (200..250).cycle() {
        if readings.send(f64::from(tenths) / 10.0).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, name] = &arguments[..] else {
        return Err("usage: thermometer HOST PORT NAME".into());
    };
    let role = Thermometer {
        celsius: TopicName::new(format!("thermometer/{name}/celsius"))?,
        set_interval: TopicFilter::new(format!("thermometer/{name}/set-interval"))?,
        interval: Duration::from_secs(60),
        reading: 0.0,
        next: None,
    };
    let options = Options::new(host, port.parse()?, format!("thermometer-{name}"));
    let work = move |stop: &Stop| {
        let (feed, readings) = inbox(NonZeroUsize::MIN, WhenFull::DropOldest);
        std::thread::spawn(move || read_sensor(&feed));
        let run = Run::new(&options, stop).fed_by(&readings);
        run.carry(role, |never| match never {})
    };
    signals::until_signal(|| (), work)?;
    Ok(())
}
