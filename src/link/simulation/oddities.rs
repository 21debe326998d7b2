//! Brokers with ideas of their own, and what they must not cost.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::broker::Oddities;
use super::each_seed;
use super::sessions::{PERSISTENT, Sessions, device, options};
use super::world::{Strike, World};
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS, TopicFilter, TopicName};
use crate::program::Probe;
use crate::role::Kind;
use crate::text_request::Action;
use crate::text_request::requester::{RequestConfig, Requester};
use crate::text_request::responder::{Responder, ResponderConfig};

/// A request of this text, its number and its answer.
fn ask(world: &mut World, net_id: &str, text: &str) -> (usize, Rc<RefCell<Vec<u8>>>) {
    let config = RequestConfig {
        timeout: Some(Duration::from_secs(60)),
        ..RequestConfig::new(Level::new(net_id).unwrap(), Action::Uppercase)
    };
    let answer = Rc::new(RefCell::new(Vec::new()));
    let handed_out = Rc::clone(&answer);
    let role = Requester::new(config, text.to_owned(), world.now);
    let client = world.begin(role, &options(net_id, Session::Clean), move |answer| {
        *handed_out.borrow_mut() = answer;
        Ok(())
    });
    (client, answer)
}

/// One request of a stranger must not silence the responder for everybody: its answer is three times as long as the
/// broker takes.
#[test]
fn an_answer_that_the_broker_closes_at_is_dropped_and_the_others_are_answered() {
    for seed in 0..200 {
        for by_topic in [false, true] {
            let mut world = World::new(seed);
            world.broker().oddities = Oddities {
                max_payload: (!by_topic).then_some(1500),
                closes_at: by_topic.then(|| "stranger/uppercase/response".to_owned()),
                ..Oddities::default()
            };
            let role = Responder::new(ResponderConfig::default());
            let responder = world.begin(role, &options("responder", PERSISTENT), |()| Ok(()));
            world.run(Duration::from_secs(2));
            let (stranger, _) = ask(&mut world, "stranger", &"\u{390}".repeat(500));
            world.run(Duration::from_secs(3));
            let asked: Vec<_> = (0..6)
                .map(|n| ask(&mut world, &format!("net{n}"), "abc"))
                .collect();
            let since = world.now;
            world.run_while(Duration::from_secs(60), |world| {
                asked.iter().any(|(client, _)| world.end(*client).is_none())
            });
            for (client, answer) in &asked {
                assert_eq!(world.end(*client), Some(&Ok(End::Finished)), "seed {seed}");
                assert_eq!(*answer.borrow(), b"ABC");
            }
            // Three delays of a second and four short connections, each of a few round trips.
            let longest = world.now - since;
            let most = Duration::from_secs(4) + *world.round_trip().end() * 16;
            assert!(longest <= most, "seed {seed}: {longest:?}");
            assert_eq!(world.end(responder), None);
            world.run(Duration::from_secs(200));
            assert!(
                matches!(world.end(stranger), Some(Err(failure)) if failure.kind == Kind::NoAnswer)
            );
        }
    }
}

#[test]
fn a_request_that_the_broker_closes_at_says_so() {
    let mut world = World::new(1);
    world.broker().oddities.max_payload = Some(500);
    let (client, _) = ask(&mut world, "net", &"x".repeat(501));
    assert!(world.run(Duration::from_secs(30)), "it does not end");
    let Some(Err(failure)) = world.end(client) else {
        panic!("{:?}", world.end(client));
    };
    assert_eq!(failure.kind, Kind::Refused);
    assert!(
        failure.text.contains("501 bytes on net/uppercase/request"),
        "{failure}"
    );
}

#[test]
fn a_device_whose_login_the_broker_closes_at_says_so() {
    let mut world = World::new(1);
    world.broker().oddities.closes_at = Some("login".to_owned());
    let role = device(QoS::ExactlyOnce, None, None, world.now);
    let device = world.begin(role, &options("alice", PERSISTENT), |_| Ok(()));
    world.run(Duration::from_secs(60));
    let Some(Err(failure)) = world.end(device) else {
        panic!("{:?}", world.end(device));
    };
    assert_eq!(failure.kind, Kind::Refused);
}

/// RabbitMQ and NATS grant QoS 1; NATS closes the connection at a PUBLISH with QoS 2.
#[test]
fn the_default_session_passes_where_the_broker_has_no_qos_2() {
    for seed in 0..100 {
        let mut world = World::new(seed);
        world.broker().oddities = Oddities {
            grants: Some(QoS::AtLeastOnce),
            closes_at_qos: (seed % 2 == 0).then_some(QoS::ExactlyOnce),
            ..Oddities::default()
        };
        let mut sessions = Sessions::in_world(world, seed, QoS::ExactlyOnce, 10, PERSISTENT);
        sessions.assert_exactly_once();
    }
}

