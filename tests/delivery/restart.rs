//! Brokers that are stopped or killed, and started again on the same port, under every role.

use std::process::Command;
use std::time::Instant;

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::mqtt::QoS;

use crate::controller::GUARD;
use crate::device::LOOK_AGAIN;
use harness::folder::Folder;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::observer::{Heard, Observer};
use harness::peers;
use harness::port;
use harness::process::{Process, line_with, mqtt_client};
use harness::proxy::Proxy;

/// What a broker remembers over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// Every session, saved whenever it changes.
    Lasting,
    /// What it was told to save by SIGUSR1.
    Stale,
    /// Nothing.
    None,
}

/// How it ends: SIGTERM, upon which it saves, or SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stopped,
    Killed,
}

const WAYS: [(Memory, Ending); 4] = [
    (Memory::Lasting, Ending::Stopped),
    (Memory::Lasting, Ending::Killed),
    (Memory::None, Ending::Stopped),
    (Memory::None, Ending::Killed),
];

/// A mosquitto that can be started again.
struct RestartableMosquitto {
    folder: Folder,
    port: u16,
    process: Option<Process>,
}

impl RestartableMosquitto {
    fn observer(&self, filters: &[&str]) -> Observer {
        let filters = filters.iter().copied();
        Observer::start(peers::command(
            "observer.py",
            &self.port.to_string(),
            filters,
        ))
    }

    fn start(memory: Memory) -> Self {
        let folder = Folder::new();
        let port = port::steady();
        let place = folder.path().display();
        let memory = match memory {
            Memory::Lasting => "persistence true\nautosave_on_changes true\nautosave_interval 1",
            Memory::Stale => "persistence true\nautosave_interval 0",
            Memory::None => "persistence false",
        };
        let settings = format!(
            "listener {port} 127.0.0.1\nuser root\nlog_dest stderr\nlog_type all\n\
             allow_anonymous true\n{memory}\npersistence_location {place}/\n"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), settings).unwrap();
        let mut broker = Self {
            folder,
            port,
            process: None,
        };
        broker.start_again();
        broker
    }

    fn start_again(&mut self) {
        let mut command = Command::new(MOSQUITTO.path());
        command
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"));
        let process = Process::start(command);
        process.wait_for_stderr(" running");
        self.process = Some(process);
    }

    fn end(&mut self, ending: Ending) {
        let process = self.process.take().unwrap();
        process.signal(match ending {
            Ending::Stopped => "TERM",
            Ending::Killed => "KILL",
        });
        process.end();
    }

    /// Saves what it knows by now, and only that.
    fn save(&self) {
        let process = self.process.as_ref().unwrap();
        process.signal("USR1");
        process.wait_for_stderr("Saving in-memory database");
        // The file appears when it is complete.
        let guard = Instant::now() + GUARD;
        while !self.folder.path().join("mosquitto.db").exists() {
            assert!(Instant::now() < guard, "nothing is saved");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn client<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Process {
        client(self.port, args)
    }
}

fn client<'a>(port: u16, args: impl IntoIterator<Item = &'a str>) -> Process {
    let port = port.to_string();
    let mut command = mqtt_client(["-h", "127.0.0.1", "-p", &port, "-v"]);
    command.args(["--reconnect-delay", "0.05"]).args(args);
    Process::start(command)
}

/// Waits for `text` on standard error after the last line that says that it is connected again.
fn await_after_reconnect(process: &Process, text: &str) {
    process.wait_in_stderr(text, |said| {
        let connected = said.rfind("warning: connected to ")?;
        line_with(&said[connected..], text)
    });
}

fn for_every_way(test: impl Fn(Memory, Ending) + Sync) {
    std::thread::scope(|scope| {
        let threads = WAYS.map(|(memory, ending)| {
            let test = &test;
            (memory, ending, scope.spawn(move || test(memory, ending)))
        });
        for (memory, ending, thread) in threads {
            assert!(thread.join().is_ok(), "{memory:?}, {ending:?}");
        }
    });
}

/// A device in mid-session.
struct Session {
    controller: Observer,
    device: Process,
    qos: QoS,
    answered: Vec<Heard>,
}

const COMMANDS: usize = 20;

impl Session {
    fn begin(broker: &RestartableMosquitto, qos: QoS) -> Self {
        let table: String = (1..=2 * COMMANDS)
            .map(|n| format!("CMD{n}=word {n}\n"))
            .collect();
        let replies = broker.folder.path().join("replies");
        std::fs::write(&replies, table).unwrap();
        let controller = broker.observer(&["login", "+/+"]);
        let level = qos.level().to_string();
        let replies = replies.to_str().unwrap();
        let device = broker.client(["-q", &level, "--replies", replies, "device", "alice"]);
        let login = |heard: &Heard| heard.topic == "login";
        controller.hear("the login", login);
        Self {
            controller,
            device,
            qos,
            answered: Vec::new(),
        }
    }

    fn introduce(&self) {
        self.controller
            .publish("alice/UUID", "id-alice", self.qos.level());
        self.device.wait_for_stderr("subscribed to id-alice");
    }

    fn command(&self, number: usize) {
        let command = format!("CMD{number}");
        self.controller
            .publish("id-alice", &command, self.qos.level());
    }

