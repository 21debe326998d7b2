//! The class of a controller, while it runs: who is awaited comes from a file, what has become of each from the controller,
//! and it is shown on a page and on a terminal.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::warn;

use super::page_file::PageFile;
use super::screen::{self, Cells, Screen, laid_out, shortened};
use super::text_file;
use crate::device_session::class::{Class, Roster, Standing, page, table};
use crate::device_session::controller::Controller;
use crate::device_session::report::Report;
use crate::link::thread;
use crate::mqtt::one_line;
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role};
use crate::utc;

/// Reads the roster, once: what is written to the file later changes nothing.
///
/// # Errors
/// Names the file, and the line of it that is wrong.
pub fn roster(path: Option<&Path>) -> Result<Roster, Failure> {
    match path {
        Some(path) => text_file::read("roster", path, Roster::parse),
        None => Ok(Roster::default()),
    }
}

/// How often the page and the table are made anew, at most.
const EVERY: Duration = Duration::from_secs(1);

/// And at most so much of the time goes into them, one part in this many: the replies of a class that has become very large
/// must not wait for its page.
const SHARE: u32 = 20;

/// How long the last page may take. A disk that does not answer must not keep the process.
const LAST_PAGE: Duration = Duration::from_secs(1);

/// The class, and who looks at it: kept by the link's thread, shown by one of its own.
#[derive(Clone)]
pub struct Classroom(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    class: Class,
    /// Since it was shown.
    has_changed: bool,
    has_ended: bool,
    /// Nothing is to be shown any more.
    is_shown: bool,
}

/// Where a class is shown.
pub struct Shown {
    /// In this file.
    pub page: Option<PageFile>,
    /// On this terminal.
    pub screen: Option<Screen>,
    /// What stands above the table: what the class waits for, and where.
    pub title: String,
}

