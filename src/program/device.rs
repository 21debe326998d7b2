//! The command `device`: a device that goes on with its session after a crash or a power cut.

use std::path::PathBuf;
use std::time::Instant;

use log::warn;

use super::connection::Connection;
use super::state_file::{Lock, StateFile, Taken};
use super::systemd::Systemd;
use super::{DONE, output, replies, signals};
use crate::cli::ConnectionConfig;
use crate::device_session::LAST_WORDS;
use crate::device_session::device::{Device, DeviceConfig, Progress};
use crate::link::{End, Run, Session};
use crate::mqtt::Level;
use crate::role::{Failure, Kind};

/// Runs it.
///
/// # Errors
/// Why the session did not come to its end.
pub fn run(
    connection: ConnectionConfig,
    config: DeviceConfig,
    replies: Option<PathBuf>,
    state_dir: Option<PathBuf>,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let replies = replies::load(replies.as_deref(), config.replies)?;
    let state = state_dir.map(StateFile::in_folder);
    let lock = state.as_ref().map(lock).transpose()?;
    let user_id = config.user_id.clone();
    let config = DeviceConfig {
        replies,
        resume: state.as_ref().and_then(|state| recall(state, &user_id)),
        ..config
    };
    let session = Session::Persistent {
        resume: config.resume.is_some(),
        keep: state.is_some(),
    };
    signals::until_signal(DONE, move |stop| {
        let _kept_until_the_end = lock;
        let Some(options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        let role = Device::new(config, Instant::now());
        let mut systemd = Systemd::ready();
        let run = Run::new(&options, stop).watched_by(&mut systemd);
        let end = run.carry(role, |progress| match (progress, &state) {
            (Progress::LoggedIn(unique_id), Some(state)) => {
                remember(state, &user_id, &unique_id);
                Ok(())
            }
            (Progress::LoggedIn(_), None) => Ok(()),
            (Progress::Done, state) => {
                // In this order: a crash in between says the last words twice, rather than never.
                let printed = output::print(LAST_WORDS.as_bytes());
                if let Some(state) = state {
                    forget(state);
                }
                printed
            }
        });
        // A controller that has been silent for the whole timeout has given the session up, or has died.
        // Going on with it would be silence again, start after start.
        let silent = matches!(&end, Err(failure) if failure.kind == Kind::NoAnswer);
        if let (true, Some(state)) = (silent, &state) {
            forget(state);
        }
        end
    })
}

/// Keeps the folder to this run. A second device in it would be a second client with the same id, too, and they
/// would throw each other out.
fn lock(state: &StateFile) -> Result<Option<Lock>, Failure> {
    state.lock().map_err(|Taken| {
        let folder = state.path();
        let folder = folder.parent().unwrap_or(&folder).display();
        let text = format!(
            "another device is running with the state folder {folder}: stop it first (`systemctl stop mqtt_client`), or give --state-dir another"
        );
        Failure::new(Kind::Busy, text)
    })
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

/// Writes the session down. A device whose disk is full or read-only does its work all the same; it only
/// cannot go on after a power cut.
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
