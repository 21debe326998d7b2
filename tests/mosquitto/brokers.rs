//! Several brokers: where one fails, the next is tried.

use crate::subscription::broker_that_refuses;
use harness::mosquitto::Mosquitto;
use harness::needed::{DYNAMIC_SECURITY, MOSQUITTO, missing};
use harness::outcome::{ready, responder};
use harness::process::{Process, mqtt_client, run};

fn hosts(brokers: &[&Mosquitto]) -> String {
    let address = |broker: &&Mosquitto| format!("127.0.0.1:{}", broker.port());
    brokers.iter().map(address).collect::<Vec<_>>().join(",")
}

/// Takes away the broker that this line says it is connected to; the other one is left.
fn kill_the_one_in(line: &str, one: Mosquitto, two: Mosquitto) -> Mosquitto {
    match line.contains(&format!(":{},", one.port())) {
        true => two,
        false => one,
    }
}

#[test]
fn a_request_finds_the_one_of_three_that_is_there() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let hosts = format!("127.0.0.1:1,{},[::1]:1", hosts(&[&broker]));
    // Where it begins is random.
    for _ in 0..10 {
        let ended = run(mqtt_client(["-h", &hosts, "net", "reverse", "abc"]));
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(0), "cba\n"),
            "{ended:?}"
        );
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_request_that_finds_none_names_each() {
    let ended = run(mqtt_client([
        "-h",
        "127.0.0.1:1,nosuch.invalid",
        "--host=[::1]:2",
        "net",
        "reverse",
        "abc",
    ]));
    assert_eq!((ended.code, &*ended.stdout), (Some(69), ""), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    for named in ["127.0.0.1:1 ", "nosuch.invalid", "[::1]:2 "] {
        assert!(ended.stderr.contains(named), "{ended:?}");
    }
}

#[test]
fn a_subscription_that_one_broker_refuses_is_asked_of_the_next() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    let refuses = broker_that_refuses("net/reverse/response");
    let open = Mosquitto::open();
    let _responder = responder(&open);
    let ask = |hosts: &str| {
        let args = ["-h", hosts, "--reconnect-delay", "0.05"];
        run(mqtt_client(
            args.into_iter().chain(["net", "reverse", "abc"]),
        ))
    };
    // Where it begins is random.
    for _ in 0..6 {
        let ended = ask(&hosts(&[&refuses, &open]));
        assert_eq!(
            (ended.code, &*ended.stdout),
            (Some(0), "cba\n"),
            "{ended:?}"
        );
    }
    let refuses_too = broker_that_refuses("net/reverse/response");
    let ended = ask(&hosts(&[&refuses, &refuses_too]));
    assert_eq!((ended.code, &*ended.stdout), (Some(77), ""), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    for broker in [&refuses, &refuses_too] {
        let named = format!(":{} refused the subscription", broker.port());
        assert!(last.contains(&named), "{ended:?}");
    }
}

#[test]
fn responder_and_device_go_on_at_the_other_broker_when_theirs_is_killed() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let (one, two) = (Mosquitto::open(), Mosquitto::open());
    let hosts = hosts(&[&one, &two]);
    let usual = ["-v", "-h", &hosts, "--reconnect-delay", "0.05"];
    let start = |args: &[&'static str]| {
        let args = usual.iter().copied().chain(args.iter().copied());
        Process::start(mqtt_client(args))
    };
    let device = start(&["-W", "0", "device", "alice"]);
    let line = device.wait_for_stderr("connected to ");
    device.wait_for_stderr("published on login, confirmed");
    let left = kill_the_one_in(&line, one, two);
    let port = left.port();
    let again = format!("connected to 127.0.0.1:{port} again, no session present");
    device.wait_for_stderr(&again);
    let _responder = ready(mqtt_client(usual.into_iter().chain(["responder"])));
    let args = usual[1..].iter().copied().chain(["net", "reverse", "abc"]);
    let ended = run(mqtt_client(args));
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "cba\n"),
        "{ended:?}"
    );
    let controller = start(&["controller", "--sessions", "1", "--delay", "1"]);
    controller.wait_for_stderr("waiting for logins");
    // Its login is what the broker that is left knows nothing of: the next one comes after 12 s.
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "Well done my IoT!\n");
    assert_eq!(controller.end().code, Some(0));

    drop(left);
    let ended = run(mqtt_client(["-h", &hosts, "net", "reverse", "abc"]));
    assert_eq!(ended.code, Some(69), "{ended:?}");
    assert!(ended.stderr.contains(&format!(":{port} ")), "{ended:?}");
}
