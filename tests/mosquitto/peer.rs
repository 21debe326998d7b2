//! The clients in `tests/peers`, in Python with paho: started, and asked what they saw.

use std::path::Path;
use std::process::Command;

use crate::json::Json;
use harness::mosquitto::Mosquitto;
use harness::needed::PAHO;
use harness::process::Process;

/// Starts a script of that folder against `broker`.
pub fn start<'a>(
    script: &str,
    broker: &Mosquitto,
    args: impl IntoIterator<Item = &'a str>,
) -> Process {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let mut command = Command::new(PAHO.path());
    // -B: leaves no __pycache__ in the source tree.
    command.arg("-B").arg(folder.join(script));
    command.args(["127.0.0.1", &broker.port()]).args(args);
    Process::start(command)
}

/// A responder that the broker has subscribed.
pub fn responder(broker: &Mosquitto) -> Process {
    let responder = start("responder.py", broker, []);
    responder.wait_for_stdout("ready");
    responder
}

/// A controller that hears logins, and will send `commands` 3 s after the UNIQUE ID.
pub fn controller<'a>(
    broker: &Mosquitto,
    qos: &'a str,
    commands: impl IntoIterator<Item = &'a str>,
) -> Process {
    let args = [qos, "3"].into_iter().chain(commands);
    let controller = start("controller.py", broker, args);
    controller.wait_for_stdout("ready");
    controller
}

/// Ends a peer's standard input, and reads what it reports.
pub fn report(mut peer: Process) -> Json {
    peer.close_stdin();
    let ended = peer.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Json::read(ended.stdout.lines().last().unwrap_or_default())
}
