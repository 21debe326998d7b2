//! Commands and requests that programs answer: what runs, what does not, how long, and what is left of it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::observer::{Heard, Observer};
use harness::peers;
use harness::process::{Ended, Process, mqtt_client};
use harness::proxy::{Cut, Ending, Proxy, Way};

/// A folder of programs, and room for what they write.
struct Shelf {
    folder: Folder,
}

impl Shelf {
    fn new() -> Self {
        let folder = Folder::new();
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        mode(&programs, 0o755);
        Self { folder }
    }

    fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    /// A shell script.
    fn add(&self, name: &str, script: &str) {
        let path = self.programs().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        mode(&path, 0o755);
    }

    /// A file that programs write, and what is in it.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A device whose commands this test gives.
struct Board {
    broker: Mosquitto,
    observer: Observer,
    device: Process,
}

fn device(broker: &Mosquitto, shelf: &Shelf, more: &[&str]) -> Process {
    let programs = shelf.programs();
    let args = ["-v", "device", "alice", "--commands"];
    let args = args.into_iter().chain([programs.to_str().unwrap()]);
    Process::start(broker.client(args.chain(more.iter().copied())))
}

impl Board {
    fn new(shelf: &Shelf, more: &[&str]) -> Self {
        let broker = Mosquitto::open();
        let observer = Observer::start(peers::command(
            "observer.py",
            &broker.port(),
            ["login", "U1/#"],
        ));
        let device = device(&broker, shelf, more);
        observer.hear("the login", |heard| heard.topic == "login");
        observer.publish("alice/UUID", "U1", 1);
        device.wait_for_stderr("subscribed to U1");
        Self {
            broker,
            observer,
            device,
        }
    }

    fn command(&self, command: &str) {
        self.observer.publish("U1", command, 2);
    }

    /// The next reply on this level below the UNIQUE ID.
    fn reply(&self, level: &str) -> String {
        let topic = format!("U1/{level}");
        self.observer
            .hear(&topic, |heard| heard.topic == topic)
            .payload
    }

    /// The same with a new process, once the old one has ended.
    fn after_its_end(self, shelf: &Shelf, more: &[&str]) -> (Self, Ended) {
        let ended = self.device.end();
        let next = Self {
            device: device(&self.broker, shelf, more),
            ..self
        };
        (next, ended)
    }

    fn finish(self) {
        self.command("Well done my IoT!");
        let ended = self.device.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout, "Well done my IoT!\n");
    }
}

