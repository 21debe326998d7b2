//! Brokers that are away, refuse, forget, answer slowly, or have ideas of their own.

use std::time::Duration;

use super::broker::Oddities;
use super::each_seed;
use super::sessions::{PERSISTENT, Sessions, device, options};
use super::world::{Strike, World};
use crate::device_session::controller::{Controller, Plan};
use crate::link::{Address, End, Options, Refusals, Session};
use crate::mqtt::QoS;
use crate::role::{Failure, Kind};

/// A device alone, on a broker that is odd in this way, without a timeout: how it ends within an hour, if at all.
fn end_on(oddities: Oddities, options: &Options) -> (World, Option<Result<End, Failure>>) {
    let mut world = World::new(1);
    world.broker().oddities = oddities;
    let role = device(QoS::ExactlyOnce, None, None, world.now);
    let device = world.begin(role, options, |_| Ok(()));
    world.run(Duration::from_secs(3600));
    let end = world.end(device).cloned();
    (world, end)
}

#[test]
fn a_refusal_ends_the_run_at_once() {
    for oddities in [
        Oddities {
            refuses_logins: true,
            ..Oddities::default()
        },
        Oddities {
            refuses_subscriptions: true,
            ..Oddities::default()
        },
    ] {
        let (world, end) = end_on(oddities, &options("alice", PERSISTENT));
        let Some(Err(failure)) = end else {
            panic!("{end:?}");
        };
        assert_eq!(failure.kind, Kind::Refused);
        assert!(world.now - world.start < Duration::from_secs(2));
    }
}

/// Three hours in which the broker refuses the device, from its beginning or from the middle of a run. Then it does not,
/// and the device has its session within the longest wait.
#[test]
fn a_service_outlasts_a_refusal_with_few_attempts() {
    each_seed("a_service_outlasts_a_refusal_with_few_attempts", |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let refuses_logins = random.bool();
        let refusing = Oddities {
            refuses_logins,
            refuses_subscriptions: !refuses_logins,
            ..Oddities::default()
        };
        let mut options = options("alice", PERSISTENT);
        options.refusals = Refusals::RetrySlowly;
        let mut world = World::new(seed);
        let role = device(QoS::ExactlyOnce, None, None, world.now);
        let is_from_the_beginning = random.bool();
        if is_from_the_beginning {
            world.broker().oddities = refusing.clone();
        }
        let device = world.begin(role, &options, |_| Ok(()));
        world.run(Duration::from_secs(60));
        if !is_from_the_beginning {
            world.broker().oddities = refusing;
            world.strike_all(Strike::Forget);
        }
        let before = world.clients[device].attempts;
        let until = world.now + Duration::from_secs(3 * 3600);
        world.run_while(Duration::from_secs(4 * 3600), |world| world.now < until);
        assert_eq!(world.end(device), None);
        let attempts = world.clients[device].attempts - before;
        assert!((5..60).contains(&attempts), "{attempts} attempts");
        world.broker().oddities = Oddities::default();
        let plan = Plan {
            sessions: Some(1),
            delay: Duration::from_secs(200),
            timeout: None,
            ..Plan::default()
        };
        let controller = world.begin(
            Controller::new(plan),
            &super::sessions::options("controller", PERSISTENT),
            |report| {
                assert_eq!(report.verdict, Ok(()));
                Ok(())
            },
        );
        assert!(world.run(Duration::from_secs(4 * 3600)), "no end");
        for client in [device, controller] {
            assert_eq!(world.end(client), Some(&Ok(End::Finished)));
        }
    });
}

/// `-W`, by which a service that outlasts refusals ends all the same: before the second attempt, and after some.
#[test]
fn a_time_limit_that_ends_a_refused_service_names_the_refusal() {
    for seconds in [3, 600] {
        for refuses_logins in [true, false] {
            let mut world = World::new(1);
            world.broker().oddities = Oddities {
                refuses_logins,
                refuses_subscriptions: !refuses_logins,
                ..Oddities::default()
            };
            let mut options = options("alice", PERSISTENT);
            options.refusals = Refusals::RetrySlowly;
            let timeout = Duration::from_secs(seconds);
            let role = device(QoS::ExactlyOnce, Some(timeout), None, world.now);
            let device = world.begin(role, &options, |_| Ok(()));
            assert!(world.run(Duration::from_secs(3600)), "it does not end");
            let Some(Err(failure)) = world.end(device) else {
                panic!("{:?}", world.end(device));
            };
            assert_eq!(failure.kind, Kind::Refused, "{failure}");
            let what = if refuses_logins {
                "login"
            } else {
                "subscription"
            };
            assert!(failure.text.contains(what), "{failure}");
            assert!(world.now - world.start <= timeout + Duration::from_secs(1));
        }
    }
}

