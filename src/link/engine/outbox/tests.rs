//! The outbox, packet by packet.

use super::*;
use crate::mqtt::TopicName;

fn publish(text: &str, qos: QoS) -> Packet {
    Packet::Publish(Message::new(TopicName::new("t").unwrap(), text, qos))
}

fn message(packet: &Packet) -> Message {
    match packet {
        Packet::Publish(message) => message.clone(),
        other => panic!("{other:?}"),
    }
}

/// Sends everything that the window takes, from this packet identifier on.
fn send_all(outbox: &mut Outbox, mut pkid: u16) -> Vec<u16> {
    let mut sent = Vec::new();
    while outbox.next().is_some() {
        outbox.sent(pkid, 0);
        sent.push(pkid);
        pkid += 1;
    }
    sent
}

#[test]
fn the_window_moves_only_when_the_oldest_is_confirmed() {
    let mut outbox = Outbox::default();
    for n in 0..WINDOW + 2 {
        outbox.push(publish(&n.to_string(), QoS::AtLeastOnce), None);
    }
    assert_eq!(send_all(&mut outbox, 1).len(), WINDOW);
    assert!(outbox.confirmed(By::PubAck, 2).is_some());
    assert_eq!(outbox.next(), None);
    assert!(outbox.confirmed(By::PubAck, 1).is_some());
    assert_eq!(send_all(&mut outbox, 17), [17, 18]);
    assert_eq!(outbox.len(), WINDOW);
    assert_eq!(outbox.confirmed(By::PubAck, 1), None, "confirmed twice");
}

/// mosquitto would confirm and drop more.
#[test]
fn at_qos_2_no_more_is_outstanding_than_mosquitto_takes() {
    let mut outbox = Outbox::default();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for n in 0..30 {
            outbox.push(publish(&n.to_string(), qos), None);
        }
    }
    outbox.push(publish("last", QoS::AtLeastOnce), None);
    assert_eq!(send_all(&mut outbox, 1).len(), 30 + MOSQUITTO_WINDOW);
    outbox.received(31);
    assert_eq!(outbox.next(), None, "the broker still counts it");
    assert!(outbox.completed(31).is_some());
    assert_eq!(send_all(&mut outbox, 51).len(), 1);
}

#[test]
fn a_session_that_goes_on_replays_in_order_and_sends_the_rest() {
    let mut outbox = Outbox::default();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|text| publish(text, QoS::ExactlyOnce));
    for packet in [&a, &b, &c] {
        outbox.push(packet.clone(), None);
    }
    send_all(&mut outbox, 1);
    outbox.received(2);
    outbox.push(d.clone(), None);
    assert_eq!(
        outbox.resume(),
        [
            Replay::Publish(1, message(&a)),
            Replay::Release(2),
            Replay::Publish(3, message(&c)),
        ]
    );
    assert_eq!(outbox.next(), Some(&d));
    assert_eq!(outbox.completed(1), None, "not released yet");
    assert_eq!(outbox.completed(2).unwrap().packet, b);
}

#[test]
fn a_lost_session_begins_with_the_subscriptions() {
    let mut outbox = Outbox::default();
    let filter = TopicFilter::new("f").unwrap();
    outbox.push(Packet::Subscribe(filter.clone(), QoS::AtLeastOnce), None);
    outbox.push(publish("a", QoS::AtLeastOnce), Some(7));
    outbox.push(Packet::Unsubscribe(TopicFilter::new("g").unwrap()), None);
    send_all(&mut outbox, 1);
    outbox.session_lost([Packet::Subscribe(filter.clone(), QoS::AtLeastOnce)].into_iter());
    assert_eq!(
        outbox.next(),
        Some(&Packet::Subscribe(filter, QoS::AtLeastOnce))
    );
    send_all(&mut outbox, 1);
    assert!(
        outbox.confirmed(By::UnsubAck, 1).is_none(),
        "of what never was"
    );
    assert!(outbox.confirmed(By::SubAck, 1).is_some());
    let confirmed = outbox.confirmed(By::PubAck, 2).unwrap();
    assert_eq!(
        (confirmed.packet, confirmed.cause),
        (publish("a", QoS::AtLeastOnce), Some(7))
    );
    assert!(outbox.is_empty());
}

#[test]
fn a_full_outbox_takes_what_must_arrive_and_drops_qos_0() {
    let mut outbox = Outbox::default();
    let half = "x".repeat(MAX_QUEUED_BYTES / 2);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let packet = publish(&half, qos);
        assert!(outbox.has_room_for(&message(&packet)));
        outbox.push(packet, None);
    }
    assert!(!outbox.has_room_for(&message(&publish("x", QoS::AtMostOnce))));
    assert!(outbox.has_room_for(&message(&publish("x", QoS::AtLeastOnce))));
    assert!(outbox.sent(0, 0).is_some());
    assert!(outbox.has_room_for(&message(&publish(&half, QoS::AtMostOnce))));
    outbox.session_lost(std::iter::empty());
    assert!(outbox.has_room_for(&message(&publish(&half, QoS::AtMostOnce))));
    assert!(!outbox.has_room_for(&message(&publish(&(half + "x"), QoS::AtMostOnce))));
}

#[test]
fn qos_0_is_confirmed_by_being_sent() {
    let mut outbox = Outbox::default();
    outbox.push(publish("a", QoS::AtLeastOnce), None);
    outbox.push(publish("b", QoS::AtMostOnce), Some(1));
    assert_eq!(outbox.sent(1, 3), None);
    let confirmed = outbox.sent(0, 4).unwrap();
    assert_eq!((confirmed.cause, confirmed.after_acks), (Some(1), 4));
    assert!(outbox.confirmed(By::PubAck, 1).is_some());
    assert!(outbox.is_empty());
}
