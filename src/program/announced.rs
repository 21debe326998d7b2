//! A service that a person has started by hand: it says in one line that it is ready and what it waits for, because
//! otherwise it says nothing until something happens. Under `-v` the log says so, and elsewhere nobody is there to read it.

use std::io::{self, IsTerminal};
use std::time::Instant;

use log::{Level, log_enabled};

use super::output;
use crate::role::{Event, Reaction, Role};

/// A role that is announced once, when the broker grants its first subscription.
pub struct Announced<R> {
    role: R,
    line: Option<String>,
}

impl<R> Announced<R> {
    /// Announces `role` with this line, where standard error is a terminal.
    pub fn new(role: R, line: String) -> Self {
        let is_watched = io::stderr().is_terminal();
        let is_silent = log_enabled!(Level::Warn) && !log_enabled!(Level::Info);
        let line = Some(line).filter(|_| is_watched && is_silent);
        Self { role, line }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<R: Role> Role for Announced<R> {
    type Item = R::Item;
    type Input = R::Input;

    fn handle(&mut self, now: Instant, event: Event<'_, R::Input>) -> Reaction<R::Item> {
        if let Event::Subscribed { .. } = event {
            self.line.take().iter().for_each(|line| output::tell(line));
        }
        self.role.handle(now, event)
    }

    fn deadline(&self) -> Option<Instant> {
        self.role.deadline()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.role.time_limit()
    }

    fn is_done(&self) -> bool {
        self.role.is_done()
    }

    fn status(&self) -> String {
        self.role.status()
    }
}
