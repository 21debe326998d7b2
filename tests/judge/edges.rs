//! What cannot be run, does not end, or prints without end; Ctrl-C; port 1883.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::folder::Folder;
use harness::needed::{PAHO, PYTHON, missing};
use harness::outcome::assert_fails;
use harness::process::{GUARD, Process, in_shell, run};

use crate::{alone, assert_right, judge, named, no_networks, ourselves, peer, table};

/// An executable file with this text.
fn script(folder: &Folder, name: &str, text: &str) -> Vec<String> {
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    vec![file.to_str().unwrap().to_owned()]
}

#[test]
fn a_client_that_cannot_be_run_is_a_wrong_command_line() {
    let folder = Folder::new();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    for (client, words) in [
        (
            vec!["no-such-client".to_owned()],
            ["no-such-client", "No such file"],
        ),
        (
            vec![plain.to_str().unwrap().to_owned()],
            ["plain", "chmod +x"],
        ),
        (
            script(&folder, "odd", "#!/no/such\n"),
            ["odd", "interpreter"],
        ),
        (script(&folder, "bare", "true\n"), ["bare", "#!"]),
    ] {
        let ended = run(judge(&[], &client));
        assert_fails(&ended, 64, &words);
    }
    assert_fails(&run(judge(&[], &[])), 64, &["judge takes CLIENT"]);
}

/// SIGTERM does not end it, and what it has started would outlive it.
#[test]
fn a_client_that_hangs_is_killed_with_all_that_it_has_started() {
    if no_networks() {
        return;
    }
    let folder = Folder::new();
    let pids = folder.path().join("pids");
    let text = format!(
        "#!/bin/sh\ntrap '' TERM\nsleep 3600 &\necho $! >>{0}\nsleep 3600 &\necho $! >>{0}\nwait\n",
        pids.display()
    );
    let client = script(&folder, "hangs", &text);
    let ended = run(alone(&judge(&["-W", "0.5"], &client)));
    assert_eq!(ended.code, Some(76), "{ended:?}");
    let table = table(&ended);
    assert!(table["ends"].text.contains("within 0.5 s"), "{table:?}");
    assert_all_gone(&fs::read_to_string(pids).unwrap());
}

/// None of these processes runs any more, or will soon; one that has ended and is not waited for is gone, too.
fn assert_all_gone(pids: &str) {
    assert!(!pids.is_empty());
    let guard = Instant::now() + GUARD;
    for pid in pids.lines() {
        loop {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next();
            let state = state.and_then(|rest| rest.chars().next());
            if matches!(state, None | Some('Z' | 'X')) {
                break;
            }
            assert!(Instant::now() < guard, "{stat}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn ctrl_c_ends_the_judge_and_the_client() {
    let folder = Folder::new();
    let pid = folder.path().join("pid");
    let made = Command::new("mkfifo").arg(&pid).status().unwrap();
    assert!(made.success());
    let text = format!(
        "#!/bin/sh\ntrap '' INT TERM\necho $$ >{}\nexec sleep 3600\n",
        pid.display()
    );
    let client = script(&folder, "hangs", &text);
    let judging = Process::start(judge(&[], &client));
    // Returns when the client has written its number.
    let pid = fs::read_to_string(pid).unwrap();
    judging.signal("INT");
    let ended = judging.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_all_gone(&pid);
}

#[test]
fn a_client_that_prints_without_end_is_cut_off() {
    if no_networks() {
        return;
    }
    for output in ["", " >&2"] {
        let folder = Folder::new();
        let client = script(&folder, "floods", &format!("#!/bin/sh\nexec yes{output}\n"));
        let ended = run(alone(&judge(&[], &client)));
        assert_eq!(ended.code, Some(76), "{ended:?}");
        assert!(ended.stdout.len() < 20_000, "{}", ended.stdout.len());
        let table = table(&ended);
        assert!(
            table["ends"].text.contains("printed on and on"),
            "{table:?}"
        );
    }
}

#[test]
fn a_client_that_prints_what_is_no_text_is_shown_harmlessly() {
    if no_networks() {
        return;
    }
    let folder = Folder::new();
    let text = "#!/bin/sh\nprintf '\\377\\033[2J\\n'; printf '\\377\\233' >&2; exit 1\n";
    let client = script(&folder, "odd", text);
    let ended = run(alone(&judge(&[], &client)));
    assert_eq!(ended.code, Some(76), "{ended:?}");
    let is_harmful = |c: char| c.is_control() && c != '\n';
    assert!(!ended.stdout.contains(is_harmful), "{:?}", ended.stdout);
    assert!(table(&ended)["no arguments"].text.contains("\\u{1b}[2J"));
}

#[test]
fn port_1883_in_use_leaves_one_check_untried() {
    if missing(&[PYTHON]) || no_networks() {
        return;
    }
    let script = "python3 -c '
import socket, subprocess, sys
server = socket.create_server((\"127.0.0.1\", 1883))
sys.exit(subprocess.run(sys.argv[1:]).returncode)' \"$@\"";
    let ended = run(alone(&in_shell(script, &judge(&[], &ourselves()))));
    let table = table(&ended);
    assert_eq!(named(&table, "not tried"), ["defaults"]);
    assert_eq!(named(&table, "WRONG"), [""; 0], "{}", ended.stdout);
    let text = &table["defaults"].text;
    assert!(text.contains("port 1883 on localhost is in use"), "{text}");
    assert!(text.contains("systemctl stop mosquitto"), "{text}");
    assert_eq!(ended.code, Some(75), "{ended:?}");
}

/// Where other tests have port 1883 or not: everything but that check.
#[test]
fn the_judge_needs_no_network_of_its_own() {
    let ended = run(judge(&[], &ourselves()));
    let table = table(&ended);
    match named(&table, "not tried").is_empty() {
        true => assert_right(&ended),
        false => {
            assert_eq!(named(&table, "not tried"), ["defaults"], "{ended:?}");
            assert_eq!(named(&table, "WRONG"), [""; 0], "{ended:?}");
        }
    }
}

#[test]
fn json_has_an_object_a_check() {
    let ended = run(judge(&["--json"], &["true".to_owned()]));
    assert_eq!(ended.stdout.lines().count(), 31, "{ended:?}");
    let first = ended.stdout.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"check":"no arguments","state":"WRONG","text":["exit code 0; expected another than 0","nothing on standard error; expected what is wrong"]}"#
    );
}

/// A board's services look for their broker where the judge listens.
#[test]
fn others_that_connect_to_port_1883_are_not_taken_for_the_client() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    let script = "python3 -c '
import socket, time
while True:
    try:
        other = socket.create_connection((\"127.0.0.1\", 1883))
        other.sendall(bytes.fromhex(\"101000044d51545405020000000003616263\"))
        other.settimeout(1)
        other.recv(4)
    except OSError:
        pass
    time.sleep(0.002)' & other=$!
\"$@\"
code=$?
kill $other
exit $code";
    let ended = run(alone(&in_shell(script, &judge(&[], &peer("blocking.py")))));
    assert_right(&ended);
}
