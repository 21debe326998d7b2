//! The service manager's view of a run: it has to see that the link still works.

use std::time::{Duration, Instant};

/// Watches a run. The link calls it from its own thread, so each call shows that the link works.
pub trait Watcher {
    /// The link calls [`Watcher::look`] at least this often, even if it has nothing else to do; `None` if the watcher
    /// needs no regular calls.
    fn interval(&self) -> Option<Duration>;

    /// The link has gone through its loop once more. `status` describes what it is doing.
    fn look(&mut self, now: Instant, status: &dyn Fn() -> String);
}

/// The watcher of a run that no service manager watches.
pub(super) struct Unwatched;

impl Watcher for Unwatched {
    fn interval(&self) -> Option<Duration> {
        None
    }

    fn look(&mut self, _: Instant, _: &dyn Fn() -> String) {}
}
