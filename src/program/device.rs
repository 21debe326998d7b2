//! The command `device`: a device that goes on with its session after a crash or a power cut.

use std::path::PathBuf;
use std::time::Instant;

use super::connection::Connection;
use super::state_dir::StateDir;
use super::systemd::Systemd;
use super::{DONE, old_session, output, replies, signals};
use crate::cli::{ConnectionConfig, StateConfig};
use crate::device_session::LAST_WORDS;
use crate::device_session::device::{Device, DeviceConfig, Progress, Resume};
use crate::link::{End, Run, Session};
use crate::role::Failure;

/// Runs it.
///
/// # Errors
/// Why the session did not come to its end.
pub fn run(
    connection: ConnectionConfig,
    config: DeviceConfig,
    replies: Option<PathBuf>,
    state: Option<StateConfig>,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let replies = replies::load(replies.as_deref(), config.replies)?;
    let state = state.map(StateDir::lock).transpose()?;
    let user_id = &config.user_id;
    let journal = state.as_ref().map(|state| {
        let role = format!("device {user_id}");
        state.journal(&role, connection.client_id())
    });
    let resume = journal
        .as_ref()
        .and_then(|journal| Resume::recall(&journal.memory()));
    let resume = resume.or_else(|| {
        let unique_id = old_session::unique_id(state.as_ref()?.folder(), user_id)?;
        Some(Resume::new(unique_id))
    });
    let session = Session::Persistent {
        resume: resume.is_some(),
        keep: state.is_some(),
    };
    let config = DeviceConfig {
        replies,
        resume,
        ..config
    };
    signals::until_signal(DONE, move |stop| {
        let _locked_until_the_end = state;
        let Some(options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        let role = Device::new(config, Instant::now());
        let mut systemd = Systemd::ready();
        let run = Run::new(&options, stop)
            .watched_by(&mut systemd)
            .journaled(journal);
        // Said before the journal forgets the session: a crash in between says the last words twice, rather than never.
        run.carry(role, |progress| match progress {
            Progress::LoggedIn(_) => Ok(()),
            Progress::Done => output::print(LAST_WORDS.as_bytes()),
        })
    })
}
