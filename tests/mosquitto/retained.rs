//! Old messages that the broker has kept: never an answer, never an order.

use crate::peer;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PUB, PAHO, missing};
use harness::process::{Process, run};

#[test]
fn an_old_answer_is_not_printed_when_nobody_answers() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    broker.retain("net/reverse/response", "an old answer");
    let ended = run(broker.client(["-W", "1", "net", "reverse", "abc"]));
    assert_eq!(ended.code, Some(75), "{ended:?}");
    assert_eq!(ended.stdout, "");
    // Without this line it would not be certain that there was an old answer.
    assert!(
        ended
            .stderr
            .contains("retained message on net/reverse/response"),
        "{ended:?}"
    );
}

#[test]
fn an_old_answer_does_not_stand_in_for_the_right_one() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = peer::responder(&broker);
    broker.retain("net/reverse/response", "an old answer");
    let ended = run(broker.client(["net", "reverse", "abc"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "cba\n");
    assert!(
        ended
            .stderr
            .contains("retained message on net/reverse/response"),
        "{ended:?}"
    );
}

#[test]
fn old_orders_to_a_device_are_not_obeyed() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    broker.retain("alice/UUID", "an-old-session");
    broker.retain("4e1d-unique", "Well done my IoT!");
    let controller = peer::controller(&broker, "2", ["CMD4"]);
    let ended = run(broker.client(["device", "alice"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for topic in ["alice/UUID", "4e1d-unique"] {
        let warning = format!("retained message on {topic}");
        assert!(ended.stderr.contains(&warning), "{ended:?}");
    }
    let report = peer::report(controller);
    let replies = report.get("replies").list();
    assert_eq!(replies.len(), 1, "{report:?}");
    assert_eq!(replies[0].get("word").text(), "Rat");
}

#[test]
fn an_old_login_begins_no_session() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    broker.retain("login", "ghost");
    let controller = Process::start(broker.client(["controller", "-v"]));
    controller.wait_for_stderr("retained message on login");
    controller.signal("TERM");
    let ended = controller.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("logged in"), "{ended:?}");
}
