//! The plainest role of a library's user, which subscribes on each connection: what it hears, and its last word.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::each_case;
use super::party::Party;
use super::sessions::{PERSISTENT, options};
use super::world::{Strike, World};
use crate::link::{End, Session};
use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::role::{Effect, Event, Reaction, Role};

struct Plain;

impl Role for Plain {
    type Item = String;
    type Input = Infallible;

    fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<String> {
        Ok(match event {
            Event::Connected { .. } => {
                let filter = TopicFilter::new("state/#").unwrap();
                vec![Effect::Subscribe(filter, QoS::ExactlyOnce)]
            }
            // Asked for, ended and asked for again before the broker has answered.
            Event::Subscribed { filter, .. } if filter.as_str() == "state/#" => {
                let filter = TopicFilter::new("other").unwrap();
                let subscribe = Effect::Subscribe(filter.clone(), QoS::ExactlyOnce);
                vec![subscribe.clone(), Effect::Unsubscribe(filter), subscribe]
            }
            Event::Received(message) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                vec![Effect::Emit(text)]
            }
            Event::Stopping => {
                let topic = TopicName::new("last").unwrap();
                vec![Effect::Publish(Message::new(
                    topic,
                    "word",
                    QoS::ExactlyOnce,
                ))]
            }
            _ => Vec::new(),
        })
    }
}

#[test]
fn a_retained_message_comes_once_for_each_connection_whoever_subscribes_again() {
    for session in [Session::Clean, PERSISTENT] {
        for seed in 0..50 {
            let mut world = World::new(seed);
            world.retain("state/a", "on");
            let plain = Party::begin(&mut world, Plain, &options("plain", session));
            world.wait_for("a message", |_| !plain.items().is_empty());
            world.run_for(Duration::from_secs(5));
            world.strike_all(Strike::Cut);
            world.run_for(Duration::from_secs(60));
            assert_eq!(*plain.items(), ["on", "on"], "{session:?}");
        }
    }
}

#[test]
fn a_subscription_that_was_ended_and_is_asked_for_again_is_made() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        let plain = Party::begin(&mut world, Plain, &options("plain", PERSISTENT));
        world.wait_for_subscription(plain.number, "state/#");
        world.run_for(Duration::from_secs(5));
        assert!(world.is_subscribed(plain.number, "other"));
    }
}

#[test]
fn a_role_has_a_last_word_where_there_is_a_connection() {
    each_case(
        "a_role_has_a_last_word_where_there_is_a_connection",
        0..100,
        |seed| {
            let mut world = World::new(seed);
            let plain = Party::begin(&mut world, Plain, &options("plain", PERSISTENT));
            world.wait_for_subscription(plain.number, "state/#");
            world.stop(plain.number);
            world.wait_for_end(plain.number);
            assert_eq!(world.end(plain.number), Some(&Ok(End::Stopped)));
            assert_eq!(world.said_on("last"), ["word"]);
        },
    );
}
