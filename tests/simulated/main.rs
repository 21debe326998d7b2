//! Both ends of both protocols against each other, in simulated time: whole scenarios, no socket.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in tests only inside the test functions themselves"
)]

mod world;

use std::time::Duration;

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::device_session::controller::{Controller, Plan};
use mqtt_client::device_session::device::{Device, DeviceConfig};
use mqtt_client::mqtt::{Level, QoS};
use mqtt_client::role::Kind;
use mqtt_client::text_request::Action;
use mqtt_client::text_request::requester::{RequestConfig, Requester};
use mqtt_client::text_request::responder::{Responder, ResponderConfig};
use world::World;

const QOS1: QoS = QoS::AtLeastOnce;

fn device(world: &World, user_id: &str) -> Device {
    let config = DeviceConfig::new(Level::new(user_id).unwrap());
    Device::new(config, world.now())
}

fn controller(qos: QoS, sessions: u64, seed: u64) -> Controller {
    Controller::new(Plan {
        qos,
        seed,
        sessions: Some(sessions),
        ..Plan::default()
    })
}

fn requester(world: &World, action: Action, text: &str) -> Requester {
    let config = RequestConfig::new(Level::new("net").unwrap(), action);
    Requester::new(config, text.to_owned(), world.now())
}

/// A device that has a UNIQUE ID `U1` from a controller that the test plays itself.
fn served_device(world: &mut World) -> usize {
    let device = world.connect(device(world, "alice"));
    world.publish("alice/UUID", "U1", QOS1);
    device
}

#[test]
fn sessions_of_every_qos_and_length_end_well_done() {
    for seed in 0..300 {
        for qos in [QoS::AtMostOnce, QOS1, QoS::ExactlyOnce] {
            let mut world = World::new();
            let controller = world.connect(controller(qos, 1, seed));
            let device = world.connect(device(&world, "alice"));
            world.run();
            assert_eq!(world.end(device), Some(&Ok(())), "seed {seed}");
            assert_eq!(world.end(controller), Some(&Ok(())), "seed {seed}");
            let id = world.said_on("alice/UUID").remove(0);
            let said = world.seen_on(&id);
            assert_eq!(said.last().unwrap().payload, LAST_WORDS);
            let commands = &said[..said.len() - 1];
            assert!((5..=15).contains(&commands.len()), "{}", commands.len());
            for command in commands {
                let asked = said.iter().filter(|s| s.payload == command.payload).count();
                let replies = world.seen_on(&format!("{id}/{}", command.payload));
                assert_eq!(replies.len(), asked);
                assert!(replies.iter().all(|reply| reply.qos == qos));
            }
            assert!(world.emitted(controller)[0].contains("verdict: Ok"));
        }
    }
}

#[test]
fn commands_start_three_seconds_after_the_unique_id() {
    let mut world = World::new();
    world.connect(controller(QOS1, 1, 5));
    world.connect(device(&world, "alice"));
    world.run();
    let introduced = world.seen_on("alice/UUID").remove(0);
    let first = world.seen_on(&introduced.payload).remove(0);
    assert_eq!(first.at - introduced.at, Duration::from_secs(3));
}

#[test]
fn many_devices_at_once_each_get_a_session_of_their_own() {
    let mut world = World::new();
    let controller = world.connect(controller(QoS::ExactlyOnce, 50, 9));
    let devices: Vec<usize> = (0..50)
        .map(|n| world.connect(device(&world, &format!("user{n}"))))
        .collect();
    world.run();
    let ids: std::collections::BTreeSet<String> = (0..50)
        .flat_map(|n| world.said_on(&format!("user{n}/UUID")))
        .collect();
    assert_eq!(ids.len(), 50);
    assert!(
        devices
            .iter()
            .all(|device| world.end(*device) == Some(&Ok(())))
    );
    assert_eq!(world.end(controller), Some(&Ok(())));
    let passed = world
        .emitted(controller)
        .iter()
        .filter(|r| r.contains("verdict: Ok"));
    assert_eq!(passed.count(), 50);
}

#[test]
fn repeats_are_answered_each_and_unknown_commands_are_passed_over() {
    let mut world = World::new();
    let device = served_device(&mut world);
    for command in [
        "CMD1", "CMD1", "CMD0", "", "cmd1", "CMD1 ", "CMD7", "CMD1CMD1",
    ] {
        world.publish("U1", command, QOS1);
    }
    world.publish("U1", LAST_WORDS, QOS1);
    assert_eq!(world.said_on("U1/CMD1"), ["Apple", "Apple", "Apple"]);
    assert_eq!(world.said_on("U1/CMD7"), ["Toy"]);
    assert_eq!(world.warnings(device).len(), 4);
    assert_eq!(world.end(device), Some(&Ok(())));
}

