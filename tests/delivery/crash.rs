//! A device that is killed at any moment and started again: its session goes on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::mqtt::QoS;

use crate::controller::{Controller, GUARD};
use crate::device::{Device, LOOK_AGAIN, Output};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::observer::Heard;
use harness::proxy::{Cut, Ending, Proxy, Way};
use harness::repeat::{Repeat, share};

/// Sessions at one time.
const WORKERS: usize = 6;

/// Sessions at each QoS.
const RUNS: usize = 40;

/// Commands a session, each another one: twice what mosquitto has in flight.
const COMMANDS: usize = 40;

/// When the controller says the last words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// After all replies.
    Waiting,
    /// Right after the commands.
    Hasty,
}

/// When to kill.
#[derive(Debug)]
struct Case {
    qos: QoS,
    pace: Pace,
    /// After so many bytes, the last that get through: a power cut, of which the broker learns nothing.
    bytes: Vec<Cut>,
    /// When so many replies have been heard.
    replies: VecDeque<usize>,
}

impl Case {
    fn random(random: &mut fastrand::Rng, qos: QoS) -> Self {
        let mut case = Self {
            qos,
            pace: [Pace::Waiting, Pace::Hasty][random.usize(0..2)],
            bytes: Vec::new(),
            replies: VecDeque::new(),
        };
        for kill in 0..random.u32(1..=3) {
            if random.bool() {
                case.replies.push_back(random.usize(1..=COMMANDS));
                continue;
            }
            // Anywhere at first, then also while it takes up the session.
            let most = if kill == 0 { 2_000 } else { 500 };
            case.bytes.push(Cut {
                way: [Way::Up, Way::Down][random.usize(0..2)],
                after: random.u64(0..most),
                ending: Ending::Silence,
            });
        }
        case.replies.make_contiguous().sort_unstable();
        case
    }
}

/// A session in which the device is killed, and what has been seen of it.
struct Session<'a> {
    controller: &'a Controller,
    device: Device,
    proxy: Proxy,
    unique_id: String,
    logins: usize,
    replies: BTreeMap<String, usize>,
    sent: bool,
    dismissed: bool,
}

/// What a session came to.
#[derive(Debug, Default)]
struct Outcome {
    kills: u32,
    /// Replies that came once more than they had to.
    twice: usize,
}

impl Session<'_> {
    fn heard(&mut self, heard: &Heard) {
        if heard.topic == "login" && heard.payload == self.device.user_id() {
            self.logins += 1;
            let topic = format!("{}/UUID", self.device.user_id());
            self.controller
                .publish(&topic, &self.unique_id, self.device.qos());
        } else if let Some(command) = heard.topic.strip_prefix(&format!("{}/", self.unique_id)) {
            let reply = format!("{command} {}", heard.payload);
            *self.replies.entry(reply).or_default() += 1;
        }
    }

    fn all_answered(&self) -> bool {
        self.replies.len() >= COMMANDS
    }

    fn command(&mut self, pace: Pace) {
        let qos = self.device.qos();
        let subscribed = format!("subscribed to {},", self.unique_id);
        if !self.sent && self.device.said(Output::Stderr).contains(&subscribed) {
            self.sent = true;
            for number in 1..=COMMANDS {
                let command = format!("CMD{number}");
                self.controller.publish(&self.unique_id, &command, qos);
            }
        }
        if self.sent && !self.dismissed && (pace == Pace::Hasty || self.all_answered()) {
            self.dismissed = true;
            self.controller.publish(&self.unique_id, LAST_WORDS, qos);
        }
    }

    fn run(&mut self, case: &Case) -> Result<Outcome, String> {
        let guard = Instant::now() + GUARD;
        let mut cuts_left = case.bytes.len();
        let mut replies = case.replies.clone();
        loop {
            if let Some(heard) = self.controller.next(LOOK_AGAIN) {
                self.heard(&heard);
            }
            self.command(case.pace);
            let count = self.replies.values().sum::<usize>();
            let enough = replies.front().is_some_and(|enough| count >= *enough);
            if self.proxy.cuts_left() < cuts_left || enough {
                cuts_left = self.proxy.cuts_left();
                if enough {
                    replies.pop_front();
                }
                self.device.kill();
                if self.is_over()? {
                    break;
                }
                self.device.start();
            } else if let Some(status) = self.device.ended() {
                if !status.success() {
                    return Err(format!("it ended with {status}"));
                }
                self.settle()?;
                if self.device.said(Output::Stdout) != format!("{LAST_WORDS}\n") {
                    return Err("it did not say the last words".to_owned());
                }
                if self.device.state_file().exists() {
                    return Err("its journal is left".to_owned());
                }
                break;
            }
            if Instant::now() > guard {
                return Err("it does not end".to_owned());
            }
        }
        self.judge()
    }

    /// Killed when it had done everything: another start would be another session.
    fn is_over(&mut self) -> Result<bool, String> {
        let said_so = self.device.said(Output::Stdout).contains(LAST_WORDS);
        Ok(said_so && self.settle()?)
    }

    /// Hears all that has been said; whether every command has been answered.
    fn settle(&mut self) -> Result<bool, String> {
        for heard in self.controller.hear_everything(&self.unique_id)? {
            self.heard(&heard);
        }
        Ok(self.all_answered())
    }

    fn judge(&self) -> Result<Outcome, String> {
        let mut twice = 0;
        for number in 1..=COMMANDS {
            let reply = format!("CMD{number} word {number}");
            match self.replies.get(&reply) {
                None => return Err(format!("no reply {reply}: {:?}", self.replies)),
                Some(count) => twice += count - 1,
            }
        }
        if self.replies.len() > COMMANDS {
            return Err(format!("strange replies: {:?}", self.replies));
        }
        if self.logins > self.device.anew() {
            let (logins, anew) = (self.logins, self.device.anew());
            return Err(format!(
                "{logins} logins, and {anew} starts without a session"
            ));
        }
        Ok(Outcome {
            kills: self.device.lives() - 1,
            twice,
        })
    }
}