/// Waits until a process has left this list of process numbers: all that a program has started.
fn await_gone(pids: &str) {
    assert!(!pids.trim().is_empty(), "nothing was started");
    for pid in pids.split_whitespace() {
        let status = PathBuf::from(format!("/proc/{pid}/stat"));
        let lives = || std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "));
        let guard = std::time::Instant::now() + harness::process::GUARD;
        while lives() {
            assert!(std::time::Instant::now() < guard, "{pid} lives on");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_program_answers_its_command_and_the_table_the_others() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    shelf.add("READ_TEMP", "echo \"$1|$2|$3|$COMMAND|$UNIQUE_ID\"");
    shelf.add("CMD2", "echo Tiger");
    shelf.add("FAIL", "echo half; echo no sensor >&2; exit 3");
    shelf.add("QUIET", "exit 0");
    shelf.add("SELF", "kill -9 $$");
    // What a shell would take for a program in C: it has no first line that names the interpreter.
    std::fs::write(shelf.programs().join("BARE"), "echo bare").unwrap();
    mode(&shelf.programs().join("BARE"), 0o755);
    // SIGTERM reaches what a program starts, as from a shell.
    shelf.add("TIMEOUT", "timeout 0.1 sleep 60; echo $?");
    shelf.add(
        "SECRETS",
        "env | grep -c -e MQTT -e secret -e NOTIFY; exit 0",
    );
    let more = ["-u", "bob", "--password-file", "word"];
    let word = shelf.file("word");
    std::fs::write(&word, "secret").unwrap();
    mode(&word, 0o600);
    let more = [more[0], more[1], more[2], word.to_str().unwrap()];
    let board = Board::new(&shelf, &more);
    board
        .device
        .wait_for_stderr("answers CMD2, instead of the usual reply");
    board.command("READ_TEMP  in 'the $(attic)'");
    assert_eq!(
        board.reply("READ_TEMP"),
        "in|'the|$(attic)'|READ_TEMP  in 'the $(attic)'|U1"
    );
    for (command, reply) in [
        ("CMD1", "Apple"),
        ("CMD2", "Tiger"),
        ("FAIL", "error: exit code 3: half"),
        ("QUIET", ""),
        ("SELF", "error: signal 9"),
        (
            "BARE",
            "error: it cannot be run: Exec format error (does its first line begin with #! ?)",
        ),
        ("TIMEOUT", "124"),
        ("SECRETS", "0"),
    ] {
        board.command(command);
        assert_eq!(board.reply(command), reply);
    }
    board.device.wait_for_stderr("FAIL: no sensor");
    // A program may come while the device runs.
    shelf.add("LATER", "echo here");
    board.command("LATER");
    assert_eq!(board.reply("LATER"), "here");
    board.finish();
}

#[test]
fn nothing_runs_that_is_not_in_the_folder() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    let ran = shelf.file("ran");
    let trap = format!("echo \"$0\" >> {}", ran.display());
    shelf.add(".hidden", &trap);
    shelf.add("../outside", &trap);
    shelf.add("text", &trap);
    mode(&shelf.programs().join("text"), 0o644);
    std::fs::create_dir(shelf.programs().join("folder")).unwrap();
    symlink("nowhere", shelf.programs().join("dangling")).unwrap();
    let board = Board::new(&shelf, &[]);
    let long = "x".repeat(300);
    let none = "error: no such command";
    for (command, level, reply) in [
        ("../../bin/sh -c reboot", "..%2F..%2Fbin%2Fsh", none),
        ("../outside", "..%2Foutside", none),
        (".hidden", ".hidden", none),
        ("folder", "folder", none),
        ("dangling", "dangling", none),
        (&long, &long, none),
        ("$(touch /tmp/x)", "$(touch", none),
        ("text", "text", "error: it is not executable; `chmod +x` it"),
    ] {
        board.command(command);
        assert_eq!(board.reply(level), reply, "{command}");
    }
    assert_eq!(shelf.read("ran"), "");
    // What others could have put there is not run either, though it came after the start.
    shelf.add("open", &trap);
    mode(&shelf.programs().join("open"), 0o757);
    board.command("open");
    assert!(
        board
            .reply("open")
            .starts_with("error: others can write it")
    );
    assert_eq!(shelf.read("ran"), "");
    board.finish();
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    let shelf = Shelf::new();
    shelf.add("open", "echo");
    mode(&shelf.programs().join("open"), 0o775);
    let programs = shelf.programs();
    for (role, option) in [("device", "--commands"), ("responder", "--actions")] {
        let args = [role, "alice", option, programs.to_str().unwrap()];
        let args = args
            .into_iter()
            .filter(|arg| role == "device" || *arg != "alice");
        let ended = harness::process::run(harness::process::mqtt_client(args));
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert!(
            ended
                .stderr
                .contains("open: others can write it; `chmod go-w` it"),
            "{ended:?}"
        );
    }
}

/// It sleeps for a minute with a child, and neither heeds SIGTERM nor keeps the link from its pings.
#[test]
fn a_program_whose_time_is_over_ends_with_all_that_it_has_started() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    let pids = shelf.file("pids");
    let pids = pids.display();
    shelf.add(
        "SLEEP",
        &format!("trap '' TERM\nsleep 60 & echo $! $$ >> {pids}\necho asleep\nwait; sleep 60"),
    );
    shelf.add("LEAVE", &format!("sleep 60 & echo $! >> {pids}\necho left"));
    // It goes on, and holds the output open.
    let (gone, lives) = (shelf.file("gone"), shelf.file("lives"));
    let (gone, lives) = (gone.display(), lives.display());
    let daemon = format!("until [ -e {gone} ]; do sleep 0.1; done; echo > {lives}");
    shelf.add(
        "DAEMON",
        &format!("echo started\nsetsid -f sh -c '{daemon}'"),
    );
    let board = Board::new(&shelf, &["--program-time", "3", "-k", "1"]);
    board.command("SLEEP");
    board.command("CMD1");
    assert_eq!(board.reply("CMD1"), "Apple");
    assert_eq!(board.reply("SLEEP"), "error: time limit of 3 s: asleep");
    await_gone(&shelf.read("pids"));
    board.command("LEAVE");
    assert_eq!(board.reply("LEAVE"), "left");
    await_gone(&shelf.read("pids"));
    board.command("DAEMON");
    assert_eq!(board.reply("DAEMON"), "started");
    board.command("LEAVE");
    assert_eq!(board.reply("LEAVE"), "left", "nothing waits for the other");
    std::fs::write(shelf.file("gone"), "").unwrap();
    let guard = std::time::Instant::now() + harness::process::GUARD;
    while shelf.read("lives").is_empty() {
        assert!(std::time::Instant::now() < guard, "it was ended");
        std::thread::yield_now();
    }
    let log = board.broker.log();
    assert!(log.contains("Received PINGREQ from device-alice"), "{log}");
    assert!(!log.contains("exceeded timeout"), "{log}");
    board.finish();
}

