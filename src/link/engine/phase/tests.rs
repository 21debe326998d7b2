//! The last steps of a run, where the simulation seldom comes.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::link::engine::{Engine, Incoming, Input, Outgoing, Output, RoleWithSink};
use crate::link::{CLOSING_LIMIT, End, Options, Session};
use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role};

const LIMIT: Duration = Duration::from_secs(2);

/// It publishes one message, and is done when the broker has confirmed that.
struct Teller {
    limit: Instant,
    is_done: bool,
}

impl Role for Teller {
    type Item = Infallible;
    type Input = Infallible;

    fn handle(&mut self, _: Instant, event: Event<'_>) -> Reaction<Infallible> {
        let topic = TopicName::new("t").unwrap();
        Ok(match event {
            Event::Connected { .. } => vec![
                Effect::Subscribe(TopicFilter::exactly(&topic), QoS::AtLeastOnce),
                Effect::Publish(Message::new(topic, "told", QoS::AtLeastOnce)),
            ],
            Event::Confirmed(_) => {
                self.is_done = true;
                vec![Effect::Finish]
            }
            Event::Deadline => return Err(Failure::new(Kind::NoAnswer, "too late")),
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.limit).filter(|_| !self.is_done)
    }

    fn time_limit(&self) -> Option<Instant> {
        Some(self.limit)
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn status(&self) -> String {
        String::new()
    }
}

/// Sends what is due. Says which packet identifier the message has.
fn send(engine: &mut Engine<'_>, now: Instant) -> Option<u16> {
    let mut message = None;
    while let Some(sent) = engine.send_next(now, |outgoing| {
        if let Outgoing::Publish { pkid, .. } = outgoing {
            message = Some(pkid);
        }
        Ok::<_, Infallible>(())
    }) {
        assert!(sent.is_ok());
    }
    message
}

/// A device printed the last words then, and was called a failure all the same.
#[test]
fn a_confirmation_in_the_very_last_step_makes_the_end_a_success() {
    let start = Instant::now();
    let role = Teller {
        limit: start + LIMIT,
        is_done: false,
    };
    let role = Box::new(RoleWithSink::new(role, |never| match never {}, None));
    let mut options = Options::new("broker", 1883, "teller");
    options.session = Session::WHILE_RUNNING;
    let mut engine = Engine::new(role, &options, start, 1, None);
    assert!(matches!(engine.poll(start), Output::Connect { .. }));
    let connected = Input::Connected {
        session_present: false,
    };
    engine.handle(start, connected);
    let message = send(&mut engine, start).unwrap();
    let limit = start + LIMIT;
    engine.handle(limit, Input::Timeout);
    send(&mut engine, limit);
    // What is awaited first has not come in time: the next step waits for the UNSUBACK alone.
    let late = limit + CLOSING_LIMIT - Duration::from_millis(10);
    engine.handle(late, Input::Timeout);
    engine.handle(late, Input::Packet(Incoming::PubAck(message)));
    let over = limit + CLOSING_LIMIT;
    for _ in 0..10 {
        send(&mut engine, over);
        match engine.poll(over) {
            Output::End(end) => {
                assert_eq!(end, Ok(End::Finished));
                return;
            }
            Output::Wait(_) => engine.handle(over + Duration::from_secs(5), Input::Timeout),
            _ => {}
        }
    }
    panic!("it does not end");
}
