//! More messages than any client can use, as fast as the program takes them: memory stays bounded, and what
//! was asked for is done.

use std::collections::HashSet;
use std::io::Write;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::case::{Client, all, decent};
use harness::process::{Ended, Process, in_shell};
use harness::scripted::{Connection, ScriptedBroker, Turn, answer};
use harness::wire;

const FLOOD: u16 = 10_000;

/// Several times what the program takes for it, and a fraction of what a Pi Zero has.
const MOST_KIB: u64 = 60 * 1024;

/// A process whose number is known, to look at its memory.
struct Watched {
    process: Process,
    id: String,
}

impl Watched {
    /// The shell says its number, and becomes the program.
    fn start(command: &Command) -> Self {
        let script = "echo \"mqtt_client: process $$.\" >&2; exec \"$@\"";
        let process = Process::start(in_shell(script, command));
        let line = process.wait_for_stderr("process ");
        let id = line.split(['.', ' ']).nth(2).unwrap().to_owned();
        Self { process, id }
    }

    /// The most memory it has had so far, in KiB (proc(5)).
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        eprintln!("peak of process {}: {peak} KiB", self.id);
        peak
    }
}

fn number_of_messages(number: usize) -> impl Fn(&[Connection]) -> Option<()> {
    move |connections| {
        let published = connections
            .first()
            .map(|connection| connection.published.len());
        (published? >= number).then_some(())
    }
}

/// Ends what a flood has not ended, after a look at its memory.
fn survived(watched: Watched) -> Ended {
    let peak = watched.peak();
    assert!(peak < MOST_KIB, "{peak} KiB");
    watched.process.signal("TERM");
    let ended = watched.process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    decent("a flood", &ended);
    ended
}

#[test]
fn ten_thousand_unique_ids() {
    all(vec![0, 1, 2], |qos| {
        let broker = ScriptedBroker::start(move |peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|peer, packet| {
                match packet.kind {
                    wire::PUBLISH if packet.topic() == "login" => {
                        let ids = (1..=FLOOD)
                            .map(|n| wire::publish("alice/UUID", qos, n, format!("U{n}")));
                        peer.send(ids.collect::<Vec<_>>().concat());
                    }
                    wire::SUBSCRIBE if packet.filter().0 == "U1" => {
                        peer.send(wire::publish("U1", 1, FLOOD + 1, "CMD7"));
                    }
                    _ => {}
                }
                Turn::Answer
            });
        });
        let watched = Watched::start(&Client::Device.command(&broker, &[]));
        broker.wait_for("a reply", number_of_messages(2));
        let ended = survived(watched);
        let ignored = ended.stderr.matches("ignored a second UNIQUE ID").count();
        assert_eq!(ignored, usize::from(FLOOD) - 1, "QoS {qos}");
        assert_eq!(broker.connections()[0].filters, ["alice/UUID", "U1"]);
    });
}

/// More than a controller has sessions for.
#[test]
fn ten_thousand_logins() {
    const REFUSED: u16 = 100;
    all(vec![0, 1, 2], |qos| {
        let broker = ScriptedBroker::start(move |peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|peer, packet| {
                if packet.kind == wire::SUBSCRIBE && packet.filter().0 == "login" {
                    let users = (1..=FLOOD + REFUSED)
                        .map(|n| wire::publish("login", qos, n, format!("user{n}")));
                    peer.send(users.collect::<Vec<_>>().concat());
                }
                Turn::Answer
            });
        });
        let command = Client::Controller.command(&broker, &["--delay", "3600"]);
        let watched = Watched::start(&command);
        broker.wait_for("all UNIQUE IDs", number_of_messages(FLOOD.into()));
        let ended = survived(watched);
        // A flood does not fill the log: of a hundred in a moment these are told, and that there are more.
        let told = |words: &str| ended.stderr.matches(words).count();
        let refused = told("there are 10000 sessions already");
        assert!(
            (60..REFUSED.into()).contains(&refused),
            "QoS {qos}: {refused}"
        );
        let others = told("more than 60 logins a minute are refused: the others are not told");
        assert!(others >= 1, "QoS {qos}");
        let connections = broker.connections();
        let ids: HashSet<_> = connections[0].published.iter().map(|(_, id)| id).collect();
        assert_eq!(
            ids.len(),
            usize::from(FLOOD),
            "QoS {qos}: a UNIQUE ID given twice"
        );
    });
}

