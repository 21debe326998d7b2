//! The class of a controller, while it runs: who is awaited comes from a file, and what has become of each from the
//! controller.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::byte_order_mark::without_mark;
use crate::device_session::class::{Class, Roster};
use crate::device_session::controller::Controller;
use crate::device_session::report::Report;
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role};

/// Reads the roster, once: what is written to the file later changes nothing.
///
/// # Errors
/// Names the file, and the line of it that is wrong.
pub fn roster(path: Option<&Path>) -> Result<Roster, Failure> {
    let Some(path) = path else {
        return Ok(Roster::default());
    };
    let wrong = |why: String| {
        let text = format!("roster {}: {why}", path.display());
        Failure::new(Kind::Config, text)
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Roster::parse(without_mark(&text)).map_err(|error| wrong(error.to_string()))
}

/// The class, for the threads that have to do with it.
#[derive(Clone)]
pub struct Classroom(Arc<Mutex<Class>>);

impl Classroom {
    /// One with nobody in it yet.
    pub fn new(class: Class) -> Self {
        Self(Arc::new(Mutex::new(class)))
    }

    /// The class as it is now.
    pub fn class(&self) -> MutexGuard<'_, Class> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Role for Attended {
    type Item = Report;

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
                let mut class = room.class();
                steps.into_iter().for_each(|step| class.take(now, step));
                reports.for_each(|report| class.judged(report));
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
