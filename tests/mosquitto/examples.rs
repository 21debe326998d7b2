//! The library's examples, as a user runs them.

use std::path::PathBuf;
use std::process::Command;

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::observer::Observer;
use harness::peers;
use harness::process::{Process, run};
use harness::proxy::{Cut, Ending, Proxy, Way};

/// Cargo builds it before it runs all tests; for one test target alone, `cargo build --examples` does.
fn example<'a>(name: &str, port: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
    let test = std::env::current_exe().unwrap();
    let file: PathBuf = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(file.exists(), "{}: cargo build --examples", file.display());
    let mut command = Command::new(file);
    command.args(["127.0.0.1", port]).args(args);
    command.env("RUST_LOG", "info");
    command
}

fn observer(broker: &Mosquitto, filter: &str) -> Observer {
    Observer::start(peers::command("observer.py", &broker.port(), [filter]))
}

#[test]
fn the_thermometer_takes_another_interval_and_survives_a_lost_connection() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let observer = observer(&broker, "thermometer/kitchen/celsius");
    let proxy = Proxy::start(broker.port().parse().unwrap(), []);
    let port = proxy.port().to_string();
    let thermometer = Process::start(example("thermometer", &port, ["kitchen"]));
    let reading = |what| observer.hear(what, |heard| heard.payload.parse::<f64>().is_ok());
    assert_eq!(reading("the first reading, at once").qos, 1);
    thermometer.wait_for_stderr("subscribed to thermometer/kitchen/set-interval");
    observer.publish("thermometer/kitchen/set-interval", "soon", 1);
    thermometer.wait_for_stderr("no interval: \"soon\"");
    observer.publish("thermometer/kitchen/set-interval", "1", 1);
    thermometer.wait_for_stderr("a reading each 1 s");
    reading("another, by the new interval");
    proxy.cut(Cut {
        way: Way::Up,
        after: 1,
        ending: Ending::Close,
    });
    thermometer.wait_for_stderr("trying again");
    thermometer.wait_in_stderr("a second connection", |said| {
        (said.matches("subscribed to").count() == 2).then_some(())
    });
    reading("one over the new connection");
    thermometer.signal("TERM");
    assert_eq!(thermometer.end().code, Some(0));
}

#[test]
fn a_stop_tells_how_many_readings_the_broker_has_not_confirmed() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let proxy = Proxy::start(broker.port().parse().unwrap(), []);
    let port = proxy.port().to_string();
    let thermometer = Process::start(example("thermometer", &port, ["attic"]));
    thermometer.wait_for_stderr("published on thermometer/attic/celsius, confirmed");
    let observer = observer(&broker, "none");
    proxy.hold(true);
    observer.publish("thermometer/attic/set-interval", "1", 1);
    thermometer.wait_for_stderr("a reading each 1 s");
    proxy.cut(Cut {
        way: Way::Up,
        after: 0,
        ending: Ending::Close,
    });
    // That is more than a second later, and so there is another reading.
    thermometer.wait_for_stderr("attempt 2");
    thermometer.signal("TERM");
    let ended = thermometer.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = "stopped; messages that the broker has not confirmed, and that may be lost: ";
    let count = ended.stderr.split_once(told);
    let (_, count) = count.unwrap_or_else(|| panic!("{ended:?}"));
    let count = count.lines().next().and_then(|count| count.parse().ok());
    assert!(count.is_some_and(|count: u32| count >= 1), "{ended:?}");
}

#[test]
fn the_relay_switches_tells_how_it_stands_and_leaves_its_last_will() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let observer = observer(&broker, "relay/pump/+");
    let hear = |topic: &str, payload: &str| {
        observer.hear(payload, |heard| {
            heard.topic.ends_with(topic) && heard.payload == payload
        });
    };
    let start = || Process::start(example("relay", &broker.port(), ["pump"]));
    let mut relay = start();
    hear("available", "online");
    hear("state", "off");
    relay.wait_for_stderr("subscribed to relay/pump/set");
    observer.publish("relay/pump/set", "on", 1);
    hear("state", "on");
    relay.wait_for_stdout("pin 17 high");
    relay.signal("KILL");
    hear("available", "offline");
    // It comes to a relay that is not there, and waits at the broker.
    observer.publish("relay/pump/set", "on", 1);
    relay = start();
    hear("state", "off");
    hear("state", "on");
    relay.wait_for_stdout("pin 17 high");
    relay.signal("TERM");
    assert_eq!(relay.end().code, Some(0));
    // Not the last will: that is for an end without DISCONNECT.
    hear("available", "offline");
}

#[test]
fn the_adder_answers() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let adder = Process::start(example("custom_protocol", &broker.port(), []));
    adder.wait_for_stderr("subscribed to adder/ask");
    let asked = run(example("custom_protocol", &broker.port(), ["1 2 3"]));
    assert_eq!((asked.code, &*asked.stdout), (Some(0), "6\n"), "{asked:?}");
    adder.signal("INT");
    assert_eq!(adder.end().code, Some(0));
}
