//! What a role that was stopped leaves on the broker, and what another run finds there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mqtt_client::demo::Broker;
use mqtt_client::device_session::device::Progress;
use mqtt_client::link::{End, Session};
use mqtt_client::mqtt::QoS;

use crate::devices::{controller, device, said};
use crate::peer::Peer;
use crate::requests::responder;
use crate::running::{PERSISTENT, level, options};

const QOS: QoS = QoS::ExactlyOnce;

const KEPT: Session = Session::Persistent {
    resume: false,
    keep: true,
};

const RESUMED: Session = Session::Persistent {
    resume: true,
    keep: true,
};

#[test]
fn a_stopped_responder_leaves_no_session() {
    let broker = Broker::start().unwrap();
    let responder = responder(options(&broker, "responder", PERSISTENT));
    responder.stop();
    assert_eq!(responder.end().0, Ok(End::Stopped));
    assert!(!Peer::connect(&broker, "responder").session_present);
}

#[test]
fn a_stopped_controller_leaves_no_session() {
    let broker = Broker::start().unwrap();
    let controller = controller(
        1,
        QOS,
        &Arc::default(),
        options(&broker, "controller", PERSISTENT),
    );
    controller.stop();
    assert_eq!(controller.end().0, Ok(End::Stopped));
    assert!(!Peer::connect(&broker, "controller").session_present);
}

#[test]
fn a_device_leaves_its_session_only_where_it_is_to_be_kept_and_not_over() {
    let broker = Broker::start().unwrap();
    for (session, kept) in [(PERSISTENT, false), (KEPT, true)] {
        let device = device("alice", QOS, None, options(&broker, "alice", session));
        let device = device.subscribed(1);
        device.stop();
        assert_eq!(device.end().0, Ok(End::Stopped));
        assert_eq!(Peer::connect(&broker, "alice").session_present, kept);
    }
    let ready = Arc::default();
    let controller = controller(1, QOS, &ready, options(&broker, "controller", PERSISTENT));
    let device = device("alice", QOS, None, options(&broker, "alice", KEPT)).subscribed(2);
    ready.store(true, Ordering::Relaxed);
    assert_eq!(device.end().0, Ok(End::Finished));
    assert_eq!(controller.end().0, Ok(End::Finished));
    assert!(!Peer::connect(&broker, "alice").session_present);
}

#[test]
fn a_device_that_was_stopped_answers_what_came_meanwhile() {
    let broker = Broker::start().unwrap();
    let mut controller = Peer::connect(&broker, "by hand");
    controller.subscribe("login");
    controller.subscribe("U1/+");
    let first = device("alice", QOS, None, options(&broker, "alice", KEPT)).subscribed(1);
    assert_eq!(controller.receive(), said("login", "alice"));
    controller.publish("alice/UUID", "U1");
    let first = first.subscribed(1);
    controller.publish("U1", "CMD1");
    assert_eq!(controller.receive(), said("U1/CMD1", "Apple"));
    first.stop();
    let (end, progress) = first.end();
    assert_eq!(end, Ok(End::Stopped));
    assert_eq!(progress, [Progress::LoggedIn(level("U1"))]);

    controller.publish("U1", "CMD2");
    controller.publish("U1", "CMD3");
    let second = device("alice", QOS, Some("U1"), options(&broker, "alice", RESUMED));
    assert_eq!(controller.receive(), said("U1/CMD2", "Cat"));
    assert_eq!(controller.receive(), said("U1/CMD3", "Dog"));
    controller.publish("U1", "Well done my IoT!");
    assert_eq!(second.end(), (Ok(End::Finished), vec![Progress::Done]));
}

#[test]
fn a_new_start_does_not_answer_what_an_earlier_one_left() {
    let broker = Broker::start().unwrap();
    let mut earlier = Peer::connect(&broker, "responder");
    earlier.subscribe("net/reverse/request");
    drop(earlier);
    let mut asking = Peer::connect(&broker, "by hand");
    asking.subscribe("net/reverse/response");
    asking.publish("net/reverse/request", "old");
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    asking.publish("net/reverse/request", "new");
    assert_eq!(asking.receive(), said("net/reverse/response", "wen"));
}
