//! `--presence` and `fleet`: who is up, and what has become of the others.

use std::process::Command;

use crate::json::Json;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PUB, PYTHON, missing};
use harness::process::{Process, mqtt_client, run};
use harness::proxy::{Cut, Ending, Proxy, Way};

const PRESENCE: [&str; 2] = ["--presence", "mqtt_client/%c/status"];

fn device<'a>(broker: &Mosquitto, id: &'a str, more: &[&'a str]) -> Process {
    let args = ["device", id, "-i", id, "-W", "0"];
    let args = args.iter().chain(&PRESENCE).chain(more);
    Process::start(broker.client(args.copied()))
}

/// A fleet that says each change in a line.
fn watcher(broker: &Mosquitto) -> Process {
    Process::start(broker.client(["fleet"]))
}

/// What `fleet --once --json` finds, one after the other.
fn once(broker: &Mosquitto) -> Vec<Json> {
    let ended = run(broker.client(["fleet", "--once", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(Json::read).collect()
}

fn find<'a>(fleet: &'a [Json], id: &str) -> &'a Json {
    let mut boards = fleet.iter();
    boards
        .find(|board| board.get("who").text() == id)
        .unwrap_or_else(|| panic!("no {id} in {fleet:?}"))
}

fn state<'a>(fleet: &'a [Json], id: &str) -> &'a str {
    find(fleet, id).get("state").text()
}

/// A moment after the whole second that this clock shows is another one to whoever counts seconds.
fn wait_for_another_second(since: f64) {
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_secs_f64()
    };
    while now() < since + 1.0 {
        std::thread::yield_now();
    }
}

#[test]
fn of_twenty_devices_the_killed_the_cut_off_and_the_ended_are_told_apart() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let proxy = Proxy::start(broker.port().parse().unwrap(), []);
    let names: Vec<String> = (1..=20).map(|number| format!("d{number:02}")).collect();
    let to_proxy = proxy.port().to_string();
    let mut devices: Vec<Process> = Vec::new();
    for name in &names {
        devices.push(match name.as_str() {
            // Pings so often that the broker sees the loss soon.
            "d05" => {
                let args = ["-h", "127.0.0.1", "-p", &to_proxy, "-k", "2", "-W", "0"];
                let mut command = mqtt_client(args);
                command.args(["device", "d05", "-i", "d05"]).args(PRESENCE);
                Process::start(command)
            }
            name => device(&broker, name, &[]),
        });
    }
    let fleet = watcher(&broker);
    fleet.wait_in_stdout("all of them", |said| {
        let is_there = |name: &String| said.contains(&format!("{name} online since "));
        names.iter().all(is_there).then_some(())
    });
    let before = once(&broker);
    assert_eq!(before.len(), 20);
    assert!(names.iter().all(|name| state(&before, name) == "online"));

    devices[2].signal("KILL");
    devices[3].signal("TERM");
    proxy.hold(true);
    proxy.cut(Cut {
        way: Way::Up,
        after: 0,
        ending: Ending::Silence,
    });
    for said in ["d03 lost since ", "d04 ended since ", "d05 lost since "] {
        fleet.wait_for_stdout(said);
    }
    let after = once(&broker);
    assert_eq!(after.len(), 20);
    for name in &names {
        let expected = match name.as_str() {
            "d03" | "d05" => "lost",
            "d04" => "ended",
            _ => "online",
        };
        assert_eq!(state(&after, name), expected, "{name}");
    }
    assert_eq!(find(&after, "d04").get("end").text(), "stopped");
    assert_eq!(find(&after, "d03").get("end"), &Json::Null);

    // While they are away nobody can tell the killed one from the one that is cut off. When they are back, they tell.
    let started = |fleet: &[Json], name| find(fleet, name).get("started").number();
    let began = started(&before, "d03").max(started(&before, "d05"));
    wait_for_another_second(began);
    proxy.hold(false);
    devices[2] = device(&broker, "d03", &[]);
    fleet.wait_in_stdout("both again", |said| {
        let is_back = |name: &str| {
            let later = said.split(&format!("{name} lost since ")).nth(1);
            later.is_some_and(|later| later.contains(&format!("{name} online since ")))
        };
        (is_back("d03") && is_back("d05")).then_some(())
    });
    let back = once(&broker);
    let [killed, cut_off] = ["d03", "d05"].map(|name| {
        assert_eq!(state(&back, name), "online");
        started(&back, name)
    });
    assert!(killed > started(&before, "d03"), "a new process");
    assert!((cut_off - started(&before, "d05")).abs() <= 1.0, "the same");
    let since = find(&back, "d05").get("since").number();
    assert!(since > cut_off, "connected anew");
}

#[test]
fn what_is_retained_is_a_word_and_details_or_nothing() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let fleet = watcher(&broker);
    let kept = device(&broker, "kept", &["--presence-end", "offline"]);
    let cleared = device(&broker, "cleared", &["--presence-end", "clear"]);
    for said in ["kept online since ", "cleared online since "] {
        fleet.wait_for_stdout(said);
    }
    for process in [kept, cleared] {
        process.signal("TERM");
        let ended = process.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
    fleet.wait_for_stdout("kept ended since ");
    fleet.wait_for_stdout("cleared gone");
    let found = once(&broker);
    assert_eq!(found.len(), 1, "{found:?}");
    let kept = find(&found, "kept");
    assert_eq!(kept.get("topic").text(), "mqtt_client/kept/status");
    assert_eq!(kept.get("role").text(), "device kept");
    assert_eq!(kept.get("sessions").number(), 0.0);
    // Anybody's word counts: these are what Home Assistant and others use.
    for (word, state) in [("online", "online"), ("offline", "ended")] {
        broker.retain("mqtt_client/kept/status", word);
        assert_eq!(once(&broker)[0].get("state").text(), state);
    }
}

