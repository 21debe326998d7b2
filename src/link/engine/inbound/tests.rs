//! The ledger, message by message.

use super::*;
use crate::mqtt::TopicName;

fn message(text: &str, qos: QoS) -> Message {
    Message::new(TopicName::new("t").unwrap(), text, qos)
}

fn connected() -> Inbound {
    let mut inbound = Inbound::default();
    inbound.connected(false);
    inbound
}

fn serial(arrival: Arrival) -> u64 {
    match arrival {
        Arrival::New(Some(serial)) => serial,
        other => panic!("{other:?}"),
    }
}

const QOS1: QoS = QoS::AtLeastOnce;
const QOS2: QoS = QoS::ExactlyOnce;

#[test]
fn acknowledged_when_the_reply_is_confirmed_and_in_order() {
    for qos in [QOS1, QOS2] {
        let mut inbound = connected();
        let a = serial(inbound.arrived(&message("a", qos), 1, false));
        inbound.await_one_more(a);
        inbound.resolve_one(a);
        let b = serial(inbound.arrived(&message("b", qos), 2, false));
        inbound.resolve_one(b);
        assert_eq!(inbound.next_ack(), None, "b is done, but a came first");
        inbound.resolve_one(a);
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos }));
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 2, qos }));
        assert!(inbound.is_settled());
    }
}

#[test]
fn a_repetition_after_a_cut_is_not_handled_again() {
    for qos in [QOS1, QOS2] {
        let mut inbound = connected();
        let a = serial(inbound.arrived(&message("a", qos), 1, false));
        inbound.resolve_one(a);
        let b = serial(inbound.arrived(&message("b", qos), 2, false));
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos }));
        inbound.connected(true);
        assert_eq!(
            inbound.arrived(&message("a", qos), 1, true),
            Arrival::Duplicate
        );
        assert_eq!(
            inbound.arrived(&message("b", qos), 2, true),
            Arrival::Duplicate
        );
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos }));
        assert_eq!(inbound.next_ack(), None);
        inbound.resolve_one(b);
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 2, qos }));
    }
}

#[test]
fn what_was_confirmed_while_offline_is_acknowledged_when_it_is_repeated() {
    for qos in [QOS1, QOS2] {
        let mut inbound = connected();
        let a = serial(inbound.arrived(&message("a", qos), 1, false));
        inbound.connected(true);
        inbound.resolve_one(a);
        assert_eq!(inbound.next_ack(), None);
        assert_eq!(
            inbound.arrived(&message("a", qos), 1, true),
            Arrival::Duplicate
        );
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos }));
    }
}

#[test]
fn the_same_text_under_a_used_identifier_is_a_new_message_where_it_can_be() {
    let mut inbound = connected();
    let a = serial(inbound.arrived(&message("a", QOS1), 1, false));
    inbound.resolve_one(a);
    inbound.next_ack();
    let again = message("a", QOS1);
    assert!(
        matches!(inbound.arrived(&again, 1, false), Arrival::New(_)),
        "no DUP"
    );

    let mut inbound = connected();
    let a = serial(inbound.arrived(&again, 1, false));
    inbound.resolve_one(a);
    inbound.next_ack();
    inbound.known_to_broker(1);
    inbound.connected(true);
    assert!(
        matches!(inbound.arrived(&again, 1, true), Arrival::New(_)),
        "the broker knew"
    );

    let mut inbound = connected();
    let a = serial(inbound.arrived(&again, 1, false));
    inbound.resolve_one(a);
    inbound.next_ack();
    inbound.connected(true);
    inbound.arrived(&message("b", QOS1), 2, false);
    inbound.connected(true);
    assert!(
        matches!(inbound.arrived(&again, 1, true), Arrival::New(_)),
        "repeats are over"
    );
}

#[test]
fn a_qos_2_identifier_is_taken_until_pubrel() {
    let mut inbound = connected();
    let a = serial(inbound.arrived(&message("a", QOS2), 1, false));
    inbound.resolve_one(a);
    assert!(inbound.next_ack().is_some());
    assert_eq!(
        inbound.arrived(&message("a", QOS2), 1, true),
        Arrival::Duplicate
    );
    inbound.released(1);
    assert!(matches!(
        inbound.arrived(&message("a", QOS2), 1, false),
        Arrival::New(_)
    ));
}

#[test]
fn nothing_is_taken_for_a_repetition_where_identifiers_are_reused_at_once() {
    for qos in [QOS1, QOS2] {
        let mut inbound = connected();
        for text in ["a", "b"] {
            let new = serial(inbound.arrived(&message(text, qos), 1, false));
            inbound.resolve_one(new);
            inbound.next_ack();
            inbound.released(1);
        }
        inbound.connected(true);
        let third = inbound.arrived(&message("b", qos), 1, true);
        assert!(matches!(third, Arrival::New(_)));
    }
}

#[test]
fn mosquittos_repetition_of_a_released_message_is_seen_through() {
    let mut inbound = connected();
    let a = serial(inbound.arrived(&message("a", QOS2), 1, false));
    inbound.resolve_one(a);
    inbound.next_ack();
    inbound.released(1);
    inbound.connected(true);
    assert_eq!(
        inbound.arrived(&message("a", QOS2), 1, true),
        Arrival::Duplicate
    );
    assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos: QOS2 }));
    inbound.released(1);
    inbound.known_to_broker(inbound.acks());
    inbound.connected(true);
    let again = inbound.arrived(&message("a", QOS2), 1, true);
    assert!(matches!(again, Arrival::New(_)), "the broker knew");
}

