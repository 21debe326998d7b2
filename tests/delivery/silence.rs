//! Half-open links: nothing comes through any more, and neither side is told.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::mqtt::QoS;

use crate::controller::Controller;
use crate::session;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::observer::Heard;
use harness::process::{Process, mqtt_client};
use harness::proxy::{Cut, Ending, Proxy, Way};

/// The shortest that MQTT can say, `-k 1`: most of a run is waiting for it.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Links that fall silent, each in a session of its own.
const POSITIONS: u64 = 20;

fn mosquitto() -> (Mosquitto, u16) {
    let broker = Mosquitto::open();
    let port = broker.port().parse().unwrap();
    (broker, port)
}

/// Of the same length for all, so that the positions are the same in all sessions.
fn user_id(number: usize) -> String {
    format!("u{number:02}")
}

/// Positions spread over a session that nothing cuts, the first half on the way up.
fn positions(qos: QoS) -> VecDeque<Cut> {
    let (_broker, port) = mosquitto();
    let controller = Controller::connect(port);
    let proxy = Proxy::start(port, []);
    let whole = session::run(&controller, &proxy, &user_id(0), qos).unwrap();
    let each_way = POSITIONS / 2;
    [(Way::Up, whole.passed.0), (Way::Down, whole.passed.1)]
        .into_iter()
        .flat_map(|(way, bytes)| {
            (0..each_way).map(move |at| Cut {
                way,
                after: (2 * at + 1) * bytes / (2 * each_way),
                ending: Ending::Silence,
            })
        })
        .collect()
}

fn every_session_survives_silence(qos: QoS) {
    let cuts = Mutex::new(positions(qos));
    let count = cuts.lock().unwrap().len();
    let (repeated, failures) = (Mutex::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // All at one time: they wait for their keep alive.
        for number in 0..count {
            let (cuts, repeated, failures) = (&cuts, &repeated, &failures);
            scope.spawn(move || {
                let cut = cuts.lock().unwrap().pop_front().unwrap();
                let (_broker, port) = mosquitto();
                let controller = Controller::connect(port);
                let proxy = Proxy::start(port, [cut]);
                let user_id = user_id(number);
                let outcome =
                    session::run_with_keep_alive(&controller, &proxy, &user_id, qos, KEEP_ALIVE);
                match outcome {
                    Ok(outcome) if proxy.cuts_left() == 0 => {
                        *repeated.lock().unwrap() += outcome.repeated;
                    }
                    Ok(outcome) => failures
                        .lock()
                        .unwrap()
                        .push(format!("{cut}: never silent, {outcome:?}")),
                    Err(why) => failures.lock().unwrap().push(format!("{cut}: {why}")),
                }
            });
        }
    });
    let (repeated, failures) = (
        repeated.into_inner().unwrap(),
        failures.into_inner().unwrap(),
    );
    eprintln!(
        "{qos}, silence at {count} positions: {} failed, {repeated} replies repeated",
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn qos_1_survives_a_link_that_falls_silent() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    every_session_survives_silence(QoS::AtLeastOnce);
}

#[test]
fn qos_2_survives_a_link_that_falls_silent() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    every_session_survives_silence(QoS::ExactlyOnce);
}

/// The program itself, while it waits for a command and has nothing to say.
#[test]
fn an_idle_device_notices_by_its_keep_alive_that_the_link_is_half_open() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let (_broker, port) = mosquitto();
    let controller = Controller::connect(port);
    let proxy = Proxy::start(port, []);
    let proxied = proxy.port().to_string();
    let device = Process::start(mqtt_client([
        "-h",
        "127.0.0.1",
        "-p",
        &proxied,
        "-k",
        "1",
        "--reconnect-delay",
        "0.05",
        "-v",
        "device",
        "alice",
    ]));
    let mut heard = Vec::new();
    let login = |heard: &Heard| heard.topic == "login";
    controller.hear("the login", &mut heard, login).unwrap();
    controller.publish("alice/UUID", "id-alice", QoS::ExactlyOnce);
    device.wait_for_stderr("subscribed to id-alice");
    // From the next byte on, which is a PINGREQ's.
    proxy.cut(Cut {
        way: Way::Up,
        after: 0,
        ending: Ending::Silence,
    });
    device.wait_for_stderr("did not answer a ping within 1 s");
    device.wait_for_stderr("again, session present");
    controller.publish("id-alice", "CMD1", QoS::ExactlyOnce);
    let reply = controller.hear("the reply", &mut heard, |heard| {
        heard.topic == "id-alice/CMD1"
    });
    assert_eq!(reply.unwrap().payload, "Apple");
    controller.publish("id-alice", LAST_WORDS, QoS::ExactlyOnce);
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{LAST_WORDS}\n"));
    let others = controller.hear_everything("alice").unwrap();
    assert_eq!(others, [], "a reply or a login once more");
}