#[test]
fn output_beyond_the_limit_is_cut_off_and_the_program_runs_on() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    let end = shelf.file("end");
    let script = format!(
        "head -c 10000000 /dev/zero | tr '\\0' x\necho whole > {}",
        end.display()
    );
    shelf.add("FLOOD", &script);
    let board = Board::new(&shelf, &[]);
    board.command("FLOOD");
    assert_eq!(board.reply("FLOOD"), "x".repeat(64 * 1024));
    assert_eq!(shelf.read("end"), "whole\n");
    board
        .device
        .wait_for_stderr("FLOOD printed 9934464 bytes more than its limit of 65536");
    board.finish();
}

#[test]
fn a_thousand_commands_in_a_burst_are_answered_in_order() {
    const COUNT: usize = 1000;
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    shelf.add("ECHO", "echo $1");
    let board = Board::new(&shelf, &[]);
    for number in 0..COUNT {
        board.command(&format!("ECHO {number}"));
    }
    let last = (COUNT - 1).to_string();
    let is_reply = |heard: &Heard| heard.topic == "U1/ECHO";
    let heard = board.observer.hear_until("the last reply", |heard| {
        is_reply(heard) && heard.payload == last
    });
    let replies = heard.iter().filter(|heard| is_reply(heard));
    let replies: Vec<&str> = replies.map(|heard| heard.payload.as_str()).collect();
    let expected: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(replies, expected);
    board.finish();
}

/// The process is killed in the middle of a program: the next one runs it again, under the same identifier, or says
/// that it does not.
#[test]
fn a_program_that_a_crash_has_interrupted_runs_again_or_not() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    for (more, reply) in [
        (&[][..], "done"),
        (
            &["--at-most-once"],
            "error: it may have run when this device was interrupted, and is not run again",
        ),
    ] {
        let shelf = Shelf::new();
        let (runs, go) = (shelf.file("runs"), shelf.file("go"));
        let (runs, go) = (runs.display(), go.display());
        shelf.add(
            "SLOW",
            &format!("echo $DELIVERY_ID >> {runs}\necho begun >&2\nwhile [ -e $0 -a ! -e {go} ]; do sleep 0.05; done\necho done"),
        );
        let state = shelf.file("state");
        std::fs::create_dir(&state).unwrap();
        let more: Vec<&str> = ["--state-dir", state.to_str().unwrap()]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let mut board = Board::new(&shelf, &more);
        board.command("SLOW");
        board.command("SLOW second");
        board.device.wait_for_stderr("SLOW: begun");
        board.device.signal("KILL");
        std::fs::write(shelf.file("go"), "").unwrap();
        // Its state folder is free when it has gone.
        board = board.after_its_end(&shelf, &more).0;
        assert_eq!(board.reply("SLOW"), reply);
        assert_eq!(board.reply("SLOW"), "done");
        let runs = shelf.read("runs");
        let deliveries: Vec<&str> = runs.lines().collect();
        match more.len() {
            2 => {
                assert_eq!(deliveries.len(), 3, "{runs}");
                assert_eq!(deliveries[0], deliveries[1], "the same delivery");
            }
            _ => assert_eq!(deliveries.len(), 2, "{runs}"),
        }
        assert_ne!(
            deliveries[0],
            deliveries[deliveries.len() - 1],
            "another one"
        );
        board.finish();
    }
}

/// A stop waits for what runs, and leaves what has not begun to the next process.
#[test]
fn a_stop_waits_for_the_program_that_runs() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    let go = shelf.file("go");
    let script = format!(
        "echo begun $1 >&2\nwhile [ -e $0 -a ! -e {} ]; do sleep 0.02; done\necho $1",
        go.display()
    );
    shelf.add("SLOW", &script);
    let state = shelf.file("state");
    std::fs::create_dir(&state).unwrap();
    let more = ["--state-dir", state.to_str().unwrap(), "--at-most-once"];
    let board = Board::new(&shelf, &more);
    board.command("SLOW 1");
    board.command("SLOW 2");
    board.device.wait_for_stderr("begun 1");
    board.device.signal("TERM");
    board.device.wait_for_stderr("stopping");
    std::fs::write(go, "").unwrap();
    assert_eq!(board.reply("SLOW"), "1");
    let (board, ended) = board.after_its_end(&shelf, &more);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("begun 2"), "{ended:?}");
    assert_eq!(board.reply("SLOW"), "2");
    board.finish();
}

