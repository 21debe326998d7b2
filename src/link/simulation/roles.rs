//! Both ends of both protocols against each other and against an outside party, on a network that only takes time:
//! whole scenarios, as a user at the broker sees them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use super::each_case;
use super::party::Party;
use super::sessions::{PERSISTENT, options};
use super::world::{Strike, World};
use crate::device_session::controller::{Controller, Plan};
use crate::device_session::device::{Device, DeviceConfig, Progress};
use crate::device_session::report::Report;
use crate::device_session::verdict::Word;
use crate::device_session::{LAST_WORDS, PAUSE};
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS};
use crate::role::Kind;
use crate::text_request::Action;
use crate::text_request::requester::{RequestConfig, Requester};
use crate::text_request::responder::{Responder, ResponderConfig};

const QOS1: QoS = QoS::AtLeastOnce;

/// A device that has just begun.
fn device(world: &mut World, user_id: &str) -> Party<Progress> {
    let config = DeviceConfig::new(Level::new(user_id).unwrap());
    let role = Device::new(config, world.now);
    Party::begin(world, role, &options(user_id, PERSISTENT))
}

/// A device `alice` that has a UNIQUE ID `U1` from a controller that the test plays itself.
fn served_device(world: &mut World) -> Party<Progress> {
    let device = logged_in_device(world);
    world.publish("alice/UUID", "U1", QOS1);
    world.wait_for_subscription(device.number, "U1");
    device
}

/// A device `alice` that waits for its UNIQUE ID.
fn logged_in_device(world: &mut World) -> Party<Progress> {
    let device = device(world, "alice");
    world.wait_for("a login", |world| world.said_on("login") == ["alice"]);
    device
}

/// A controller that is ready for logins.
fn controller(world: &mut World, qos: QoS, sessions: u64, seed: u64) -> Party<Report> {
    let role = Controller::new(Plan {
        qos,
        seed,
        sessions: Some(sessions),
        ..Plan::default()
    });
    let controller = Party::begin(world, role, &options("controller", PERSISTENT));
    world.wait_for_subscription(controller.number, "login");
    controller
}

fn requester(world: &mut World, action: Action, text: &str) -> Party<Vec<u8>> {
    let config = RequestConfig::new(Level::new("net").unwrap(), action);
    let role = Requester::new(config, text.to_owned(), world.now);
    Party::begin(world, role, &options("net", Session::Clean))
}

/// A responder that is ready for requests.
fn responder(world: &mut World, seed: u64) -> Party<()> {
    let config = ResponderConfig {
        seed,
        ..ResponderConfig::default()
    };
    let responder = Party::begin(
        world,
        Responder::new(config),
        &options("responder", PERSISTENT),
    );
    for action in Action::ALL {
        world.wait_for_subscription(responder.number, &format!("+/{action}/request"));
    }
    responder
}

/// DISCONNECT and the end of the connection.
const GOODBYE: u32 = 1;
/// UNSUBSCRIBE and its answer, and CONNECT and CONNACK of the connection that empties the session.
const GOODBYE_WITH_SESSION: u32 = 2;
/// For a broker that works on both connections at once.
const HEAD_START: Duration = Duration::from_millis(10);

/// A client that has no answer gives up after `timeout`, and is gone after so many round trips more.
fn assert_no_answer(world: &World, client: usize, timeout: Duration, goodbye: u32) {
    let (at, end) = world.clients[client].end.as_ref().unwrap();
    assert_eq!(end.as_ref().unwrap_err().kind, Kind::NoAnswer);
    let goodbye = *world.round_trip().end() * goodbye + HEAD_START;
    let at = *at - world.start;
    assert!((timeout..=timeout + goodbye).contains(&at), "{at:?}");
}

#[test]
fn sessions_of_every_qos_and_length_end_well_done() {
    let levels = [QoS::AtMostOnce, QOS1, QoS::ExactlyOnce];
    each_case(
        "sessions_of_every_qos_and_length_end_well_done",
        (0..300).flat_map(|seed| levels.map(|qos| (seed, qos))),
        |(seed, qos)| {
            let mut world = World::new(seed);
            let controller = controller(&mut world, qos, 1, seed);
            let device = device(&mut world, "alice");
            world.wait_for_end(device.number);
            world.wait_for_end(controller.number);
            assert_eq!(world.end(device.number), Some(&Ok(End::Finished)));
            assert_eq!(world.end(controller.number), Some(&Ok(End::Finished)));
            let id = world.said_on("alice/UUID").remove(0);
            let said = world.seen_on(&id);
            assert_eq!(said.last().unwrap().payload, LAST_WORDS);
            let commands = &said[..said.len() - 1];
            assert!((7..=15).contains(&commands.len()), "{}", commands.len());
            for command in commands {
                let asked = said.iter().filter(|s| s.payload == command.payload).count();
                let replies = world.seen_on(&format!("{id}/{}", command.payload));
                assert_eq!(replies.len(), asked);
                assert!(replies.iter().all(|reply| reply.qos == qos));
            }
            assert_eq!(controller.items()[0].verdict, Ok(()));
            assert_eq!(world.resets, 0);
        },
    );
}

