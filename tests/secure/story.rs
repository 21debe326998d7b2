//! What `-v` tells: every step, in MQTT's words and in order.

use crate::broker::{Broker, Folder};
use crate::installed::Needed::{self, Mosquitto, MosquittoPub};
use crate::installed::missing;
use crate::outcome::{assert_plain, ready};
use crate::process::{Process, run};

/// The lines of a run, each less the program's name.
fn told(stderr: &str) -> Vec<&str> {
    assert_plain(stderr);
    let less_name = |line| str::strip_prefix(line, "mqtt_client: ").unwrap();
    stderr.lines().map(less_name).collect()
}

#[test]
fn a_request_tells_its_five_steps() {
    if missing(&[Mosquitto]) {
        return;
    }
    let broker = Broker::open();
    let _responder = ready(broker.client(["-q", "2", "responder", "-v"]));
    let port = broker.port();
    for qos in ["0", "1", "2"] {
        let ended = run(broker.client(["-v", "-q", qos, "net", "reverse", "Hello, wörld"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, "dlröw ,olleH\n");
        let expected = [
            format!("connected to 127.0.0.1:{port}, no session present"),
            format!("subscribed to net/reverse/response, QoS {qos} granted"),
            "published on net/reverse/request, confirmed".to_owned(),
            format!("received on net/reverse/response, QoS {qos}, 13 bytes: dlröw ,olleH"),
            "disconnected".to_owned(),
        ];
        assert_eq!(told(&ended.stderr), expected);
    }
}

#[test]
fn a_device_tells_its_session_from_login_to_last_words() {
    if missing(&[Mosquitto]) {
        return;
    }
    let broker = Broker::open();
    let plan = ["--sessions", "1", "--commands", "1", "--seed", "1"];
    let controller = broker.client(["-v", "controller"].into_iter().chain(plan));
    let controller = Process::start(controller);
    controller.wait_for_stderr("waiting for logins");
    let device = run(broker.client(["-v", "device", "alice"]));
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n");
    let story = told(&device.stderr);
    let id = story.iter().find_map(|line| line.split(": ").nth(1));
    let id = id.unwrap().to_owned();
    let command = "received on alice/UUID, QoS 2, 32 bytes: ";
    assert!(story.contains(&&*format!("{command}{id}")), "{device:?}");
    let start = format!("received on {id}, QoS 2, 4 bytes: ");
    let word = story.iter().find_map(|line| line.strip_prefix(&*start));
    let word = word.unwrap().to_owned();
    let port = broker.port();
    let expected = [
        format!("connected to 127.0.0.1:{port}, no session present"),
        "subscribed to alice/UUID, QoS 2 granted".to_owned(),
        "published on login, confirmed".to_owned(),
        format!("received on alice/UUID, QoS 2, 32 bytes: {id}"),
        format!("the UNIQUE ID is {id}"),
        format!("subscribed to {id}, QoS 2 granted"),
        format!("received on {id}, QoS 2, 4 bytes: {word}"),
        format!("published on {id}/{word}, confirmed"),
        format!("received on {id}, QoS 2, 17 bytes: Well done my IoT!"),
        format!("unsubscribed from {id}"),
        "unsubscribed from alice/UUID".to_owned(),
        "disconnected".to_owned(),
    ];
    assert_eq!(story, expected);
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    let heard = format!("received on {id}/{word}, QoS 2, ");
    assert!(controller.stderr.contains(&heard), "{controller:?}");
}

#[test]
fn a_device_that_comes_back_to_its_session_says_that_it_is_present() {
    if missing(&[Mosquitto, MosquittoPub]) {
        return;
    }
    let broker = Broker::open();
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let start = || {
        let args = ["-v", "--state-dir", state, "device", "alice"];
        Process::start(broker.client(args))
    };
    let stop = |device: Process| {
        device.signal("TERM");
        let ended = device.end();
        assert_eq!((ended.code, &*ended.stdout), (Some(0), ""), "{ended:?}");
        ended.stderr
    };
    let first = start();
    first.wait_for_stderr("published on login, confirmed");
    let args = ["-q", "2", "-t", "alice/UUID", "-m", "id-1"];
    let ended = run(broker.mosquitto_client(Needed::MosquittoPub, args));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    first.wait_for_stderr("subscribed to id-1, QoS 2 granted");
    let first = stop(first);
    assert!(first.contains(", no session present\n"), "{first}");
    let second = start();
    second.wait_for_stderr("connected to");
    let second = stop(second);
    assert!(second.contains(", session present\n"), "{second}");
    assert!(!second.contains("published on login"), "{second}");
}
