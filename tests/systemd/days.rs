//! Days on which nothing works: a device goes on, and says so in one clear line.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::notices::Notices;
use crate::notify::publish;
use harness::clock::Clock;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{FAKETIME, MOSQUITTO, MOSQUITTO_PUB, missing, not_run};
use harness::process::{Ended, Process, in_shell, mqtt_client, run, through};

fn warnings(said: &str) -> Vec<&str> {
    let warning = |line: &&str| line.starts_with("mqtt_client: warning: ");
    said.lines().filter(warning).collect()
}

/// A device that cannot get to a broker: it tries and tries, has warned once, and is there to be stopped.
fn assert_keeps_trying(host: &str, port: &str, named: &str) {
    let notices = Notices::new();
    let args = ["-v", "-h", host, "-p", port, "device", "alice"];
    let delay = ["--reconnect-delay", "0.05", "-W", "0"];
    let command = mqtt_client(args.into_iter().chain(delay));
    let device = Process::start(notices.of(command));
    notices.wait_for("READY=1");
    notices.wait_for(&format!("STATUS=connecting to {host}:{port}"));
    device.wait_for_stderr("attempt 5");
    device.signal("TERM");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warnings = warnings(&ended.stderr);
    assert_eq!(warnings.len(), 1, "{ended:?}");
    for part in [named, "trying again in", "attempt 1"] {
        assert!(warnings[0].contains(part), "{part}: {ended:?}");
    }
}

#[test]
fn no_broker_at_boot_is_waited_for() {
    assert_keeps_trying("127.0.0.1", "1", "127.0.0.1:1 refused the connection");
}

#[test]
fn no_name_server_at_boot_is_waited_for() {
    // RFC 6761: no name server knows a name in `invalid`.
    let named = "the name nosuch.invalid is not known";
    assert_keeps_trying("nosuch.invalid", "1883", named);
}

/// A whole session of a device, started by what `command` makes of its command line.
fn session(command: impl FnOnce(Command) -> Command, state: &Path) -> Ended {
    let broker = Mosquitto::open();
    let notices = Notices::new();
    let args = ["device", "alice", "--state-dir", state.to_str().unwrap()];
    let device = Process::start(notices.of(command(broker.client(args))));
    notices.wait_for("STATUS=waiting for a unique id");
    publish(&broker, "alice/UUID", "U1");
    notices.wait_for("STATUS=0 commands answered");
    publish(&broker, "U1", "CMD3");
    notices.wait_for("STATUS=1 command answered");
    publish(&broker, "U1", "Well done my IoT!");
    device.end()
}

/// It has done its work, and said once what it could not do.
fn assert_done_with_one_warning(ended: &Ended, why: &str) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "Well done my IoT!\n");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    let warnings = warnings(&ended.stderr);
    for part in ["cannot write the journal", "/journal", why] {
        assert!(warnings[0].contains(part), "{part}: {ended:?}");
    }
}

#[test]
fn a_state_folder_that_can_be_written_is_nothing_to_talk_about() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let folder = Folder::new();
    let ended = session(|command| command, folder.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_disk_without_room_for_the_state_does_not_end_the_session() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let folder = Folder::new();
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let ended = session(|command| in_shell(full, &command), folder.path());
    assert_done_with_one_warning(&ended, "File too large");
}

#[test]
fn a_state_folder_that_is_gone_does_not_end_the_session() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let folder = Folder::new();
    let ended = session(|command| command, &folder.path().join("gone"));
    assert_done_with_one_warning(&ended, "No such file");
}

/// The same command where `folder` is a file system of its own, which `prepare` brings into its state.
fn mounted(command: &Command, folder: &Path, prepare: &str) -> Command {
    let script = format!("mount -t tmpfs -o size=4k none \"$STATE\" && {prepare} && exec \"$@\"");
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]);
    shell.env("STATE", folder);
    through(shell, command)
}

/// Whether this user may not mount anything here, not even in a name space of the test's own. No package
/// helps, so that it is no failure with `CI=true`.
#[track_caller]
fn no_mounts() -> bool {
    let folder = Folder::new();
    let ended = run(mounted(&Command::new("true"), folder.path(), "true"));
    if ended.code != Some(0) {
        not_run(&format!("no mounts here: {}", ended.stderr));
    }
    ended.code != Some(0)
}

#[test]
fn a_full_file_system_does_not_end_the_session() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) || no_mounts() {
        return;
    }
    let folder = Folder::new();
    let state = folder.path();
    let fill = "head -c 4096 /dev/zero >\"$STATE/full\"";
    let ended = session(|command| mounted(&command, state, fill), state);
    assert_done_with_one_warning(&ended, "No space left");
}

#[test]
fn a_file_system_that_has_become_read_only_does_not_end_the_session() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) || no_mounts() {
        return;
    }
    let folder = Folder::new();
    let state = folder.path();
    let lock = "mount -o remount,ro \"$STATE\"";
    let ended = session(|command| mounted(&command, state, lock), state);
    assert_done_with_one_warning(&ended, "Read-only file system");
}

/// A Pi has no clock of its own: until it finds a time server, it may be 1970.
#[test]
fn a_clock_that_is_not_set_is_nothing_to_talk_about() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB, FAKETIME]) {
        return;
    }
    let clock = Clock::unset();
    let folder = Folder::new();
    let ended = session(|command| clock.over(command), folder.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        (&*ended.stdout, &*ended.stderr),
        ("Well done my IoT!\n", "")
    );
}

/// The time server is found in the middle of a session: half a century passes at once, and nothing that
/// the program waits for takes longer or shorter for it.
#[test]
fn a_clock_that_is_set_in_the_middle_of_a_session_changes_nothing() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB, FAKETIME]) {
        return;
    }
    let clock = Clock::unset();
    let broker = Mosquitto::open();
    let notices = Notices::new();
    let args = ["-v", "-W", "30", "device", "alice"];
    let device = Process::start(notices.of(clock.over(broker.client(args))));
    notices.wait_for("STATUS=waiting for a unique id");
    clock.set("+0");
    publish(&broker, "alice/UUID", "U1");
    notices.wait_for("STATUS=0 commands answered");
    clock.set("@1970-01-01 00:00:30");
    publish(&broker, "U1", "CMD3");
    notices.wait_for("STATUS=1 command answered");
    publish(&broker, "U1", "Well done my IoT!");
    let ended = device.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(warnings(&ended.stderr), [""; 0], "{ended:?}");
}
