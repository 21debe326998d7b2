//! The command `judge`: starts a client of the text request again and again, against a broker and a responder of this
//! process, and says in a table what holds and what does not.

mod doors;
mod one_run;
mod table;
mod whose;

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Duration;

use log::{info, warn};

use super::until_found;
use crate::Seconds;
use crate::cli::JudgeConfig;
use crate::link::{End, Stop};
use crate::role::{Failure, Kind};
use crate::text_request::judge::{Check, End as Ended, Purpose, RUNS, State, Verdicts};
use doors::DefaultPort;
use one_run::Client;

/// What is said where another process has the port of the defaults.
const IN_USE: &str = "port 1883 on localhost is in use; stop the broker there (sudo systemctl stop mosquitto) and judge again";

/// Judges. The exit code is 0 where every check holds.
///
/// # Errors
/// There is no such client, no port for it, or standard output cannot be written.
pub fn run(config: JudgeConfig) -> Result<u8, Failure> {
    until_found(move |stop, code| {
        // A signal ends the process, and with it the client.
        stop.set_nothing_to_close(true);
        let Some(verdicts) = judge(config.client, config.time, stop)? else {
            return Ok(End::Stopped);
        };
        code.store(code_of(&verdicts), Ordering::Relaxed);
        table::print(&verdicts, config.json)?;
        Ok(End::Finished)
    })
}

/// What came of all runs; `None` where a stop was requested.
fn judge(words: Vec<OsString>, time: Duration, stop: &Stop) -> Result<Option<Verdicts>, Failure> {
    let default_port = DefaultPort::open();
    let mut verdicts = Verdicts::default();
    if default_port.is_none() {
        verdicts.not_tried(Check::Defaults, IN_USE);
    }
    let client = Client { words, time };
    let (mut is_connected, mut without_connection, mut late) = (false, 0, None);
    for run in RUNS {
        let is_request = !matches!(
            run.purpose,
            Purpose::NoArguments | Purpose::Help | Purpose::UnknownAction
        );
        // Each of them could last as long as it may.
        let is_hopeless =
            !is_connected && without_connection >= TRIES && run.purpose != Purpose::Defaults;
        if (run.purpose == Purpose::Defaults && default_port.is_none())
            || (is_request && is_hopeless)
        {
            continue;
        }
        let Some(record) = client.start(run, default_port.as_ref(), stop)? else {
            return Ok(None);
        };
        let arguments = run.arguments("HOST", 0).join(" ");
        let (words, connections) = (record.words(), record.connections.len());
        info!("CLIENT {arguments}: {words}, {connections} connections");
        if let Ended::Late(time) = record.end {
            late.get_or_insert(time);
        }
        verdicts.examine(&record);
        is_connected |= !record.connections.is_empty();
        without_connection += u32::from(is_request);
        if verdicts.speaks_another_version() {
            verdicts.none_tried("see MQTT 3.1.1");
            break;
        }
    }
    if !is_connected {
        verdicts.none_tried("it did not connect in the runs before");
    }
    if let Some(time) = late {
        let seconds = Seconds(time);
        warn!(
            "a run did not end within {seconds} s: where this machine is busy, or the client slow, -W SECONDS gives each run more"
        );
    }
    verdicts.conclude();
    Ok(Some(verdicts))
}

/// So many requests without a connection are enough.
const TRIES: u32 = 2;

fn code_of(verdicts: &Verdicts) -> u8 {
    let is_any = |state| {
        let mut checks = Check::ALL.into_iter();
        checks.any(|check| verdicts.of(check).state() == state)
    };
    if is_any(State::Wrong) {
        Kind::Protocol.exit_code()
    } else if is_any(State::NotTried) {
        Kind::Busy.exit_code()
    } else {
        0
    }
}
