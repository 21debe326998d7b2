//! What can come in place of a CONNACK that accepts.

use crate::case::{Client, Expected, all, comes_back, ends, ends_at_its_limit};
use harness::scripted::{Connection, Peer};
use harness::wire;

/// A whole packet of another protocol, or of none: what it says is never mistaken for a CONNACK.
fn not_a_connack() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("bytes without an end", vec![0xff; 64]),
        ("a reserved packet type", vec![0, 0]),
        ("the other reserved packet type", vec![0xf0, 0]),
        (
            "HTTP",
            format!("HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n{:200}", "").into(),
        ),
        ("a TLS alert", vec![21, 3, 1, 0, 2, 2, 70]),
        ("a CONNACK of one byte", vec![0x20, 1, 0]),
        ("a CONNACK without a body", vec![0x20, 0]),
        ("an unknown return code", wire::connack(false, 6)),
        ("the highest return code", wire::connack(false, 255)),
        (
            "a message",
            wire::publish("net/uppercase/response", 0, 0, "X"),
        ),
        ("a ping's answer", wire::PINGRESP.to_vec()),
        ("a subscription's answer", wire::suback(1, &[1])),
        (
            "a CONNECT",
            wire::packet(0x10, b"\0\x04MQTT\x04\x02\0\x0f\0\x01x"),
        ),
        ("a DISCONNECT", vec![0xe0, 0]),
    ]
}

fn sends(bytes: Vec<u8>) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(&bytes);
        peer.read_to_end();
    }
}

#[test]
fn a_request_ends_at_once_where_no_broker_answers() {
    all(not_a_connack(), |(name, bytes)| {
        let expected = Expected {
            codes: &[69],
            says: "is not an MQTT broker: check --host and --port",
            prints: "",
        };
        let connections = ends(name, Client::Request, sends(bytes), expected);
        assert_eq!(connections.len(), 1, "{name}");
    });
}

#[test]
fn every_other_client_keeps_trying() {
    let others = [Client::Device, Client::Controller, Client::Responder];
    let cases = not_a_connack().into_iter();
    let cases = cases.flat_map(|(name, bytes)| others.map(|c| (name, bytes.clone(), c)));
    all(cases.collect(), |(name, bytes, client)| {
        comes_back(name, client, sends(bytes), "is not an MQTT broker");
    });
}

#[test]
fn a_device_gives_up_at_its_limit() {
    let expected = Expected {
        codes: &[69],
        says: "is not an MQTT broker: check --host and --port",
        prints: "",
    };
    let script = sends(vec![0xff; 64]);
    ends_at_its_limit("no broker", Client::Device, script, expected);
}

#[test]
fn a_refusal_that_waiting_cannot_mend_ends_every_client_at_once() {
    let refusals = [
        (1, 76, "does not speak MQTT 3.1.1"),
        (2, 77, "refused the client id"),
        (4, 77, "refused the login"),
        (5, 77, "refused the login"),
    ];
    let cases = refusals
        .iter()
        .flat_map(|r| Client::ALL.map(|client| (*r, client)));
    all(cases.collect(), |((return_code, code, says), client)| {
        let name = format!("return code {return_code}");
        let expected = Expected {
            codes: &[code][..],
            says,
            prints: "",
        };
        let script = sends(wire::connack(false, return_code));
        assert_eq!(ends(&name, client, script, expected).len(), 1, "{name}");
    });
}

#[test]
fn a_broker_that_is_not_available_now_may_be_later() {
    all(Client::ALL.to_vec(), |client| {
        let says = "it is not available now: try later";
        let script = sends(wire::connack(false, 3));
        if client != Client::Request {
            return comes_back("return code 3", client, script, says);
        }
        let expected = Expected {
            codes: &[69],
            says,
            prints: "",
        };
        assert_eq!(ends("return code 3", client, script, expected).len(), 1);
    });
}

#[test]
fn a_connection_that_ends_before_its_connack() {
    let cases = [
        ("nothing", &b""[..], "without an answer: does it speak MQTT"),
        ("half a CONNACK", &[0x20, 2, 0], "127.0.0.1"),
    ];
    let cases = cases
        .iter()
        .flat_map(|c| Client::MORTAL.map(|client| (*c, client)));
    all(cases.collect(), |((name, bytes, says), client)| {
        let script = move |peer: &mut Peer| {
            peer.send(bytes);
            peer.close();
        };
        if client == Client::Device {
            return comes_back(name, client, script, says);
        }
        let expected = Expected {
            codes: &[69],
            says,
            prints: "",
        };
        assert_eq!(ends(name, client, script, expected).len(), 1, "{name}");
    });
}

/// What other servers on a wrong port say to a CONNECT before they hang up: the beginning of a packet, as
/// far as MQTT can tell.
#[test]
fn another_protocols_server_that_hangs_up_is_not_called_a_broker() {
    let greetings: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 pi ESMTP Postfix\r\n",
        b"-ERR unknown command\r\n",
    ];
    let cases = greetings.iter();
    let cases = cases.flat_map(|g| Client::MORTAL.map(|client| (*g, client)));
    all(cases.collect(), |(greeting, client)| {
        let script = move |peer: &mut Peer| {
            peer.send(greeting);
            peer.close();
        };
        let says = "is not an MQTT broker: check --host and --port";
        let name = String::from_utf8_lossy(greeting);
        if client == Client::Device {
            return comes_back(&name, client, script, says);
        }
        let expected = Expected {
            codes: &[69],
            says,
            prints: "",
        };
        assert_eq!(ends(&name, client, script, expected).len(), 1, "{name}");
    });
}

/// As SSH does, whose banner looks like a packet that has not come as a whole.
const BEGINNINGS: [&[u8]; 4] = [b"", b"\x20", b"\x20\x02\x00", b"SSH-2.0-OpenSSH_9.2\r\n"];

fn begins(bytes: &[u8], client: Client) -> Vec<Connection> {
    let expected = Expected {
        codes: &[69],
        says: "did not answer in time: is it an MQTT broker?",
        prints: "",
    };
    ends_at_its_limit("no end", client, sends(bytes.to_vec()), expected)
}

#[test]
fn an_answer_without_an_end_is_not_awaited_beyond_the_limit() {
    let cases = BEGINNINGS
        .iter()
        .flat_map(|b| Client::MORTAL.map(|client| (*b, client)));
    all(cases.collect(), |(bytes, client)| {
        begins(bytes, client);
    });
}

#[test]
fn no_connection_is_begun_at_the_limit() {
    all(Client::MORTAL.to_vec(), |client| {
        assert_eq!(begins(b"", client).len(), 1);
    });
}