/// However the connections are cut: the verdict is no part of what the session stands for.
#[test]
fn a_device_that_waits_for_the_verdict_ends_with_it_or_without() {
    let heard = Cell::new(0);
    each_case(
        "a_device_that_waits_for_the_verdict_ends_with_it_or_without",
        0..300,
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut world = World::new(seed);
            world.strikes = (0..random.u32(0..=1))
                .map(|_| (random.u32(1..150), Strike::Cut))
                .collect();
            let role = Controller::new(Plan {
                delay: Duration::from_secs(200),
                timeout: None,
                seed,
                sessions: Some(1),
                verdict: true,
                ..Plan::default()
            });
            let controller = Party::begin(&mut world, role, &options("controller", PERSISTENT));
            let config = DeviceConfig {
                verdict: true,
                timeout: None,
                ..DeviceConfig::new(Level::new("alice").unwrap())
            };
            let role = Device::new(config, world.now);
            let device = Party::begin(&mut world, role, &options("alice", PERSISTENT));
            world.wait_for_end(device.number);
            world.wait_for_end(controller.number);
            assert_eq!(world.end(device.number), Some(&Ok(End::Finished)));
            assert_eq!(controller.items()[0].verdict, Ok(()));
            assert_eq!(device.items().last(), Some(&Progress::Done));
            let passed = Progress::Verdict(Word::Passed, Vec::new());
            heard.set(heard.get() + u32::from(device.items().contains(&passed)));
        },
    );
    assert!(heard.get() > 200, "{heard:?}");
}

/// The controller counts from the confirmation of the UNIQUE ID. So the broker sees the command later by the way of
/// the confirmation and the way of the command.
#[test]
fn commands_start_three_seconds_after_the_unique_id() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        controller(&mut world, QOS1, 1, seed);
        let device = device(&mut world, "alice");
        world.wait_for_end(device.number);
        let introduced = world.seen_on("alice/UUID").remove(0);
        let first = world.seen_on(&introduced.payload).remove(0);
        let pause = first.at - introduced.at;
        assert_eq!(PAUSE, Duration::from_secs(3));
        assert!(world.round_trip().contains(&(pause - PAUSE)), "{pause:?}");
    }
}

#[test]
fn many_devices_at_once_each_get_a_session_of_their_own() {
    let mut world = World::new(9);
    let controller = controller(&mut world, QoS::ExactlyOnce, 50, 9);
    let devices: Vec<_> = (0..50)
        .map(|n| device(&mut world, &format!("user{n}")))
        .collect();
    world.wait_for_end(controller.number);
    for device in &devices {
        world.wait_for_end(device.number);
        assert_eq!(world.end(device.number), Some(&Ok(End::Finished)));
    }
    assert_eq!(world.end(controller.number), Some(&Ok(End::Finished)));
    let ids: BTreeSet<String> = (0..50)
        .flat_map(|n| world.said_on(&format!("user{n}/UUID")))
        .collect();
    assert_eq!(ids.len(), 50);
    let reports = controller.items();
    let passed = reports.iter().filter(|report| report.verdict == Ok(()));
    assert_eq!(passed.count(), 50);
}

#[test]
fn repeats_are_answered_each_and_unknown_commands_are_passed_over() {
    let mut world = World::new(1);
    let device = served_device(&mut world);
    for command in [
        "CMD1", "CMD1", "CMD0", "", "cmd1", "CMD1 ", "CMD7", "CMD1CMD1",
    ] {
        world.publish("U1", command, QOS1);
    }
    world.publish("U1", LAST_WORDS, QOS1);
    world.wait_for_end(device.number);
    assert_eq!(world.said_on("U1/CMD1"), ["Apple", "Apple", "Apple"]);
    assert_eq!(world.said_on("U1/CMD7"), ["Toy"]);
    assert_eq!(device.warnings().len(), 4);
    assert_eq!(world.end(device.number), Some(&Ok(End::Finished)));
}

#[test]
fn a_second_unique_id_changes_nothing() {
    let mut world = World::new(1);
    let device = served_device(&mut world);
    world.publish("alice/UUID", "U1", QOS1);
    world.publish("alice/UUID", "U2", QOS1);
    world.publish("alice/UUID", "#", QOS1);
    world.run_for(*world.round_trip().end());
    for other in ["U2", "#"] {
        assert!(!world.is_subscribed(device.number, other), "{other}");
    }
    world.publish("U2", "CMD1", QOS1);
    world.publish("U1", "CMD2", QOS1);
    world.wait_for("a reply", |world| !world.said_on("U1/CMD2").is_empty());
    assert_eq!(world.said_on("U2/CMD1"), Vec::<String>::new());
    assert_eq!(world.said_on("U1/CMD2"), ["Cat"]);
    assert_eq!(
        device.warnings().len(),
        2,
        "the same id again is no warning"
    );
}

