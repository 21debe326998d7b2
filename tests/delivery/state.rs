//! What a device's state file and its session on the broker come to, each on a day of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::mqtt::QoS;

use crate::controller::{Controller, GUARD};
use crate::device::{Device, Output};
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::observer::Heard;
use harness::proxy::{Cut, Ending, Proxy, Way};

/// More than a device has in flight.
const COMMANDS: usize = 20;

/// A device called alice behind a proxy, and a controller.
struct Scene {
    broker: Mosquitto,
    controller: Controller,
    proxy: Proxy,
    device: Device,
}

impl Scene {
    fn new(qos: QoS) -> Self {
        let broker = Mosquitto::open();
        let port = broker.port().parse().unwrap();
        let proxy = Proxy::start(port, []);
        Self {
            controller: Controller::connect(port),
            device: Device::new(proxy.port(), "alice", qos, COMMANDS),
            broker,
            proxy,
        }
    }

    /// Starts the device, and leads it to where it waits for commands as `unique_id`.
    fn log_in(&mut self, unique_id: &str) {
        self.device.start();
        let login = |heard: &Heard| heard.topic == "login" && heard.payload == "alice";
        let heard = self.controller.hear("the login", &mut Vec::new(), login);
        heard.unwrap_or_else(|why| panic!("{why}\n{}", self.device.story()));
        let qos = self.device.qos();
        self.controller.publish("alice/UUID", unique_id, qos);
        self.await_subscription(unique_id);
    }

    fn await_subscription(&self, unique_id: &str) {
        let subscribed = format!("subscribed to {unique_id},");
        self.device.await_words(Output::Stderr, &subscribed);
    }

    fn say(&self, unique_id: &str, words: &str) {
        let qos = self.device.qos();
        self.controller.publish(unique_id, words, qos);
    }

    fn command_all(&self, unique_id: &str) {
        for number in 1..=COMMANDS {
            self.say(unique_id, &format!("CMD{number}"));
        }
    }

    /// Waits until the session is over, and gives what was heard since the last look.
    fn finish(&mut self) -> Vec<Heard> {
        let status = self.device.end();
        assert!(status.success(), "{status}\n{}", self.device.story());
        let words = self.device.said(Output::Stdout);
        assert_eq!(words, format!("{LAST_WORDS}\n"));
        let journal = fs::read(self.device.state_file()).unwrap_or_default();
        let is_own = journal.windows(12).any(|owner| owner == b"device alice");
        assert!(!is_own, "the journal is left");
        assert!(
            !self.broker.session_present("device-alice"),
            "a session is left"
        );
        self.controller.hear_everything("alice").unwrap()
    }

    /// The device was one of version 0.1.0, which knew no journal.
    fn leave_as_an_earlier_version(&self, unique_id: &str) -> PathBuf {
        fs::remove_file(self.device.state_file()).unwrap();
        let file = self.device.state_folder().join("session");
        let session = format!("mqtt_client session 1\nuser-id alice\nunique-id {unique_id}\nend\n");
        fs::write(&file, session).unwrap();
        file
    }

    /// One line of its warnings names `place`.
    fn assert_warns_of(&self, place: &Path, case: &str) {
        let said = self.device.said(Output::Stderr);
        let place = place.to_str().unwrap();
        let warned = said
            .lines()
            .any(|line| line.contains("warning: ") && line.contains(place));
        assert!(warned, "{case}: {said}");
    }

    fn assert_all_answered(&self, heard: &[Heard], unique_id: &str) {
        let reply = |number: usize| (format!("{unique_id}/CMD{number}"), format!("word {number}"));
        let expected: BTreeSet<_> = (1..=COMMANDS).map(reply).collect();
        let replies: BTreeSet<_> = heard
            .iter()
            .filter(|heard| heard.topic.contains("/CMD"))
            .map(|heard| (heard.topic.clone(), heard.payload.clone()))
            .collect();
        assert_eq!(replies, expected, "{}", self.device.story());
    }
}

