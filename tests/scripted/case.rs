//! One case: the program, a script that treats it badly, and what a user sees of it.

use std::process::Command;
use std::time::Duration;

use harness::process::{Ended, Process, mqtt_client};
use harness::repeat::Repeat;
use harness::scripted::{Connection, Peer, ScriptedBroker, Turn};
use harness::wire::{self, Packet};

/// Who meets the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Request,
    Device,
    Controller,
    Responder,
}

impl Client {
    /// Those that end by themselves.
    pub const MORTAL: [Self; 2] = [Self::Request, Self::Device];
    /// Those that a signal ends.
    pub const SERVICES: [Self; 2] = [Self::Controller, Self::Responder];
    pub const ALL: [Self; 4] = [
        Self::Request,
        Self::Device,
        Self::Controller,
        Self::Responder,
    ];

    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["net", "uppercase", "x"],
            Self::Device => &["device", "alice"],
            Self::Controller => &["controller"],
            Self::Responder => &["responder"],
        }
    }

    /// What it prints when all goes well.
    pub fn prints(self) -> &'static str {
        match self {
            Self::Request => "X\n",
            Self::Device => "Well done my IoT!\n",
            Self::Controller | Self::Responder => "",
        }
    }

    /// How many connections a run takes that goes well: a device makes one more, and the broker forgets its session.
    pub fn connections(self) -> usize {
        match self {
            Self::Device => 2,
            _ => 1,
        }
    }

    /// Without a time limit.
    pub fn start(self, broker: &ScriptedBroker) -> Process {
        Process::start(self.command(broker, &["-W", "0"]))
    }

    pub fn command(self, broker: &ScriptedBroker, more: &[&str]) -> Command {
        let port = broker.port();
        let host = match more {
            ["-h", ..] => &[][..],
            _ => &["-h", "127.0.0.1"],
        };
        let args = ["-p", &port, "--reconnect-delay", "0.2"];
        let args = host.iter().chain(&args).chain(more).chain(self.args());
        mqtt_client(args.copied())
    }
}

/// How a run has to end.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// One of these exit codes. Two of them where a connection is made and lost again and again: the
    /// time limit can come on either side.
    pub codes: &'a [i32],
    /// In a line of standard error.
    pub says: &'a str,
    pub prints: &'a str,
}

/// Lost again and again, until the time limit.
pub const LOST: &[i32] = &[69, 75];

/// Runs the client to an end that no time limit brings, against a broker that follows `script`.
pub fn ends(
    name: &str,
    client: Client,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
    expected: Expected<'_>,
) -> Vec<Connection> {
    ends_with(&["-W", "0"], name, client, script, expected)
}

/// The same, where the time limit brings the end.
pub fn ends_at_its_limit(
    name: &str,
    client: Client,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
    expected: Expected<'_>,
) -> Vec<Connection> {
    ends_with(&["-W", "3"], name, client, script, expected)
}

fn ends_with(
    more: &[&str],
    name: &str,
    client: Client,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
    expected: Expected<'_>,
) -> Vec<Connection> {
    let broker = ScriptedBroker::start(script);
    let ended = Process::start(client.command(&broker, more)).end();
    let name = format!("{name}, {client:?}");
    let code = ended.code.unwrap_or(-1);
    assert!(
        expected.codes.contains(&code) && ended.stderr.contains(expected.says),
        "{name}: {ended:?}, not {expected:?}"
    );
    assert_eq!(ended.stdout, expected.prints, "{name}: {ended:?}");
    decent(&name, &ended);
    let connections = std::mem::take(&mut *broker.connections());
    backs_off(&name, client, &connections);
    connections
}

/// Runs the client against a broker that follows `script`, until it has come back twice, and stops it.
pub fn comes_back(
    name: &str,
    client: Client,
    script: impl Fn(&mut Peer) + Send + Sync + 'static,
    says: &str,
) {
    let broker = ScriptedBroker::start(script);
    let process = client.start(&broker);
    let name = format!("{name}, {client:?}");
    broker.wait_for(&name, |connections| (connections.len() >= 3).then_some(()));
    process.signal("TERM");
    let ended = process.end();
    let code = if client == Client::Request { 130 } else { 0 };
    assert_eq!(ended.code, Some(code), "{name}: {ended:?}");
    assert!(ended.stderr.contains(says), "{name}: {ended:?}, not {says}");
    assert_eq!(ended.stdout, "", "{name}: {ended:?}");
    decent(&name, &ended);
    backs_off(&name, client, &broker.connections());
}

/// Lines that name the program, whole, with nothing in them that a terminal would obey; no panic.
pub fn decent(name: &str, ended: &Ended) {
    assert!(!ended.stderr.contains("panicked"), "{name}: {ended:?}");
    for line in ended.stderr.lines() {
        assert!(line.starts_with("mqtt_client: "), "{name}: {line:?}");
        assert!(!line.contains(char::is_control), "{name}: {line:?}");
    }
}

/// The shortest wait between two connections that [`Client::command`] asks for.
const RECONNECT_DELAY: Duration = Duration::from_millis(200);

/// Connections at the very end that need not wait: one that begins as the time limit comes, and one to
/// say goodbye on.
const AT_THE_END: usize = 2;

/// No connection sooner after the last than the backoff allows. Only emptying a session, with
/// CleanSession 1 where the client's own connections have 0, may follow at once, and the client itself
/// at once after that: once.
pub fn backs_off(name: &str, client: Client, connections: &[Connection]) {
    let clean = client == Client::Request;
    let mut connections: Vec<_> = connections.iter().collect();
    connections.sort_by_key(|connection| connection.accepted);
    let own = connections.iter().filter(|c| c.clean_session == clean);
    let at_the_end = own.count().saturating_sub(AT_THE_END);
    let (mut last, mut number, mut emptied, mut at_once) = (None, 0, false, 0);
    for connection in &connections {
        if connection.clean_session != clean {
            assert!(!emptied, "{name}: emptied twice: {connections:?}");
            emptied = true;
            continue;
        }
        let soon = |last| connection.accepted - last < RECONNECT_DELAY;
        if number < at_the_end && last.is_some_and(soon) {
            assert!(emptied, "{name}: no backoff: {connections:?}");
            at_once += 1;
        }
        last = Some(connection.accepted);
        number += 1;
        emptied = false;
    }
    assert!(at_once <= 1, "{name}: emptied too often: {connections:?}");
}

/// What makes each client content, as the other end of its protocol: answers a request, gives a
/// device its UNIQUE ID, a command and the last words.
pub fn application(peer: &mut Peer, packet: &Packet) -> Turn {
    match packet.kind {
        wire::PUBLISH => match (packet.topic().as_str(), packet.payload()) {
            ("net/uppercase/request", b"x") => {
                peer.send(wire::publish("net/uppercase/response", 1, 901, "X"));
            }
            ("login", b"alice") => peer.send(wire::publish("alice/UUID", 2, 902, "U1")),
            ("U1/CMD1", b"Apple") => peer.send(wire::publish("U1", 2, 904, "Well done my IoT!")),
            _ => {}
        },
        wire::SUBSCRIBE if packet.filter().0 == "U1" => {
            peer.send(wire::publish("U1", 2, 903, "CMD1"));
        }
        _ => {}
    }
    Turn::Answer
}

/// How many cases run at a time: they mostly wait, and a time limit must not pass before a program has
/// begun.
pub const AT_A_TIME: usize = 12;

/// Checks every case of a table, many at the same time.
pub fn all<T: Send>(cases: Vec<T>, check: impl Fn(T) + Sync) {
    Repeat::unseeded().check_all(AT_A_TIME, cases, check);
}
