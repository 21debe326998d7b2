//! The command `responder`: answers text requests until a signal comes.

use super::announced::Announced;
use super::connection::Connection;
use super::systemd::Systemd;
use super::{DONE, locked, programs, share, until_signal};
use crate::cli::{ConnectionConfig, StateConfig};
use crate::link::{End, ProgramOptions, Run, Session};
use crate::role::Failure;
use crate::text_request::Action;
use crate::text_request::responder::{Responder, ResponderConfig};

/// Runs it.
///
/// # Errors
/// Why it could not go on.
pub fn run(
    connection: ConnectionConfig,
    config: ResponderConfig,
    programs: Option<ProgramOptions>,
    state: Option<StateConfig>,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let programs = programs::open(programs, &Action::ALL.map(Action::name))?;
    let presence = connection.presence("responder")?;
    // In a group the others answer while this one is away. The broker would give a session that outlives
    // the connection its share of the requests all the same, and keep them until it returns.
    let state = state.filter(|_| config.share.is_none());
    let state = locked(state)?;
    let journal = state
        .as_ref()
        .map(|state| state.journal("responder", connection.client_id()));
    let session = match config.share {
        None => Session::Persistent {
            resume: journal.as_ref().is_some_and(|journal| journal.has_found()),
            keep: journal.is_some(),
        },
        Some(_) => Session::Clean,
    };
    until_signal(DONE, move |stop| {
        let _locked_until_the_end = state;
        let Some(mut options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        options.presence = presence;
        let mut systemd = Systemd::ready();
        if share::check(&options, config.share.as_ref(), stop, &mut systemd).is_none() {
            return Ok(End::Stopped);
        }
        let run = Run::new(&options, stop)
            .watched_by(&mut systemd)
            .running(programs.as_ref())
            .journaled(journal);
        let line = format!("waiting for requests at {}", options.address());
        let role = Announced::new(Responder::new(config), line);
        run.carry(role, |()| Ok(()))
    })
}
