//! Device sessions with both ends ours, and what they leave on the broker.

use harness::process::{Ended, Process, run};

use crate::broker::Broker;
use crate::table::Expected;

/// What a device says at a good end.
const LAST_WORDS: &str = "Well done my IoT!\n";

/// The defaults of both ends, of which the QoS is 2; only what ends a failure is shorter. Says what each came to.
fn hold_one(broker: &Broker, qos: u8, user_id: &str) -> (Ended, Ended) {
    let level = qos.to_string();
    let qos: &[&str] = match qos {
        2 => &[],
        _ => &["-q", &level],
    };
    let client = |args: &[&'static str], last: &str| {
        let mut command = broker.client(["-v", "-W", "15"]);
        command.args(qos).args(args).arg(last);
        Process::start(command)
    };
    let controller = client(&["--sessions", "1"], "controller");
    // Or it has ended at once, because the broker has no QoS 2.
    controller.wait_in_stderr("waiting for logins", |said| {
        (said.contains("waiting for logins") || said.contains("use -q 1")).then_some(())
    });
    let device = client(&["device"], user_id).end();
    if device.code != Some(0) {
        controller.signal("TERM");
    }
    (device, controller.end())
}

/// A session passes on both ends; or says what would make it pass, where the table leaves that open.
pub fn ends_well(broker: &Broker, qos: u8, expected: Expected) {
    let (device, controller) = hold_one(broker, qos, &format!("session{qos}"));
    let passed =
        device.code == Some(0) && device.stdout == LAST_WORDS && controller.code == Some(0);
    let told = match expected {
        Expected::HoldsOrNames(words) => {
            let last = device.stderr.lines().last().unwrap_or_default();
            device.code != Some(0) && last.contains(words)
        }
        _ => false,
    };
    assert!(
        passed || told,
        "device {:?} {}\n{}\ncontroller {:?}\n{}",
        device.code,
        device.stdout,
        device.stderr,
        controller.code,
        controller.stderr
    );
}

/// Every role at its good end, and a device that is stopped while it waits.
pub fn leaves_nothing(broker: &Broker) {
    let best = broker.kind().best_qos().to_string();
    let start = |id: &str, args: &[&str]| {
        let usual = ["-v", "-q", &best, "-W", "15", "-i", id];
        Process::start(broker.client(usual.iter().chain(args).copied()))
    };
    let stopped = start("left-stopped", &["device", "nobody"]);
    stopped.wait_for_stderr("published on login, confirmed");
    stopped.signal("TERM");
    let stopped = stopped.end();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");

    let controller = start(
        "left-controller",
        &["--sessions", "1", "--delay", "0.1", "controller"],
    );
    controller.wait_for_stderr("waiting for logins");
    let device = start("left-device", &["device", "left"]).end();
    assert_eq!(
        (device.code, &*device.stdout),
        (Some(0), LAST_WORDS),
        "{device:?}"
    );
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");

    let responder = start("left-responder", &["responder"]);
    responder.wait_for_stderr("subscribed to +/shuffle/request");
    let request = run(broker.client(["-i", "left-request", "left", "reverse", "abc"]));
    assert_eq!(
        (request.code, &*request.stdout),
        (Some(0), "cba\n"),
        "{request:?}"
    );
    responder.signal("TERM");
    assert_eq!(responder.end().code, Some(0));

    for id in [
        "left-stopped",
        "left-controller",
        "left-device",
        "left-responder",
        "left-request",
    ] {
        assert!(
            !broker.session_present(id),
            "the broker holds a session for {id}"
        );
    }
}