/// Without a connection nothing can be answered, but what has ended is written down: the next process answers, and runs
/// nothing again.
#[test]
fn a_stop_without_a_connection_waits_for_the_program_too() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let shelf = Shelf::new();
    let (runs, go) = (shelf.file("runs"), shelf.file("go"));
    let script = format!(
        "echo $DELIVERY_ID >> {}\necho begun >&2\nwhile [ -e $0 -a ! -e {} ]; do sleep 0.02; done\necho done",
        runs.display(),
        go.display()
    );
    shelf.add("SLOW", &script);
    let state = shelf.file("state");
    std::fs::create_dir(&state).unwrap();
    let more = ["--state-dir", state.to_str().unwrap(), "--at-most-once"];
    let broker = Mosquitto::open();
    let observer = Observer::start(peers::command(
        "observer.py",
        &broker.port(),
        ["login", "U1/#"],
    ));
    let proxy = Proxy::start(broker.port().parse().unwrap(), []);
    let start = |port: &str| {
        let programs = shelf.programs();
        let args = [
            "-h",
            "127.0.0.1",
            "-p",
            port,
            "-v",
            "-k",
            "1",
            "--reconnect-delay",
            "600",
            "device",
            "alice",
        ];
        let args = args
            .into_iter()
            .chain(["--commands", programs.to_str().unwrap()]);
        Process::start(mqtt_client(args.chain(more)))
    };
    let device = start(&proxy.port().to_string());
    observer.hear("the login", |heard| heard.topic == "login");
    observer.publish("alice/UUID", "U1", 1);
    device.wait_for_stderr("subscribed to U1");
    observer.publish("U1", "SLOW", 2);
    device.wait_for_stderr("SLOW: begun");
    // At its next ping; and it stays away.
    proxy.cut(Cut {
        way: Way::Up,
        after: 0,
        ending: Ending::Close,
    });
    device.wait_for_stderr("trying again");
    device.signal("TERM");
    device.wait_for_stderr("stopping");
    std::fs::write(&go, "").unwrap();
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let device = start(&broker.port());
    let reply = observer.hear("the reply", |heard| heard.topic == "U1/SLOW");
    assert_eq!(reply.payload, "done");
    assert_eq!(shelf.read("runs").lines().count(), 1);
    observer.publish("U1", "Well done my IoT!", 2);
    assert_eq!(device.end().code, Some(0));
}

/// One that does not end in time is ended, with a second signal, too.
#[test]
fn a_stop_leaves_no_program_behind() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    for signals in [1, 2] {
        let shelf = Shelf::new();
        let pids = shelf.file("pids");
        let script = format!(
            "sleep 60 & echo $! $$ > {}\necho begun >&2\nwait",
            pids.display()
        );
        shelf.add("SLEEP", &script);
        let board = Board::new(&shelf, &["--program-time", "60"]);
        board.command("SLEEP");
        board.device.wait_for_stderr("SLEEP: begun");
        for _ in 0..signals {
            board.device.signal("TERM");
        }
        let ended = board.device.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        await_gone(&shelf.read("pids"));
    }
}

#[test]
fn a_responder_has_the_actions_of_its_folder_beside_its_own() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let shelf = Shelf::new();
    shelf.add(
        "count",
        "printf '%s' \"$(wc -c)\"; echo \" $NETID $ACTION\"",
    );
    shelf.add("reverse", "echo mine");
    let broker = Mosquitto::open();
    let programs = shelf.programs();
    let args = ["-v", "responder", "--actions", programs.to_str().unwrap()];
    let responder = Process::start(broker.client(args));
    responder.wait_for_stderr("answers reverse, instead of the usual reply");
    responder.wait_for_stderr("subscribed to +/+/request");
    let long = "y".repeat(200_000);
    for (action, text, answer) in [
        ("count", "abcd", "4 net count\n".to_owned()),
        ("count", &long, "200000 net count\n".to_owned()),
        ("reverse", "abc", "mine\n".to_owned()),
        ("uppercase", "straße", "STRASSE\n".to_owned()),
    ] {
        let mut command = broker.client(["--any-action", "net", action, "-"]);
        if text.len() < 100 {
            command = broker.client(["--any-action", "net", action, text]);
        }
        let mut process = Process::start(command);
        if text.len() >= 100 {
            process.write(text.as_bytes());
        }
        process.close_stdin();
        let ended = process.end();
        assert_eq!(ended.stdout, answer, "{ended:?}");
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let nobody = broker.client(["--any-action", "-W", "2", "net", "louder", "abc"]);
    assert_eq!(harness::process::run(nobody).code, Some(75));
    responder.wait_for_stderr("no answer on net/louder/response: there is no such action");
    let refused = harness::process::run(broker.client(["net", "louder", "abc"]));
    assert_eq!(refused.code, Some(64), "{refused:?}");
}
