//! What the broker keeps of a client's presence, whatever happens to its connections; and that the promises of delivery
//! hold all the same.

use std::time::Duration;

use super::broker::Oddities;
use super::sessions::{PERSISTENT, Sessions, options};
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::link::{AtEnd, End, Options, Presence, Session};
use crate::mqtt::{QoS, TopicName};
use crate::presence::{FINISHED, OFFLINE, ONLINE, STOPPED, Said};
use crate::text_request::responder::{Responder, ResponderConfig};

const STATUS: &str = "who/alice/status";
const ABOUT: &str = "who/alice/status/about";

const STRIKES: [Strike; 4] = [
    Strike::Cut,
    Strike::Silence,
    Strike::Restart,
    Strike::Forget,
];

/// A device that says it is there.
pub fn present(session: Session, world: &World) -> Options {
    let topic = TopicName::new(STATUS).unwrap();
    let presence = Presence::new(topic, "device alice", world.now);
    let mut options = options("alice", session);
    options.presence = Some(presence);
    options
}

fn sessions(qos: QoS) -> Sessions {
    let world = World::new(1);
    let options = present(PERSISTENT, &world);
    Sessions::with_options(world, 1, qos, 4, &options)
}

fn responder(world: &mut World, options: &Options) -> usize {
    let role = Responder::new(ResponderConfig::default());
    world.begin(role, options, |()| Ok(()))
}

fn status(world: &World) -> String {
    world.brokers[""].retained_on(STATUS)
}

/// The device has ended: nobody believes anything else.
pub fn assert_offline(world: &mut World) {
    // Where the last connection was silent, the broker waits for its keep alive.
    world.run_for(Options::KEEP_ALIVE * 2);
    assert_ne!(status(world), ONLINE);
}

fn said(world: &World) -> Option<Said> {
    Said::read(world.brokers[""].retained_on(ABOUT).as_bytes())
}

fn end(world: &World) -> Option<String> {
    said(world)?.text("end").map(str::to_owned)
}

fn doing(world: &World) -> String {
    let said = said(world).expect("no details");
    said.text("doing").unwrap().to_owned()
}

#[test]
fn it_is_said_at_the_beginning_and_at_the_end() {
    let mut sessions = sessions(QoS::ExactlyOnce);
    sessions
        .world
        .wait_for("online", |world| status(world) == ONLINE);
    assert_eq!(end(&sessions.world), None);
    sessions.assert_exactly_once();
    assert_eq!(status(&sessions.world), OFFLINE);
    assert_eq!(end(&sessions.world).as_deref(), Some(FINISHED));
    // Twice where the connection that empties the session overtakes DISCONNECT, so that the last will goes out, too.
    let mut said = sessions.world.said_on(STATUS);
    said.dedup();
    assert_eq!(said, [ONLINE, OFFLINE]);
}

#[test]
fn every_promise_holds_with_it_and_nobody_stays_online_whatever_happens_after_any_packet() {
    let mut length = sessions(QoS::ExactlyOnce);
    length.assert_exactly_once();
    let strikes = [Strike::Cut, Strike::Silence, Strike::Restart];
    let cases = (1..=length.world.arrived).flat_map(|after| strikes.map(|strike| (after, strike)));
    each_case(
        "every_promise_holds_with_it_and_nobody_stays_online_whatever_happens_after_any_packet",
        cases,
        |case| {
            let mut sessions = sessions(QoS::ExactlyOnce).with_strikes(&[case]);
            sessions.assert_exactly_once();
            assert_offline(&mut sessions.world);
            if !sessions.world.struck_while_closing {
                assert_eq!(end(&sessions.world).as_deref(), Some(FINISHED));
            }
        },
    );
}

/// A service: whatever happened to its connections, it is online in the end; and then it ends in one way or the other, and
/// the broker knows that, too.
#[test]
fn a_service_is_online_while_it_is_connected_and_not_when_it_is_lost() {
    each_seed(
        "a_service_is_online_while_it_is_connected_and_not_when_it_is_lost",
        |seed| {
            let mut world = World::new(seed);
            let mut random = fastrand::Rng::with_seed(seed);
            let options = match random.u8(0..3) {
                0 => present(Session::Clean, &world),
                1 => present(PERSISTENT, &world),
                _ => present(Session::LASTING, &world),
            };
            let mut number = responder(&mut world, &options);
            for _ in 0..random.u8(1..4) {
                let strikes = (0..random.u32(0..=3)).map(|_| {
                    (
                        world.arrived + random.u32(1..20),
                        STRIKES[random.usize(0..4)],
                    )
                });
                let mut strikes: Vec<_> = strikes.collect();
                strikes.sort_by_key(|(after, _)| *after);
                world.strikes = strikes.into();
                world.run_for(Duration::from_secs(random.u64(0..300)));
                if random.bool() {
                    // A new process takes the session over, and the old connection's will comes first.
                    if random.bool() {
                        world.strike_all(Strike::Silence);
                    }
                    world.kill(number);
                    number = responder(&mut world, &options);
                }
            }
            world.run_for(Duration::from_secs(600));
            world.strikes.clear();
            world.run_for(Duration::from_secs(300));
            assert_eq!(status(&world), ONLINE, "{:?}", world.said_on(STATUS));
            assert_eq!(end(&world), None);
            assert_eq!(doing(&world), "0 requests answered");
            match random.u8(0..3) {
                0 => {
                    world.stop(number);
                    world.wait_for_end(number);
                    assert_eq!(status(&world), OFFLINE);
                    assert_eq!(end(&world).as_deref(), Some(STOPPED));
                }
                1 => {
                    world.kill(number);
                    assert_eq!(status(&world), OFFLINE);
                    assert_eq!(end(&world), None, "lost");
                }
                _ => {
                    world.strike_all(Strike::Silence);
                    assert_eq!(status(&world), ONLINE, "nobody can know better");
                    world.kill(number);
                    world.run_for(Options::KEEP_ALIVE * 2);
                    assert_eq!(status(&world), OFFLINE);
                    assert_eq!(end(&world), None, "lost");
                }
            }
        },
    );
}