fn run(controller: &Controller, broker: u16, name: &str, case: &Case) -> Result<Outcome, String> {
    let proxy = Proxy::start(broker, case.bytes.iter().copied());
    let mut session = Session {
        controller,
        device: Device::new(proxy.port(), name, case.qos, COMMANDS),
        proxy,
        unique_id: format!("id-{name}"),
        logins: 0,
        replies: BTreeMap::new(),
        sent: false,
        dismissed: false,
    };
    session.device.start();
    let outcome = session.run(case);
    outcome.map_err(|why| format!("{why}; {case:?}\n{}", session.device.story()))
}

/// What all sessions came to.
#[derive(Default)]
struct Tally {
    kills: u32,
    twice: usize,
    failures: Vec<String>,
}

fn every_session_survives_kill_9(qos: QoS) {
    let repeat = Repeat::seeded();
    let mut random = fastrand::Rng::with_seed(repeat.seed());
    let cases = (1..=RUNS).map(|number| (number.to_string(), Case::random(&mut random, qos)));
    let cases = repeat.wanted(cases.collect(), |(name, _)| name.clone());
    let tally = Mutex::new(Tally::default());
    share(WORKERS, cases, |worker, cases| {
        let broker = Mosquitto::open();
        let port = broker.port().parse().unwrap();
        let controller = Controller::connect(port);
        for (number, (name, case)) in cases.enumerate() {
            let outcome = run(&controller, port, &format!("u{worker}-{number}"), &case);
            let mut tally = tally.lock().unwrap();
            match outcome {
                Ok(outcome) => {
                    tally.kills += outcome.kills;
                    tally.twice += outcome.twice;
                }
                Err(why) => {
                    tally.failures.push(why);
                    repeat.case_failed(&name);
                }
            }
        }
    });
    let Tally {
        kills,
        twice,
        failures,
    } = tally.into_inner().unwrap();
    let failed = failures.len();
    eprintln!(
        "{qos}, kill -9: {RUNS} sessions of {COMMANDS} commands, {kills} kills, {failed} failed, {twice} replies twice"
    );
    for failure in &failures {
        eprintln!("{failure}");
    }
    assert_eq!(failed, 0, "sessions failed");
    if qos == QoS::ExactlyOnce {
        assert_eq!(twice, 0, "replies came twice");
    }
    let alone = repeat.is_of_one_case();
    assert!(kills > 0 || alone, "nothing was killed");
}

#[test]
fn a_session_at_qos_1_goes_on_after_kill_9() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    every_session_survives_kill_9(QoS::AtLeastOnce);
}

#[test]
fn a_session_at_qos_2_goes_on_after_kill_9() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    every_session_survives_kill_9(QoS::ExactlyOnce);
}
