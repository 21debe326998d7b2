//! The clients in `tests/peers`, in Python with paho.

use std::path::Path;
use std::process::Command;

use crate::needed::PAHO;
use crate::process::Process;

/// Starts a script of that folder against the broker on this port of 127.0.0.1.
pub fn start<'a>(script: &str, port: &str, args: impl IntoIterator<Item = &'a str>) -> Process {
    Process::start(command(script, port, args))
}

/// The command that starts it. `MQTT_LOGIN` in its environment is user and password, with a colon between.
pub fn command<'a>(script: &str, port: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers");
    let mut command = Command::new(PAHO.path());
    // -B: leaves no __pycache__ in the source tree.
    command.arg("-B").arg(folder.join(script));
    command.args(["127.0.0.1", port]).args(args);
    command
}