#[test]
fn a_lost_session_repeats_nothing() {
    for qos in [QOS1, QOS2] {
        let mut inbound = connected();
        let a = serial(inbound.arrived(&message("a", qos), 1, false));
        inbound.connected(false);
        let b = serial(inbound.arrived(&message("a", qos), 1, false));
        inbound.resolve_one(a);
        assert_eq!(
            inbound.next_ack(),
            None,
            "a's reply, confirmed late, is not b's"
        );
        inbound.resolve_one(b);
        assert_eq!(inbound.next_ack(), Some(Ack { pkid: 1, qos }));
    }
}

/// RabbitMQ gives repetitions new numbers, from 1 on, with DUP: an old number and equal content are no proof.
#[test]
fn a_repetition_under_a_number_that_is_settled_or_of_other_content_makes_everything_new() {
    for other_content in [false, true] {
        let mut inbound = Inbound::default();
        inbound.connected(false);
        for pkid in 1..=4 {
            let serial = serial(inbound.arrived(&message("CMD1", QoS::AtLeastOnce), pkid, false));
            inbound.resolve_one(serial);
            assert!(inbound.next_ack().is_some());
        }
        if !other_content {
            // The broker has read the first three.
            inbound.known_to_broker(3);
        }
        inbound.connected(true);
        let text = if other_content { "CMD2" } else { "CMD1" };
        let first = inbound.arrived(&message(text, QoS::AtLeastOnce), 1, true);
        assert!(matches!(first, Arrival::New(_)), "{other_content}");
        let fourth = inbound.arrived(&message("CMD1", QoS::AtLeastOnce), 4, true);
        assert!(matches!(fourth, Arrival::New(_)), "{other_content}");
    }
}

#[test]
fn a_broker_that_does_not_begin_with_1_gets_one_pub_rec_at_a_time() {
    for first in [1, 7] {
        let mut inbound = connected();
        for pkid in first..first + 3 {
            let text = pkid.to_string();
            let serial = serial(inbound.arrived(&message(&text, QOS2), pkid, false));
            inbound.resolve_one(serial);
        }
        let ack = |pkid| Some(Ack { pkid, qos: QOS2 });
        assert_eq!(inbound.next_ack(), ack(first));
        if first == 1 {
            assert_eq!(inbound.next_ack(), ack(2));
            continue;
        }
        assert_eq!((inbound.has_ack(), inbound.next_ack()), (false, None));
        inbound.ping_answered();
        assert!(!inbound.has_ack(), "the ping went out before the PUBREC");
        inbound.released(first);
        assert_eq!(inbound.next_ack(), ack(first + 1));
        inbound.ping_sent();
        assert_eq!(inbound.next_ack(), None);
        inbound.ping_answered();
        assert_eq!(inbound.next_ack(), ack(first + 2), "that PUBREL was lost");
    }
}

#[test]
fn a_new_process_knows_what_an_earlier_one_has_completed() {
    use crate::link::engine::journal::{Completed, Received};
    let mut completed = Completed::default();
    completed.push(Received {
        serial: 0,
        pkid: 5,
        qos: QOS2,
        digest: digest(&message("a", QOS2)),
    });
    let restored = || {
        let mut inbound = Inbound::default();
        inbound.restore(&[], &[], &completed, true, |_| 0);
        inbound.connected(true);
        inbound
    };
    let again = restored().arrived(&message("a", QOS2), 5, true);
    assert_eq!(again, Arrival::Duplicate);
    serial(restored().arrived(&message("a", QOS2), 5, false));
    serial(restored().arrived(&message("b", QOS2), 5, true));
    // The next process knows it as well.
    let mut written = 0;
    restored().write(&mut |_| written += 1);
    assert_eq!(written, 2);
}

/// mosquitto 2.0.11 says PUBREL again, then new messages, and then PUBLISH again, where each connection ends before it
/// has read the PUBCOMP.
#[test]
fn a_repetition_after_a_second_pubrel_is_not_handled_again() {
    let mut inbound = connected();
    let a = serial(inbound.arrived(&message("a", QOS2), 1, false));
    inbound.resolve_one(a);
    assert!(inbound.next_ack().is_some());
    inbound.released(1);
    inbound.connected(true);
    inbound.released(1);
    serial(inbound.arrived(&message("b", QOS2), 2, false));
    inbound.connected(true);
    let again = inbound.arrived(&message("a", QOS2), 1, true);
    assert_eq!(again, Arrival::Duplicate);
}

/// Between PUBLISH and PUBREL a packet identifier belongs to one message (MQTT 3.1.1, section 4.3.3), with DUP or without
/// (aedes 0.51). Where the end of the journal is lost that is not sure.
#[test]
fn a_new_process_knows_what_an_earlier_one_has_handled() {
    use crate::link::engine::journal::{Completed, Received};
    for (is_exact, dup, is_known) in [
        (true, true, true),
        (true, false, true),
        (false, true, true),
        (false, false, false),
    ] {
        let received = Received {
            serial: 3,
            pkid: 5,
            qos: QOS2,
            digest: digest(&message("a", QOS2)),
        };
        let mut inbound = Inbound::default();
        inbound.restore(&[received], &[], &Completed::default(), is_exact, |_| 0);
        inbound.connected(true);
        let arrival = inbound.arrived(&message("a", QOS2), 5, dup);
        assert_eq!(arrival == Arrival::Duplicate, is_known, "{is_exact} {dup}");
    }
}
