//! A device that is killed, and a broker that is restarted, in mid-session. The controller is an observer by another
//! hand.

use std::collections::BTreeSet;
use std::path::PathBuf;

use harness::observer::{Heard, Observer};
use harness::process::{Ended, Process, line_with};

use crate::broker::Broker;
use crate::table::Expected;

/// Commands before what happens, and again so many after it.
const COMMANDS: usize = 12;

/// A device and the session that the observer leads.
struct Session<'a> {
    broker: &'a Broker,
    observer: Observer,
    user_id: String,
    qos: u8,
    answered: BTreeSet<String>,
}

fn command(number: usize) -> String {
    format!("CMD{number}")
}

impl<'a> Session<'a> {
    fn new(broker: &'a Broker, user_id: &str, qos: u8) -> Self {
        let table: String = (1..=2 * COMMANDS)
            .map(|n| format!("CMD{n}=word {n}\n"))
            .collect();
        let folder = broker.folder().path();
        std::fs::write(folder.join("replies"), table).unwrap();
        std::fs::create_dir_all(folder.join(user_id)).unwrap();
        Self {
            broker,
            observer: broker.observer(&["login", "+/+"]),
            user_id: user_id.to_owned(),
            qos,
            answered: BTreeSet::new(),
        }
    }

    fn state(&self) -> PathBuf {
        self.broker.folder().path().join(&self.user_id)
    }

    fn device(&self) -> Process {
        let level = self.qos.to_string();
        let usual = ["-v", "--reconnect-delay", "0.05", "-W", "30", "-q", &level];
        let mut device = self.broker.client(usual);
        device.arg("--state-dir").arg(self.state());
        device
            .arg("--replies")
            .arg(self.broker.folder().path().join("replies"));
        device.args(["device", &self.user_id]);
        Process::start(device)
    }

    /// The unique id's topic.
    fn unique_id(&self) -> String {
        format!("id-{}", self.user_id)
    }

    fn begin(&self) -> Process {
        let device = self.device();
        let login = |heard: &Heard| heard.topic == "login" && heard.payload == self.user_id;
        self.observer.hear("the login", login);
        let topic = format!("{}/UUID", self.user_id);
        self.observer.publish(&topic, &self.unique_id(), self.qos);
        device.wait_for_stderr(&format!("subscribed to {}", self.unique_id()));
        device
    }

    fn command(&self, numbers: std::ops::RangeInclusive<usize>) {
        for number in numbers {
            self.observer
                .publish(&self.unique_id(), &command(number), self.qos);
        }
    }

    /// Waits until so many different commands have been answered, rightly.
    fn await_answers(&mut self, count: usize) {
        while self.answered.len() < count {
            let topic = format!("{}/", self.unique_id());
            let what = format!("more replies than {:?}", self.answered);
            let reply = self
                .observer
                .hear(&what, |heard| heard.topic.starts_with(&topic));
            let number = reply
                .topic
                .trim_start_matches(&topic)
                .trim_start_matches("CMD");
            assert_eq!(reply.payload, format!("word {number}"), "{reply:?}");
            self.answered.insert(reply.topic);
        }
    }

    fn finish(mut self, device: Process) -> Ended {
        self.command(COMMANDS + 1..=2 * COMMANDS);
        self.await_answers(2 * COMMANDS);
        let last_words = "Well done my IoT!";
        self.observer
            .publish(&self.unique_id(), last_words, self.qos);
        let ended = device.end();
        assert_eq!(
            (ended.code, ended.stdout.trim_end()),
            (Some(0), last_words),
            "{}",
            ended.stderr
        );
        ended
    }
}

/// Whatever the broker has promised to deliver is delivered to the next life, and the login is not repeated.
pub fn go_on_after_kill_9(broker: &Broker, qos: u8, expected: Expected) {
    if let Some(why) = impossible(expected) {
        eprintln!("{:?}, kill -9 at QoS {qos}: {why}", broker.kind());
        return;
    }
    let mut session = Session::new(broker, &format!("killed{qos}"), qos);
    let device = session.begin();
    session.command(1..=COMMANDS);
    session.await_answers(3);
    device.signal("KILL");
    device.end();
    let device = session.device();
    session.await_answers(COMMANDS);
    let state = session.state();
    let ended = session.finish(device);
    assert!(
        !ended.stderr.contains("published on login"),
        "it logged in again: {}",
        ended.stderr
    );
    let left = std::fs::read_dir(state)
        .unwrap()
        .flatten()
        .map(|file| file.file_name());
    let left = left.filter(|name| *name == *"session").count();
    assert_eq!(left, 0, "its state file is left");
}

/// All commands before the restart have been answered, so that nothing depends on what the broker keeps.
pub fn go_on_after_a_restart(broker: &mut Broker, expected: Expected) {
    if let Some(why) = impossible(expected) {
        eprintln!("{:?}, restart: {why}", broker.kind());
        return;
    }
    // The session borrows the broker, which is to be restarted: so it is led anew after it.
    let qos = broker.kind().best_qos();
    let mut session = Session::new(broker, "restarted", qos);
    let device = session.begin();
    session.command(1..=COMMANDS);
    session.await_answers(COMMANDS);
    let Session {
        observer,
        user_id,
        answered,
        ..
    } = session;
    broker.restart();
    observer.await_subscriptions();
    let session = Session {
        broker,
        observer,
        user_id,
        qos,
        answered,
    };
    let subscribed = format!("subscribed to {}", session.unique_id());
    device.wait_in_stderr("the session again", |said| {
        let said = &said[said.rfind("connected to ").filter(|at| *at > 0)?..];
        let again = line_with(said, " again, ")?;
        (!again.contains("no session present") || said.contains(&subscribed)).then_some(())
    });
    let ended = session.finish(device);
    let logins = ended
        .stderr
        .matches("published on login, confirmed")
        .count();
    assert_eq!(logins, 1, "{}", ended.stderr);
}

fn impossible(expected: Expected) -> Option<&'static str> {
    match expected {
        Expected::Impossible(why) | Expected::BrokersFault(why) => Some(why),
        _ => None,
    }
}