    /// Waits until so many of these commands have been answered, rightly.
    fn await_answers(&mut self, commands: std::ops::RangeInclusive<usize>, count: usize) {
        let count_answered = |answered: &[Heard]| {
            let is_answered = |number: &usize| {
                let (topic, word) = (format!("id-alice/CMD{number}"), format!("word {number}"));
                answered
                    .iter()
                    .any(|heard| heard.topic == topic && heard.payload == word)
            };
            commands.clone().filter(is_answered).count()
        };
        while count_answered(&self.answered) < count {
            let reply = |heard: &Heard| heard.topic.starts_with("id-alice/");
            self.answered.push(self.controller.hear("a reply", reply));
        }
    }

    /// Sends further commands and the last words, and sees that the device does what it should.
    fn finish(mut self) {
        for number in COMMANDS + 1..=2 * COMMANDS {
            self.command(number);
        }
        self.await_answers(COMMANDS + 1..=2 * COMMANDS, COMMANDS);
        self.controller
            .publish("id-alice", LAST_WORDS, self.qos.level());
        let ended = self.device.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, format!("{LAST_WORDS}\n"));
        let logins = ended
            .stderr
            .matches("published on login, confirmed")
            .count();
        assert_eq!(logins, 1, "{}", ended.stderr);
    }
}

fn a_device_goes_on(qos: QoS) {
    for_every_way(|memory, ending| {
        let mut broker = RestartableMosquitto::start(memory);
        let mut session = Session::begin(&broker, qos);
        session.introduce();
        for number in 1..=COMMANDS {
            session.command(number);
        }
        session.await_answers(1..=COMMANDS, 3);
        broker.end(ending);
        // By that it knows that the broker may come back with an earlier state. Of one that is back before the next attempt
        // it learns too late: docs/brokers.md says so.
        session.device.wait_for_stderr("refused the connection");
        broker.start_again();
        session.controller.await_subscriptions();
        match memory {
            Memory::None => await_after_reconnect(&session.device, "subscribed to id-alice"),
            _ => await_after_reconnect(&session.device, "session present"),
        }
        // All that the broker or the controller still has. A broker that was killed may have
        // confirmed what it had not saved yet.
        if (memory, ending) == (Memory::Lasting, Ending::Stopped) {
            session.await_answers(1..=COMMANDS, COMMANDS);
        }
        session.finish();
    });
}

#[test]
fn a_device_at_qos_1_goes_on_after_a_broker_restart() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    a_device_goes_on(QoS::AtLeastOnce);
}

#[test]
fn a_device_at_qos_2_goes_on_after_a_broker_restart() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    a_device_goes_on(QoS::ExactlyOnce);
}

/// As after a power cut of a broker that saves every half hour: the session is there, and the
/// subscription that was made since is not.
#[test]
fn a_device_subscribes_again_where_the_broker_has_gone_back_in_time() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let mut broker = RestartableMosquitto::start(Memory::Stale);
    let session = Session::begin(&broker, QoS::ExactlyOnce);
    broker.save();
    session.introduce();
    broker.end(Ending::Killed);
    broker.start_again();
    session.controller.await_subscriptions();
    await_after_reconnect(&session.device, "session present");
    await_after_reconnect(&session.device, "subscribed to id-alice");
    session.finish();
}

#[test]
fn a_request_gets_its_answer_although_the_broker_restarts_in_between() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    for_every_way(|memory, ending| {
        let mut broker = RestartableMosquitto::start(memory);
        let responder = broker.observer(&["net/reverse/request"]);
        let proxy = Proxy::start(broker.port, []);
        let request = client(proxy.port(), ["-W", "30", "net", "reverse", "abc"]);
        let asked = |heard: &Heard| heard.payload == "abc";
        responder.hear("the request", asked);
        // Confirmed, so that only an answer is missing.
        request.wait_for_stderr("published on net/reverse/request, confirmed");
        proxy.hold(true);
        broker.end(ending);
        broker.start_again();
        // Otherwise the request could come back before the responder has subscribed again.
        responder.await_subscriptions();
        proxy.hold(false);
        await_after_reconnect(&request, "subscribed to net/reverse/response");
        responder.publish("net/reverse/response", "cba", 1);
        let ended = request.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, "cba\n");
    });
}

#[test]
fn a_responder_answers_after_a_broker_restart() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    for_every_way(|memory, ending| {
        let mut broker = RestartableMosquitto::start(memory);
        let responder = broker.client(["responder"]);
        responder.wait_for_stderr("subscribed to +/shuffle/request");
        assert_answered(&broker);
        broker.end(ending);
        broker.start_again();
        match memory {
            Memory::None => await_after_reconnect(&responder, "subscribed to +/shuffle/request"),
            _ => await_after_reconnect(&responder, "session present"),
        }
        assert_answered(&broker);
        responder.signal("TERM");
        assert_eq!(responder.end().code, Some(0));
    });
}

fn assert_answered(broker: &RestartableMosquitto) {
    let ended = broker
        .client(["-W", "30", "net", "uppercase", "straße"])
        .end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "STRASSE\n");
}

#[test]
fn a_controller_serves_a_session_after_a_broker_restart() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    for_every_way(|memory, ending| {
        let mut broker = RestartableMosquitto::start(memory);
        let controller = broker.client(["--delay", "0.1", "--sessions", "2", "controller"]);
        controller.wait_for_stderr("waiting for logins");
        assert_served(&broker, "alice");
        broker.end(ending);
        broker.start_again();
        match memory {
            Memory::None => await_after_reconnect(&controller, "waiting for logins"),
            _ => await_after_reconnect(&controller, "session present"),
        }
        assert_served(&broker, "bob");
        let ended = controller.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    });
}

fn assert_served(broker: &RestartableMosquitto, user_id: &str) {
    let ended = broker.client(["device", user_id]).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("{LAST_WORDS}\n"));
}
