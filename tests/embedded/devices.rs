//! Device sessions, against our controller and against one that is made by hand.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mqtt_client::demo::Broker;
use mqtt_client::device_session::controller::{Controller, Plan};
use mqtt_client::device_session::device::{Device, DeviceConfig, Progress, Resume};
use mqtt_client::device_session::report::Report;
use mqtt_client::link::{End, Options};
use mqtt_client::mqtt::QoS;
use mqtt_client::role::{Event, Kind, Reaction, Role};

use crate::peer::Peer;
use crate::running::{PATIENCE, PERSISTENT, Running, level, options};

pub fn device(
    user_id: &str,
    qos: QoS,
    resume: Option<&str>,
    options: Options,
) -> Running<Progress> {
    let config = DeviceConfig {
        qos,
        timeout: Some(PATIENCE),
        resume: resume.map(|id| Resume::new(level(id))),
        ..DeviceConfig::new(level(user_id))
    };
    let role = Device::new(config, Instant::now());
    Running::start(role, options)
}

/// Ready for logins. Sends no command before `ready` is set.
pub fn controller(
    sessions: u64,
    qos: QoS,
    ready: &Arc<AtomicBool>,
    options: Options,
) -> Running<Report> {
    let plan = Plan {
        delay: Duration::ZERO,
        timeout: Some(PATIENCE),
        qos,
        seed: sessions,
        sessions: Some(sessions),
        ..Plan::default()
    };
    let role = Paused {
        role: Controller::new(plan),
        ready: ready.clone(),
    };
    Running::start(role, options).subscribed(1)
}

/// The controller's pause is there for the device to subscribe. Here it lasts until a test has seen
/// that, so that nothing depends on how fast the machine is.
struct Paused {
    role: Controller,
    ready: Arc<AtomicBool>,
}

impl Paused {
    fn is_over(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Role for Paused {
    type Item = Report;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Report> {
        match event {
            Event::Deadline if !self.is_over() => Ok(Vec::new()),
            _ => self.role.handle(now, event),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let deadline = self.role.deadline()?;
        // Nothing else would make the link look again.
        let soon = Instant::now() + Duration::from_millis(5);
        Some(if self.is_over() {
            deadline
        } else {
            deadline.max(soon)
        })
    }

    fn time_limit(&self) -> Option<Instant> {
        self.role.time_limit()
    }

    fn is_done(&self) -> bool {
        self.role.is_done()
    }

    fn status(&self) -> String {
        self.role.status()
    }
}

fn passes_at(qos: QoS) {
    let broker = Broker::start().unwrap();
    let ready = Arc::default();
    let controller = controller(1, qos, &ready, options(&broker, "controller", PERSISTENT));
    let device = device("alice", qos, None, options(&broker, "alice", PERSISTENT)).subscribed(2);
    ready.store(true, Ordering::Relaxed);

    let (end, progress) = device.end();
    assert_eq!(end, Ok(End::Finished));
    let (end, reports) = controller.end();
    assert_eq!(end, Ok(End::Finished));
    let [report] = &reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!(report.verdict, Ok(()));
    assert_eq!(report.user_id, level("alice"));
    assert!((7..=15).contains(&report.commands.len()), "{report:?}");
    assert_eq!(report.replies.len(), report.commands.len());
    assert_eq!(
        progress,
        [Progress::LoggedIn(report.unique_id.clone()), Progress::Done]
    );
}

#[test]
fn a_session_passes_at_qos_0() {
    passes_at(QoS::AtMostOnce);
}

#[test]
fn a_session_passes_at_qos_1() {
    passes_at(QoS::AtLeastOnce);
}

#[test]
fn a_session_passes_at_qos_2() {
    passes_at(QoS::ExactlyOnce);
}

#[test]
fn several_devices_at_once_have_a_session_each() {
    const USER_IDS: [&str; 6] = ["alice", "bob", "carol", "dave", "名前", "with blanks"];
    let broker = Broker::start().unwrap();
    let qos = QoS::ExactlyOnce;
    let all = USER_IDS.len();
    let ready = Arc::default();
    let controller = controller(
        all as u64,
        qos,
        &ready,
        options(&broker, "controller", PERSISTENT),
    );
    let devices = USER_IDS
        .map(|id| device(id, qos, None, options(&broker, id, PERSISTENT)))
        .map(|device| device.subscribed(2));
    ready.store(true, Ordering::Relaxed);
    for device in devices {
        assert_eq!(device.end().0, Ok(End::Finished));
    }
    let (end, reports) = controller.end();
    assert_eq!(end, Ok(End::Finished));
    for report in &reports {
        assert_eq!(report.verdict, Ok(()), "{}", report.user_id);
    }
    let user_ids: BTreeSet<_> = reports.iter().map(|r| r.user_id.as_str()).collect();
    assert_eq!(user_ids, USER_IDS.into_iter().collect());
    let unique_ids: BTreeSet<_> = reports.iter().map(|r| &r.unique_id).collect();
    assert_eq!(unique_ids.len(), all);
}

#[test]
fn a_device_obeys_a_controller_made_by_hand() {
    let broker = Broker::start().unwrap();
    let mut controller = Peer::connect(&broker, "by hand");
    controller.subscribe("login");
    controller.subscribe("U1/+");
    let options = options(&broker, "alice", PERSISTENT);
    let device = device("alice", QoS::ExactlyOnce, None, options).subscribed(1);
    assert_eq!(controller.receive(), said("login", "alice"));
    controller.publish("alice/UUID", "U1");
    let device = device.subscribed(1);
    for (command, word) in [
        ("CMD7", "Toy"),
        ("CMD1", "Apple"),
        ("CMD1", "Apple"),
        (" CMD4\n", "Rat"),
    ] {
        controller.publish("U1", command);
        let topic = format!("U1/{}", command.trim());
        assert_eq!(controller.receive(), said(&topic, word));
    }
    controller.publish("U1", "no such command");
    controller.publish("U1", "CMD2");
    assert_eq!(controller.receive(), said("U1/CMD2", "Cat"));
    controller.publish("U1", "Well done my IoT!");
    let (end, progress) = device.end();
    assert_eq!(end, Ok(End::Finished));
    assert_eq!(progress, [Progress::LoggedIn(level("U1")), Progress::Done]);
}

#[test]
fn a_unique_id_that_is_a_wildcard_is_refused() {
    let broker = Broker::start().unwrap();
    let mut controller = Peer::connect(&broker, "hostile");
    controller.subscribe("login");
    let device = device(
        "alice",
        QoS::ExactlyOnce,
        None,
        options(&broker, "alice", PERSISTENT),
    );
    assert_eq!(controller.receive(), said("login", "alice"));
    controller.publish("alice/UUID", "#");
    let (end, progress) = device.end();
    let failure = end.unwrap_err();
    assert_eq!(failure.kind, Kind::Protocol);
    assert!(failure.text.contains("alice/UUID"), "{failure}");
    assert_eq!(progress, []);
    assert!(!Peer::connect(&broker, "alice").session_present);
}

#[test]
fn a_device_without_a_controller_gives_up() {
    let broker = Broker::start().unwrap();
    let config = DeviceConfig {
        timeout: Some(Duration::from_secs(1)),
        ..DeviceConfig::new(level("alice"))
    };
    let role = Device::new(config, Instant::now());
    let (end, _) = Running::start(role, options(&broker, "alice", PERSISTENT)).end();
    let failure = end.unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
    assert!(failure.text.contains("alice/UUID"), "{failure}");
}

pub fn said(topic: &str, payload: &str) -> (String, String) {
    (topic.to_owned(), payload.to_owned())
}