impl Classroom {
    /// A class, with its first page.
    ///
    /// # Errors
    /// When the page cannot be written.
    pub fn open(class: Class, page: Option<&PageFile>) -> Result<Self, Failure> {
        if let Some(file) = page {
            let html = page::page(&class, now_ms(), false);
            file.write(&html).map_err(|error| {
                let text = format!("page {}: {error}", file.path().display());
                Failure::new(Kind::Config, text)
            })?;
        }
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(State {
                class,
                has_changed: true,
                has_ended: false,
                is_shown: true,
            }),
            changed: Condvar::new(),
        })))
    }

    /// Shows it on a thread of its own, until it is closed. Not before the signals are blocked, which are not that thread's.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start_showing(&self, shown: Shown) -> Result<(), Failure> {
        if shown.page.is_none() && shown.screen.is_none() {
            return Ok(());
        }
        self.state().is_shown = false;
        let room = self.clone();
        thread::spawn("mqtt_client", Box::new(move || room.show(&shown)))
            .map_err(|error| Failure::new(Kind::Config, format!("cannot start a thread: {error}")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the class.
    pub fn look<T>(&self, look: impl FnOnce(&Class) -> T) -> T {
        look(&self.state().class)
    }

    fn change(&self, change: impl FnOnce(&mut Class)) {
        let mut state = self.state();
        change(&mut state.class);
        state.has_changed = true;
        self.0.changed.notify_all();
    }

    /// Shows the class for the last time.
    pub fn close(&self) {
        let mut state = self.state();
        state.has_ended = true;
        self.0.changed.notify_all();
        let is_late = |state: &mut State| !state.is_shown;
        let _ = self.0.changed.wait_timeout_while(state, LAST_PAGE, is_late);
    }

    /// Shows the class whenever it has changed, until it has ended.
    fn show(&self, shown: &Shown) {
        let mut is_failing = false;
        loop {
            let waits = |state: &mut State| !state.has_changed && !state.has_ended;
            let state = self.0.changed.wait_while(self.state(), waits);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            let has_ended = state.has_ended;
            state.has_changed = false;
            let began = Instant::now();
            let page = shown.page.as_ref();
            let page = page.map(|file| (file, page::page(&state.class, now_ms(), has_ended)));
            let screen = shown.screen;
            let table = screen.map(|screen| {
                let is_coloured = screen.is_coloured();
                let table = drawn(&state.class, screen.size(), is_coloured, &shown.title);
                (screen, table)
            });
            drop(state);
            if let Some((screen, table)) = table {
                screen.draw(&table);
            }
            if let Some((file, html)) = page {
                match file.write(&html) {
                    Ok(()) => is_failing = false,
                    Err(error) if !std::mem::replace(&mut is_failing, true) => {
                        warn!("page {} stays as it is: {error}", file.path().display());
                    }
                    Err(_) => {}
                }
            }
            let took = began.elapsed();
            let mut state = self.state();
            if has_ended {
                state.is_shown = true;
                self.0.changed.notify_all();
                return;
            }
            // What could not be written is tried again, though nothing changes.
            state.has_changed |= is_failing;
            let pause = EVERY.max(took * SHARE);
            let goes_on = |state: &mut State| !state.has_ended;
            let _ = self.0.changed.wait_timeout_while(state, pause, goes_on);
        }
    }
}

fn now_ms() -> u64 {
    u64::try_from(utc::since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// What draws the class on a terminal of so many columns and rows. Where there are too few lines for all, those who have passed go last.
fn drawn(class: &Class, (columns, rows): (usize, usize), is_coloured: bool, title: &str) -> String {
    let mut all: Vec<Cells> = vec![(table::HEAD.map(str::to_owned), None)];
    let (mut first, mut last) = (Vec::new(), Vec::new());
    // The heading and two lines above it, and one for the cursor.
    let is_too_long = class.seats().len() + 4 > rows;
    for (cells, standing) in table::rows(class) {
        let row = (cells, Some(colour(standing)));
        match is_too_long && standing == Standing::Passed {
            true => last.push(row),
            false => first.push(row),
        }
    }
    all.append(&mut first);
    all.append(&mut last);
    let mut lines = vec![
        shortened(&one_line(title), columns),
        shortened(&table::summary(class), columns),
    ];
    lines.extend(laid_out(all, Some(columns), is_coloured));
    screen::drawn(lines, rows)
}

fn colour(standing: Standing) -> u8 {
    match standing {
        Standing::Passed => 32,
        Standing::Failed => 31,
        Standing::LoggedIn | Standing::Commanded { .. } => 36,
        Standing::Awaited => 2,
    }
}

/// A controller whose class is kept up to date.
pub struct Attended {
    controller: Controller,
    room: Option<Classroom>,
}

impl Attended {
    /// Where there is no `room`, this is `controller` and nothing else.
    pub fn new(controller: Controller, room: Option<Classroom>) -> Self {
        Self { controller, room }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Role for Attended {
    type Item = Report;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Report> {
        let effects = self.controller.handle(now, event)?;
        if let Some(room) = &self.room {
            let steps = self.controller.take_steps();
            let reports = effects.iter().filter_map(|effect| match effect {
                Effect::Emit(report) => Some(report),
                _ => None,
            });
            let mut reports = reports.peekable();
            if !steps.is_empty() || reports.peek().is_some() {
                room.change(|class| {
                    steps.into_iter().for_each(|step| class.take(now, step));
                    reports.for_each(|report| class.judged(report));
                });
            }
        }
        Ok(effects)
    }

    fn deadline(&self) -> Option<Instant> {
        self.controller.deadline()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.controller.time_limit()
    }

    fn is_done(&self) -> bool {
        self.controller.is_done()
    }

    fn status(&self) -> String {
        self.controller.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal_and_who_has_passed_goes_last_where_it_does_not() {
        let mut user_ids: Vec<String> = (0..29).map(|number| format!("pi{number:02}")).collect();
        user_ids.push("x".repeat(256));
        let roster = Roster::parse(&user_ids.join(" Person\n")).unwrap();
        let mut class = Class::new(&roster);
        for user_id in roster.user_ids().take(10) {
            class.has_passed_before(user_id);
        }
        for (columns, rows) in [(40, 10), (80, 24), (200, 60)] {
            let table = drawn(&class, (columns, rows), false, "logins on login at broker");
            let text = table.replace("\x1b[H", "").replace("\x1b[K", "");
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.len() <= rows, "{table}");
            for line in &lines[..lines.len() - 1] {
                assert!(line.chars().count() <= columns, "{line}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
            let first = if rows < 34 { "pi10" } else { "pi00" };
            assert!(lines[3].contains(first), "{table}");
            assert!(
                lines[1].starts_with("10 of 30 passed, 20 awaited"),
                "{table}"
            );
        }
    }

    #[test]
    fn a_roster_that_is_wrong_is_named_with_its_line() {
        let file = std::env::temp_dir().join(format!("mqtt_client-roster-{}", std::process::id()));
        std::fs::write(&file, "\u{feff}alice\nalice").unwrap();
        let failure = roster(Some(&file)).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
        assert!(failure.text.contains("line 2"), "{failure}");
        std::fs::write(&file, "\u{feff}alice").unwrap();
        let read = roster(Some(&file)).unwrap();
        assert_eq!(read.user_ids().next().unwrap().as_str(), "alice");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(roster(Some(&file)).unwrap_err().kind, Kind::Config);
        assert!(roster(None).unwrap().is_empty());
    }
}