/// It costs some connections, and nothing else.
#[test]
fn a_broker_that_does_not_take_it_serves_the_role_all_the_same() {
    let closes = |end: &str| Oddities {
        closes_at: Some(end.to_owned()),
        ..Oddities::default()
    };
    let refuses = Oddities {
        refuses_wills: true,
        ..Oddities::default()
    };
    for oddities in [closes("/status"), closes("/status/about"), refuses] {
        let mut sessions = sessions(QoS::ExactlyOnce);
        sessions.world.broker().oddities = oddities;
        sessions.assert_exactly_once();
        let attempts = sessions.world.clients[sessions.device].attempts;
        assert!(attempts <= 7, "{attempts}");
        assert_ne!(status(&sessions.world), ONLINE);
    }
}

/// What the role's messages are suspected of, its presence did not do; and the other way round.
#[test]
fn a_message_of_the_role_that_the_broker_does_not_take_costs_nobody_their_presence() {
    let mut world = World::new(1);
    world.broker().oddities.closes_at = Some("/response".to_owned());
    let options = present(PERSISTENT, &world);
    let number = responder(&mut world, &options);
    world.wait_for_subscription(number, "+/reverse/request");
    world.publish("net/reverse/request", "abc", QoS::AtLeastOnce);
    world.run_for(Duration::from_secs(120));
    assert_eq!(world.said_on("net/reverse/response"), [""; 0]);
    assert_eq!(status(&world), ONLINE);
    let attempts = world.clients[number].attempts;
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.clients[number].attempts, attempts);
    assert_eq!(doing(&world), "1 requests answered");
}

#[test]
fn what_is_to_be_cleared_is_and_a_pause_says_until_when() {
    let mut world = World::new(1);
    let mut options = present(PERSISTENT, &world);
    if let Some(presence) = &mut options.presence {
        presence.at_end = AtEnd::Clear;
    }
    let number = responder(&mut world, &options);
    world.wait_for("online", |world| status(world) == ONLINE);
    world.stop(number);
    world.wait_for_end(number);
    assert_eq!(world.end(number), Some(&Ok(End::Stopped)));
    assert_eq!((status(&world), said(&world)), Default::default());

    let world = World::new(1);
    let mut options = present(PERSISTENT, &world);
    if let Some(presence) = &mut options.presence {
        presence.at_end = AtEnd::Clear;
        presence.pause = Some(Duration::from_secs(300));
    }
    let mut sessions = Sessions::with_options(world, 1, QoS::ExactlyOnce, 4, &options);
    sessions.assert_exactly_once();
    assert_eq!(status(&sessions.world), OFFLINE);
    let said = said(&sessions.world).expect("no details");
    assert_eq!(said.text("end"), Some(FINISHED));
    let back = said.number("at").map(|at| at + 300);
    assert_eq!(said.number("next"), back);
}

/// Minutes of work are a few details, and an idle client says nothing.
#[test]
fn details_follow_what_it_does_at_most_once_a_minute() {
    let mut world = World::new(1);
    let options = present(PERSISTENT, &world);
    let number = responder(&mut world, &options);
    world.wait_for_subscription(number, "+/reverse/request");
    world.run_for(Duration::from_secs(600));
    // At the connection, and when it was subscribed.
    let idle = world.said_on(ABOUT).len();
    assert!((1..=2).contains(&idle), "{idle}");
    for _ in 0..600 {
        world.publish("net/reverse/request", "abc", QoS::AtLeastOnce);
        world.run_for(Duration::from_secs(1));
    }
    let busy = world.said_on(ABOUT).len() - idle;
    assert!((9..=11).contains(&busy), "{busy}");
    world.run_for(Duration::from_secs(120));
    assert_eq!(doing(&world), "600 requests answered");
}
