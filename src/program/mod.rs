//! Runs a command: builds the role, links it to the broker, and lets a signal end it.

pub mod output;
pub mod prompt;
pub mod state_file;
pub mod systemd;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use log::{info, warn};

use crate::cli::{self, Command, HELP, Text};
use crate::device_session::LAST_WORDS;
use crate::device_session::controller::Controller;
use crate::device_session::device::{Device, DeviceConfig, Progress};
use crate::device_session::report::Report;
use crate::link::{End, Lines, Options, Run, Session, Stop};
use crate::mqtt::Level;
use crate::program::prompt::ask_password;
use crate::program::state_file::StateFile;
use crate::program::systemd::Systemd;
use crate::role::{Failure, Kind};
use crate::text_request::MAX_TEXT;
use crate::text_request::requester::{RequestConfig, Requester};
use crate::text_request::responder::{Responder, ResponderConfig};

/// From a signal to the end, whatever the network does.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// The exit code of a request that Ctrl-C interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs `command` to its end; the exit code where it did not fail.
///
/// # Errors
/// Why it failed, and with it the exit code.
pub fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Help => output::print(HELP.trim_end().as_bytes()).map(|()| 0),
        Command::Version => {
            output::print(concat!("mqtt_client ", env!("CARGO_PKG_VERSION")).as_bytes()).map(|()| 0)
        }
        #[cfg(feature = "demo")]
        Command::Demo => until_signal(0, crate::demo::run),
        #[cfg(not(feature = "demo"))]
        Command::Demo => Err(Failure::new(
            Kind::Usage,
            "this build has no demo: build it with `cargo build --features demo`",
        )),
        Command::Request {
            mut options,
            net_id,
            action,
            message,
            qos,
            patience,
        } => {
            let text = match message {
                Text::Typed(text) => Some(text),
                Text::Stdin => Some(read_stdin()?),
                Text::Lines => None,
            };
            until_signal(INTERRUPTED, move |stop| {
                if !ask_password(&mut options, stop)? {
                    return Ok(End::Stopped);
                }
                let now = Instant::now();
                let config = RequestConfig {
                    net_id,
                    action,
                    qos,
                    timeout: patience,
                };
                let Some(text) = text else {
                    let role = Requester::of_lines(config, now);
                    return ask_for_lines(role, &options, stop);
                };
                let role = Requester::new(config, text, now);
                Run::new(&options, stop).carry(role, |answer| output::print(&answer))
            })
        }
        Command::Device {
            mut options,
            user_id,
            replies,
            qos,
            patience,
            state,
        } => {
            let unfinished = state.as_ref().and_then(|state| recall(state, &user_id));
            if let Session::Persistent { resume, .. } = &mut options.session {
                *resume = unfinished.is_some();
            }
            until_signal(0, move |stop| {
                if !ask_password(&mut options, stop)? {
                    return Ok(End::Stopped);
                }
                let now = Instant::now();
                let role = Device::new(
                    DeviceConfig {
                        user_id: user_id.clone(),
                        replies,
                        qos,
                        timeout: patience,
                        resume: unfinished,
                    },
                    now,
                );
                let mut systemd = Systemd::ready();
                let run = Run::new(&options, stop).watched_by(&mut systemd);
                let end = run.carry(role, |progress| match (progress, &state) {
                    (Progress::LoggedIn(unique_id), Some(state)) => {
                        remember(state, &user_id, &unique_id);
                        Ok(())
                    }
                    (Progress::LoggedIn(_), None) => Ok(()),
                    (Progress::Done, state) => {
                        if let Some(state) = state {
                            forget(state);
                        }
                        output::print(LAST_WORDS.as_bytes())
                    }
                });
                // A controller that has been silent for so long has given the session up, or has
                // died: going on with it would be silence again, start after start.
                let silent = matches!(&end, Err(failure) if failure.kind == Kind::NoAnswer);
                if let (true, Some(state)) = (silent, &state) {
                    forget(state);
                }
                end
            })
        }
        Command::Controller {
            mut options,
            plan,
            report,
        } => {
            let mut reports = Reports::open(report.as_deref())?;
            until_signal(0, move |stop| {
                if !ask_password(&mut options, stop)? {
                    return Ok(End::Stopped);
                }
                let mut failed = 0;
                let mut all = 0;
                let mut systemd = Systemd::ready();
                let role = Controller::new(plan);
                let run = Run::new(&options, stop).watched_by(&mut systemd);
                let end = run.carry(role, |report| {
                    all += 1;
                    failed += u64::from(report.verdict.is_err());
                    reports.write(&report);
                    Ok(())
                })?;
                match failed {
                    0 => Ok(end),
                    _ if end == End::Stopped => Ok(end),
                    _ => Err(Failure::new(
                        Kind::Protocol,
                        format!("{failed} of {all} sessions failed"),
                    )),
                }
            })
        }
        Command::Responder {
            mut options,
            qos,
            share,
        } => until_signal(0, move |stop| {
            if !ask_password(&mut options, stop)? {
                return Ok(End::Stopped);
            }
            let role = Responder::new(ResponderConfig {
                qos,
                share,
                seed: fastrand::u64(..),
            });
            let mut systemd = Systemd::ready();
            let run = Run::new(&options, stop).watched_by(&mut systemd);
            run.carry(role, |()| Ok(()))
        }),
    }
}

