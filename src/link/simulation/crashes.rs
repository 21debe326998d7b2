//! `kill -9` and power cuts of both ends, each with a journal, at any packet and in the middle of any write.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::disk::{Crash, Disk};
use super::presence;
use super::sessions::options;
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::device_session::controller::{Controller, Plan};
use crate::device_session::device::{Device, DeviceConfig, Progress, Resume};
use crate::device_session::report::Report;
use crate::device_session::{LAST_WORDS, Replies};
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS};
use crate::role::Memory;

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Device,
    Controller,
}

/// A crash.
#[derive(Debug, Clone, Copy)]
struct Blow {
    /// After so many packets.
    after: u32,
    who: Who,
    crash: Crash,
    /// Not at once: in the middle of a later write.
    writes: Option<u32>,
    /// How much of what is under way arrives, of 1.
    part: f64,
}

fn owner(who: Who) -> &'static str {
    match who {
        Who::Device => "device alice",
        Who::Controller => "controller",
    }
}

const LIMIT: Duration = Duration::from_secs(20_000);

/// Each process waits as long as the pause anew.
const PATIENCE: Duration = Duration::from_secs(3_000);

/// A device and a controller that go on after each crash.
struct Crashes {
    world: World,
    plan: Plan,
    is_durable: bool,
    disks: [Disk; 2],
    numbers: [usize; 2],
    progress: Rc<RefCell<Vec<Progress>>>,
    reports: Rc<RefCell<Vec<Report>>>,
}

impl Crashes {
    fn new(seed: u64, qos: QoS, commands: u32, is_durable: bool) -> Self {
        let plan = Plan {
            commands: Some(commands..=commands),
            qos,
            seed,
            // The protocol's pause is for the device to subscribe, and would lose its commands where that takes longer.
            delay: Duration::from_secs(200),
            timeout: Some(PATIENCE),
            sessions: Some(1),
            ..Plan::default()
        };
        let mut this = Self {
            world: World::new(seed),
            plan,
            is_durable,
            disks: Default::default(),
            numbers: [0; 2],
            progress: Rc::default(),
            reports: Rc::default(),
        };
        this.begin(Who::Controller);
        this.begin(Who::Device);
        this
    }

    fn session(&self, who: Who, resume: bool) -> crate::link::Options {
        let session = Session::Persistent { resume, keep: true };
        match who {
            Who::Device => presence::present(session, &self.world),
            Who::Controller => options("controller", session),
        }
    }

    /// A process begins as `program` has it begin.
    fn begin(&mut self, who: Who) {
        let disk = self.disks[who as usize].clone();
        let now = self.world.now;
        self.numbers[who as usize] = match who {
            Who::Device => {
                let journal = disk.journal(owner(who), self.is_durable);
                let resume = Resume::recall(&journal.memory());
                let options = self.session(who, resume.is_some());
                let config = DeviceConfig {
                    qos: self.plan.qos,
                    timeout: Some(PATIENCE),
                    resume,
                    ..DeviceConfig::new(Level::new("alice").unwrap())
                };
                let progress = Rc::clone(&self.progress);
                let role = Device::new(config, now);
                self.world
                    .begin_journaled(role, &options, journal, disk, move |item| {
                        progress.borrow_mut().push(item);
                        Ok(())
                    })
            }
            Who::Controller => {
                let journal = disk.journal(owner(who), self.is_durable);
                let options = self.session(who, journal.has_found());
                let role = Controller::recalling(self.plan.clone(), &journal.memory(), now);
                let reports = Rc::clone(&self.reports);
                self.world
                    .begin_journaled(role, &options, journal, disk, move |item| {
                        reports.borrow_mut().push(item);
                        Ok(())
                    })
            }
        };
    }

    /// Whether an end that has crashed has nothing left to do, but to leave.
    fn is_over(&self, who: Who) -> bool {
        let is_done = match who {
            Who::Device => self.progress.borrow().last() == Some(&Progress::Done),
            Who::Controller => !self.reports.borrow().is_empty(),
        };
        let memory = self.disks[who as usize].journal(owner(who), self.is_durable);
        is_done && memory.memory() == Memory::default()
    }

    fn has_ended(&self, who: Who) -> bool {
        self.world.end(self.numbers[who as usize]).is_some()
    }

    /// Strikes a process, and lets a new one begin a little later.
    fn crash(&mut self, who: Who, crash: Crash, part: f64) {
        let disk = self.disks[who as usize].clone();
        self.world.kill(self.numbers[who as usize]);
        disk.crash(crash, part);
        let pause = Duration::from_secs_f64(self.world.random.f64() * 2.0);
        self.world.run_for(pause);
        // A process that was killed while it left has nothing to go on with, and would begin a new session.
        if !self.is_over(who) {
            self.begin(who);
        }
    }

