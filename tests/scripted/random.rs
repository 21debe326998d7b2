//! A broker that draws its packets by lot: right ones, wrong ones, and right ones at the wrong time.

use fastrand::Rng;

use crate::case::{AT_A_TIME, Client, application, backs_off, decent};
use harness::folder::Folder;
use harness::process::Process;
use harness::repeat::Repeat;
use harness::scripted::{Peer, ScriptedBroker, Turn};
use harness::wire;

/// How many runs of each client.
const RUNS: usize = 20;

/// Everything that a run can come to, but a bad command line and a bad configuration.
const DOCUMENTED: &[i32] = &[0, 69, 75, 76, 77];

/// Words that mean something somewhere, and some that should not.
const WORDS: [&str; 14] = [
    "alice/UUID",
    "alice",
    "U1",
    "U1/CMD1",
    "CMD1",
    "CMD7",
    "login",
    "net/uppercase/response",
    "Well done my IoT!",
    "",
    "#",
    "+/UUID",
    "$SYS",
    "\u{e9}",
];

fn random_packet(random: &mut Rng) -> Vec<u8> {
    // Identifiers that are in use, as the client counts from 1.
    let pkid = match random.u8(..16) {
        0 => 0,
        1 => u16::MAX,
        _ => random.u16(1..=6),
    };
    let mut bytes = match random.u8(..12) {
        0 => wire::connack(random.bool(), 0),
        1 => wire::suback(pkid, &vec![random.u8(..4); random.usize(..3)]),
        2 => wire::PINGRESP.to_vec(),
        3..=6 => {
            let first = [0x40, 0x50, 0x62, 0x70, 0xb0, 0x40, 0x50, 0x70];
            wire::ack(first[random.usize(..first.len())], pkid)
        }
        _ => {
            let topic = WORDS[random.usize(..WORDS.len())];
            let payload = WORDS[random.usize(..WORDS.len())];
            let mut bytes = wire::publish(topic, random.u8(..3), pkid, payload);
            if random.u8(..8) == 0 {
                bytes[0] |= 9;
            }
            bytes
        }
    };
    if random.u8(..40) == 0 {
        // Not in a topic name: `a_topic_is_shown_without_its_control_characters`.
        let at = random.usize(..bytes.len().min(4));
        bytes[at] ^= 1 << random.u8(..8);
    }
    bytes
}

/// A broker that keeps sessions more or less often.
fn script(seed: u64, keeps: u8) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        let mut random = Rng::with_seed(seed.wrapping_mul(31).wrapping_add(peer.number as u64));
        peer.send(wire::connack(random.u8(..4) < keeps, 0));
        peer.serve(|peer, packet| {
            for _ in 0..random.usize(..3) {
                peer.send(random_packet(&mut random));
            }
            match random.u8(..8) {
                0 => Turn::Swallow,
                1 => Turn::Answer,
                _ => application(peer, packet),
            }
        });
    }
}

fn run(seed: u64, client: Client, keeps: u8, more: &[&str]) {
    let broker = ScriptedBroker::start(script(seed, keeps));
    let more = [&["-W", "2"], more].concat();
    let ended = Process::start(client.command(&broker, &more)).end();
    let name = format!("seed {seed}, {client:?}");
    // What is printed stands, though the broker may never confirm the last packets.
    let with_this_output: &[i32] = match ended.stdout.is_empty() {
        true => &DOCUMENTED[1..],
        false => &[0, 69],
    };
    let code = ended.code.unwrap_or(-1);
    assert!(with_this_output.contains(&code), "{name}: {ended:?}");
    decent(&name, &ended);
    backs_off(&name, client, &broker.connections());
}

#[test]
fn a_broker_of_random_packets() {
    let repeat = Repeat::seeded();
    let seeds = (0..RUNS as u64).map(|run| repeat.seed().wrapping_add(run));
    let cases = seeds.flat_map(|seed| Client::MORTAL.map(|client| (seed, client)));
    repeat.check_all(AT_A_TIME, cases.collect(), |(seed, client)| {
        run(seed, client, 1, &[]);
    });
}

/// With a state file, it has something to lose: a session that it believes the broker to hold.
#[test]
fn a_device_that_goes_on_at_a_broker_of_random_packets() {
    let repeat = Repeat::seeded();
    let seeds = (0..RUNS as u64).map(|run| repeat.seed().wrapping_add(run));
    repeat.check_all(AT_A_TIME, seeds.collect(), |seed| {
        let folder = Folder::new();
        let state = "mqtt_client session 1\nuser-id alice\nunique-id U1\nend\n";
        std::fs::write(folder.path().join("session"), state).unwrap();
        let more = ["--state-dir", folder.path().to_str().unwrap()];
        run(seed, Client::Device, 3, &more);
    });
}