#[test]
fn a_hostile_unique_id_is_an_error_and_never_a_subscription() {
    for id in [
        "#",
        "+",
        "+/+",
        "a/b",
        "\n",
        "$share/g/#",
        "nul\0nul",
        "bell\u{7}",
    ] {
        let mut world = World::new(1);
        let device = logged_in_device(&mut world).number;
        world.publish("alice/UUID", id, QOS1);
        world.wait_for("an end", |world| {
            assert!(!world.is_subscribed(device, id), "{id:?}");
            world.end(device).is_some()
        });
        let Some(Err(failure)) = world.end(device) else {
            panic!("{id:?}: {:?}", world.end(device));
        };
        assert_eq!(failure.kind, Kind::Protocol, "{id:?}");
        assert!(failure.text.contains("alice/UUID"), "{}", failure.text);
    }
}

#[test]
fn a_retained_message_is_no_unique_id_and_no_command() {
    let mut world = World::new(1);
    world.retain("alice/UUID", "old");
    world.retain("U1", LAST_WORDS);
    world.retain("U1/CMD1", "Apple");
    let device = served_device(&mut world);
    world.publish("U1", "CMD1", QOS1);
    world.wait_for("a reply", |world| !world.said_on("U1/CMD1").is_empty());
    world.run_for(*world.round_trip().end());
    assert_eq!(world.said_on("U1/CMD1"), ["Apple"]);
    let end = world.end(device.number);
    assert_eq!(end, None, "the old last words end nothing");
    assert_eq!(device.warnings().len(), 2);
}

#[test]
fn a_retained_message_is_no_request_and_no_answer() {
    let mut world = World::new(1);
    world.retain("net/reverse/response", "old");
    world.retain("net/reverse/request", "old");
    let responder = responder(&mut world, 0);
    let requester = requester(&mut world, Action::Reverse, "new");
    world.wait_for_end(requester.number);
    assert_eq!(*requester.items(), [b"wen"]);
    assert_eq!(world.said_on("net/reverse/response"), ["wen"]);
    assert_eq!(requester.warnings().len(), 1);
    assert_eq!(responder.warnings().len(), 1);
}

#[test]
fn last_words_before_any_command_end_the_session_all_the_same() {
    let mut world = World::new(1);
    let device = served_device(&mut world);
    world.publish("U1", &format!(" {LAST_WORDS}\n"), QOS1);
    world.wait_for_end(device.number);
    assert_eq!(world.end(device.number), Some(&Ok(End::Finished)));
    assert_eq!(device.items().last(), Some(&Progress::Done));
}

#[test]
fn no_answer_in_time_is_said_so() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        let device = device(&mut world, "alice").number;
        let requester = requester(&mut world, Action::Reverse, "abc").number;
        world.wait_for_end(requester);
        assert_no_answer(&world, requester, RequestConfig::TIMEOUT, GOODBYE);
        assert_eq!(world.end(device), None);
        world.wait_for_end(device);
        assert_no_answer(&world, device, DeviceConfig::TIMEOUT, GOODBYE_WITH_SESSION);
    }
}

#[test]
fn a_device_that_never_replies_fails_its_session_and_hears_no_last_words() {
    let mut world = World::new(3);
    // It stays for a second session, so that the first one's subscription does not end with the run.
    let controller = controller(&mut world, QOS1, 2, 3);
    world.publish("login", "mute", QOS1);
    world.wait_for("a UNIQUE ID", |world| {
        !world.said_on("mute/UUID").is_empty()
    });
    let id = world.said_on("mute/UUID").remove(0);
    let replies = format!("{id}/+");
    assert!(world.is_subscribed(controller.number, &replies));
    world.wait_for("a report", |_| !controller.items().is_empty());
    world.run_for(*world.round_trip().end());
    let verdict = controller.items()[0]
        .verdict
        .clone()
        .unwrap_err()
        .join("; ");
    assert!(verdict.contains("replies missing"), "{verdict}");
    assert!(world.said_on(&id).len() >= 5);
    assert!(!world.said_on(&id).contains(&LAST_WORDS.to_owned()));
    assert!(!world.is_subscribed(controller.number, &replies));
    assert!(world.is_subscribed(controller.number, "login"));
}

#[test]
fn every_action_is_answered() {
    let mut world = World::new(4);
    responder(&mut world, 4);
    for (action, expected) in [
        (Action::Uppercase, "GRÜSSE AUS BERN"),
        (Action::Lowercase, "grüße aus bern"),
        (Action::TitleCase, "Grüße Aus Bern"),
        (Action::Reverse, "nreb SUA eßürg"),
    ] {
        let requester = requester(&mut world, action, "grüße AUS bern");
        world.wait_for_end(requester.number);
        assert_eq!(*requester.items(), [expected.as_bytes()], "{action}");
        assert_eq!(world.end(requester.number), Some(&Ok(End::Finished)));
    }
}
