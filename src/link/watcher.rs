//! Who watches a run from outside: a service manager.

use std::time::{Duration, Instant};

/// Watches a run. The link calls it from its own thread, so a call that comes shows that the link works.
pub trait Watcher {
    /// The longest time between two calls of [`Watcher::look`] while the link has nothing else to do;
    /// `None` for no limit.
    fn interval(&self) -> Option<Duration>;

    /// The link has gone through its loop once more. `status` says where things stand.
    fn look(&mut self, now: Instant, status: &dyn Fn() -> String);
}

/// For a run that nothing watches.
pub(super) struct Unwatched;

impl Watcher for Unwatched {
    fn interval(&self) -> Option<Duration> {
        None
    }

    fn look(&mut self, _: Instant, _: &dyn Fn() -> String) {}
}
