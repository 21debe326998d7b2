//! Carries a request to stop from a signal to the threads that have to end.
//!
//! Knows neither signals nor MQTT: one side calls [`Stop::request`], the other side waits, or registers a wake.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

type Wake = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    requested: bool,
    nothing_to_close: bool,
    /// [`Stop::end_wait`] was called, and has ended no wait yet.
    has_more: bool,
    /// What the request calls, each under the number that its guard knows.
    wakes: Vec<(u64, Wake)>,
    /// The number of the wake that is registered next.
    next_wake: u64,
}

/// A request to stop, shared between threads. Clones are the same request.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<State>, Condvar)>);

/// Keeps a wake registered. When the guard is dropped, the wake does not run any more, and all others stay.
#[must_use = "the wake is removed as soon as its guard is dropped"]
#[doc(hidden)]
pub struct WakeGuard {
    stop: Stop,
    number: u64,
}

impl Stop {
    /// A request that has not been made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the request: calls every registered wake, and ends every wait.
    pub fn request(&self) {
        let mut state = self.state();
        state.requested = true;
        for (_, wake) in &state.wakes {
            wake();
        }
        self.0.1.notify_all();
    }

    /// Whether the request has been made.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.state().requested
    }

    /// Waits for the request or [`Stop::end_wait`], until `deadline` at the latest. Says whether the request was made.
    #[must_use]
    pub fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state();
        while !state.requested && !std::mem::take(&mut state.has_more) {
            state = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                Some(remaining) if remaining.is_zero() => break,
                Some(remaining) => {
                    self.0
                        .1
                        .wait_timeout(state, remaining)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.requested
    }

    /// Ends the present wait, or the next one, without a request: something else has come.
    #[doc(hidden)]
    pub fn end_wait(&self) {
        self.state().has_more = true;
        self.0.1.notify_all();
    }

    /// Waits for [`Stop::end_wait`] alone, until `deadline` at the latest: the request has been heard.
    #[doc(hidden)]
    pub fn wait_for_more(&self, deadline: Instant) {
        let mut state = self.state();
        while !std::mem::take(&mut state.has_more) {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return;
            }
            let waited = self.0.1.wait_timeout(state, remaining);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Registers a function that the request calls, for a thread that waits for something else than this `Stop`. It
    /// is called on the thread that makes the request, and only for a request that comes while the guard lives: a
    /// caller looks at [`Stop::requested`] afterwards, because the request may have been made before.
    #[doc(hidden)]
    pub fn add_wake(&self, wake: impl Fn() + Send + 'static) -> WakeGuard {
        WakeGuard {
            stop: self.clone(),
            number: self.register(wake),
        }
    }

    fn register(&self, wake: impl Fn() + Send + 'static) -> u64 {
        let mut state = self.state();
        let number = state.next_wake;
        state.next_wake += 1;
        state.wakes.push((number, Box::new(wake)));
        number
    }

    /// Set while there is no connection to close, because then a stop may end the process at once.
    #[doc(hidden)]
    pub fn set_nothing_to_close(&self, nothing: bool) {
        self.state().nothing_to_close = nothing;
    }

    /// Whether a stop may end the process at once, because there is no connection to close.
    #[must_use]
    #[doc(hidden)]
    pub fn nothing_to_close(&self) -> bool {
        self.state().nothing_to_close
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WakeGuard {
    fn drop(&mut self) {
        let mut state = self.stop.state();
        state.wakes.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// A wake that says `name` to a receiver.
    fn wakes(names: &[&'static str]) -> (Vec<impl Fn() + Send + 'static>, Receiver<&'static str>) {
        let (sender, woken) = channel();
        let wake = |name: &&'static str| {
            let (name, sender) = (*name, sender.clone());
            move || {
                let _ = sender.send(name);
            }
        };
        (names.iter().map(wake).collect(), woken)
    }

    #[test]
    fn a_request_reaches_every_clone_and_ends_the_wait() {
        let stop = Stop::new();
        assert!(!stop.wait_until(Some(Instant::now())));
        let (mut wake, woken) = wakes(&["woken"]);
        let _guard = stop.add_wake(wake.remove(0));
        let other = stop.clone();
        let waiting = std::thread::spawn(move || other.wait_until(None));
        stop.request();
        assert!(waiting.join().unwrap());
        assert!(stop.requested());
        assert_eq!(woken.try_recv(), Ok("woken"));
        assert!(stop.wait_until(Some(Instant::now() + Duration::from_secs(3600))));
    }

    #[test]
    fn a_wake_within_the_life_of_another_ends_with_its_guard_and_the_other_works_on() {
        let stop = Stop::new();
        let (mut wake, woken) = wakes(&["outer", "inner", "second"]);
        let outer = stop.add_wake(wake.remove(0));
        let inner = stop.add_wake(wake.remove(0));
        stop.request();
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), ["outer", "inner"]);
        drop(inner);
        stop.request();
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), ["outer"]);
        // Guards may be dropped in any order.
        let second = stop.add_wake(wake.remove(0));
        drop(outer);
        stop.request();
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), ["second"]);
        drop(second);
        stop.request();
        assert_eq!(woken.try_recv().ok(), None);
    }
}