#[test]
fn a_device_in_its_pause_says_when_it_is_back() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let fleet = watcher(&broker);
    let plan = "-v controller --commands 1 --delay 0.5 --presence mqtt_client/%c/status";
    let controller = Process::start(broker.client(plan.split(' ')));
    controller.wait_for_stderr("waiting for logins");
    let device = device(&broker, "alice", &["--again", "600"]);
    let paused = fleet.wait_for_stdout("alice paused since ");
    assert!(paused.contains(", 1 session: back at "), "{paused}");
    let found = once(&broker);
    let alice = find(&found, "alice");
    assert_eq!(alice.get("end").text(), "finished");
    let pause = alice.get("next").number() - alice.get("at").number();
    assert_eq!(pause, 600.0);
    assert_eq!(state(&found, "mqtt_client-controller"), "online");
    // Stopped in its pause, it will not be back, and says so.
    device.signal("TERM");
    assert_eq!(device.end().code, Some(0));
    fleet.wait_for_stdout("alice ended since ");
    controller.signal("TERM");
    let ended = fleet.wait_for_stdout("mqtt_client-controller ended since ");
    assert!(ended.contains(", 1 session: stopped"), "{ended}");
}

#[test]
fn nobody_is_no_failure() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    for args in [&["fleet", "--once"][..], &["fleet", "--once", "--json"]] {
        let ended = run(broker.client(args.iter().copied()));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
        assert!(ended.stderr.contains("nobody"), "{ended:?}");
    }
    let fleet = watcher(&broker);
    fleet.wait_for_stderr("nobody has left a presence on mqtt_client/+/status");
    fleet.signal("INT");
    assert_eq!(fleet.end().code, Some(0));
}

/// A broker of this kind serves a device that says it is there, with one warning; and one that does not.
fn assert_served(broker: &Mosquitto, warnings: usize) {
    let plan = "-v controller --sessions 1 --commands 3 --delay 1";
    let controller = Process::start(broker.client(plan.split(' ')));
    controller.wait_for_stderr("waiting for logins");
    let ended = device(broker, "alice", &["--reconnect-delay", "0.1"]).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "Well done my IoT!\n");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), warnings, "{lines:?}");
    for line in lines {
        assert!(line.contains("--presence"), "{line}");
        assert!(line.contains("mqtt_client/alice/status"), "{line}");
    }
    assert_eq!(controller.end().code, Some(0));
}

#[test]
fn a_broker_that_retains_nothing_serves_the_device_all_the_same() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let settings = "allow_anonymous true\nretain_available false\n";
    assert_served(&Mosquitto::with(Folder::new(), settings), 1);
}

/// mosquitto 2.0.11 confirms what it does not allow, and drops it, so that nobody hears of that; unless its queue has no
/// limit: then it closes the connection.
#[test]
fn a_broker_that_does_not_allow_the_topic_serves_the_device_all_the_same() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    for (queue, warnings) in [("1000", 0), ("0", 1)] {
        let folder = Folder::new();
        let rights = folder.path().join("rights");
        let allowed = ["login", "+/UUID", "+", "+/+"];
        let mut lines = allowed.map(|topic| format!("topic readwrite {topic}\n"));
        lines[0].insert_str(0, "topic deny mqtt_client/#\n");
        std::fs::write(&rights, lines.concat()).unwrap();
        let settings = format!(
            "allow_anonymous true\nacl_file {}\nmax_queued_messages {queue}\n",
            rights.display()
        );
        let broker = Mosquitto::with(folder, &settings);
        assert_served(&broker, warnings);
        if warnings == 0 {
            // Who may not read along sees nobody, after the time limit, and is told why.
            let ended = run(broker.client(["fleet", "--once", "-W", "1"]));
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
            assert!(ended.stderr.contains("not all may be shown"), "{ended:?}");
        }
    }
}

#[test]
fn a_terminal_gets_a_table_and_no_orders_of_others() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB, PYTHON]) {
        return;
    }
    let broker = Mosquitto::open();
    broker.retain("mqtt_client/x/status", "online");
    let details = r#"{"id":"x\u001b[2Jy"}"#;
    broker.retain("mqtt_client/x/status/about", details);
    let command = broker.client(["fleet", "--once"]);
    let on_terminal = |setting: (&str, &str)| {
        let script =
            "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut terminal = Command::new(PYTHON.path());
        terminal.args(["-c", script]).env("TERM", "xterm");
        terminal.env(setting.0, setting.1);
        let ended = run(harness::process::through(terminal, &command));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let green = "\u{1b}[32monline\u{1b}[0m";
    let shown = on_terminal(("NO_COLOR", ""));
    assert!(shown.contains(green), "{shown:?}");
    assert!(shown.contains("x\\u{1b}[2Jy"), "{shown:?}");
    let shown = on_terminal(("NO_COLOR", "1"));
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let shown = run(broker.client(["fleet", "--once"])).stdout;
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(shown.starts_with("WHO "), "{shown:?}");
}
