//! Commands that programs answer, through cuts and crashes: how often each runs, and how often it is answered.

use std::time::Duration;

use super::disk::{Crash, Disk};
use super::sessions::options;
use super::shelf::{LONGEST, Record, Shelf};
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::device_session::LAST_WORDS;
use crate::device_session::device::{Device, DeviceConfig, Resume};
use crate::link::engine::Rules;
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS};

/// How a history treats the device.
#[derive(Debug, Clone, Copy)]
struct How {
    qos: QoS,
    crash: Crash,
    is_durable: bool,
    is_at_most_once: bool,
}

/// By `kill -9`, at QoS 2.
const KILLED: How = How {
    qos: QoS::ExactlyOnce,
    crash: Crash::Kill,
    is_durable: false,
    is_at_most_once: false,
};

/// A device in whose folder there is one program, `T`.
struct Board {
    world: World,
    disk: Disk,
    record: Record,
    how: How,
    alice: usize,
    sent: Vec<String>,
}

impl Board {
    fn new(seed: u64, how: How) -> Self {
        let mut board = Self {
            world: World::new(seed),
            disk: Disk::default(),
            record: Record::default(),
            how,
            alice: 0,
            sent: Vec::new(),
        };
        board.begin();
        let world = &mut board.world;
        world.wait_for("the login", |world| !world.seen_on("login").is_empty());
        world.publish("alice/UUID", "U1", QoS::ExactlyOnce);
        world.wait_for_subscription(board.alice, "U1");
        board
    }

    fn begin(&mut self) {
        let journal = self.disk.journal("device alice", self.how.is_durable);
        let resume = Resume::recall(&journal.memory());
        let session = Session::Persistent {
            resume: resume.is_some(),
            keep: true,
        };
        let config = DeviceConfig {
            timeout: None,
            has_programs: true,
            resume,
            ..DeviceConfig::new(Level::new("alice").unwrap())
        };
        let rules = Rules {
            at_once: self.world.random.usize(1..4),
            is_at_most_once: self.how.is_at_most_once,
        };
        let shelf = Shelf::new(&self.record, rules, self.world.random.u64(..));
        let role = Device::new(config, self.world.now);
        let options = options("alice", session);
        let disk = self.disk.clone();
        self.alice = self
            .world
            .begin_with_programs(role, &options, Some((journal, disk)), shelf);
    }

    /// Commands, and a built-in one among them.
    fn command(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.sent.len().to_string();
            let command = format!("T {number}");
            self.world.publish("U1", &command, self.how.qos);
            self.sent.push(number);
        }
        self.world.publish("U1", "CMD1", self.how.qos);
    }

    fn crash(&mut self, part: f64) {
        self.world.kill(self.alice);
        self.disk.crash(self.how.crash, part);
        self.begin();
    }

    /// The replies of the program, sorted as the commands were sent.
    fn finish(&mut self) -> Vec<String> {
        self.world.publish("U1", LAST_WORDS, QoS::ExactlyOnce);
        self.world.wait_for_end(self.alice);
        let end = self.world.end(self.alice).unwrap();
        assert_eq!(*end, Ok(End::Finished));
        self.world.said_on("U1/T")
    }
}

