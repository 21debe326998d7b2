//! A role whose items go to the caller of the run: one type for every role, or the engine would be
//! compiled once for each of them (32 kB).

use std::convert::Infallible;
use std::time::Instant;

use crate::role::{Event, Failure, Reaction, Role};

/// A role without its type and without its items.
pub trait ErasedRole {
    /// [`Role::handle`]; an error of the sink is one of the role's.
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible>;
    /// [`Role::deadline`].
    fn deadline(&self) -> Option<Instant>;
    /// [`Role::time_limit`].
    fn time_limit(&self) -> Option<Instant>;
    /// [`Role::is_done`].
    fn is_done(&self) -> bool;
    /// [`Role::status`].
    fn status(&self) -> String;
}

/// A role, and where its items go.
pub struct RoleWithSink<R, E> {
    /// The role.
    pub role: R,
    /// Takes what the role emits.
    pub emit: E,
}

impl<R: Role, E: FnMut(R::Item) -> Result<(), Failure>> ErasedRole for RoleWithSink<R, E> {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible> {
        let reaction = self.role.handle(now, event)?;
        let mut effects = Vec::with_capacity(reaction.len());
        for effect in reaction {
            effects.extend(effect.emitted(&mut self.emit)?);
        }
        debug_assert!(
            event != Event::Deadline || self.deadline().is_none_or(|at| at > now),
            "handling a deadline moves it"
        );
        debug_assert!(
            self.is_done()
                || self.time_limit().is_none_or(|limit| {
                    self.deadline().is_some_and(|deadline| deadline <= limit)
                }),
            "the deadline includes the time limit"
        );
        Ok(effects)
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