#[test]
fn an_hour_of_outage_costs_few_attempts_and_nothing_else() {
    each_seed(
        "an_hour_of_outage_costs_few_attempts_and_nothing_else",
        |seed| {
            let mut sessions = Sessions::without_timeout(seed, QoS::ExactlyOnce, 5);
            // Until the session waits for its first command.
            sessions.world.run(Duration::from_secs(60));
            let until = sessions.world.now + Duration::from_secs(3600);
            sessions.world.down_until.insert("broker".to_owned(), until);
            sessions.world.strike_all(Strike::Restart);
            let device = sessions.device;
            sessions
                .world
                .run_while(Duration::from_secs(3700), |world| world.now < until);
            let attempts = sessions.world.clients[device].attempts;
            // Half a minute between two of them on an average, less at the beginning.
            assert!((60..400).contains(&attempts), "{attempts} attempts");
            sessions.assert_exactly_once();
        },
    );
}

#[test]
fn a_slow_broker_is_waited_for() {
    let mut world = World::new(1);
    world.connack_delay = Duration::from_millis(4500);
    Sessions::in_world(world, 1, QoS::ExactlyOnce, 4, PERSISTENT).assert_exactly_once();
}

#[test]
fn a_broker_that_restarts_and_forgets_ends_no_run_for_ever() {
    each_seed(
        "a_broker_that_restarts_and_forgets_ends_no_run_for_ever",
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.usize(0..2)];
            let mut sessions = Sessions::new(seed, qos, random.u32(0..20), PERSISTENT);
            let mut strikes: Vec<_> = (0..random.u32(1..=3))
                .map(|_| (random.u32(1..100), Strike::Forget))
                .collect();
            strikes.sort_by_key(|(after, _)| *after);
            sessions.world.strikes = strikes.into();
            let device = sessions.device;
            sessions
                .world
                .run_while(Duration::from_secs(3600), |world| {
                    world.clients[device].end.is_none()
                });
            // A login that the broker forgot is repeated; a session that it forgot ends by the device's timeout.
            match sessions.world.end(device) {
                Some(Ok(End::Finished)) => {}
                Some(Err(failure)) if failure.kind == Kind::NoAnswer => {}
                other => panic!("{other:?}"),
            }
        },
    );
}

fn cluster(seed: u64, oddities: [Oddities; 3]) -> (World, Options) {
    let mut world = World::new(seed);
    for (name, oddities) in ["a", "b", "c"].into_iter().zip(oddities) {
        if oddities.refuses_logins || oddities.refuses_subscriptions {
            let mut node = super::broker::Broker::default();
            node.oddities = oddities;
            world.brokers.insert(name.to_owned(), node);
        }
    }
    let mut options = options("alice", PERSISTENT);
    options.host = "a".to_owned();
    options.others = vec![Address::new("b", 1883), Address::new("c", 1883)];
    (world, options)
}

/// Three names of one cluster: while one node is up and serves, the run goes on there.
#[test]
fn of_several_brokers_one_that_serves_is_enough() {
    each_seed("of_several_brokers_one_that_serves_is_enough", |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let refuses = || Oddities {
            refuses_logins: true,
            ..Oddities::default()
        };
        let lost_touch = || Oddities {
            refuses_subscriptions: true,
            ..Oddities::default()
        };
        let mut nodes = [Oddities::default(), refuses(), lost_touch()];
        random.shuffle(&mut nodes);
        let (mut world, options) = cluster(seed, nodes);
        if random.bool() {
            let until = world.now + Duration::from_secs(60);
            world.down_until.insert("b".to_owned(), until);
        }
        let mut sessions = Sessions::with_options(world, seed, QoS::ExactlyOnce, 4, &options);
        sessions.assert_exactly_once();
    });
}

#[test]
fn when_every_broker_refuses_the_end_names_each() {
    let refuses = || Oddities {
        refuses_logins: true,
        ..Oddities::default()
    };
    let (mut world, options) = cluster(1, [refuses(), refuses(), refuses()]);
    let role = device(QoS::ExactlyOnce, None, None, world.now);
    let device = world.begin(role, &options, |_| Ok(()));
    assert!(world.run(Duration::from_secs(600)), "it does not end");
    let Some(Err(failure)) = world.end(device) else {
        panic!("{:?}", world.end(device));
    };
    assert_eq!(failure.kind, Kind::Refused);
    assert_eq!(failure.text.matches("refused the login").count(), 3);
}

#[test]
fn a_request_gives_up_where_the_first_attempt_fails() {
    let mut world = World::new(1);
    let until = world.now + Duration::from_secs(3600);
    world.down_until.insert("broker".to_owned(), until);
    let mut options = options("alice", Session::Clean);
    options.give_up_at_once = true;
    let role = device(QoS::ExactlyOnce, None, None, world.now);
    let device = world.begin(role, &options, |_| Ok(()));
    world.run(Duration::from_secs(10));
    let Some(Err(failure)) = world.end(device) else {
        panic!("{:?}", world.end(device));
    };
    assert_eq!(failure.kind, Kind::Unreachable);
}
