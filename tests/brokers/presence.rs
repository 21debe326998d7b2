//! Who is up, as `fleet` sees it: one that is there, one that is killed, one that is stopped.

use harness::process::{Process, run};

use crate::broker::Broker;
use crate::table::Expected;

/// A fleet sees each state as it comes; and, where nothing keeps the broker from it, another one that comes later.
pub fn is_seen(broker: &Broker, expected: Expected) {
    let best = broker.kind().best_qos().to_string();
    let filter = "seen/+/status";
    let fleet = Process::start(broker.client(["fleet", filter]));
    fleet.wait_for_stderr("nobody has left a presence");
    let devices = ["there", "killed", "stopped"].map(|id| {
        let usual = ["-q", &best, "-W", "0", "-i", id, "device", id];
        let presence = ["--presence", "seen/%c/status"];
        Process::start(broker.client(usual.into_iter().chain(presence)))
    });
    for id in ["there", "killed", "stopped"] {
        fleet.wait_for_stdout(&format!("{id} online since "));
    }
    devices[1].signal("KILL");
    devices[2].signal("TERM");
    fleet.wait_for_stdout("killed lost since ");
    fleet.wait_for_stdout("stopped ended since ");

    let later = run(broker.client(["fleet", "--once", filter]));
    assert_eq!(later.code, Some(0), "{later:?}");
    if expected.hopeless().is_none() {
        let state = |id: &str| {
            let mut lines = later.stdout.lines();
            let line = lines.find(|line| line.starts_with(&format!("{id} ")));
            line.and_then(|line| line.split_whitespace().nth(1))
        };
        let states = ["there", "killed", "stopped"].map(state);
        let all = ["online", "lost", "ended"].map(Some);
        assert_eq!(states, all, "{later:?}");
    } else {
        // Without wildcards every broker has it.
        let ended = run(broker.client(["fleet", "--once", "seen/stopped/status"]));
        assert!(ended.stdout.contains("stopped  ended"), "{ended:?}");
    }
    let [there, _, stopped] = devices;
    there.signal("TERM");
    for stopped in [there.end(), stopped.end()] {
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
        assert!(!stopped.stderr.contains("presence"), "{stopped:?}");
    }
}
