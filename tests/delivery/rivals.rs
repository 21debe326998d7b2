//! What mosquitto's own books say of our clients: how often they connect, and what they leave behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::mqtt::QoS;
use rumqttc::{Client, Connection, Event, MqttOptions, Packet};

use crate::controller::{Controller, GUARD};
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::observer::Heard;
use harness::process::{Ended, Process};

/// Between two looks at what the two devices write.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Until one of two rivals has been thrown out three times in a row, and says so: three connections
/// each and the first, two for the session that the second one found and emptied, two for the first
/// one's connection where it lasted long enough not to count, one while the test looks.
const MOST_CONNECTIONS: usize = 12;

#[test]
fn two_devices_with_one_client_id_throw_each_other_out_slowly_and_say_why() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let first = Process::start(broker.client(["-v", "device", "alice"]));
    first.wait_for_stderr("connected to");
    let second = Process::start(broker.client(["-v", "-i", "device-alice", "device", "alice"]));
    let guard = Instant::now() + GUARD;
    let why = "is another client using the client id device-alice?";
    while !first.stderr().contains(why) && !second.stderr().contains(why) {
        assert!(Instant::now() < guard, "neither says `{why}`");
        std::thread::sleep(LOOK_AGAIN);
    }
    drop((first, second));
    let log = broker.log();
    let connections = log
        .lines()
        .filter(|line| line.contains("New client connected") && line.contains(" as device-alice ("))
        .count();
    let thrown_out = log
        .matches("already connected, closing old connection")
        .count();
    eprintln!("two devices as device-alice: {connections} connections, {thrown_out} thrown out");
    assert!(thrown_out > 3, "{log}");
    assert!(connections <= MOST_CONNECTIONS, "{connections}: {log}");
}

/// What mosquitto publishes about itself, once a second.
struct Books {
    connection: Connection,
    values: BTreeMap<String, u64>,
    _client: Client,
}

const DISCONNECTED: &str = "$SYS/broker/clients/disconnected";
const SUBSCRIPTIONS: &str = "$SYS/broker/subscriptions/count";

impl Books {
    fn read(broker: &Mosquitto) -> Self {
        let port = broker.port().parse().unwrap();
        let options = MqttOptions::new("auditor", "127.0.0.1", port);
        let (client, connection) = Client::new(options, 10);
        for topic in [DISCONNECTED, SUBSCRIPTIONS] {
            client.subscribe(topic, rumqttc::QoS::AtMostOnce).unwrap();
        }
        Self {
            connection,
            values: BTreeMap::new(),
            _client: client,
        }
    }

    /// Waits until so many sessions are without a connection, and there are so many subscriptions.
    fn await_entry(&mut self, disconnected: u64, subscriptions: u64) {
        let entry = [(DISCONNECTED, disconnected), (SUBSCRIPTIONS, subscriptions)];
        let guard = Instant::now() + GUARD;
        while entry
            .iter()
            .any(|(topic, value)| self.values.get(*topic) != Some(value))
        {
            let left = guard.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{:?}, not {entry:?}", self.values);
            if let Ok(event) = self.connection.recv_timeout(left) {
                if let Event::Incoming(Packet::Publish(publish)) = event.unwrap() {
                    let value = String::from_utf8_lossy(&publish.payload).parse().unwrap();
                    self.values.insert(publish.topic, value);
                }
            }
        }
    }
}

/// A broker that keeps books, a controller, and what the books say without any device.
struct Scene {
    broker: Mosquitto,
    controller: Controller,
    books: Books,
}

/// The controller's subscriptions and the auditor's.
const WITHOUT_A_DEVICE: u64 = 4;

/// A device's, in mid-session.
const OF_A_DEVICE: u64 = 2;

impl Scene {
    fn new() -> Self {
        let settings = "allow_anonymous true\nsys_interval 1\n";
        let broker = Mosquitto::with(Folder::new(), settings);
        let controller = Controller::connect(broker.port().parse().unwrap());
        let mut books = Books::read(&broker);
        books.await_entry(0, WITHOUT_A_DEVICE);
        Self {
            broker,
            controller,
            books,
        }
    }

    /// A device that has been given the UNIQUE ID `id-alice` and has answered a command.
    fn device_in_mid_session(&mut self, options: &[&str]) -> Process {
        let args = ["-v", "device", "alice"].iter().chain(options).copied();
        let device = Process::start(self.broker.client(args));
        let mut others = Vec::new();
        let login = |heard: &Heard| heard.topic == "login";
        self.controller
            .hear("the login", &mut others, login)
            .unwrap();
        self.controller
            .publish("alice/UUID", "id-alice", QoS::ExactlyOnce);
        device.wait_for_stderr("subscribed to id-alice");
        self.controller
            .publish("id-alice", "CMD1", QoS::ExactlyOnce);
        let reply = |heard: &Heard| heard.topic == "id-alice/CMD1";
        self.controller
            .hear("the reply", &mut others, reply)
            .unwrap();
        device.wait_for_stderr("published on id-alice/CMD1, confirmed");
        self.books.await_entry(0, WITHOUT_A_DEVICE + OF_A_DEVICE);
        device
    }

    fn assert_nothing_is_left(&mut self) {
        self.books.await_entry(0, WITHOUT_A_DEVICE);
        assert!(
            !self.broker.session_present("device-alice"),
            "a session is left"
        );
        // That look has left a session itself: this is how one would have shown.
        self.books.await_entry(1, WITHOUT_A_DEVICE);
    }
}

fn assert_done(device: Process) {
    let Ended {
        code,
        stdout,
        stderr,
    } = device.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout, format!("{LAST_WORDS}\n"), "{stderr}");
}

#[test]
fn a_finished_session_leaves_no_trace_in_the_brokers_books() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new();
    let device = scene.device_in_mid_session(&[]);
    scene
        .controller
        .publish("id-alice", LAST_WORDS, QoS::ExactlyOnce);
    assert_done(device);
    scene.assert_nothing_is_left();
}

#[test]
fn a_device_that_is_stopped_in_mid_session_leaves_no_trace_without_a_state_dir() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new();
    let device = scene.device_in_mid_session(&[]);
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), ""), "{ended:?}");
    scene.assert_nothing_is_left();
}

#[test]
fn a_device_that_is_stopped_in_mid_session_goes_on_with_it_from_its_state_dir() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new();
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let device = scene.device_in_mid_session(&["--state-dir", state]);
    device.signal("TERM");
    let ended = device.end();
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), ""), "{ended:?}");
    scene.books.await_entry(1, WITHOUT_A_DEVICE + OF_A_DEVICE);
    assert!(
        scene.broker.session_present("device-alice"),
        "no session is left"
    );
    assert!(folder.path().join("journal").exists());

    // What comes while it is away waits for it.
    for command in ["CMD2", LAST_WORDS] {
        scene
            .controller
            .publish("id-alice", command, QoS::ExactlyOnce);
    }
    let args = ["-v", "device", "alice", "--state-dir", state];
    let device = Process::start(scene.broker.client(args));
    device.wait_for_stderr("going on with session id-alice");
    assert_done(device);
    assert!(!folder.path().join("journal").exists());
    let heard = scene.controller.hear_everything("alice").unwrap();
    let heard: Vec<_> = heard.iter().map(|heard| &heard.topic[..]).collect();
    assert_eq!(heard, ["id-alice/CMD2"], "and no login");
    scene.assert_nothing_is_left();
}
