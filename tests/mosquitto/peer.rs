//! The clients in `tests/peers`, ready to play their part, and asked what they saw.

use crate::json::Json;
use harness::mosquitto::Mosquitto;
use harness::peers;
use harness::process::Process;

/// A responder that the broker has subscribed.
pub fn responder(broker: &Mosquitto) -> Process {
    let responder = peers::start("responder.py", &broker.port(), []);
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
    let controller = peers::start("controller.py", &broker.port(), args);
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
