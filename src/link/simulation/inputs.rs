//! Inputs from other threads: across cuts, while the broker is away, and at a stop.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::party::Party;
use super::sessions::{PERSISTENT, options};
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::link::{End, Feed, Inbox, MOST_UNCONFIRMED, Options, Session, Unsent, WhenFull, inbox};
use crate::mqtt::{Message, QoS, TopicName};
use crate::role::{Effect, Event, Kind, Reaction, Role};

const TOPIC: &str = "readings";

/// Publishes each input, and remembers what it has heard in this run.
struct Publisher {
    qos: QoS,
    heard: Rc<RefCell<Vec<String>>>,
}

impl Role for Publisher {
    type Item = String;
    type Input = u32;

    fn handle(&mut self, _now: Instant, event: Event<'_, u32>) -> Reaction<String> {
        Ok(match event {
            Event::Input(input) => {
                self.heard.borrow_mut().push(input.to_string());
                let topic = TopicName::new(TOPIC).unwrap();
                let message = Message::new(topic, input.to_string(), self.qos);
                vec![Effect::Publish(message)]
            }
            Event::InputsEnded => vec![Effect::Emit("ended".to_owned()), Effect::Finish],
            Event::Connected { .. } => vec![Effect::Emit("connected".to_owned())],
            _ => Vec::new(),
        })
    }
}

fn queue(capacity: usize, when_full: WhenFull) -> (Feed<u32>, Inbox<u32>) {
    inbox(NonZeroUsize::new(capacity).unwrap(), when_full)
}

type Heard = Rc<RefCell<Vec<String>>>;

fn begin(
    world: &mut World,
    qos: QoS,
    options: &Options,
    inbox: Inbox<u32>,
) -> (Party<String>, Heard) {
    let heard = Heard::default();
    let role = Publisher {
        qos,
        heard: Rc::clone(&heard),
    };
    let party = Party::begin_with(world, role, options, None, Some(inbox));
    (party, heard)
}

#[test]
fn every_input_is_published_once_and_in_order_across_cuts() {
    each_seed(
        "every_input_is_published_once_and_in_order_across_cuts",
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut world = World::new(seed);
            world.strikes = (0..random.u32(0..5))
                .map(|_| (random.u32(1..300), Strike::Cut))
                .collect();
            world.strikes.make_contiguous().sort_by_key(|(at, _)| *at);
            let (feed, inbox) = queue(8, WhenFull::Refuse);
            let options = options("publisher", PERSISTENT);
            let (party, _) = begin(&mut world, QoS::ExactlyOnce, &options, inbox);
            let total = random.u32(1..100);
            let mut next = 0;
            while next < total {
                match feed.send(next) {
                    Ok(dropped) => {
                        assert_eq!(dropped, None);
                        next += 1;
                    }
                    Err(why) => assert_eq!(why, Unsent::Full(next)),
                }
                world.turn_all();
                world.run_for(Duration::from_millis(random.u64(0..300)));
            }
            drop(feed);
            world.turn_all();
            world.wait_for_end(party.number);
            assert_eq!(world.end(party.number), Some(&Ok(End::Finished)));
            let all: Vec<String> = (0..total).map(|number| number.to_string()).collect();
            assert_eq!(world.said_on(TOPIC), all);
            assert!(party.items().contains(&"ended".to_owned()));
        },
    );
}

#[test]
fn while_the_broker_is_away_the_queue_fills_and_its_sender_hears_of_it() {
    let mut world = World::new(1);
    let (feed, inbox) = queue(10, WhenFull::DropOldest);
    let options = options("publisher", PERSISTENT);
    let (party, heard) = begin(&mut world, QoS::AtLeastOnce, &options, inbox);
    feed.send(0).unwrap();
    world.turn_all();
    assert!(heard.borrow().is_empty(), "there was no connection yet");
    world.wait_for("a message", |world| !world.said_on(TOPIC).is_empty());
    world.run_for(Duration::from_secs(1));
    world.refuse_until(world.now + Duration::from_secs(600));
    world.strike_all(Strike::Cut);
    world.run_for(Duration::from_secs(60));
    let mut dropped = Vec::new();
    for number in 1..=200 {
        dropped.extend(feed.send(number).unwrap());
        world.turn_all();
    }
    let most = u32::try_from(MOST_UNCONFIRMED).unwrap();
    assert_eq!(heard.borrow().len(), MOST_UNCONFIRMED + 1);
    assert_eq!(dropped, (most + 1..=190).collect::<Vec<_>>());
    world.wait_for("the last one", |world| {
        world
            .said_on(TOPIC)
            .last()
            .is_some_and(|last| last == "200")
    });
    assert_eq!(world.said_on(TOPIC).len(), MOST_UNCONFIRMED + 11);
    assert_eq!(party.items().len(), 2);
}

