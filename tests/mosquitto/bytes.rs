//! Every byte that a request sends: mosquitto's own test for its request client, `test/client/04-rr-qos1.py`
//! in eclipse-mosquitto/mosquitto, with our topics and for MQTT 3.1.1; and the same with the broker's part
//! played as well.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::process::{GUARD, Process, mqtt_client};

/// The remaining length in one byte is enough here.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    assert!(body.len() < 128);
    [&[first, body.len() as u8][..], &body].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// Clean session, keep alive 15 s: nothing else is set.
fn connect(client_id: &str) -> Vec<u8> {
    let header = b"\x00\x04MQTT\x04\x02\x00\x0f";
    packet(0x10, &[header, &string(client_id)])
}

fn subscribe(identifier: u16, filter: &str, qos: u8) -> Vec<u8> {
    let parts = [&identifier.to_be_bytes()[..], &string(filter), &[qos]];
    packet(0x82, &parts)
}

fn suback(identifier: u16, qos: u8) -> Vec<u8> {
    packet(0x90, &[&identifier.to_be_bytes(), &[qos]])
}

fn publish(topic: &str, qos: u8, identifier: u16, payload: &str) -> Vec<u8> {
    let identifier = identifier.to_be_bytes();
    let identifier = if qos > 0 { &identifier[..] } else { &[] };
    let parts = [&string(topic)[..], identifier, payload.as_bytes()];
    packet(0x30 | qos << 1, &parts)
}

/// PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70.
fn ack(first: u8, identifier: u16) -> Vec<u8> {
    packet(first, &[&identifier.to_be_bytes()])
}

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const DISCONNECT: [u8; 2] = [0xe0, 0];

struct Peer(TcpStream);

impl Peer {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.0.read_exact(&mut read).unwrap();
        assert_eq!(read, bytes);
    }

    #[track_caller]
    fn expect_end(&mut self) {
        let mut rest = vec![];
        self.0.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}

#[test]
fn mosquittos_test_for_its_request_client_passes() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let port = broker.port().parse().unwrap();
    let mut peer = Peer::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    peer.send(&connect("sub-test"));
    peer.expect(&CONNACK);
    peer.send(&subscribe(1, "net/uppercase/request", 1));
    peer.expect(&suback(1, 1));
    let request = Process::start(broker.client(["-q", "1", "net", "uppercase", "message"]));
    peer.expect(&publish("net/uppercase/request", 1, 1, "message"));
    peer.send(&ack(0x40, 1));
    peer.send(&publish("net/uppercase/response", 1, 2, "the response"));
    peer.expect(&ack(0x40, 2));
    let ended = request.end();
    let expected = (Some(0), "the response\n", "");
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), expected);
}

/// Plays the broker, up to the answer at `qos`, which `acknowledge` sees acknowledged.
fn request(qos: u8, acknowledge: impl FnOnce(&mut Peer)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let level = qos.to_string();
    let args = ["-h", "127.0.0.1", "-p", &port, "-q", &level];
    let args = args.into_iter().chain(["net", "uppercase", "message"]);
    let request = Process::start(mqtt_client(args));
    let mut broker = Peer::new(listener.accept().unwrap().0);
    broker.expect(&connect("net"));
    broker.send(&CONNACK);
    broker.expect(&subscribe(1, "net/uppercase/response", qos));
    broker.send(&suback(1, qos));
    broker.expect(&publish("net/uppercase/request", qos, 2, "message"));
    acknowledge(&mut broker);
    broker.expect(&DISCONNECT);
    broker.expect_end();
    let ended = request.end();
    let expected = (Some(0), "the response\n", "");
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), expected);
}

fn answer(qos: u8) -> Vec<u8> {
    publish("net/uppercase/response", qos, 7, "the response")
}

#[test]
fn a_request_at_qos_0_sends_these_packets_and_no_other() {
    request(0, |broker| broker.send(&answer(0)));
}

#[test]
fn a_request_at_qos_1_sends_these_packets_and_no_other() {
    request(1, |broker| {
        broker.send(&ack(0x40, 2));
        broker.send(&answer(1));
        broker.expect(&ack(0x40, 7));
    });
}

#[test]
fn a_request_at_qos_2_sends_these_packets_and_no_other() {
    request(2, |broker| {
        broker.send(&ack(0x50, 2));
        broker.expect(&ack(0x62, 2));
        broker.send(&ack(0x70, 2));
        broker.send(&answer(2));
        broker.expect(&ack(0x50, 7));
        broker.send(&ack(0x62, 7));
        broker.expect(&ack(0x70, 7));
    });
}
