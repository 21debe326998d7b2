//! Runs what was asked for: reads the files that the command line names, builds the role, and lets the link
//! carry it until it ends or a signal comes. A file for each command.

mod announced;
mod byte_order_mark;
mod classroom;
mod connection;
mod controller;
mod device;
mod doctor;
mod farewell;
mod fleet;
mod judge;
mod machine;
pub mod old_session;
pub mod output;
mod page_file;
mod password;
mod programs;
mod prompt;
mod replies;
mod reports;
mod request;
mod responder;
mod screen;
mod share;
pub mod systemd;
mod text_file;

#[cfg(test)]
pub(crate) use share::Probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use log::warn;

use crate::cli::{self, HELP, Invocation, StateConfig, UnknownVariable, Verbosity};
use crate::link::{End, StateDir, Stop};
use crate::role::Failure;
use crate::signals;
use systemd::Systemd;

/// The exit code of a run that did what it was asked for, and of a service that a signal ended.
const DONE: u8 = 0;

/// The exit code of a request that Ctrl-C interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Says what there is to say beside `failure` where the command line was not understood: a variable with a slip in its
/// name may be why something is missing.
pub fn misunderstood(failure: &Failure) {
    output::start_log(Verbosity::Normal);
    for variable in unknown_variables() {
        warn!("{variable}");
    }
    Systemd::failed(failure);
}

fn unknown_variables() -> Vec<UnknownVariable> {
    cli::unknown_variables(std::env::vars_os().map(|(name, _)| name).collect())
}

/// Runs `invocation` to its end; the exit code where it did not fail.
///
/// # Errors
/// Why it failed, and with it the exit code.
pub fn run(invocation: Invocation) -> Result<u8, Failure> {
    use Invocation::{Controller, Device, Help, Responder, Version};
    if !matches!(invocation, Help | Version) {
        for variable in unknown_variables() {
            warn!("{variable}");
        }
    }
    let is_service = matches!(
        invocation,
        Device { .. } | Controller { .. } | Responder { .. }
    );
    let outcome = carry_out(invocation);
    match &outcome {
        Err(failure) if is_service => Systemd::failed(failure),
        _ => {}
    }
    outcome
}

fn carry_out(invocation: Invocation) -> Result<u8, Failure> {
    match invocation {
        Invocation::Help => output::print(HELP.trim_end().as_bytes()).map(|()| DONE),
        Invocation::Version => {
            let version = concat!("mqtt_client ", env!("CARGO_PKG_VERSION"));
            output::print(version.as_bytes()).map(|()| DONE)
        }
        Invocation::Demo => demo(),
        Invocation::Request {
            connection,
            config,
            message,
        } => request::run(connection, config, message),
        Invocation::Device {
            connection,
            config,
            programs,
            replies,
            again,
            state,
        } => device::run(connection, config, programs, replies, again, state),
        Invocation::Controller {
            connection,
            plan,
            replies,
            roster,
            page,
            report,
            state,
        } => {
            let files = controller::Files {
                replies,
                roster,
                page,
                report,
            };
            controller::run(connection, plan, files, state)
        }
        Invocation::Responder {
            connection,
            config,
            programs,
            state,
        } => responder::run(connection, config, programs, state),
        Invocation::Fleet {
            connection,
            config,
            json,
        } => fleet::run(connection, config, json),
        Invocation::Judge(config) => judge::run(config),
        Invocation::Doctor { patient, json } => doctor::run(patient, json),
    }
}

/// Runs `work` until it ends, or a signal asks for that: then the exit code is `stopped`.
///
/// # Errors
/// Those of `work`, and where there can be no thread.
fn until_signal(
    stopped: u8,
    work: impl FnOnce(&Stop) -> Result<End, Failure> + Send + 'static,
) -> Result<u8, Failure> {
    Ok(match signals::until_signal(Systemd::stopping, work)? {
        End::Finished => DONE,
        End::Stopped => stopped,
    })
}

/// Runs `work`, which finds an exit code; where a signal interrupts it, that is [`INTERRUPTED`].
///
/// # Errors
/// Those of `work`, and where there can be no thread.
fn until_found(
    work: impl FnOnce(&Stop, &AtomicU8) -> Result<End, Failure> + Send + 'static,
) -> Result<u8, Failure> {
    let code = Arc::new(AtomicU8::new(DONE));
    let found = Arc::clone(&code);
    let end = signals::until_signal(Systemd::stopping, move |stop| work(stop, &found))?;
    Ok(match end {
        End::Finished => code.load(Ordering::Relaxed),
        End::Stopped => INTERRUPTED,
    })
}

/// The folder of `--state-dir`, kept to this process.
fn locked(state: Option<StateConfig>) -> Result<Option<StateDir>, Failure> {
    let lock = |StateConfig { folder, sync }| StateDir::lock(folder, sync);
    state.map(lock).transpose()
}

#[cfg(feature = "demo")]
fn demo() -> Result<u8, Failure> {
    until_signal(DONE, |stop| crate::demo::run(stop, output::print))
}

#[cfg(not(feature = "demo"))]
fn demo() -> Result<u8, Failure> {
    let text = "this build has no demo: build it with `cargo build --features demo`";
    Err(Failure::new(crate::role::Kind::Usage, text))
}
