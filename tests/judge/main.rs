//! `mqtt_client judge` on clients of several kinds: no right one is accused, and of a wrong one every mistake is told.
//!
//! - `right`, `wrong`: clients by other hands, in `tests/peers/clients`, and our own
//! - `edges`: what cannot be run, does not end, or prints without end; Ctrl-C; port 1883
//!
//! Each judge has a network of its own (`unshare`), so that port 1883 is free and no test is in the way of another.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod edges;
mod right;
mod wrong;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use harness::needed::{PAHO, not_run};
use harness::process::{Ended, mqtt_client, program, run, through};

/// The same command in a network of its own, where only the loopback interface is.
fn alone(command: &Command) -> Command {
    let script = "ip link set lo up && exec \"$@\"";
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--net", "sh", "-c", script, "sh"]);
    through(shell, command)
}

/// Whether there can be no network of a test's own. With `CI=true` that is a failure.
#[track_caller]
fn no_networks() -> bool {
    let ended = run(alone(&Command::new("true")));
    if ended.code != Some(0) {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "no network of its own here: {ended:?}");
        not_run(&format!("no network of its own here: {}", ended.stderr));
    }
    ended.code != Some(0)
}

/// A client of `tests/peers/clients`, as its words on a command line.
fn peer(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/clients");
    let file = folder.join(name).to_str().unwrap().to_owned();
    match name.ends_with(".py") {
        // -B: leaves no __pycache__ in the source tree.
        true => [PAHO.path().to_str().unwrap(), "-B", &file]
            .map(str::to_owned)
            .into(),
        false => vec![file],
    }
}

/// Our own.
fn ourselves() -> Vec<String> {
    vec![program().to_str().unwrap().to_owned()]
}

/// The command that judges this client.
fn judge(options: &[&str], client: &[String]) -> Command {
    let client = client.iter().map(|word| &**word);
    mqtt_client(options.iter().copied().chain(["judge"]).chain(client))
}

/// What came of one check.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    state: String,
    text: String,
}

/// The table, by the name of each check.
fn table(ended: &Ended) -> BTreeMap<String, Line> {
    let line = |line: &str| {
        // Two columns of fixed width.
        let (state, rest) = line.split_at(11);
        let (name, text) = rest.split_at(rest.len().min(17));
        let line = Line {
            state: state.trim().to_owned(),
            text: text.to_owned(),
        };
        (name.trim().to_owned(), line)
    };
    let table: BTreeMap<String, Line> = ended.stdout.lines().map(line).collect();
    assert_eq!(table.len(), 31, "{ended:?}");
    table
}

/// The names of the checks in this state.
fn named(table: &BTreeMap<String, Line>, state: &str) -> Vec<String> {
    let lines = table.iter().filter(|(_, line)| line.state == state);
    lines.map(|(name, _)| name.clone()).collect()
}

/// Every check holds, and the judge says no more than that.
#[track_caller]
fn assert_right(ended: &Ended) {
    let table = table(ended);
    assert_eq!(named(&table, "ok").len(), table.len(), "{}", ended.stdout);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
}
