//! From a signal to the end of the process: work that SIGINT, SIGTERM and SIGHUP stop.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::info;

use super::systemd::Systemd;
use crate::link::{CLOSING_LIMIT, End, Stop};
use crate::role::{Failure, Kind};

/// The longest time from a signal to the end, whatever the network does. The link's own end is bounded by
/// less (`LIMIT` in link/close.rs), so that this limit ends the process only where a call does not return.
const STOP_LIMIT: Duration = Duration::from_secs(3);

// The link closes its connection within that.
const _: () = assert!(CLOSING_LIMIT.as_millis() < STOP_LIMIT.as_millis());

enum Note {
    Signal,
    Done(Result<End, Failure>),
}

/// Runs `work` on a thread of its own, and asks it to stop at the first SIGINT, SIGTERM or SIGHUP. At the
/// second, or 3 s after the first, this returns without waiting for it any longer: the caller exits with
/// `stopped`.
///
/// # Errors
/// Those of `work`, and where there can be no thread.
pub fn until_signal(
    stopped: u8,
    work: impl FnOnce(&Stop) -> Result<End, Failure> + Send + 'static,
) -> Result<u8, Failure> {
    supervise(stopped, Box::new(work))
}

type Work = Box<dyn FnOnce(&Stop) -> Result<End, Failure> + Send>;

/// The same for every command: with the type of each command's work it would be compiled once for each.
fn supervise(stopped: u8, work: Work) -> Result<u8, Failure> {
    let (sender, notes) = mpsc::channel();
    let on_signal = sender.clone();
    let cannot = |what: &str, error: &dyn std::fmt::Display| {
        Failure::new(Kind::Config, format!("cannot {what}: {error}"))
    };
    ctrlc::set_handler(move || {
        let _ = on_signal.send(Note::Signal);
    })
    .map_err(|error| cannot("listen for signals", &error))?;
    let stop = Stop::new();
    let heard = stop.clone();
    std::thread::Builder::new()
        .name("mqtt_client".to_owned())
        .spawn(move || {
            let _ = sender.send(Note::Done(work(&heard)));
        })
        .map_err(|error| cannot("start a thread", &error))?;
    let mut deadline: Option<Instant> = None;
    loop {
        let note = match deadline {
            None => notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => notes.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match note {
            Ok(Note::Done(Ok(End::Finished))) => return Ok(0),
            Ok(Note::Done(Ok(End::Stopped))) => return Ok(stopped),
            Ok(Note::Done(Err(failure))) => return Err(failure),
            Ok(Note::Signal) if deadline.is_none() => {
                info!("stopping");
                Systemd::stopping();
                deadline = Some(Instant::now() + STOP_LIMIT);
                stop.request();
                if stop.nothing_to_close() {
                    return Ok(stopped);
                }
            }
            Ok(Note::Signal) | Err(RecvTimeoutError::Timeout) => return Ok(stopped),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(cannot("go on", &"the link's thread ended"));
            }
        }
    }
}
