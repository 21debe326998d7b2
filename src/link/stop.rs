//! The way from a signal to whatever has to stop: a request that can be waited for.
//!
//! Knows neither signals nor MQTT: the one side calls [`Stop::request`], the other looks and waits.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

type Wake = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    requested: bool,
    nothing_to_close: bool,
    wake: Option<Wake>,
}

/// A request to stop, shared between threads. Clones are the same request.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<State>, Condvar)>);

impl Stop {
    /// One that nobody has made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end, and wakes whoever waits.
    pub fn request(&self) {
        let mut state = self.state();
        state.requested = true;
        if let Some(wake) = &state.wake {
            wake();
        }
        self.0.1.notify_all();
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.state().requested
    }

    /// Waits for the request, until `deadline` at the latest. Says whether it was made.
    #[must_use]
    pub fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        while !state.requested {
            state = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    self.0
                        .1
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.requested
    }

    /// What to call, besides, when the request comes: for a wait that only its owner can end.
    pub fn set_wake(&self, wake: impl Fn() + Send + 'static) {
        self.state().wake = Some(Box::new(wake));
    }

    /// Says whether leaving without a word would do no harm: nothing is open, nothing could be closed.
    pub fn set_nothing_to_close(&self, nothing: bool) {
        self.state().nothing_to_close = nothing;
    }

    /// Whether the one who stops need not be waited for.
    #[must_use]
    pub fn nothing_to_close(&self) -> bool {
        self.state().nothing_to_close
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_request_reaches_every_clone_and_ends_the_wait() {
        let stop = Stop::new();
        assert!(!stop.wait_until(Some(Instant::now())));
        let (sender, woken) = std::sync::mpsc::channel();
        stop.set_wake(move || {
            let _ = sender.send(());
        });
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait_until(None));
        stop.request();
        assert!(waiting.join().unwrap());
        assert!(stop.requested());
        assert_eq!(woken.try_recv(), Ok(()));
        assert!(stop.wait_until(Some(Instant::now() + Duration::from_secs(3600))));
    }
}