    fn run(&mut self, mut blows: Vec<Blow>) {
        blows.sort_by_key(|blow| blow.after);
        let mut blows = blows.into_iter().peekable();
        let mut under_way: Vec<Blow> = Vec::new();
        loop {
            let next = blows.peek().map_or(u32::MAX, |blow| blow.after);
            let numbers = self.numbers;
            let disks = self.disks.clone();
            let in_time = self.world.run_while(LIMIT, |world| {
                world.arrived < next
                    && !disks.iter().any(Disk::has_ended)
                    && numbers.iter().any(|number| world.end(*number).is_none())
            });
            assert!(in_time, "it does not end");
            for who in [Who::Controller, Who::Device] {
                if self.disks[who as usize].has_ended() {
                    let at = under_way.iter().position(|blow| blow.who == who).unwrap();
                    let blow = under_way.remove(at);
                    self.crash(who, blow.crash, blow.part);
                }
            }
            if self.world.arrived >= next {
                let blow = blows.next().unwrap();
                if self.has_ended(blow.who) {
                    continue;
                }
                match blow.writes {
                    None => self.crash(blow.who, blow.crash, blow.part),
                    Some(writes) => {
                        under_way.retain(|known| known.who != blow.who);
                        under_way.push(blow);
                        self.disks[blow.who as usize].end_at_write(writes, blow.part);
                    }
                }
            } else if self.has_ended(Who::Device) && self.has_ended(Who::Controller) {
                return;
            }
        }
    }

    fn assert_ends_well(&mut self, blows: Vec<Blow>) -> (Vec<String>, Vec<String>) {
        self.run(blows);
        presence::assert_offline(&mut self.world);
        let report = self.reports.borrow().last().cloned().expect("no verdict");
        assert_eq!(report.verdict, Ok(()));
        assert_eq!(self.progress.borrow().last(), Some(&Progress::Done));
        for number in self.numbers {
            let end = self.world.end(number).unwrap();
            assert!(
                matches!(end, Ok(End::Finished | End::Stopped))
                    || end.as_ref().is_err_and(|e| e.text == "killed"),
                "{end:?}"
            );
        }
        let id = report.unique_id.to_string();
        let commands: Vec<String> = report.commands.iter().map(ToString::to_string).collect();
        let replies = Replies::default();
        let expected: Vec<String> = commands
            .iter()
            .map(|command| replies.answer(command).unwrap().1.to_owned())
            .collect();
        let mut said = self.world.said(|topic| topic == id);
        assert_eq!(said.pop().as_deref(), Some(LAST_WORDS));
        if self.plan.qos == QoS::ExactlyOnce {
            assert_eq!(said, commands, "the broker has the commands otherwise");
        }
        let below = format!("{id}/");
        let replies = self.world.said(|topic| topic.starts_with(&below));
        (replies, expected)
    }

    /// Neither lost nor twice.
    fn assert_exactly_once(&mut self, blows: Vec<Blow>) {
        let (replies, expected) = self.assert_ends_well(blows);
        assert_eq!(replies, expected);
    }

    /// None lost.
    fn assert_at_least_once(&mut self, blows: Vec<Blow>) {
        let (replies, mut expected) = self.assert_ends_well(blows);
        for reply in replies {
            if let Some(at) = expected.iter().position(|wanted| *wanted == reply) {
                expected.remove(at);
            }
        }
        assert_eq!(expected, Vec::<String>::new(), "lost");
    }
}

fn draw(random: &mut fastrand::Rng, crash: Crash) -> Vec<Blow> {
    let count = random.u32(1..=4);
    (0..count)
        .map(|_| Blow {
            after: random.u32(1..160),
            who: [Who::Device, Who::Controller][random.usize(0..2)],
            crash,
            writes: random.bool().then(|| random.u32(0..6)),
            part: random.f64(),
        })
        .collect()
}

/// Up to two cuts of the network beside the crashes.
fn strikes(random: &mut fastrand::Rng, world: &mut World) {
    let mut strikes: Vec<(u32, Strike)> = (0..random.u32(0..=2))
        .map(|_| {
            let strike = [Strike::Cut, Strike::Silence, Strike::Restart][random.usize(0..3)];
            (random.u32(1..200), strike)
        })
        .collect();
    strikes.sort_by_key(|(after, _)| *after);
    world.strikes = strikes.into();
}

fn history(seed: u64, qos: QoS, is_durable: bool, crash: Crash) -> (Crashes, Vec<Blow>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let blows = draw(&mut random, crash);
    let mut crashes = Crashes::new(seed, qos, random.u32(0..30), is_durable);
    strikes(&mut random, &mut crashes.world);
    (crashes, blows)
}

