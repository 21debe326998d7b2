//! The command `controller`: runs sessions, and reports on each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use log::{Level, log_enabled};

use super::announced::Announced;
use super::classroom::{Attended, Classroom, Shown};
use super::connection::Connection;
use super::page_file::PageFile;
use super::reports::Reports;
use super::screen::Screen;
use super::systemd::Systemd;
use super::{DONE, classroom, locked, replies, share, until_signal};
use crate::cli::{ConnectionConfig, StateConfig};
use crate::device_session::class::Class;
use crate::device_session::controller::{Controller, Plan, passed_before};
use crate::device_session::login_topic;
use crate::link::engine::journal::Journal;
use crate::link::{End, Presence, Run, Session};
use crate::role::{Failure, Kind};

/// The files that its options name.
pub struct Files {
    /// What replaces the table of replies.
    pub replies: Option<PathBuf>,
    /// Who is awaited.
    pub roster: Option<PathBuf>,
    /// Where the class is shown.
    pub page: Option<PathBuf>,
    /// Where a line for each session goes.
    pub report: Option<PathBuf>,
}

/// The exit code of a stop before everybody on the roster has passed.
const UNFINISHED: Kind = Kind::Protocol;

/// Runs it.
///
/// # Errors
/// Why it ended, or how many sessions failed; where there is a roster, who of it has not passed.
pub fn run(
    connection: ConnectionConfig,
    plan: Plan,
    files: Files,
    state: Option<StateConfig>,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let presence = connection.presence("controller")?;
    let judged = Arc::new(AtomicU32::new(0));
    let presence = presence.map(|presence| Presence {
        sessions: Some(Arc::clone(&judged)),
        ..presence
    });
    let replies = replies::load(files.replies.as_deref(), plan.replies)?;
    let roster = classroom::roster(files.roster.as_deref())?;
    let mut reports = Reports::open(files.report.as_deref())?;
    let has_roster = !roster.is_empty();
    let is_shown = has_roster || files.page.is_some();
    let has_class = is_shown || reports.is_csv();
    let mut class = Class::new(&roster);
    let plan = Plan {
        replies,
        roster,
        watched: has_class,
        ..plan
    };
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
    passed_before(&memory).for_each(|user_id| class.has_passed_before(&user_id));
    let login = plan.prefix.shown(login_topic());
    let place = format!("logins on {login} at {}", connection.address());
    let page = files.page.as_deref().map(page_file).transpose()?;
    let room = Classroom::open(class, page.as_ref())?;
    let shown = Shown {
        page,
        screen: screen(is_shown, reports.is_on_stdout()),
        title: place.clone(),
    };
    let attended = has_class.then(|| room.clone());
    let in_run = room.clone();
    let outcome = until_signal(DONE, move |stop| {
        let _locked_until_the_end = state;
        let Some(mut options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        options.presence = presence;
        in_run.start_showing(shown)?;
        let mut systemd = Systemd::ready();
        if share::check(&options, plan.share.as_ref(), stop, &mut systemd).is_none() {
            return Ok(End::Stopped);
        }
        let run = Run::new(&options, stop)
            .watched_by(&mut systemd)
            .journaled(journal);
        let line = format!("waiting for {place}");
        let role = Controller::recalling(plan, &memory, Instant::now());
        let (passed, mut failed) = role.judged();
        let mut all = passed + failed;
        let count = |all: u64| judged.store(u32::try_from(all).unwrap_or(u32::MAX), Relaxed);
        count(all);
        let role = Announced::new(Attended::new(role, attended), line);
        let end = run.carry(role, |report| {
            all += 1;
            count(all);
            failed += u64::from(report.verdict.is_err());
            in_run.look(|class| reports.write(&report, class));
            Ok(())
        })?;
        match failed {
            0 => Ok(end),
            // The best attempt of each counts.
            _ if end == End::Stopped || has_roster => Ok(end),
            _ => Err(Failure::new(
                Kind::Protocol,
                format!("{failed} of {all} sessions failed"),
            )),
        }
    });
    // Here and not above: a stop does not wait for a thread that is in a call.
    room.close();
    let outstanding = room.look(Class::outstanding);
    match (outcome, outstanding) {
        (Ok(_), Some(outstanding)) => Err(Failure::new(UNFINISHED, outstanding)),
        (outcome, _) => outcome,
    }
}

fn page_file(path: &Path) -> Result<PageFile, Failure> {
    PageFile::new(path).map_err(|error| {
        let text = format!("page {}: {error}", path.display());
        Failure::new(Kind::Config, text)
    })
}

/// The terminal for the table. With `-v` there are lines instead, which it would draw over, and so there are where the
/// reports go to the terminal.
fn screen(is_wanted: bool, has_reports: bool) -> Option<Screen> {
    let has_lines = log_enabled!(Level::Info) || (has_reports && Screen::Out.can_draw());
    let mut screens = [Screen::Out, Screen::Err].into_iter();
    let screen = screens.find(|screen| screen.can_draw());
    screen.filter(|_| is_wanted && !has_lines)
}
