//! The cut matrix: the same session, cut at every byte.

use std::sync::Mutex;

use mqtt_client::mqtt::QoS;

use crate::controller::Controller;
use crate::session::{self, Outcome};
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::proxy::{Cut, Ending, Proxy, Way};
use harness::repeat::{Repeat, share};

/// Sessions at one time. They wait for the network most of the time.
const WORKERS: usize = 12;

/// A single cut may cost a connection more; a clean end takes one besides.
const MOST_CONNECTIONS: u32 = 8;

struct Case {
    name: String,
    qos: QoS,
    cuts: Vec<Cut>,
}

impl Case {
    fn new(qos: QoS, cuts: Vec<Cut>) -> Self {
        let cut: Vec<String> = cuts.iter().map(ToString::to_string).collect();
        let name = format!("qos{}-{}", qos.level(), cut.join("-"));
        Self { name, qos, cuts }
    }
}

/// What a series of runs came to.
#[derive(Default)]
struct Tally {
    runs: u64,
    cuts: u64,
    repeated: usize,
    connections: u32,
    failures: Vec<String>,
}

impl Tally {
    fn print(&self, what: &str) {
        eprintln!(
            "{what}: {} runs, {} cuts, {} failed, {} replies repeated, at most {} connections",
            self.runs,
            self.cuts,
            self.failures.len(),
            self.repeated,
            self.connections
        );
    }
}

fn mosquitto() -> (Mosquitto, u16) {
    let broker = Mosquitto::with(
        Folder::new(),
        "allow_anonymous true\nset_tcp_nodelay true\n",
    );
    let port = broker.port().parse().unwrap();
    (broker, port)
}

fn run_all(repeat: &Repeat, cases: Vec<Case>) -> Tally {
    if repeat.is_of_one_case() {
        // One case alone is there to be looked at: RUST_LOG=mqtt_client=debug.
        let _ = env_logger::try_init();
    }
    let cases = repeat.wanted(cases, |case| case.name.clone());
    let tally = Mutex::new(Tally::default());
    share(WORKERS, cases, |worker, cases| {
        let (_broker, port) = mosquitto();
        let controller = Controller::connect(port);
        for (number, case) in cases.enumerate() {
            let user_id = format!("u{worker}-{number}");
            let proxy = Proxy::start(port, case.cuts.iter().copied());
            let outcome = session::run(&controller, &proxy, &user_id, case.qos);
            let happened = (case.cuts.len() - proxy.cuts_left()) as u64;
            let passed = tally.lock().unwrap().add(&case, outcome, happened);
            if !passed {
                repeat.case_failed(&case.name);
            }
        }
    });
    tally.into_inner().unwrap()
}

impl Tally {
    /// Adds a run, and says whether it passed.
    fn add(&mut self, case: &Case, outcome: Result<Outcome, String>, cuts: u64) -> bool {
        let failures = self.failures.len();
        self.runs += 1;
        self.cuts += cuts;
        match outcome {
            Ok(outcome) => {
                self.repeated += outcome.repeated;
                self.connections = self.connections.max(outcome.connections);
                let most = MOST_CONNECTIONS + 2 * case.cuts.len() as u32;
                if outcome.connections > most {
                    let count = outcome.connections;
                    self.failures
                        .push(format!("{}: {count} connections", case.name));
                }
            }
            Err(why) => self.failures.push(format!("{}: {why}", case.name)),
        }
        self.failures.len() == failures
    }
}

/// How many bytes a session takes that is not cut, up and down.
fn length(qos: QoS) -> (u64, u64) {
    let (_broker, port) = mosquitto();
    let controller = Controller::connect(port);
    let proxy = Proxy::start(port, []);
    session::run(&controller, &proxy, "u0-0", qos)
        .unwrap()
        .passed
}

fn every_byte(qos: QoS, ending: Ending) {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let (up, down) = length(qos);
    let mut cases = Vec::new();
    for (way, bytes) in [(Way::Up, up), (Way::Down, down)] {
        for after in 0..=bytes {
            cases.push(Case::new(qos, vec![Cut { way, after, ending }]));
        }
    }
    let repeat = Repeat::unseeded();
    let tally = run_all(&repeat, cases);
    tally.print(&format!(
        "{qos}, {ending:?} after every one of {up}+{down} bytes"
    ));
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
}

#[test]
fn qos_1_survives_a_close_at_every_byte() {
    every_byte(QoS::AtLeastOnce, Ending::Close);
}

#[test]
fn qos_1_survives_a_reset_at_every_byte() {
    every_byte(QoS::AtLeastOnce, Ending::Reset);
}

#[test]
fn qos_2_survives_a_close_at_every_byte() {
    every_byte(QoS::ExactlyOnce, Ending::Close);
}

#[test]
fn qos_2_survives_a_reset_at_every_byte() {
    every_byte(QoS::ExactlyOnce, Ending::Reset);
}

/// Random runs, each with up to four cuts, also while reconnecting.
#[test]
fn random_cuts_and_cuts_while_reconnecting() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let repeat = Repeat::seeded();
    let mut random = fastrand::Rng::with_seed(repeat.seed());
    let mut cases = Vec::new();
    for _ in 0..400 {
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.usize(0..2)];
        let cuts = (0..random.u32(1..=4)).map(|_| {
            // Half of them within the bytes of a handshake and a replay.
            let most = [40, 300][random.usize(0..2)];
            Cut {
                way: [Way::Up, Way::Down][random.usize(0..2)],
                after: random.u64(0..most),
                ending: [Ending::Close, Ending::Reset][random.usize(0..2)],
            }
        });
        cases.push(Case::new(qos, cuts.collect()));
    }
    let tally = run_all(&repeat, cases);
    tally.print("random cuts");
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
}
