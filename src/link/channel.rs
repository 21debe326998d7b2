//! A channel without bounds from any number of threads to one. It does what std's `mpsc` does, which is there with all its
//! three kinds of channels once for each type that goes through one (5 kB each).

use std::collections::VecDeque;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

struct State<T> {
    sent: VecDeque<T>,
    senders: usize,
}

struct Shared<T>(Mutex<State<T>>, Condvar);

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of those who send.
pub struct Sender<T>(Arc<Shared<T>>);

/// The end of the one who receives.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A channel with one [`Sender`], which can be cloned.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State {
        sent: VecDeque::new(),
        senders: 1,
    };
    let shared = Arc::new(Shared(Mutex::new(state), Condvar::new()));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Sends this; where the receiver is gone nobody gets it.
    pub fn send(&self, sent: T) {
        self.0.state().sent.push_back(sent);
        self.0.1.notify_one();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state().senders -= 1;
        self.0.1.notify_one();
    }
}

impl<T> Receiver<T> {
    /// What was sent first. Waits for it, until `until` at the latest.
    ///
    /// # Errors
    /// Nothing has come in time, or nobody is left to send anything.
    pub fn receive(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut state = self.0.state();
        loop {
            if let Some(sent) = state.sent.pop_front() {
                return Ok(sent);
            }
            if state.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = until.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => return Err(RecvTimeoutError::Timeout),
                Some(left) => {
                    let waited = self.0.1.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.0.1.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_comes_in_order_until_nobody_is_left_to_send() {
        let (sender, receiver) = channel();
        let other = sender.clone();
        let sending = std::thread::spawn(move || (0..100).for_each(|number| other.send(number)));
        for number in 0..100 {
            assert_eq!(receiver.receive(None), Ok(number));
        }
        sending.join().unwrap();
        let now = Some(Instant::now());
        assert_eq!(receiver.receive(now), Err(RecvTimeoutError::Timeout));
        sender.send(100);
        drop(sender);
        assert_eq!(receiver.receive(now), Ok(100));
        assert_eq!(receiver.receive(None), Err(RecvTimeoutError::Disconnected));
    }
}