fn history(seed: u64, how: How) -> (Board, Vec<String>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut board = Board::new(seed, how);
    let mut strikes: Vec<(u32, Strike)> = (0..random.u32(0..=2))
        .map(|_| {
            let strike = [Strike::Cut, Strike::Silence][random.usize(0..2)];
            (board.world.arrived + random.u32(1..200), strike)
        })
        .collect();
    strikes.sort_by_key(|(after, _)| *after);
    board.world.strikes = strikes.into();
    for _ in 0..random.u32(1..=4) {
        let count = random.usize(0..12).min(50 - board.sent.len());
        board.command(count);
        board
            .world
            .run_for(Duration::from_millis(random.u64(0..2000)));
        if random.bool() {
            board.disk.end_at_write(random.u32(0..6), random.f64());
            let disk = board.disk.clone();
            let limit = board.world.now - board.world.start + Duration::from_secs(5);
            board.world.run_while(limit, |_| !disk.has_ended());
        }
        board.crash(random.f64());
    }
    let replies = board.finish();
    (board, replies)
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// Each is answered once, and runs once or more often: again only where a crash came before its end was on the disk,
/// and under the same identifier.
fn assert_runs_and_is_answered_once(seed: u64, how: How) {
    let (board, replies) = history(seed, how);
    assert_eq!(sorted(replies), sorted(board.sent.clone()));
    let record = board.record.borrow();
    for number in &board.sent {
        let runs = record.iter().filter(|ran| ran.arguments == *number);
        let mut deliveries: Vec<u64> = runs.map(|ran| ran.delivery).collect();
        assert!(!deliveries.is_empty(), "{number} has not run");
        deliveries.dedup();
        assert_eq!(deliveries.len(), 1, "{number} ran as another delivery");
    }
}

#[test]
fn a_program_runs_at_least_once_and_is_answered_once_through_kill_9() {
    let test = "a_program_runs_at_least_once_and_is_answered_once_through_kill_9";
    let how = KILLED;
    each_seed(test, |seed| assert_runs_and_is_answered_once(seed, how));
}

#[test]
fn a_program_runs_at_least_once_and_is_answered_once_through_power_cuts_with_sync() {
    let test = "a_program_runs_at_least_once_and_is_answered_once_through_power_cuts_with_sync";
    let how = How {
        crash: Crash::PowerCut,
        is_durable: true,
        ..KILLED
    };
    each_seed(test, |seed| assert_runs_and_is_answered_once(seed, how));
}

#[test]
fn a_program_runs_at_most_once_where_that_is_asked_for() {
    let test = "a_program_runs_at_most_once_where_that_is_asked_for";
    each_seed(test, |seed| {
        let how = How {
            crash: [Crash::Kill, Crash::PowerCut][seed as usize % 2],
            is_durable: seed % 4 == 1,
            is_at_most_once: true,
            ..KILLED
        };
        let (board, replies) = history(seed, how);
        // Without --sync a power cut may hide that one was answered. That it has begun is on the disk in any case.
        match seed % 4 {
            3 => assert!(replies.len() >= board.sent.len(), "{replies:?}"),
            _ => assert_eq!(replies.len(), board.sent.len(), "{replies:?}"),
        }
        let record = board.record.borrow();
        for number in &board.sent {
            let runs = record.iter().filter(|ran| ran.arguments == *number).count();
            assert!(runs <= 1, "{number} ran {runs} times");
            assert!(
                runs == 1 || !replies.contains(number),
                "{number} was answered and has not run"
            );
        }
    });
}

#[test]
fn a_program_runs_at_most_once_at_qos_1_too() {
    let test = "a_program_runs_at_most_once_at_qos_1_too";
    each_seed(test, |seed| {
        let how = How {
            qos: QoS::AtLeastOnce,
            is_at_most_once: true,
            ..KILLED
        };
        let (board, replies) = history(seed, how);
        assert!(replies.len() >= board.sent.len(), "{replies:?}");
        let record = board.record.borrow();
        for number in &board.sent {
            let runs = record.iter().filter(|ran| ran.arguments == *number).count();
            assert!(runs <= 1, "{number} ran {runs} times");
        }
    });
}

#[test]
fn no_command_is_lost_through_power_cuts_without_sync() {
    let test = "no_command_is_lost_through_power_cuts_without_sync";
    each_seed(test, |seed| {
        let how = How {
            crash: Crash::PowerCut,
            ..KILLED
        };
        let (board, replies) = history(seed, how);
        for number in &board.sent {
            assert!(replies.contains(number), "{number}: {replies:?}");
        }
    });
}

#[test]
fn no_command_is_lost_at_qos_1() {
    each_seed("no_command_is_lost_at_qos_1", |seed| {
        let how = How {
            qos: QoS::AtLeastOnce,
            ..KILLED
        };
        let (board, replies) = history(seed, how);
        for number in &board.sent {
            assert!(replies.contains(number), "{number}: {replies:?}");
        }
    });
}

/// Before the first reply, so that at QoS 1 the journal alone knows that the command which comes again is the same.
#[test]
fn a_command_that_a_crash_interrupts_is_answered_once_at_qos_1_too() {
    let test = "a_command_that_a_crash_interrupts_is_answered_once_at_qos_1_too";
    each_seed(test, |seed| {
        let how = How {
            qos: QoS::AtLeastOnce,
            ..KILLED
        };
        let mut board = Board::new(seed, how);
        board.command(3);
        let record = Record::clone(&board.record);
        board
            .world
            .wait_for("a start", |_| !record.borrow().is_empty());
        board.crash(1.0);
        let replies = board.finish();
        assert_eq!(sorted(replies), sorted(board.sent.clone()));
        let deliveries: Vec<u64> = record.borrow().iter().map(|ran| ran.delivery).collect();
        let different: std::collections::BTreeSet<u64> = deliveries.into_iter().collect();
        assert_eq!(different.len(), board.sent.len());
    });
}

/// A stop at any time: what runs is waited for, what has not begun is left to the next process.
#[test]
fn a_stop_leaves_what_has_not_begun_to_the_next_process() {
    let test = "a_stop_leaves_what_has_not_begun_to_the_next_process";
    each_case(test, (0..60).map(|step| step * 25), |after| {
        let how = How {
            is_at_most_once: true,
            ..KILLED
        };
        let mut board = Board::new(after, how);
        board.command(8);
        board.world.run_for(Duration::from_millis(after));
        let stopped = board.world.now;
        board.world.stop(board.alice);
        board.world.wait_for_end(board.alice);
        let took = board.world.now - stopped;
        let most = LONGEST + *board.world.round_trip().end() * 4;
        assert!(took <= most, "it waited {took:?} for what had not begun");
        assert_eq!(board.world.end(board.alice), Some(&Ok(End::Stopped)));
        board.begin();
        board.world.run_for(Duration::from_secs(10));
        let replies = board.finish();
        assert_eq!(
            sorted(replies),
            sorted(board.sent.clone()),
            "not one was cut short"
        );
    });
}
