//! What the link sees of those it works for: a role without its items, and somebody who looks on.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::role::{Effect, Event, Reaction, Role};

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

impl<R: Role, E: FnMut(R::Item)> Carried for Emitting<R, E> {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible> {
        let effects = self.role.handle(now, event)?;
        let emitted = effects.into_iter().filter_map(|effect| match effect {
            Effect::Emit(item) => {
                (self.emit)(item);
                None
            }
            Effect::Subscribe(filter, qos) => Some(Effect::Subscribe(filter, qos)),
            Effect::Unsubscribe(filter) => Some(Effect::Unsubscribe(filter)),
            Effect::Publish(message) => Some(Effect::Publish(message)),
            Effect::AwaitLine => Some(Effect::AwaitLine),
            Effect::Note(text) => Some(Effect::Note(text)),
            Effect::Warn(text) => Some(Effect::Warn(text)),
            Effect::Finish => Some(Effect::Finish),
        });
        Ok(emitted.collect())
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
