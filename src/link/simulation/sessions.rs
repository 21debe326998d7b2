//! Device sessions: a real device and a real controller, and a broker that counts what they say.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::party::Overheard;
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::device_session::controller::{Controller, Plan};
use crate::device_session::device::{Device, DeviceConfig, Progress, Resume};
use crate::device_session::report::Report;
use crate::device_session::{LAST_WORDS, Replies};
use crate::link::{End, Options, Session};
use crate::mqtt::{Level, QoS};

/// A device and a controller in a world, and what they have handed out.
pub struct Sessions {
    pub world: World,
    pub device: usize,
    pub controller: usize,
    pub progress: Rc<RefCell<Vec<Progress>>>,
    pub reports: Rc<RefCell<Vec<Report>>>,
    /// How many messages the device has made: logins and replies.
    published: Rc<Cell<usize>>,
}

pub fn options(id: &str, session: Session) -> Options {
    let mut options = Options::new("broker", 1883, id);
    options.session = session;
    options
}

pub const PERSISTENT: Session = Session::WHILE_RUNNING;

pub fn device(qos: QoS, timeout: Option<Duration>, resume: Option<&str>, now: Instant) -> Device {
    let config = DeviceConfig {
        qos,
        timeout,
        resume: resume.map(|id| Resume::new(Level::new(id).unwrap())),
        ..DeviceConfig::new(Level::new("alice").unwrap())
    };
    Device::new(config, now)
}

impl Sessions {
    /// A controller that gives one session of so many commands, and then a device.
    pub fn new(seed: u64, qos: QoS, commands: u32, device_session: Session) -> Self {
        Self::in_world(World::new(seed), seed, qos, commands, device_session)
    }

    pub fn in_world(world: World, seed: u64, qos: QoS, commands: u32, session: Session) -> Self {
        Self::with_options(world, seed, qos, commands, &options("alice", session))
    }

    /// The same for a device with these options.
    pub fn with_options(
        world: World,
        seed: u64,
        qos: QoS,
        commands: u32,
        options: &Options,
    ) -> Self {
        let timeout = Some(Duration::from_secs(300));
        Self::with(world, seed, qos, commands, options, timeout, true)
    }

    /// The protocol's packets alone: the controller does not listen where mistakes land.
    pub fn bare(seed: u64, qos: QoS, commands: u32) -> Self {
        let timeout = Some(Duration::from_secs(300));
        let options = options("alice", PERSISTENT);
        let world = World::new(seed);
        Self::with(world, seed, qos, commands, &options, timeout, false)
    }

    /// Both wait for ever.
    pub fn without_timeout(seed: u64, qos: QoS, commands: u32) -> Self {
        let options = options("alice", PERSISTENT);
        Self::with(World::new(seed), seed, qos, commands, &options, None, true)
    }

    fn with(
        mut world: World,
        seed: u64,
        qos: QoS,
        commands: u32,
        device_options: &Options,
        timeout: Option<Duration>,
        near_misses: bool,
    ) -> Self {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let progress = Rc::new(RefCell::new(Vec::new()));
        let plan = Plan {
            commands: Some(commands..=commands),
            qos,
            seed,
            // The protocol's pause is for the device to subscribe, and would lose its commands where that takes longer.
            delay: Duration::from_secs(200),
            timeout,
            sessions: Some(1),
            near_misses,
            ..Plan::default()
        };
        let handed_out = Rc::clone(&reports);
        let controller = world.begin(
            Controller::new(plan),
            &options("controller", PERSISTENT),
            move |report| {
                handed_out.borrow_mut().push(report);
                Ok(())
            },
        );
        let published = Rc::new(Cell::new(0));
        let role = Overheard {
            role: device(qos, timeout, None, world.now),
            warnings: Rc::default(),
            published: Rc::clone(&published),
        };
        let handed_out = Rc::clone(&progress);
        let device = world.begin(role, device_options, move |progress| {
            handed_out.borrow_mut().push(progress);
            Ok(())
        });
        Self {
            world,
            device,
            controller,
            progress,
            reports,
            published,
        }
    }

    pub fn with_strikes(mut self, strikes: &[(u32, Strike)]) -> Self {
        let mut strikes = strikes.to_vec();
        strikes.sort_by_key(|(after, _)| *after);
        self.world.strikes = strikes.into();
        self
    }

    pub fn run(&mut self) -> bool {
        self.world.run(Duration::from_secs(10_000))
    }

    /// The UNIQUE ID of the only session.
    pub fn unique_id(&self) -> String {
        let reports = self.reports.borrow();
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports[0].unique_id.to_string()
    }

