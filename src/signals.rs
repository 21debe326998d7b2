//! From a signal to the end of the process: work that SIGINT, SIGTERM and SIGHUP stop (signal(7)).
//!
//! ```no_run
//! use mqtt_client::link::End;
//! use mqtt_client::signals;
//!
//! let end = signals::until_signal(|| println!("stopping"), |stop| {
//!     // A `link::Run` with this `stop` belongs here.
//!     let _ = stop.wait_until(None);
//!     Ok(End::Stopped)
//! });
//! # let _ = end;
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::info;
use nix::sys::signal::{SigSet, Signal};

use crate::link::thread;
use crate::link::{CLOSING_LIMIT, End, Stop};
use crate::role::{Failure, Kind};

/// The longest time from a signal to the end, whatever the network does. The link's own end is bounded by
/// less ([`CLOSING_LIMIT`]), so that this limit ends the process only where a call does not return.
const STOP_LIMIT: Duration = Duration::from_secs(3);

// The link closes its connection within that.
const _: () = assert!(CLOSING_LIMIT.as_millis() < STOP_LIMIT.as_millis());

/// The signals that ask for the end.
const STOPS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// What the kernel tells of this process: among it the signals that it ignores (proc_pid_status(5)).
const STATUS: &str = "/proc/self/status";

enum Note {
    Signal,
    Done(std::thread::Result<Result<End, Failure>>),
}

/// Runs `work` on a thread of its own, and asks it to stop at the first SIGINT, SIGTERM or SIGHUP; `on_signal` is called
/// before that. At the second signal, or 3 s after the first, this returns [`End::Stopped`] without waiting for `work`
/// any longer: the caller then ends the process. A signal that was ignored when the process started stays ignored, as
/// nohup(1) wants it.
///
/// It is called once in a process, before there is another thread: threads that are there already would take the
/// signals, and end the process.
///
/// # Errors
/// Those of `work`, and where there can be no thread.
///
/// # Panics
/// Where `work` does.
pub fn until_signal(
    on_signal: impl FnOnce(),
    work: impl FnOnce(&Stop) -> Result<End, Failure> + Send + 'static,
) -> Result<End, Failure> {
    let mut on_signal = Some(on_signal);
    let mut once = || {
        if let Some(on_signal) = on_signal.take() {
            on_signal();
        }
    };
    supervise(&mut once, Box::new(work))
}

type Work = Box<dyn FnOnce(&Stop) -> Result<End, Failure> + Send>;

/// The same for every command: with the type of each command's work it would be compiled once for each.
fn supervise(on_signal: &mut dyn FnMut(), work: Work) -> Result<End, Failure> {
    let (sender, notes) = mpsc::channel();
    let cannot = |what: &str, error: &dyn std::fmt::Display| {
        Failure::new(Kind::Config, format!("cannot {what}: {error}"))
    };
    // Blocked before there is a second thread: each inherits the mask, and so the signals wait for the one thread
    // that takes them (signal(7)).
    let stops = asked_for(&std::fs::read_to_string(STATUS).unwrap_or_default());
    stops
        .thread_block()
        .map_err(|error| cannot("listen for signals", &error))?;
    let heard_signal = sender.clone();
    let hear = move || while stops.wait().is_ok() && heard_signal.send(Note::Signal).is_ok() {};
    thread::spawn("signals", Box::new(hear)).map_err(|error| cannot("start a thread", &error))?;
    let stop = Stop::new();
    let heard = stop.clone();
    let run = move || {
        // Caught, or nobody would hear of it: the process would go on without its work.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&heard)));
        let _ = sender.send(Note::Done(outcome));
    };
    thread::spawn("mqtt_client", Box::new(run))
        .map_err(|error| cannot("start a thread", &error))?;
    let mut deadline: Option<Instant> = None;
    loop {
        let note = match deadline {
            None => notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => notes.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match note {
            Ok(Note::Done(Ok(end))) => return end,
            Ok(Note::Done(Err(panic))) => resume_unwind(panic),
            Ok(Note::Signal) if deadline.is_none() => {
                info!("stopping");
                on_signal();
                deadline = Some(Instant::now() + STOP_LIMIT);
                stop.request();
                if stop.nothing_to_close() {
                    return Ok(End::Stopped);
                }
            }
            Ok(Note::Signal) | Err(RecvTimeoutError::Timeout) => return Ok(End::Stopped),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(cannot("go on", &"the link's thread ended"));
            }
        }
    }
}

/// Whether this process was started to ignore a signal. Where the kernel tells nothing, it was not.
#[must_use]
#[doc(hidden)]
pub fn is_ignored(signal: Signal) -> bool {
    ignored(&std::fs::read_to_string(STATUS).unwrap_or_default()) >> (signal as i32 - 1) & 1 == 1
}

fn ignored(status: &str) -> u128 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0)
}

/// The signals to take as a wish for the end, by what the kernel tells of this process: not those that it was
/// started to ignore, as nohup(1), `trap '' HUP` and the background of a script do. Where the kernel tells nothing,
/// all of them.
fn asked_for(status: &str) -> SigSet {
    let ignored = ignored(status);
    let is_ignored = |signal: &Signal| ignored >> (*signal as i32 - 1) & 1 == 1;
    STOPS
        .into_iter()
        .filter(|signal| !is_ignored(signal))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_work_is_one_of_the_caller() {
        let caught = std::panic::catch_unwind(|| until_signal(|| (), |_| panic!("a role's fault")));
        let panic = caught.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"a role's fault"));
    }

    #[test]
    fn what_was_ignored_at_the_start_stays_ignored() {
        use Signal::{SIGHUP, SIGINT, SIGTERM};
        for (status, expected) in [
            ("", &[SIGINT, SIGTERM, SIGHUP][..]),
            ("SigIgn:\t0000000000000000\n", &[SIGINT, SIGTERM, SIGHUP]),
            (
                "SigBlk:\t0000000000000001\nSigIgn:\t0000000000000001\nSigCgt:\t0\n",
                &[SIGINT, SIGTERM],
            ),
            ("SigIgn:\t0000000000001002\n", &[SIGTERM, SIGHUP]),
            ("SigIgn:\t0000000000004003\n", &[]),
            // Mips has 128 signals.
            (
                "SigIgn:\t00000000000000000000000000000001\n",
                &[SIGINT, SIGTERM],
            ),
            ("SigIgn:\tnonsense\n", &[SIGINT, SIGTERM, SIGHUP]),
        ] {
            let found = asked_for(status);
            let found: Vec<Signal> = STOPS.into_iter().filter(|s| found.contains(*s)).collect();
            assert_eq!(found, expected, "{status}");
        }
    }
}