/// Both ends at QoS 2 on this world's broker, while one to three connections are cut.
fn sessions_over_cuts(world: World, seed: u64, random: &mut fastrand::Rng) -> Sessions {
    let strikes: Vec<_> = (0..random.u32(1..=3))
        .map(|_| (random.u32(1..150), Strike::Cut))
        .collect();
    let commands = random.u32(0..40);
    Sessions::in_world(world, seed, QoS::ExactlyOnce, commands, PERSISTENT).with_strikes(&strikes)
}

/// RabbitMQ: it has no QoS 2, and numbers what it repeats from 1 again on each connection.
#[test]
fn a_broker_that_renumbers_its_repetitions_loses_nothing() {
    each_seed(
        "a_broker_that_renumbers_its_repetitions_loses_nothing",
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut world = World::new(seed);
            world.broker().oddities = Oddities {
                grants: Some(QoS::AtLeastOnce),
                renumbers: true,
                ..Oddities::default()
            };
            sessions_over_cuts(world, seed, &mut random).assert_at_least_once();
        },
    );
}

/// aedes, the broker in Node-RED.
#[test]
fn a_broker_that_takes_one_pub_rec_for_another_loses_and_repeats_nothing() {
    each_seed(
        "a_broker_that_takes_one_pub_rec_for_another_loses_and_repeats_nothing",
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut world = World::new(seed);
            world.broker().oddities = Oddities {
                mixes_up_pub_recs: true,
                closes_at_unknown_pub_rel: random.bool(),
                ..Oddities::default()
            };
            sessions_over_cuts(world, seed, &mut random).assert_exactly_once();
        },
    );
}

/// `--share` on a broker that grants it and delivers nothing is found out at the start, and nowhere else is it said; a
/// broker that refuses to subscribe is not judged.
#[test]
fn a_broker_without_shared_subscriptions_is_found_out() {
    for seed in 0..200 {
        for (ignores_shared_subscriptions, refuses_subscriptions) in
            [(false, false), (true, false), (true, true)]
        {
            let mut world = World::new(seed);
            world.broker().oddities = Oddities {
                ignores_shared_subscriptions,
                refuses_subscriptions,
                ..Oddities::default()
            };
            let verdict = Rc::new(RefCell::new(None));
            let handed_out = Rc::clone(&verdict);
            let topic = "mqtt_client/me/share";
            let probe = Probe::new(
                TopicName::new(topic).unwrap(),
                TopicFilter::new(topic).unwrap(),
                &Level::new("west").unwrap(),
            );
            let client = world.begin(probe, &options("me", Session::Clean), move |ignored| {
                *handed_out.borrow_mut() = Some(ignored);
                Ok(())
            });
            assert!(world.run(Duration::from_secs(30)), "it does not end");
            if refuses_subscriptions {
                assert!(world.end(client).unwrap().is_err());
                assert_eq!(*verdict.borrow(), None);
            } else {
                assert_eq!(world.end(client), Some(&Ok(End::Finished)), "seed {seed}");
                assert_eq!(*verdict.borrow(), Some(ignores_shared_subscriptions));
            }
        }
    }
}

/// Where mistakes land the controller listens only as far as the broker allows: that must cost nobody the session.
#[test]
fn a_broker_that_forbids_listening_elsewhere_costs_a_session_nothing() {
    each_seed(
        "a_broker_that_forbids_listening_elsewhere_costs_a_session_nothing",
        |seed| {
            for closes in [false, true] {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut world = World::new(seed);
                world.broker().oddities.closes_at_near_misses = Some(closes);
                let strike = (random.u32(1..120), Strike::Cut);
                let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.usize(0..2)];
                let mut sessions = Sessions::in_world(world, seed, qos, 8, PERSISTENT);
                if random.bool() {
                    sessions = sessions.with_strikes(&[strike]);
                }
                match qos {
                    QoS::ExactlyOnce => sessions.assert_exactly_once(),
                    _ => sessions.assert_at_least_once(),
                }
            }
        },
    );
}

#[test]
fn a_message_for_each_filter_that_matches_is_no_reply_that_comes_twice() {
    each_seed(
        "a_message_for_each_filter_that_matches_is_no_reply_that_comes_twice",
        |seed| {
            let mut world = World::new(seed);
            world.broker().oddities.delivers_for_each_filter = true;
            Sessions::in_world(world, seed, QoS::ExactlyOnce, 12, PERSISTENT).assert_exactly_once();
        },
    );
}
