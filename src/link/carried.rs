//! What the link sees of those it works for: a role without its items, and somebody who looks on.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::role::{Event, Failure, Reaction, Role};

/// Somebody who looks on: a service manager.
pub trait Watcher {
    /// How often to look, at the least; `None` for never.
    fn interval(&self) -> Option<Duration>;

    /// The link has got round once more. `status` says where things stand.
    fn look(&mut self, now: Instant, status: &dyn Fn() -> String);
}

pub(super) struct Unwatched;

impl Watcher for Unwatched {
    fn interval(&self) -> Option<Duration> {
        None
    }

    fn look(&mut self, _: Instant, _: &dyn Fn() -> String) {}
}

/// A role whose items have gone to whoever wants them: the same type for every role, or the link
/// would be compiled once for each of them (32 kB).
pub(super) trait Carried {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible>;
    fn deadline(&self) -> Option<Instant>;
    fn time_limit(&self) -> Option<Instant>;
    fn is_done(&self) -> bool;
    fn status(&self) -> String;
}

/// A role, and where its items go.
pub(super) struct Emitting<R, E> {
    pub role: R,
    pub emit: E,
}

impl<R: Role, E: FnMut(R::Item) -> Result<(), Failure>> Carried for Emitting<R, E> {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible> {
        let effects = self.role.handle(now, event)?.into_iter();
        let emitted = effects.map(|effect| effect.emitted(&mut self.emit));
        let emitted = emitted
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        debug_assert!(
            !matches!(event, Event::Deadline) || self.role.deadline().is_none_or(|at| at > now),
            "handling a deadline moves it"
        );
        debug_assert!(
            self.role.is_done()
                || self
                    .role
                    .deadline()
                    .is_none_or(|at| { self.role.time_limit().is_none_or(|limit| at <= limit) }),
            "a deadline is never later than the time limit"
        );
        Ok(emitted)
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
