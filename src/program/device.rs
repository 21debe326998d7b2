//! The command `device`: a device that goes on with its session after a crash or a power cut, and where it is asked to
//! begins another one after the last words.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use log::info;

use super::connection::Connection;
use super::systemd::Systemd;
use super::{
    DONE, farewell, locked, machine, old_session, output, programs, replies, until_signal,
};
use crate::Seconds;
use crate::cli::{ConnectionConfig, StateConfig};
use crate::device_session::LAST_WORDS;
use crate::device_session::device::{Device, DeviceConfig, Progress, Resume};
use crate::link::engine::journal::Journal;
use crate::link::{End, Presence, ProgramOptions, Run, Session, StateDir, Stop, Watcher};
use crate::mqtt::Level;
use crate::role::Failure;

/// Runs it. Where it logs in `again`, it ends with a stop or a failure only.
///
/// # Errors
/// Why a session did not come to its end.
pub fn run(
    connection: ConnectionConfig,
    config: DeviceConfig,
    programs: Option<ProgramOptions>,
    replies: Option<PathBuf>,
    again: Option<Duration>,
    state: Option<StateConfig>,
) -> Result<u8, Failure> {
    // First: without a name the machine has no client id for it, either.
    let user_id = machine::user_id(config.user_id)?;
    let connection = Connection::load(connection)?;
    let presence = connection.presence(&format!("device {user_id}"))?;
    let sessions = Arc::new(AtomicU32::new(0));
    let presence = presence.map(|presence| Presence {
        pause: again,
        sessions: Some(Arc::clone(&sessions)),
        ..presence
    });
    let replies = replies::load(replies.as_deref(), config.replies)?;
    let config = DeviceConfig {
        user_id,
        replies,
        ..config
    };
    let usual: Vec<&str> = config.replies.commands().map(Level::as_str).collect();
    let programs = programs::open(programs, &usual)?;
    let state = locked(state)?;
    until_signal(DONE, move |stop| {
        let Some(mut options) = connection.for_service(Session::Clean, stop)? else {
            return Ok(End::Stopped);
        };
        options.presence = presence;
        let mut systemd = Systemd::ready();
        loop {
            let (journal, resume) = recall(state.as_ref(), &config, &options.client_id);
            options.session = Session::Persistent {
                resume: resume.is_some(),
                keep: state.is_some(),
            };
            let config = DeviceConfig {
                prefix: config.prefix.clone(),
                user_id: config.user_id.clone(),
                replies: config.replies.clone(),
                resume,
                ..config
            };
            let role = Device::new(config, Instant::now());
            let run = Run::new(&options, stop)
                .watched_by(&mut systemd)
                .running(programs.as_ref())
                .journaled(journal);
            // Said before the journal forgets the session: a crash in between says the last words twice, rather than
            // never.
            let end = run.carry(role, |progress| match progress {
                Progress::LoggedIn(_) => Ok(()),
                Progress::Verdict(word, sentences) => {
                    output::tell(&format_args!("the controller's verdict: {word}"));
                    sentences.iter().for_each(|sentence| output::tell(sentence));
                    Ok(())
                }
                Progress::Done => {
                    sessions.fetch_add(1, Ordering::Relaxed);
                    output::print(LAST_WORDS.as_bytes())
                }
            })?;
            let (End::Finished, Some(pause)) = (end, again) else {
                return Ok(end);
            };
            if wait(pause, stop, &mut systemd) {
                farewell::say(options);
                return Ok(End::Stopped);
            }
        }
    })
}

/// The journal in the state folder, and the session that an earlier process has left there.
fn recall(
    state: Option<&StateDir>,
    DeviceConfig {
        user_id, prefix, ..
    }: &DeviceConfig,
    client_id: &str,
) -> (Option<Journal>, Option<Resume>) {
    let Some(state) = state else {
        return (None, None);
    };
    let journal = state.journal(&format!("device {user_id}"), client_id);
    let resume = Resume::recall(&prefix.recalled(journal.memory()))
        .or_else(|| old_session::unique_id(state.folder(), user_id).map(Resume::new));
    (Some(journal), resume)
}

/// Waits for the time of the next session, under the eyes of `watcher`. Says whether a stop came first.
fn wait(pause: Duration, stop: &Stop, watcher: &mut dyn Watcher) -> bool {
    let status = format!(
        "the session is over, the next login {} s later",
        Seconds(pause)
    );
    info!("{status}");
    let until = Instant::now() + pause;
    loop {
        let now = Instant::now();
        if until <= now {
            return false;
        }
        watcher.look(now, &|| status.clone());
        let next_look = watcher.interval().map_or(until, |every| now + every);
        if stop.wait_until(Some(next_look.min(until))) {
            return true;
        }
    }
}
