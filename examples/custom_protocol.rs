//! Both ends of a small protocol: `1 2 3` on the topic `adder/ask` is answered with `6` on `adder/sum`. With a broker,
//! `cargo run --example custom_protocol -- HOST PORT '1 2 3'` asks, and without the numbers it is the adder.
//! `cargo test --example custom_protocol` runs both ends in simulated time.

use std::{convert::Infallible, time::Instant};

use mqtt_client::link::{Options, Run, Session, Stop};
use mqtt_client::mqtt::{Invalid, Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Reaction, Role};

struct Adder(TopicFilter, TopicName);

impl Role for Adder {
    type Item = Infallible;
    type Input = Infallible;

    fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<Infallible> {
        Ok(match event {
            Event::Connected { .. } => vec![Effect::Subscribe(self.0.clone(), QoS::ExactlyOnce)],
            Event::Received(question) => {
                let numbers = String::from_utf8_lossy(&question.payload);
                let sum: i64 = numbers.split(' ').flat_map(str::parse::<i64>).sum();
                let answer = Message::new(self.1.clone(), sum.to_string(), QoS::ExactlyOnce);
                vec![Effect::Publish(answer)]
            }
            _ => vec![],
        })
    }
}

struct Asker(TopicFilter, Option<Message>);

impl Role for Asker {
    type Item = String;
    type Input = Infallible;

    fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<String> {
        Ok(match event {
            Event::Connected { .. } => vec![Effect::Subscribe(self.0.clone(), QoS::ExactlyOnce)],
            // Asked once: across lost connections the link goes on with what was published.
            Event::Subscribed { .. } => self.1.take().map(Effect::Publish).into_iter().collect(),
            Event::Received(sum) => {
                let sum = String::from_utf8_lossy(&sum.payload).into_owned();
                vec![Effect::Emit(sum), Effect::Finish]
            }
            _ => vec![],
        })
    }
}

fn adder() -> Result<Adder, Invalid> {
    let answers = TopicName::new("adder/sum")?;
    Ok(Adder(TopicFilter::new("adder/ask")?, answers))
}

fn asker(numbers: &str) -> Result<Asker, Invalid> {
    let question = Message::new(TopicName::new("adder/ask")?, numbers, QoS::ExactlyOnce);
    Ok(Asker(TopicFilter::new("adder/sum")?, Some(question)))
}

fn options(host: &str, port: u16, id: &str) -> Options {
    let mut options = Options::new(host, port, id);
    options.session = Session::WHILE_RUNNING;
    options
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, numbers @ ..] = &arguments[..] else {
        return Err("usage: custom_protocol HOST PORT [NUMBERS]".into());
    };
    let id = numbers.first().map_or("adder", |_| "asker");
    let options = options(host, port.parse()?, id);
    let (adder, asker) = (adder()?, numbers.first().map(|n| asker(n)).transpose()?);
    let work = move |stop: &Stop| match asker {
        None => Run::new(&options, stop).carry(adder, |never| match never {}),
        Some(asker) => Run::new(&options, stop).carry(asker, |sum| {
            println!("{sum}");
            Ok(())
        }),
    };
    mqtt_client::signals::until_signal(|| (), work)?;
    Ok(())
}

#[test]
fn a_sum_comes_back_whatever_happens_to_the_connections() {
    use mqtt_client::testing::{Simulation, Strike, each_seed};
    each_seed("a_sum_comes_back_whatever_happens", 200, |seed| {
        let mut simulation = Simulation::new(seed);
        let adder = simulation.begin(adder().unwrap(), &options("", 0, "adder"));
        simulation.wait_for_subscription(&adder, "adder/ask");
        simulation.strike_after((seed % 20) as u32, Strike::Cut);
        let asker = simulation.begin(asker("1 2 3").unwrap(), &options("", 0, "asker"));
        assert!(simulation.wait_for_end(&asker).is_ok());
        assert_eq!(*asker.items(), ["6"]);
        assert_eq!(simulation.payloads("adder/sum"), ["6"]);
    });
}
