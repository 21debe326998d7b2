//! What `-v` tells: every step, in MQTT's words and in order.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PUB, missing};
use harness::outcome::{assert_plain, ready, responder};
use harness::process::{Process, run};

/// The lines of a run, each less the program's name.
fn told(stderr: &str) -> Vec<&str> {
    assert_plain(stderr);
    let less_name = |line| str::strip_prefix(line, "mqtt_client: ").unwrap();
    stderr.lines().map(less_name).collect()
}

#[test]
fn a_request_tells_its_five_steps() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = ready(broker.client(["-q", "2", "responder", "-v"]));
    let port = broker.port();
    for (qos, how) in [
        ("0", "QoS 0"),
        ("1", "confirmed by PUBACK (QoS 1)"),
        ("2", "confirmed by PUBCOMP (QoS 2)"),
    ] {
        let ended = run(broker.client(["-v", "-q", qos, "net", "reverse", "Hello, wörld"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, "dlröw ,olleH\n");
        let expected = [
            format!("connected to 127.0.0.1:{port}, no session present"),
            format!("subscribed to net/reverse/response, QoS {qos} granted"),
            format!("published on net/reverse/request, {how}: Hello, wörld"),
            format!("received on net/reverse/response, QoS {qos}, 13 bytes: dlröw ,olleH"),
            "disconnected".to_owned(),
        ];
        assert_eq!(told(&ended.stderr), expected);
    }
}

#[test]
fn a_device_tells_its_session_from_login_to_last_words() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let plan = ["--sessions", "1", "--commands", "1", "--seed", "1"];
    let controller = broker.client(["-v", "controller"].into_iter().chain(plan));
    let controller = Process::start(controller);
    controller.wait_for_stderr("waiting for logins");
    let device = run(broker.client(["-v", "device", "alice"]));
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n");
    let story = told(&device.stderr);
    let command = "received on alice/UUID, QoS 2, 32 bytes: ";
    let id = story.iter().find_map(|line| line.strip_prefix(command));
    let id = id.unwrap().to_owned();
    let start = format!("received on {id}, QoS 2, 4 bytes: ");
    let word = story.iter().find_map(|line| line.strip_prefix(&*start));
    let word = word.unwrap().to_owned();
    let reply = match &*word {
        "CMD1" => "Apple",
        "CMD2" => "Cat",
        "CMD3" => "Dog",
        "CMD4" => "Rat",
        "CMD5" => "Boy",
        "CMD6" => "Girl",
        _ => "Toy",
    };
    let port = broker.port();
    let expected = [
        format!("connected to 127.0.0.1:{port}, no session present"),
        "subscribed to alice/UUID, QoS 2 granted".to_owned(),
        "published on login, confirmed by PUBCOMP (QoS 2): alice".to_owned(),
        format!("received on alice/UUID, QoS 2, 32 bytes: {id}"),
        format!("the UNIQUE ID is {id}"),
        format!("subscribed to {id}, QoS 2 granted"),
        format!("received on {id}, QoS 2, 4 bytes: {word}"),
        format!("published on {id}/{word}, confirmed by PUBCOMP (QoS 2): {reply}"),
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
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
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
    broker.publish("2", "alice/UUID", "id-1");
    first.wait_for_stderr("subscribed to id-1, QoS 2 granted");
    let first = stop(first);
    assert!(first.contains(", no session present\n"), "{first}");
    let second = start();
    second.wait_for_stderr("connected to");
    let second = stop(second);
    assert!(second.contains(", session present\n"), "{second}");
    assert!(!second.contains("published on login"), "{second}");
}

#[test]
fn rust_log_wins_over_the_options() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    // What it says, which options are given, and whether the story and the packets are told.
    for (filter, option, story, packets) in [
        ("off", "-vv", false, false),
        ("error", "-v", false, false),
        ("info", "--quiet", true, false),
        ("debug", "--quiet", true, true),
        ("mqtt_client=debug", "--quiet", true, true),
        ("mqtt_client=warn", "-vv", false, false),
        ("mqtt_client::link=info", "--quiet", true, false),
        // Of others' it says nothing about ours.
        ("rumqttc=off", "-v", true, false),
        ("", "-v", true, false),
    ] {
        let mut request = broker.client([option, "net", "reverse", "abc"]);
        request.env("RUST_LOG", filter);
        let ended = run(request);
        assert_eq!((ended.code, &*ended.stdout), (Some(0), "cba\n"));
        let told = ended.stderr.contains("published on net/reverse/request");
        let shown = ended.stderr.contains("PubAck");
        assert_eq!(
            (told, shown),
            (story, packets),
            "{filter} {option}: {ended:?}"
        );
    }
}
