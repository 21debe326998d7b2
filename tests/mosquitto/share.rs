//! `--share`: two of a kind split the work, and one of them is killed half-way.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::process::{Ended, Process};

/// One of a group, with its subscriptions granted.
fn member(broker: &Mosquitto, id: &str, role: &str, args: &[&str]) -> Process {
    let usual = ["-v", "--share", "west", "-i", id, role];
    let process = Process::start(broker.client(usual.iter().chain(args).copied()));
    let (filters, all) = match role {
        "responder" => ("subscribed to $share/west/+/", 5),
        _ => ("subscribed to $share/west/login,", 1),
    };
    process.wait_in_stderr("its subscriptions", |said| {
        (said.matches(filters).count() == all).then_some(())
    });
    assert!(!process.stderr().contains("no shared subscriptions"));
    process
}

/// How many requests or logins one has taken.
fn taken(process: &Process) -> usize {
    let said = process.stderr();
    said.matches(" asked for ").count() + said.matches(" logged in as session ").count()
}

fn wait_until_taken(process: &Process, count: usize) {
    process.wait_in_stderr(&format!("{count} taken"), |said| {
        let taken =
            said.matches(" asked for ").count() + said.matches(" logged in as session ").count();
        (taken >= count).then_some(())
    });
}

fn assert_ended_well(device: &Ended) {
    assert_eq!(device.code, Some(0), "{device:?}");
    assert_eq!(device.stdout, "Well done my IoT!\n");
}

#[test]
fn two_responders_share_the_requests_and_one_that_is_killed_loses_none() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let doomed = member(&broker, "doomed", "responder", &[]);
    let other = member(&broker, "other", "responder", &[]);
    let ask = |number: usize| {
        let (net, text) = (format!("net{number}"), format!("abc{number}"));
        let args = ["-v", "-W", "15", &net, "uppercase", &text];
        Process::start(broker.client(args))
    };
    let assert_answered = |number: usize, ended: &Ended| {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, format!("ABC{number}\n"));
    };
    for number in 0..6 {
        assert_answered(number, &ask(number).end());
    }
    for responder in [&doomed, &other] {
        wait_until_taken(responder, 3);
    }
    assert_eq!((taken(&doomed), taken(&other)), (3, 3));

    // It takes its half of these, and dies with them.
    doomed.signal("STOP");
    let requests: Vec<Process> = (6..12).map(ask).collect();
    wait_until_taken(&other, 6);
    doomed.signal("KILL");
    let ended: Vec<Ended> = requests.into_iter().map(Process::end).collect();
    for (number, ended) in (6..12).zip(&ended) {
        assert_answered(number, ended);
    }
    let again = |ended: &&Ended| ended.stderr.contains("asking again");
    assert_eq!(ended.iter().filter(again).count(), 3, "{ended:?}");
    // The killed one has no share any more, so that no request waits for it.
    assert_answered(12, &ask(12).end());
    assert_answered(13, &ask(13).end());
    assert_eq!(taken(&other), 3 + 3 + 3 + 2);
}

#[test]
fn two_controllers_share_the_logins_and_one_that_is_killed_finds_its_own_again() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let plan = ["--delay", "0.2", "--commands", "3"];
    let doomed = member(&broker, "doomed", "controller", &plan);
    let other = member(&broker, "other", "controller", &plan);
    let device = |number: usize| {
        let name = format!("device{number}");
        Process::start(broker.client(["-v", "device", &name]))
    };
    for number in 0..4 {
        assert_ended_well(&device(number).end());
    }
    assert_eq!((taken(&doomed), taken(&other)), (2, 2));

    doomed.signal("STOP");
    let devices: Vec<Process> = (4..8).map(device).collect();
    wait_until_taken(&other, 4);
    doomed.signal("KILL");
    drop(doomed);
    // As systemd does; with the same client id.
    let back = member(&broker, "doomed", "controller", &plan);
    for device in devices {
        assert_ended_well(&device.end());
    }
    assert_eq!((taken(&back), taken(&other)), (2, 4));
    for controller in [back, other] {
        assert!(!controller.stderr().contains(" failed: "));
        controller.signal("TERM");
        assert_eq!(controller.end().code, Some(0));
    }
    assert!(!broker.session_present("doomed"));
}

#[test]
fn a_device_whose_controller_was_killed_in_mid_session_logs_in_anew_at_its_next_start() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let controller = member(&broker, "only", "controller", &["--delay", "100"]);
    let args = ["-v", "-W", "2", "--state-dir", state, "device", "alice"];
    let device = Process::start(broker.client(args));
    device.wait_for_stderr("the UNIQUE ID is");
    controller.signal("KILL");
    drop(controller);
    let ended = device.end();
    assert_eq!(ended.code, Some(75), "{ended:?}");
    let _back = member(&broker, "only", "controller", &["--delay", "0.2"]);
    let again = ["-v", "--state-dir", state, "device", "alice"];
    assert_ended_well(&Process::start(broker.client(again)).end());
}