fn logins(heard: &[Heard]) -> usize {
    heard.iter().filter(|heard| heard.topic == "login").count()
}

/// The last words can come while replies are still on their way.
fn replies_outlive_a_crash_after_the_last_words(qos: QoS) {
    let mut scene = Scene::new(qos);
    scene.log_in("id-1");
    // What it says from now on is lost; what it hears is not.
    scene.proxy.cut(Cut {
        way: Way::Up,
        after: 0,
        ending: Ending::OneWay,
    });
    for words in ["CMD1", "CMD2", "CMD3", LAST_WORDS, "CMD4"] {
        scene.say("id-1", words);
    }
    // By then it has done what the last words ask of it.
    scene.device.await_words(Output::Stderr, "bytes: CMD4");
    scene.device.kill();
    scene.device.start();
    let heard = scene.finish();
    assert_eq!(logins(&heard), 0, "{}", scene.device.story());
    for number in 1..=3 {
        let topic = format!("id-1/CMD{number}");
        assert!(heard.iter().any(|heard| heard.topic == topic), "{heard:?}");
    }
}

#[test]
fn a_crash_after_the_last_words_costs_no_reply_at_qos_1() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    replies_outlive_a_crash_after_the_last_words(QoS::AtLeastOnce);
}

#[test]
fn a_crash_after_the_last_words_costs_no_reply_at_qos_2() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    replies_outlive_a_crash_after_the_last_words(QoS::ExactlyOnce);
}

/// mosquitto 2.0.11 takes 20 messages at QoS 2 that wait for their PUBREL. It confirms one more with
/// PUBREC, drops it, and closes the connection. Those of a process that was killed count, too, and one of version 0.1.0
/// left no journal that would name them.
#[test]
fn a_device_that_was_killed_with_replies_half_said_loses_none_when_it_goes_on() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new(QoS::ExactlyOnce);
    scene.log_in("id-1");
    scene.device.kill();
    scene.leave_as_an_earlier_version("id-1");
    publish_and_never_release(&scene.broker, "device-alice", "id-1/CMD1", "word 1");
    scene.device.start();
    scene.command_all("id-1");
    scene.say("id-1", LAST_WORDS);
    let heard = scene.finish();
    let said = scene.device.said(Output::Stderr);
    assert!(!said.contains("closed the connection"), "{said}");
    scene.assert_all_answered(&heard, "id-1");
}

/// What a device leaves that was killed twice, each time with replies that were not released.
fn publish_and_never_release(broker: &Mosquitto, client_id: &str, topic: &str, payload: &str) {
    let port: u16 = broker.port().parse().unwrap();
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(GUARD)).unwrap();
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let packet = |kind: u8, body: &[u8]| [&[kind, body.len() as u8][..], body].concat();
    // MQTT 3.1.1, CleanSession 0, no keep alive.
    let connect = [text("MQTT"), vec![4, 0, 0, 0], text(client_id)].concat();
    (&connection).write_all(&packet(0x10, &connect)).unwrap();
    // None of the broker's packets is longer than 127 bytes.
    let receive = || {
        let mut header = [0; 2];
        (&connection).read_exact(&mut header).unwrap();
        let mut body = vec![0; usize::from(header[1])];
        (&connection).read_exact(&mut body).unwrap();
        (header[0], body)
    };
    assert_eq!(receive(), (0x20, vec![1, 0]), "accepted, session present");
    for identifier in 100..120u16 {
        let identifier = identifier.to_be_bytes();
        let publish = [&text(topic)[..], &identifier, payload.as_bytes()].concat();
        (&connection).write_all(&packet(0x34, &publish)).unwrap();
        // Besides, what the broker has to repeat.
        while receive() != (0x50, identifier.to_vec()) {}
    }
}