    /// Every end is good, every command answered once and in order, and nothing is left on the broker.
    pub fn assert_exactly_once(&mut self) {
        assert!(self.run(), "it does not end");
        assert_eq!(self.world.end(self.device), Some(&Ok(End::Finished)));
        assert_eq!(self.world.end(self.controller), Some(&Ok(End::Finished)));
        let id = self.unique_id();
        let report = self.reports.borrow()[0].clone();
        assert_eq!(report.verdict, Ok(()));
        let commands: Vec<String> = report.commands.iter().map(ToString::to_string).collect();
        let mut said = self.world.said(|topic| topic == id);
        assert_eq!(said.pop().as_deref(), Some(LAST_WORDS));
        assert_eq!(said, commands);
        let replies = Replies::default();
        let expected: Vec<&str> = commands
            .iter()
            .map(|command| replies.answer(command).unwrap().1)
            .collect();
        assert_eq!(self.replies(&id), expected);
        assert_eq!(self.progress.borrow().last(), Some(&Progress::Done));
        self.assert_nothing_left();
    }

    pub fn replies(&mut self, id: &str) -> Vec<String> {
        let below = format!("{id}/");
        self.world.said(|topic| topic.starts_with(&below))
    }

    fn assert_nothing_left(&mut self) {
        if !self.world.struck_while_closing {
            for id in ["alice", "controller"] {
                assert!(
                    !self.world.broker().has_session(id),
                    "a session of {id} is left"
                );
            }
        }
    }

    /// No command is lost, and each that the broker has is handled once.
    fn assert_handled_once(&mut self) {
        self.assert_at_least_once();
        let id = self.unique_id();
        let commands = self.world.said(|topic| topic == id).len() - 1;
        let logins = self.world.said(|topic| topic == "login").len();
        let made = self.published.get();
        assert!(
            made <= commands + logins,
            "{made} messages, {commands} commands"
        );
    }

    /// No command is lost, and both ends end well.
    pub fn assert_at_least_once(&mut self) {
        assert!(self.run(), "it does not end");
        let id = self.unique_id();
        let sent: Vec<String> = self.reports.borrow()[0]
            .commands
            .iter()
            .map(ToString::to_string)
            .collect();
        let replies = Replies::default();
        let said = self.replies(&id);
        for (command, word) in replies
            .commands()
            .map(|c| (c.as_str(), replies.answer(c.as_str()).unwrap().1))
        {
            let wanted = sent.iter().filter(|sent| *sent == command).count();
            let came = said.iter().filter(|said| *said == word).count();
            assert!(came >= wanted, "{came} of {wanted} replies to {command}");
        }
        assert_eq!(self.reports.borrow()[0].verdict, Ok(()));
    }
}

/// How many packets arrive in a session that nothing happens to.
pub fn length(qos: QoS) -> u32 {
    let mut sessions = Sessions::new(1, qos, 4, PERSISTENT);
    sessions.assert_exactly_once();
    sessions.world.arrived
}

const STRIKES: [Strike; 3] = [Strike::Cut, Strike::Silence, Strike::Restart];

#[test]
fn a_session_at_each_qos_ends_well() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for seed in 0..50 {
            Sessions::new(seed, qos, 10, PERSISTENT).assert_exactly_once();
        }
    }
}

#[test]
fn qos_2_is_exactly_once_whatever_happens_after_any_packet() {
    let length = length(QoS::ExactlyOnce);
    assert!(length > 40, "{length}");
    let cases = (1..=length).flat_map(|after| STRIKES.map(|strike| (after, strike)));
    each_case(
        "qos_2_is_exactly_once_whatever_happens_after_any_packet",
        cases,
        |case| {
            Sessions::new(1, QoS::ExactlyOnce, 4, PERSISTENT)
                .with_strikes(&[case])
                .assert_exactly_once();
        },
    );
}

#[test]
fn qos_2_is_exactly_once_over_any_two_cuts() {
    // For the sake of time: there are as many cases as the square of the packets.
    let mut whole = Sessions::bare(1, QoS::ExactlyOnce, 4);
    whole.assert_exactly_once();
    let length = whole.world.arrived;
    let cases = (1..=length).flat_map(|first| (first..=length + 20).map(move |then| (first, then)));
    each_case(
        "qos_2_is_exactly_once_over_any_two_cuts",
        cases,
        |(first, then)| {
            Sessions::bare(1, QoS::ExactlyOnce, 4)
                .with_strikes(&[(first, Strike::Cut), (then, Strike::Cut)])
                .assert_exactly_once();
        },
    );
}

/// Up to three strikes, anywhere in the session and in what they lead to.
fn random_strikes(random: &mut fastrand::Rng) -> Vec<(u32, Strike)> {
    let strikes = 0..random.u32(0..=3);
    let draw = |_| (random.u32(1..150), STRIKES[random.usize(0..3)]);
    strikes.map(draw).collect()
}

#[test]
fn qos_2_is_exactly_once_over_random_strikes() {
    each_seed("qos_2_is_exactly_once_over_random_strikes", |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let strikes = random_strikes(&mut random);
        Sessions::new(seed, QoS::ExactlyOnce, random.u32(0..40), PERSISTENT)
            .with_strikes(&strikes)
            .assert_exactly_once();
    });
}

#[test]
fn qos_1_loses_nothing_over_random_strikes() {
    each_seed("qos_1_loses_nothing_over_random_strikes", |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let strikes = random_strikes(&mut random);
        Sessions::new(seed, QoS::AtLeastOnce, random.u32(0..40), PERSISTENT)
            .with_strikes(&strikes)
            .assert_handled_once();
    });
}