fn read_stdin() -> Result<String, Failure> {
    let wrong = |why: &str| Failure::new(Kind::Input, format!("MESSAGE on standard input {why}"));
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_TEXT as u64 + 2)
        .read_to_end(&mut text)
        .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    let text = String::from_utf8(text).map_err(|_| wrong("is not UTF-8"))?;
    cli::sized(text)
}

/// The session of an earlier run that did not come to its end.
fn recall(state: &StateFile, user_id: &Level) -> Option<Level> {
    state.load(user_id).unwrap_or_else(|why| {
        warn!(
            "logging in anew, for the state file {} is of no use: {why}",
            state.path().display()
        );
        None
    })
}

/// A device whose disk is full or read-only does its work all the same; it only cannot go on after a
/// power cut.
fn remember(state: &StateFile, user_id: &Level, unique_id: &Level) {
    if let Err(error) = state.save(user_id, unique_id) {
        let path = state.path();
        let path = path.display();
        warn!("cannot write the state file {path}: {error}; a restart will log in anew");
        // An older session's file would be worse than none.
        forget(state);
    }
}

fn forget(state: &StateFile) {
    if let Err(error) = state.remove() {
        let path = state.path();
        warn!("cannot remove the state file {}: {error}", path.display());
    }
}

/// Each line of standard input is a request. A failure says which of them was not answered.
fn ask_for_lines(role: Requester, options: &Options, stop: &Stop) -> Result<End, Failure> {
    let lines = Lines::read(std::io::stdin(), MAX_TEXT).map_err(|error| {
        let text = format!("cannot start a thread: {error}");
        Failure::new(Kind::Config, text)
    })?;
    let mut answered = 0;
    let mut reader_is_there = true;
    let run = Run::new(options, stop).on_lines(&lines);
    let end = run.carry(role, |answer| {
        answered += 1;
        reader_is_there = reader_is_there && output::print_to_reader(&answer)?;
        if !reader_is_there {
            stop.request();
        }
        Ok(())
    });
    let number = lines.taken();
    match end {
        Ok(End::Stopped) if !reader_is_there => Ok(End::Finished),
        Err(failure) if answered < number => Err(Failure::new(
            failure.kind,
            format!("line {number}: {}", failure.text),
        )),
        end => end,
    }
}

/// Where the controller's reports go.
enum Reports {
    Nowhere,
    Stdout,
    File(File),
}

impl Reports {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Self::File)
                .map_err(|error| {
                    let text = format!("report file {}: {error}", path.display());
                    Failure::new(Kind::Config, text)
                }),
        }
    }

    /// A report that cannot be written must not end the sessions of others.
    fn write(&mut self, report: &Report) {
        let line = report.to_json();
        let written = match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => output::print(line.as_bytes()).map_err(|failure| failure.text),
            Self::File(file) => writeln!(file, "{line}").map_err(|error| error.to_string()),
        };
        if let Err(error) = written {
            warn!(
                "the report on session {} is lost: {error}",
                report.unique_id
            );
        }
    }
}

enum Note {
    Signal,
    Done(Result<End, Failure>),
}

/// Runs `work` on a thread of its own, and asks it to stop at the first SIGINT, SIGTERM or SIGHUP. At
/// the second, or 3 s after the first, it is left to itself: the caller exits with `stopped`.
fn until_signal(
    stopped: u8,
    work: impl FnOnce(&Stop) -> Result<End, Failure> + Send + 'static,
) -> Result<u8, Failure> {
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