/// Whatever stands where the journal was: the old session is gone for good, and a new one begins.
#[test]
fn a_damaged_journal_means_a_fresh_login_and_a_warning() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    type Damage = fn(&[u8]) -> Vec<u8>;
    // The line that names the format is not whole, or the first record.
    let begun: Damage = |whole| whole[..10].to_vec();
    let half: Damage = |whole| whole[..30].to_vec();
    let empty: Damage = |_| Vec::new();
    let strange: Damage = |_| b"{\"session\": 1}\n".to_vec();
    let zeroed: Damage = |whole| vec![0; whole.len()];
    let changed: Damage = |whole| [&whole[..40], b"x", &whole[41..]].concat();
    for damage in [begun, half, empty, strange, zeroed, changed] {
        let mut scene = Scene::new(QoS::ExactlyOnce);
        scene.log_in("id-old");
        scene.device.kill();
        // Waits in the session that is not to be taken up.
        scene.say("id-old", "CMD1");
        let file = scene.device.state_file();
        let damaged = damage(&fs::read(&file).unwrap());
        fs::write(&file, &damaged).unwrap();
        scene.log_in("id-new");
        scene.command_all("id-new");
        scene.say("id-new", LAST_WORDS);
        let heard = scene.finish();
        scene.assert_all_answered(&heard, "id-new");
        scene.assert_warns_of(&file, &format!("{damaged:?}"));
    }
}

/// Two devices, one folder: the second has a warning, and the first its session.
#[test]
fn anothers_journal_is_left_alone() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new(QoS::ExactlyOnce);
    let port = scene.broker.port().parse().unwrap();
    let mut bob = Device::new(port, "bob", QoS::ExactlyOnce, COMMANDS);
    bob.start();
    bob.await_words(Output::Stderr, "published on login");
    bob.kill();
    let journal = fs::read(bob.state_file()).unwrap();
    fs::write(scene.device.state_file(), &journal).unwrap();
    scene.log_in("id-1");
    scene.command_all("id-1");
    scene.say("id-1", LAST_WORDS);
    let heard = scene.finish();
    scene.assert_all_answered(&heard, "id-1");
    scene.assert_warns_of(&scene.device.state_file(), "bob's");
    assert_eq!(fs::read(scene.device.state_file()).unwrap(), journal);
}

/// A device of version 0.1.0 was killed in a session, and this one goes on with it.
#[test]
fn the_state_file_of_an_earlier_version_is_read_and_replaced() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let mut scene = Scene::new(QoS::ExactlyOnce);
    scene.log_in("id-1");
    scene.device.kill();
    let old = scene.leave_as_an_earlier_version("id-1");
    scene.command_all("id-1");
    scene.device.start();
    scene.await_subscription("id-1");
    assert!(scene.device.state_file().is_file());
    assert!(!old.exists(), "it is left");
    scene.say("id-1", LAST_WORDS);
    let heard = scene.finish();
    scene.assert_all_answered(&heard, "id-1");
}

fn a_session_without_a_state_file(name: &str, prepare: fn(&Device)) {
    let mut scene = Scene::new(QoS::ExactlyOnce);
    prepare(&scene.device);
    scene.log_in("id-1");
    scene.command_all("id-1");
    scene.say("id-1", LAST_WORDS);
    let heard = scene.finish();
    scene.assert_all_answered(&heard, "id-1");
    scene.assert_warns_of(&scene.device.state_folder(), name);
}

#[test]
fn a_state_folder_that_cannot_be_used_costs_only_a_warning() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    a_session_without_a_state_file("no folder", |device| {
        fs::remove_dir(device.state_folder()).unwrap();
    });
    a_session_without_a_state_file("a file in its place", |device| {
        fs::remove_dir(device.state_folder()).unwrap();
        fs::write(device.state_folder(), "").unwrap();
    });
    a_session_without_a_state_file("a folder in the file's place", |device| {
        fs::create_dir(device.state_file()).unwrap();
    });
}