#[test]
fn ten_thousand_requests() {
    all(vec![0, 1, 2], |qos| {
        let broker = ScriptedBroker::start(move |peer| {
            peer.send(wire::connack(false, 0));
            let requests = (1..=FLOOD)
                .map(|n| wire::publish(format!("net{n}/reverse/request"), qos, n, format!("{n}x")));
            peer.send(requests.collect::<Vec<_>>().concat());
            peer.serve(|_, _| Turn::Answer);
        });
        let watched = Watched::start(&Client::Responder.command(&broker, &[]));
        broker.wait_for("all answers", number_of_messages(FLOOD.into()));
        survived(watched);
        let connections = broker.connections();
        assert_eq!(
            connections[0].published.len(),
            usize::from(FLOOD),
            "QoS {qos}"
        );
        for (n, (topic, payload)) in connections[0].published.iter().enumerate() {
            let number = (n + 1).to_string();
            assert_eq!(*topic, format!("net{number}/reverse/response"), "QoS {qos}");
            let reversed: String = number.chars().rev().collect();
            assert_eq!(*payload, format!("x{reversed}").into_bytes(), "QoS {qos}");
        }
    });
}

/// The socket is full for a while, with far more to be sent than it holds: nothing is lost, and the
/// connection is kept.
#[test]
fn a_broker_that_reads_nothing_for_a_second() {
    const REQUESTS: u16 = 40;
    all(vec![1, 2], |qos| {
        let broker = ScriptedBroker::start(move |peer| {
            peer.send(wire::connack(false, 0));
            for _ in 0..5 {
                // Nothing where a session is emptied, at the end.
                let Some(subscribe) = peer.receive() else {
                    return;
                };
                peer.send(answer(&subscribe).unwrap_or_default());
            }
            // Reading and writing wait for each other nowhere but in the program.
            let (packets, to_write) = channel::<Vec<u8>>();
            let mut writer = peer.writer();
            // Or the kernel would read on for us, by megabytes.
            socket2::SockRef::from(&writer)
                .set_recv_buffer_size(256 * 1024)
                .unwrap();
            std::thread::spawn(move || to_write.iter().try_for_each(|p| writer.write_all(&p)));
            for n in 1..=REQUESTS {
                // Three times as long in upper case, and made in no time.
                let request = "\u{390}".repeat(128 * 1024);
                let request = wire::publish(format!("net{n}/uppercase/request"), qos, n, request);
                packets.send(request).unwrap();
            }
            // The stall, well below the 5 s after which a connection is given up.
            std::thread::sleep(Duration::from_secs(1));
            // Not before the program knows that all is confirmed: until then it may drop what has QoS 0.
            let last_step = if qos == 2 {
                wire::PUBREL
            } else {
                wire::PUBLISH
            };
            let mut answered = HashSet::new();
            while let Some(packet) = peer.receive() {
                if let Some(answer) = answer(&packet) {
                    let _ = packets.send(answer);
                }
                let is_new = packet.kind == last_step && answered.insert(packet.pkid());
                if is_new && answered.len() == usize::from(REQUESTS) {
                    let _ = packets.send(wire::publish("net/reverse/request", 0, 0, "x"));
                }
            }
        });
        let watched = Watched::start(&Client::Responder.command(&broker, &[]));
        broker.wait_for("the last answer", number_of_messages(1));
        assert_eq!(broker.connections().len(), 1, "QoS {qos}");
        survived(watched);
    });
}

/// At QoS 0 a client need not wait for an answer before it asks again.
#[test]
fn hundreds_of_the_largest_requests() {
    let broker = ScriptedBroker::start(|peer| {
        peer.send(wire::connack(false, 0));
        let mut writer = peer.writer();
        let largest = wire::publish("net/reverse/request", 0, 0, vec![b'x'; 256 * 1024]);
        let last = wire::publish("net/uppercase/request", 1, 1, "x");
        let mut subscribed = 0;
        let mut flood = Some(move || {
            // Each takes 50 ms in a debug build.
            for _ in 0..400 {
                // Where the program has gone, the test hears of it.
                let _ = writer.write_all(&largest);
            }
            let _ = writer.write_all(&last);
        });
        peer.serve(|peer, packet| {
            subscribed += usize::from(packet.kind == wire::SUBSCRIBE);
            if subscribed < 5 {
                return Turn::Answer;
            }
            if let Some(flood) = flood.take() {
                peer.send(answer(packet).unwrap());
                std::thread::spawn(flood);
            }
            // Only that thread writes from now on, or two packets could mix.
            Turn::Swallow
        });
    });
    let watched = Watched::start(&Client::Responder.command(&broker, &[]));
    broker.wait_for("the last answer", number_of_messages(1));
    survived(watched);
}