#[test]
fn a_second_unique_id_changes_nothing() {
    let mut world = World::new();
    let device = served_device(&mut world);
    world.publish("alice/UUID", "U1", QOS1);
    world.publish("alice/UUID", "U2", QOS1);
    world.publish("alice/UUID", "#", QOS1);
    assert!(!world.is_subscribed(device, "U2") && !world.is_subscribed(device, "#"));
    world.publish("U2", "CMD1", QOS1);
    world.publish("U1", "CMD2", QOS1);
    assert_eq!(world.said_on("U2/CMD1"), Vec::<String>::new());
    assert_eq!(world.said_on("U1/CMD2"), ["Cat"]);
    assert_eq!(
        world.warnings(device).len(),
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
        "",
        "$share/g/#",
        "nul\0",
        "bell\u{7}",
    ] {
        let mut world = World::new();
        let device = world.connect(device(&world, "alice"));
        world.publish("alice/UUID", id, QOS1);
        let Some(Err(failure)) = world.end(device) else {
            panic!("{id:?}: {:?}", world.end(device));
        };
        assert_eq!(failure.kind, Kind::Protocol, "{id:?}");
        assert!(failure.text.contains("alice/UUID"), "{}", failure.text);
    }
}

#[test]
fn retained_messages_are_never_an_answer() {
    let mut world = World::new();
    world.retain("alice/UUID", "old");
    world.retain("U1", LAST_WORDS);
    world.retain("U1/CMD1", "Apple");
    let device = served_device(&mut world);
    world.publish("U1", "CMD1", QOS1);
    assert_eq!(world.said_on("U1/CMD1"), ["Apple"]);
    assert_eq!(world.end(device), None, "the old last words end nothing");
    assert_eq!(world.warnings(device).len(), 2);

    let mut world = World::new();
    world.retain("net/reverse/response", "old");
    world.retain("net/reverse/request", "old");
    world.connect(Responder::new(ResponderConfig::default()));
    let asking = requester(&world, Action::Reverse, "new");
    let requester = world.connect(asking);
    assert_eq!(world.emitted(requester), [format!("{:?}", b"wen".to_vec())]);
    assert_eq!(world.said_on("net/reverse/response"), ["wen"]);
}

#[test]
fn last_words_before_any_command_end_the_session_all_the_same() {
    let mut world = World::new();
    let device = served_device(&mut world);
    world.publish("U1", &format!(" {LAST_WORDS}\n"), QOS1);
    assert_eq!(world.end(device), Some(&Ok(())));
    assert_eq!(world.emitted(device).last().unwrap(), "Done");
}

#[test]
fn no_answer_in_time_is_said_so() {
    let mut world = World::new();
    let device = world.connect(device(&world, "alice"));
    let asking = requester(&world, Action::Reverse, "abc");
    let requester = world.connect(asking);
    world.run_until(Duration::from_secs(9));
    assert_eq!((world.end(requester), world.end(device)), (None, None));
    world.run_until(Duration::from_secs(10));
    assert_eq!(
        world.end(requester).unwrap().as_ref().unwrap_err().kind,
        Kind::NoAnswer
    );
    world.run_until(Duration::from_secs(59));
    assert_eq!(world.end(device), None);
    world.run();
    assert_eq!(
        world.end(device).unwrap().as_ref().unwrap_err().kind,
        Kind::NoAnswer
    );
}

#[test]
fn a_device_that_never_replies_fails_its_session_and_hears_no_last_words() {
    let mut world = World::new();
    let controller = world.connect(controller(QOS1, 1, 3));
    world.publish("login", "mute", QOS1);
    world.run();
    let id = world.said_on("mute/UUID").remove(0);
    assert!(!world.said_on(&id).contains(&LAST_WORDS.to_owned()));
    assert!(world.emitted(controller)[0].contains("replies missing"));
    assert!(!world.is_subscribed(controller, &format!("{id}/+")));
}

#[test]
fn every_action_is_answered() {
    let mut world = World::new();
    world.connect(Responder::new(ResponderConfig {
        seed: 4,
        ..ResponderConfig::default()
    }));
    for (action, expected) in [
        (Action::Uppercase, "GRÜSSE AUS BERN"),
        (Action::Lowercase, "grüße aus bern"),
        (Action::TitleCase, "Grüße Aus Bern"),
        (Action::Reverse, "nreb SUA eßürg"),
    ] {
        let asking = requester(&world, action, "grüße AUS bern");
        let requester = world.connect(asking);
        assert_eq!(
            world.emitted(requester),
            [format!("{:?}", expected.as_bytes())],
            "{action}"
        );
        assert_eq!(world.end(requester), Some(&Ok(())));
    }
}