#[test]
fn what_was_sent_before_a_stop_is_confirmed_before_the_end() {
    each_case(
        "what_was_sent_before_a_stop_is_confirmed_before_the_end",
        0..200,
        |seed| {
            let mut world = World::new(seed);
            let (feed, inbox) = queue(50, WhenFull::Refuse);
            let options = options("publisher", Session::Clean);
            let (party, _) = begin(&mut world, QoS::AtLeastOnce, &options, inbox);
            world.wait_for("a connection", |_| !party.items().is_empty());
            for number in 0..50 {
                feed.send(number).unwrap();
            }
            world.stop(party.number);
            world.wait_for_end(party.number);
            assert_eq!(world.end(party.number), Some(&Ok(End::Stopped)));
            assert_eq!(world.said_on(TOPIC).len(), 50);
        },
    );
}

#[test]
fn with_a_journal_the_next_run_publishes_what_a_stop_has_left() {
    let mut world = World::new(5);
    let disk = Disk::default();
    let (feed, inbox) = queue(50, WhenFull::Refuse);
    let mut options = options("publisher", Session::LASTING);
    let heard = Heard::default();
    let role = || Publisher {
        qos: QoS::ExactlyOnce,
        heard: Rc::clone(&heard),
    };
    let kept = Some((disk.journal("publisher", true), disk.clone()));
    let party = Party::begin_with(&mut world, role(), &options, kept, Some(inbox));
    world.wait_for("a connection", |_| !party.items().is_empty());
    world.refuse_until(world.now + Duration::from_secs(60));
    world.strike_all(Strike::Cut);
    world.run_for(Duration::from_secs(5));
    for number in 0..20 {
        feed.send(number).unwrap();
    }
    world.stop(party.number);
    world.wait_for_end(party.number);
    assert_eq!(world.said_on(TOPIC), Vec::<String>::new());
    options.session = Session::Persistent {
        resume: true,
        keep: false,
    };
    let kept = Some((disk.journal("publisher", true), disk.clone()));
    let later = Party::begin_with(&mut world, role(), &options, kept, None);
    world.wait_for("all", |world| world.said_on(TOPIC).len() == 20);
    world.stop(later.number);
    world.wait_for_end(later.number);
    let all: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    assert_eq!(world.said_on(TOPIC), all);
}

#[test]
fn a_wrong_password_costs_nothing_of_what_an_earlier_process_has_left() {
    let mut world = World::new(5);
    let disk = Disk::default();
    let (feed, inbox) = queue(50, WhenFull::Refuse);
    let options = options("publisher", Session::LASTING);
    let role = || Publisher {
        qos: QoS::ExactlyOnce,
        heard: Heard::default(),
    };
    let kept = |disk: &Disk| Some((disk.journal("publisher", true), disk.clone()));
    let first = Party::begin_with(&mut world, role(), &options, kept(&disk), Some(inbox));
    world.wait_for("a connection", |_| !first.items().is_empty());
    world.refuse_until(world.now + Duration::from_secs(60));
    world.strike_all(Strike::Cut);
    world.run_for(Duration::from_secs(5));
    for number in 0..20 {
        feed.send(number).unwrap();
    }
    world.turn_all();
    world.kill(first.number);
    world.run_for(Duration::from_secs(60));
    world.broker().oddities.refuses_logins = true;
    let refused = Party::begin_with(&mut world, role(), &options, kept(&disk), None);
    world.wait_for_end(refused.number);
    let end = world.end(refused.number).unwrap().as_ref();
    assert_eq!(end.unwrap_err().kind, Kind::Refused);
    world.broker().oddities.refuses_logins = false;
    let last = Party::begin_with(&mut world, role(), &options, kept(&disk), None);
    world.wait_for("all", |world| world.said_on(TOPIC).len() == 20);
    world.stop(last.number);
    world.wait_for_end(last.number);
    let all: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    assert_eq!(world.said_on(TOPIC), all);
}

/// At the end that is no wish of the broker's, it publishes the last will; after DISCONNECT it does not.
#[test]
fn a_last_will_of_ones_own_is_published_after_a_kill_alone() {
    for is_killed in [true, false] {
        let mut world = World::new(2);
        let (_feed, inbox) = queue(1, WhenFull::Refuse);
        let mut options = options("publisher", Session::Clean);
        let topic = TopicName::new("gone").unwrap();
        options.will = Some(Message::new(topic, "publisher", QoS::AtLeastOnce));
        let (party, _) = begin(&mut world, QoS::AtLeastOnce, &options, inbox);
        world.wait_for("a connection", |_| !party.items().is_empty());
        match is_killed {
            true => world.kill(party.number),
            false => world.stop(party.number),
        }
        world.run_for(Duration::from_secs(60));
        assert_eq!(world.said_on("gone").len(), usize::from(is_killed));
    }
}
