//! The command `controller`: runs sessions, and reports on each.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::announced::Announced;
use super::connection::Connection;
use super::reports::Reports;
use super::systemd::Systemd;
use super::{DONE, locked, replies, share, until_signal};
use crate::cli::{ConnectionConfig, StateConfig};
use crate::device_session::controller::{Controller, Plan};
use crate::link::engine::journal::Journal;
use crate::link::{End, Presence, Run, Session};
use crate::role::{Failure, Kind};

/// Runs it.
///
/// # Errors
/// Why it ended, or how many sessions failed.
pub fn run(
    connection: ConnectionConfig,
    plan: Plan,
    replies: Option<PathBuf>,
    report: Option<PathBuf>,
    state: Option<StateConfig>,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let presence = connection.presence("controller")?;
    let judged = Arc::new(AtomicU32::new(0));
    let presence = presence.map(|presence| Presence {
        sessions: Some(Arc::clone(&judged)),
        ..presence
    });
    let replies = replies::load(replies.as_deref(), plan.replies)?;
    let plan = Plan { replies, ..plan };
    let mut reports = Reports::open(report.as_deref())?;
    let state = locked(state)?;
    let journal = state
        .as_ref()
        .map(|state| state.journal("controller", connection.client_id()));
    let session = Session::Persistent {
        // In a group it goes on with its session after a crash: the broker has kept the logins that came
        // meanwhile in it.
        resume: plan.share.is_some() || journal.as_ref().is_some_and(|journal| journal.has_found()),
        keep: journal.is_some(),
    };
    let memory = journal.as_ref().map(Journal::memory).unwrap_or_default();
    until_signal(DONE, move |stop| {
        let _locked_until_the_end = state;
        let Some(mut options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        options.presence = presence;
        let mut systemd = Systemd::ready();
        if share::check(&options, plan.share.as_ref(), stop, &mut systemd).is_none() {
            return Ok(End::Stopped);
        }
        let run = Run::new(&options, stop)
            .watched_by(&mut systemd)
            .journaled(journal);
        let role = Controller::recalling(plan, &memory, Instant::now());
        let (passed, mut failed) = role.judged();
        let mut all = passed + failed;
        let count = |all: u64| judged.store(u32::try_from(all).unwrap_or(u32::MAX), Relaxed);
        count(all);
        let line = format!("waiting for logins on login at {}", options.address());
        let end = run.carry(Announced::new(role, line), |report| {
            all += 1;
            count(all);
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
