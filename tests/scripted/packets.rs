//! What can come after the CONNACK, and must not: broken packets, and those that no client receives.

use crate::case::{Client, Expected, LOST, all, application, comes_back, ends, ends_at_its_limit};
use harness::scripted::Peer;
use harness::wire;

/// What a client cannot take for anything: the connection is given up.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let subscription = [&[0, 1][..], &wire::string(b"#"), &[0]].concat();
    vec![
        (
            "a length without an end",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("a reserved packet type", vec![0, 0]),
        ("the other reserved packet type", vec![0xf0, 0]),
        (
            "CONNECT",
            wire::packet(0x10, b"\0\x04MQTT\x04\x02\0\x0f\0\x01x"),
        ),
        ("a second CONNACK", wire::connack(false, 0)),
        ("a second CONNACK, of a session", wire::connack(true, 0)),
        ("SUBSCRIBE", wire::packet(0x82, &subscription)),
        ("UNSUBSCRIBE", wire::packet(0xa2, &subscription[..5])),
        ("PINGREQ", vec![0xc0, 0]),
        ("DISCONNECT", vec![0xe0, 0]),
        ("PUBACK without an identifier", vec![0x40, 0]),
        ("half a PUBACK", vec![0x40, 1, 0]),
        ("SUBACK without return codes", wire::suback(1, &[])),
        ("SUBACK with an unknown return code", wire::suback(1, &[3])),
        ("QoS 3", wire::packet(0x36, b"\0\x01t\0\x01x")),
        ("packet identifier 0", wire::publish("t", 1, 0, "x")),
        (
            "packet identifier 0 at QoS 2",
            wire::publish("t", 2, 0, "x"),
        ),
        (
            "a topic that is not UTF-8",
            wire::publish(b"\xff\xfe", 1, 1, "x"),
        ),
        (
            "a surrogate in a topic",
            wire::publish(b"\xed\xa0\x80", 0, 1, "x"),
        ),
        (
            "a topic beyond its packet",
            wire::packet(0x30, b"\0\x09abc"),
        ),
        ("a topic without its length", wire::packet(0x30, b"\0")),
        ("no packet identifier", wire::packet(0x32, b"\0\x01t")),
        ("a PUBLISH without a body", vec![0x30, 0]),
    ]
}

fn after_connack(bytes: Vec<u8>) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        peer.send(&bytes);
        peer.read_to_end();
    }
}

#[test]
fn a_broken_packet_costs_the_connection_and_no_more() {
    let mut cases = Vec::new();
    for (at, (name, bytes)) in broken().into_iter().enumerate() {
        // Request and device on every case; a service is no different below its role.
        let service = Client::SERVICES[at % 2];
        for client in [Client::Request, Client::Device, service] {
            cases.push((name, bytes.clone(), client));
        }
    }
    all(cases, |(name, bytes, client)| {
        let says = "broke the MQTT protocol: ";
        comes_back(name, client, after_connack(bytes), says);
    });
}

#[test]
fn a_broker_that_breaks_every_connection_is_left_at_the_limit() {
    all(Client::MORTAL.to_vec(), |client| {
        let expected = Expected {
            codes: LOST,
            says: "broke the MQTT protocol: ",
            prints: "",
        };
        let script = after_connack(vec![0xff; 5]);
        ends_at_its_limit("broken", client, script, expected);
    });
}

#[test]
fn once_is_forgiven() {
    let cases = broken().into_iter();
    let cases = cases.flat_map(|(name, bytes)| Client::MORTAL.map(|c| (name, bytes.clone(), c)));
    all(cases.collect(), |(name, bytes, client)| {
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            match peer.number {
                0 => {
                    peer.send(&bytes);
                    peer.read_to_end();
                }
                _ => peer.serve(application),
            }
        };
        let expected = Expected {
            codes: &[0],
            says: "broke the MQTT protocol: ",
            prints: client.prints(),
        };
        ends(name, client, script, expected);
    });
}

#[test]
fn a_packet_cut_short_is_a_lost_connection() {
    let whole = wire::publish("alice/UUID", 1, 1, "U1");
    let cases = (1..whole.len()).flat_map(|cut| Client::MORTAL.map(|client| (cut, client)));
    all(cases.collect(), |(cut, client)| {
        let bytes = whole[..cut].to_vec();
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            match peer.number {
                0 => {
                    peer.send(&bytes);
                    peer.close();
                }
                _ => peer.serve(application),
            }
        };
        let expected = Expected {
            codes: &[0],
            says: "trying again in",
            prints: client.prints(),
        };
        assert!(ends("cut short", client, script, expected).len() > 1);
    });
}

/// Nothing of a packet beyond the limit is read but its length: it may not cost memory. A broker
/// repeats it on each connection to a session that it keeps. So the session is emptied, and the work goes on.
#[test]
fn a_packet_beyond_the_limit_costs_the_session_that_keeps_it_and_no_more() {
    let lengths = [1_000_000, 268_435_455];
    let cases = lengths
        .iter()
        .flat_map(|l| Client::MORTAL.map(|client| (*l, client)));
    all(cases.collect(), |(length, client)| {
        let too_large = format!("sent a packet of {length} bytes, more than this program takes");
        let emptied = format!("{too_large}: look for its publisher; emptying the session");
        let (says, clean): (_, &[bool]) = match client {
            Client::Request => (&too_large, &[true, true, true]),
            _ => (&emptied, &[false, false, true, false, true]),
        };
        let expected = Expected {
            codes: &[0],
            says,
            prints: client.prints(),
        };
        let bytes = [&[0x32][..], &wire::remaining_length(length), b"\0\x01t"].concat();
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(peer.number == 1, 0));
            if peer.number < 2 {
                peer.send(&bytes);
            }
            peer.serve(application);
        };
        let connections = ends("too large", client, script, expected);
        let found: Vec<bool> = connections.iter().map(|c| c.clean_session).collect();
        assert_eq!(found, clean, "{client:?}: {connections:?}");
    });
}

/// A request that has nothing but this for its answer says so, well before its time is over.
#[test]
fn an_answer_beyond_the_limit_ends_the_request() {
    let expected = Expected {
        codes: &[76],
        says: "sent a packet of 1000000 bytes, more than this program takes",
        prints: "",
    };
    let bytes = [&[0x32][..], &wire::remaining_length(1_000_000), b"\0\x01t"].concat();
    let script = after_connack(bytes);
    let connections = ends_at_its_limit("too large", Client::Request, script, expected);
    assert_eq!(connections.len(), 2, "{connections:?}");
}

#[test]
fn what_means_nothing_changes_nothing() {
    let cases = [
        ("PINGRESP", wire::PINGRESP.to_vec()),
        ("SUBACK for nothing", wire::suback(77, &[0])),
        ("a refusal of nothing", wire::suback(77, &[0x80])),
        ("UNSUBACK for nothing", wire::ack(0xb0, 77)),
    ];
    let cases = cases
        .iter()
        .flat_map(|c| Client::MORTAL.map(|client| (c.clone(), client)));
    all(cases.collect(), |((name, bytes), client)| {
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.send(&bytes);
            peer.serve(application);
        };
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: client.prints(),
        };
        let connections = ends(name, client, script, expected);
        let own = connections.iter().filter(|c| !c.filters.is_empty());
        assert_eq!(own.count(), 1, "{name}: it gave the connection up");
    });
}