#[test]
fn qos_2_is_exactly_once_through_kill_9_of_both_ends() {
    each_seed(
        "qos_2_is_exactly_once_through_kill_9_of_both_ends",
        |seed| {
            let (mut crashes, blows) = history(seed, QoS::ExactlyOnce, false, Crash::Kill);
            crashes.assert_exactly_once(blows);
        },
    );
}

#[test]
fn qos_2_is_exactly_once_through_power_cuts_with_sync() {
    each_seed(
        "qos_2_is_exactly_once_through_power_cuts_with_sync",
        |seed| {
            let (mut crashes, blows) = history(seed, QoS::ExactlyOnce, true, Crash::PowerCut);
            crashes.assert_exactly_once(blows);
        },
    );
}

#[test]
fn nothing_is_lost_through_power_cuts_without_sync() {
    each_seed("nothing_is_lost_through_power_cuts_without_sync", |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut blows = draw(&mut random, Crash::PowerCut);
        for blow in &mut blows {
            blow.crash = [Crash::Kill, Crash::PowerCut][random.usize(0..2)];
        }
        // A controller that forgets a session has nothing to judge it by.
        blows.iter_mut().for_each(|blow| blow.who = Who::Device);
        // At QoS 2 the controller would take what comes twice for a mistake.
        let mut crashes = Crashes::new(seed, QoS::AtLeastOnce, random.u32(0..30), false);
        crashes.assert_at_least_once(blows);
    });
}

/// Commands from outside, whom nothing that comes twice disturbs.
#[test]
fn nothing_is_lost_at_qos_2_through_power_cuts_without_sync() {
    const QOS: QoS = QoS::ExactlyOnce;
    let test = "nothing_is_lost_at_qos_2_through_power_cuts_without_sync";
    each_seed(test, |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(seed);
        let disk = Disk::default();
        let begin = |world: &mut World| {
            let journal = disk.journal("device alice", false);
            let resume = Resume::recall(&journal.memory());
            let is_resumed = resume.is_some();
            let config = DeviceConfig {
                timeout: None,
                resume,
                ..DeviceConfig::new(Level::new("alice").unwrap())
            };
            let role = Device::new(config, world.now);
            let session = Session::Persistent {
                resume: is_resumed,
                keep: true,
            };
            let options = options("alice", session);
            world.begin_journaled(role, &options, journal, disk.clone(), |_| Ok(()))
        };
        let mut alice = begin(&mut world);
        world.wait_for("the login", |world| !world.seen_on("login").is_empty());
        world.publish("alice/UUID", "U1", QOS);
        world.wait_for_subscription(alice, "U1");
        let mut sent = 0;
        for _ in 0..random.u32(1..=4) {
            // Fewer than the broker has packet identifiers: where it begins again with them, and the end of the journal
            // is lost, one more message that is the same and comes with DUP could not be told from the one before it.
            for _ in 0..random.usize(0..30).min(50 - sent) {
                world.publish("U1", "CMD1", QOS);
                sent += 1;
            }
            let most = *world.round_trip().end() * 4;
            world.run_for(most.mul_f64(random.f64()));
            world.kill(alice);
            disk.crash(
                [Crash::Kill, Crash::PowerCut][random.usize(0..2)],
                random.f64(),
            );
            alice = begin(&mut world);
        }
        world.run_for(Duration::from_secs(60));
        let said = world.seen_on("U1/CMD1").len();
        assert!(said >= sent, "{said} replies to {sent} commands");
    });
}

#[test]
fn qos_1_loses_nothing_through_kill_9_of_the_device() {
    each_seed("qos_1_loses_nothing_through_kill_9_of_the_device", |seed| {
        let (mut crashes, mut blows) = history(seed, QoS::AtLeastOnce, false, Crash::Kill);
        blows.iter_mut().for_each(|blow| blow.who = Who::Device);
        crashes.assert_at_least_once(blows);
    });
}

/// One crash of each kind at each packet, of each end; and in the middle of each write.
#[test]
fn qos_2_is_exactly_once_whichever_packet_or_write_is_the_last() {
    let mut cases = Vec::new();
    for who in [Who::Device, Who::Controller] {
        for crash in [Crash::Kill, Crash::PowerCut] {
            for after in 1..90 {
                cases.push((who, crash, after, None));
                cases.push((who, crash, 1, Some(after)));
            }
        }
    }
    let test = "qos_2_is_exactly_once_whichever_packet_or_write_is_the_last";
    each_case(test, cases, |(who, crash, after, writes)| {
        for part in [0.0, 0.4, 0.99] {
            let blow = Blow {
                after,
                who,
                crash,
                writes,
                part,
            };
            Crashes::new(1, QoS::ExactlyOnce, 4, true).assert_exactly_once(vec![blow]);
        }
    });
}
