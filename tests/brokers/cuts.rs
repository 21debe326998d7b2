//! Many sessions at a time, with the connection of each device cut once; an observer on a connection that nothing cuts
//! counts commands and replies.

use std::collections::BTreeMap;
use std::fmt;

use harness::observer::{Heard, Observer};
use harness::process::{Ended, Process};
use harness::proxy::{Cut, Ending, Proxy, Way};
use harness::repeat::{Repeat, number};

use crate::broker::Broker;
use crate::table::Expected;

/// Sessions, each with a cut of its own, unless `TEST_SESSIONS` wants more of them.
const SESSIONS: u64 = 16;

fn session_count() -> u64 {
    number("TEST_SESSIONS").unwrap_or(SESSIONS)
}

/// Commands in each.
const COMMANDS: &str = "12";

/// Who is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Ours,
    /// A device by another hand, which goes on over a cut as paho does.
    Paho,
}

/// What the sessions came to.
#[derive(Debug, Default)]
struct Tally {
    commands: usize,
    lost: usize,
    twice: usize,
    /// Why, for each device, and once for the controller.
    failed: Vec<String>,
    /// The connections that were cut.
    cut: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            commands,
            lost,
            twice,
            failed,
            cut,
        } = self;
        let failed = failed.len();
        write!(
            f,
            "{commands} commands, {cut} cuts, {lost} lost, {twice} twice, {failed} failed"
        )
    }
}

fn random_cut(random: &mut fastrand::Rng) -> Cut {
    Cut {
        way: [Way::Up, Way::Down][random.usize(0..2)],
        after: random.u64(40..500),
        ending: [Ending::Close, Ending::Reset][random.usize(0..2)],
    }
}

/// What the table promises of sessions with cuts.
pub fn lose_nothing(broker: &Broker, qos: u8, expected: Expected) {
    if let Expected::Impossible(why) = expected {
        eprintln!("{:?}, cuts at QoS {qos}: {why}", broker.kind());
        return;
    }
    let repeat = Repeat::seeded();
    let cuts = || {
        let mut random = fastrand::Rng::with_seed(repeat.seed());
        (0..session_count()).map(move |_| random_cut(&mut random))
    };
    let ours = hold(broker, qos, Device::Ours, cuts());
    eprintln!(
        "{:?}, cuts at QoS {qos}, seed {}: ours: {ours}",
        broker.kind(),
        repeat.seed()
    );
    if let Expected::BrokersFault(why) = expected {
        let paho = hold(broker, qos, Device::Paho, cuts());
        eprintln!("{:?}, the same cuts: paho: {paho}; {why}", broker.kind());
        assert!(ours.commands > 0 && ours.cut > 0, "{ours}");
        let faults = |tally: &Tally| tally.lost + tally.twice + tally.failed.len();
        assert!(
            faults(&ours) <= faults(&paho),
            "ours: {ours}\n{}\npaho: {paho}",
            ours.failed.join("\n")
        );
        return;
    }
    assert!(ours.failed.is_empty(), "{ours}\n{}", ours.failed.join("\n"));
    assert!(ours.commands > 0 && ours.cut > 0, "{ours}");
    assert_eq!(ours.lost, 0, "{ours}");
    if qos == 2 && expected == Expected::Holds {
        assert_eq!(ours.twice, 0, "{ours}");
    }
}

fn hold(broker: &Broker, qos: u8, who: Device, cuts: impl Iterator<Item = Cut>) -> Tally {
    let level = qos.to_string();
    let observer = broker.observer(&["+", "+/+"]);
    let sessions = session_count().to_string();
    let controller = Process::start(broker.client([
        "-v",
        "-q",
        &level,
        "-W",
        "30",
        "--delay",
        broker.kind().delay(),
        "--commands",
        COMMANDS,
        "--sessions",
        &sessions,
        "controller",
    ]));
    controller.wait_for_stderr("waiting for logins");
    let devices: Vec<(Proxy, Process)> = cuts
        .enumerate()
        .map(|(number, cut)| {
            let proxy = Proxy::start(broker.port(), [cut]);
            let user_id = format!("{who:?}{qos}-{number}").to_lowercase();
            let device = match who {
                Device::Ours => {
                    let usual = ["-v", "--reconnect-delay", "0.05", "-W", "30", "-q", &level];
                    let mut device = broker.client_by(proxy.port(), usual);
                    device.args(["device", &user_id]);
                    device
                }
                Device::Paho => {
                    let args = [&*user_id, &level, "20"];
                    broker.peer("lasting_device.py", proxy.port(), args)
                }
            };
            (proxy, Process::start(device))
        })
        .collect();
    let mut tally = Tally::default();
    for (proxy, device) in devices {
        let ended = device.end();
        tally.cut += 1 - proxy.cuts_left();
        tally.judge(who, &ended);
    }
    if !tally.failed.is_empty() {
        // It would wait for those that have gone.
        controller.signal("TERM");
    }
    let controller = controller.end();
    if controller.code != Some(0) {
        let said = controller
            .stderr
            .lines()
            .filter(|line| line.contains("failed"));
        tally.failed.push(format!(
            "controller {:?}: {}",
            controller.code,
            said.collect::<Vec<_>>().join("\n")
        ));
    }
    tally.count(&hear_everything(&observer));
    tally
}

/// All that was said before now on either filter, whether it has arrived yet or not.
fn hear_everything(observer: &Observer) -> Vec<Heard> {
    observer.publish("marker", "now", 1);
    observer.publish("marker/now", "now", 1);
    let missing = std::cell::RefCell::new(vec!["marker", "marker/now"]);
    observer.hear_until("the markers", |heard| {
        missing.borrow_mut().retain(|marker| *marker != heard.topic);
        missing.borrow().is_empty()
    })
}

impl Tally {
    fn judge(&mut self, who: Device, ended: &Ended) {
        if ended.code == Some(0) && ended.stdout.ends_with("Well done my IoT!\n") {
            return;
        }
        let mut said = ended.stderr.lines().rev().take(12).collect::<Vec<_>>();
        said.reverse();
        self.failed
            .push(format!("{who:?} {:?}: {}", ended.code, said.join("\n")));
    }

    /// Each command wants its reply on the topic below its own. Other sessions and the logins are told apart by topic.
    fn count(&mut self, heard: &[Heard]) {
        let mut commands = BTreeMap::<String, usize>::new();
        let mut replies = BTreeMap::<String, usize>::new();
        for heard in heard {
            if heard.payload.starts_with("CMD") && !heard.topic.contains('/') {
                *commands
                    .entry(format!("{}/{}", heard.topic, heard.payload))
                    .or_default() += 1;
            } else {
                *replies.entry(heard.topic.clone()).or_default() += 1;
            }
        }
        for (topic, count) in commands {
            let answered = replies.get(&topic).copied().unwrap_or_default();
            self.commands += count;
            self.lost += count.saturating_sub(answered);
            self.twice += answered.saturating_sub(count);
        }
    }
}
