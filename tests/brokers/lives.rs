//! A device that is killed, and a broker that is restarted, in mid-session. The controller is an observer by another
//! hand.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use harness::observer::{Heard, Observer};
use harness::process::{Ended, Process, line_with};

use crate::broker::Broker;
use crate::table::Expected;

/// Commands before what happens, and again so many after it.
const COMMANDS: usize = 12;

const LAST_WORDS: &str = "Well done my IoT!";

/// A device and the session that the observer leads.
struct Session {
    observer: Observer,
    folder: PathBuf,
    user_id: String,
    qos: u8,
    answered: BTreeSet<String>,
    /// Its present life.
    device: Option<Process>,
}

impl Session {
    /// A device that has logged in, has its UNIQUE ID, and listens for commands.
    fn begin(broker: &Broker, user_id: &str, qos: u8) -> Self {
        let table: String = (1..=2 * COMMANDS)
            .map(|n| format!("CMD{n}=word {n}\n"))
            .collect();
        let folder = broker.folder().path().join(user_id);
        std::fs::create_dir_all(folder.join("state")).unwrap();
        std::fs::write(folder.join("replies"), table).unwrap();
        let mut session = Self {
            observer: broker.observer(&["login", "+/+"]),
            folder,
            user_id: user_id.to_owned(),
            qos,
            answered: BTreeSet::new(),
            device: None,
        };
        session.start_device(broker);
        let login = |heard: &Heard| heard.topic == "login" && heard.payload == user_id;
        session.observer.hear("the login", login);
        let (topic, unique_id) = (format!("{user_id}/UUID"), session.unique_id());
        session.observer.publish(&topic, &unique_id, qos);
        let subscribed = format!("subscribed to {unique_id}");
        session.device().wait_for_stderr(&subscribed);
        session
    }

    fn start_device(&mut self, broker: &Broker) {
        let level = self.qos.to_string();
        let usual = ["-v", "--reconnect-delay", "0.05", "-W", "30", "-q", &level];
        let mut device = broker.client(usual);
        device.arg("--state-dir").arg(self.folder.join("state"));
        device.arg("--replies").arg(self.folder.join("replies"));
        device.args(["device", &self.user_id]);
        self.device = Some(Process::start(device));
    }

    fn device(&self) -> &Process {
        self.device.as_ref().unwrap()
    }

    fn kill_device(&mut self) {
        let device = self.device.take().unwrap();
        device.signal("KILL");
        device.end();
    }

    fn unique_id(&self) -> String {
        format!("id-{}", self.user_id)
    }

    fn command(&self, numbers: RangeInclusive<usize>) {
        for number in numbers {
            let command = format!("CMD{number}");
            self.observer.publish(&self.unique_id(), &command, self.qos);
        }
    }

    /// Waits until so many different commands have been answered, rightly.
    fn await_answers(&mut self, count: usize) {
        let topic = format!("{}/CMD", self.unique_id());
        while self.answered.len() < count {
            let what = format!("{count} replies, of which {:?} came", self.answered);
            let is_reply = |heard: &Heard| heard.topic.starts_with(&topic);
            let reply = self.observer.hear(&what, is_reply);
            let number = reply.topic.trim_start_matches(&topic);
            assert_eq!(reply.payload, format!("word {number}"), "{reply:?}");
            self.answered.insert(number.to_owned());
        }
    }

    /// More commands, their replies, the last words, and the end.
    fn finish(&mut self) -> Ended {
        self.command(COMMANDS + 1..=2 * COMMANDS);
        self.await_answers(2 * COMMANDS);
        self.observer
            .publish(&self.unique_id(), LAST_WORDS, self.qos);
        let ended = self.device.take().unwrap().end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout.trim_end(), LAST_WORDS);
        ended
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(device) = self.device.take().filter(|_| std::thread::panicking()) {
            eprintln!("the device said:\n{}", device.stderr());
        }
    }
}

/// Whatever the broker has promised to deliver is delivered to the next life, and the login is not repeated.
pub fn go_on_after_kill_9(broker: &Broker, qos: u8, expected: Expected) {
    if let Some(why) = expected.hopeless() {
        eprintln!("{:?}, kill -9 at QoS {qos}: {why}", broker.kind());
        return;
    }
    let mut session = Session::begin(broker, &format!("killed{qos}"), qos);
    session.command(1..=COMMANDS);
    session.await_answers(3);
    session.kill_device();
    session.start_device(broker);
    session.await_answers(COMMANDS);
    let ended = session.finish();
    let anew = ended.stderr.contains("published on login");
    assert!(!anew, "it logged in again: {}", ended.stderr);
    let left = session.folder.join("state/session");
    assert!(!left.exists(), "its state file is left");
}

/// All commands before the restart have been answered, so that nothing depends on what the broker keeps.
pub fn go_on_after_a_restart(broker: &mut Broker, expected: Expected) {
    if let Some(why) = expected.hopeless() {
        eprintln!("{:?}, restart: {why}", broker.kind());
        return;
    }
    let mut session = Session::begin(broker, "restarted", broker.kind().best_qos());
    session.command(1..=COMMANDS);
    session.await_answers(COMMANDS);
    broker.restart();
    session.observer.await_subscriptions();
    let subscribed = format!("subscribed to {}", session.unique_id());
    session
        .device()
        .wait_in_stderr("the session again", |said| {
            let said = &said[said.rfind("connected to ").filter(|at| *at > 0)?..];
            let again = line_with(said, " again, ")?;
            (!again.contains("no session present") || said.contains(&subscribed)).then_some(())
        });
    let ended = session.finish();
    let logins = ended.stderr.matches("published on login, confirmed");
    assert_eq!(logins.count(), 1, "{}", ended.stderr);
}
