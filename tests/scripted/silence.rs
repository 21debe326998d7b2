//! A broker that falls silent: what is awaited is awaited for a time.

use std::io::Read;
use std::time::Duration;

use crate::case::{Client, Expected, all, application, backs_off, comes_back, decent, ends};
use harness::process::{GUARD, Process, run};
use harness::scripted::{Peer, ScriptedBroker, Turn, answer};
use harness::wire;

/// Between the parts of a slow packet.
const PACE: Duration = Duration::from_millis(100);

#[test]
fn a_ping_that_is_never_answered_costs_the_connection() {
    all(Client::SERVICES.to_vec(), |client| {
        let broker = ScriptedBroker::start(|peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|_, packet| match packet.kind {
                wire::PINGREQ => Turn::Swallow,
                _ => Turn::Answer,
            });
        });
        let process = Process::start(client.command(&broker, &["-k", "1"]));
        broker.wait_for("a second connection", |c| (c.len() >= 2).then_some(()));
        process.signal("TERM");
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stderr.contains("did not answer a ping within 1 s"),
            "{ended:?}"
        );
        decent("no PINGRESP", &ended);
        backs_off("no PINGRESP", client, &broker.connections());
    });
}

/// One packet takes longer than two keep alives to come: no packet comes meanwhile, no PINGRESP either.
#[test]
fn a_packet_that_comes_slowly_is_waited_for() {
    let broker = ScriptedBroker::start(|peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            if packet.kind == wire::PUBLISH {
                let answer = wire::publish("net/uppercase/response", 0, 0, vec![b'X'; 40]);
                for byte in answer {
                    peer.send([byte]);
                    std::thread::sleep(PACE);
                }
            }
            Turn::Answer
        });
    });
    let request = Client::Request.command(&broker, &["-k", "1", "-W", "60"]);
    let ended = run(request);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "X".repeat(40) + "\n");
    assert_eq!(broker.connections().len(), 1, "{ended:?}");
}

/// The same the other way: the broker takes a long answer in small parts.
#[cfg(target_os = "linux")]
#[test]
fn a_packet_that_is_taken_slowly_is_waited_for() {
    const SIZE: usize = 600 * 1024;
    let (taken, all_taken) = std::sync::mpsc::channel();
    let broker = ScriptedBroker::start(move |peer| {
        let mut stream = peer.writer();
        // Else the kernel takes the answer at once, in the broker's place.
        socket2::SockRef::from(&stream)
            .set_recv_buffer_size(16 * 1024)
            .unwrap();
        peer.send(wire::connack(false, 0));
        for _ in 0..5 {
            let subscribe = peer.receive();
            peer.send(subscribe.and_then(|s| answer(&s)).unwrap_or_default());
        }
        let request = wire::publish("net/uppercase/request", 0, 0, vec![b'x'; SIZE]);
        peer.send(request);
        let mut buffer = [0; 16 * 1024];
        let mut left = SIZE;
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(more) => left = left.saturating_sub(more),
            }
            std::thread::sleep(PACE);
        }
        let _ = taken.send(());
        peer.read_to_end();
    });
    let process = Process::start(Client::Responder.command(&broker, &["-k", "1"]));
    let whole = all_taken.recv_timeout(GUARD);
    assert_eq!(whole, Ok(()), "{:?}", broker.connections());
    assert_eq!(broker.connections().len(), 1);
    process.signal("TERM");
    process.end();
}

/// Stopping asks for confirmations that never come: it ends all the same.
#[test]
fn a_service_stops_without_the_brokers_consent() {
    all(Client::SERVICES.to_vec(), |client| {
        let broker = ScriptedBroker::start(|peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|_, packet| match packet.kind {
                wire::SUBSCRIBE => Turn::Answer,
                _ => Turn::Swallow,
            });
        });
        let process = client.start(&broker);
        broker.wait_for("a subscription", |c| {
            c.first().filter(|c| !c.filters.is_empty()).map(drop)
        });
        process.signal("TERM");
        let ended = process.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        decent("no UNSUBACK", &ended);
    });
}

/// The end of a session asks for confirmations, too: for the last message, and for the unsubscribing.
#[test]
fn a_device_comes_to_its_end_without_the_last_confirmations() {
    let swallowed = vec![wire::UNSUBSCRIBE, wire::PUBREC, wire::DISCONNECT];
    all(swallowed, |swallowed| {
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|peer, packet| match application(peer, packet) {
                _ if packet.kind == swallowed => Turn::Swallow,
                turn => turn,
            });
        };
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: "Well done my IoT!\n",
        };
        let name = format!("silence after packet type {swallowed}");
        ends(&name, Client::Device, script, expected);
    });
}

/// Both ends write, and the broker does not read: the program gives the connection up rather than wait.
#[test]
fn a_broker_that_reads_nothing_is_given_up() {
    let broker = ScriptedBroker::start(|peer| {
        peer.send(wire::connack(false, 0));
        let request = wire::publish("net/uppercase/request", 0, 0, vec![b'x'; 256 * 1024]);
        for _ in 0..5 {
            let subscribe = peer.receive();
            peer.send(subscribe.and_then(|s| answer(&s)).unwrap_or_default());
        }
        // More than the kernel keeps for a reader that does not read.
        for _ in 0..200 {
            peer.send(&request);
        }
        peer.wait_for_next_connection();
    });
    let process = Client::Responder.start(&broker);
    process.wait_for_stderr("did not answer a ping within 15 s: connection given up");
    broker.wait_for("a second connection", |c| (c.len() >= 2).then_some(()));
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    decent("no reader", &ended);
}

#[test]
fn a_broker_that_closes_after_accepting_is_not_hammered() {
    all(Client::ALL.to_vec(), |client| {
        let script = |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.close();
        };
        comes_back("closed at once", client, script, "closed the connection");
    });
}
