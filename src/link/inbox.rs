//! Inputs for a role from other threads of the program: a bounded queue between any number of [`Feed`]s and the one
//! [`Inbox`] that the link takes from.
//!
//! An input is in memory alone until the role has handled it; what the role then publishes or remembers is in the journal,
//! where there is one.
//!
//! Knows neither MQTT nor what the role does with an input.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Wake = Box<dyn Fn() + Send>;

/// What [`Feed::send`] does while the queue is full. It is full where the role cannot keep up, or where the broker is
/// away: the link takes nothing while [`MOST_UNCONFIRMED`](super::MOST_UNCONFIRMED) messages wait for their confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits until there is room, for as long as that takes: nothing is lost, and the sending thread stands still.
    /// The thread that carries the run must not send so, because it would wait for itself.
    Wait,
    /// It drops the input that has waited longest, and hands it back: for readings, of which the last ones count.
    DropOldest,
    /// It hands the new input back as [`Unsent::Full`].
    Refuse,
}

/// An input that [`Feed::send`] has not sent, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent<T> {
    /// The queue is full ([`WhenFull::Refuse`]).
    Full(T),
    /// The [`Inbox`] is gone: no run will take an input any more.
    Ended(T),
}

impl<T> fmt::Display for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of inputs is full",
            Self::Ended(_) => "no run takes inputs any more",
        })
    }
}

impl<T: fmt::Debug> std::error::Error for Unsent<T> {}

struct State<T> {
    queue: VecDeque<T>,
    feeds: usize,
    /// The inbox is gone.
    has_ended: bool,
    /// The link has found the queue empty, and is to be woken.
    is_awaited: bool,
    wake: Option<Wake>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    has_room: Condvar,
    capacity: usize,
    when_full: WhenFull,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_more(&mut self) {
        if std::mem::take(&mut self.is_awaited) {
            self.call_wake();
        }
    }

    fn call_wake(&self) {
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}

/// The end that other threads have. An input is in memory alone until the role has handled it, which is not before the
/// run's first connection, and not while [`MOST_UNCONFIRMED`](super::MOST_UNCONFIRMED) messages wait: with a journal, too,
/// a crash loses what waits here. Clones feed the same inbox; when the last one is dropped, the role hears of it
/// ([`Event::InputsEnded`](crate::role::Event::InputsEnded)).
pub struct Feed<T>(Arc<Shared<T>>);

/// The end that a run has: [`Run::fed_by`](super::Run::fed_by). Where runs follow each other, each may have the same
/// inbox, and goes on with what has not been taken. When it is dropped, what waits in it is gone, and each
/// [`Feed::send`] ends.
pub struct Inbox<T>(Arc<Shared<T>>);

/// An inbox as its present run has it.
pub struct Tap<T>(Arc<Shared<T>>);

/// What an inbox has.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    Input(T),
    /// Nothing, and no thread has a feed any more.
    Ended,
}

/// A queue for this many inputs.
#[must_use]
pub fn inbox<T>(capacity: NonZeroUsize, when_full: WhenFull) -> (Feed<T>, Inbox<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            queue: VecDeque::new(),
            feeds: 1,
            has_ended: false,
            is_awaited: false,
            wake: None,
        }),
        has_room: Condvar::new(),
        capacity: capacity.get(),
        when_full,
    });
    (Feed(Arc::clone(&shared)), Inbox(shared))
}

impl<T> Feed<T> {
    /// Sends an input to the role. `Ok(Some(_))` is the older input that had to go for it ([`WhenFull::DropOldest`]).
    ///
    /// # Errors
    /// The input itself, where it has not been sent.
    pub fn send(&self, input: T) -> Result<Option<T>, Unsent<T>> {
        let shared = &self.0;
        let mut state = shared.state();
        let mut dropped = None;
        while !state.has_ended && state.queue.len() >= shared.capacity {
            match shared.when_full {
                WhenFull::Refuse => return Err(Unsent::Full(input)),
                WhenFull::DropOldest => dropped = state.queue.pop_front(),
                WhenFull::Wait => {
                    let waited = shared.has_room.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        if state.has_ended {
            return Err(Unsent::Ended(input));
        }
        state.queue.push_back(input);
        state.has_more();
        Ok(dropped)
    }
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        self.0.state().feeds += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.feeds -= 1;
        if state.feeds == 0 {
            state.has_more();
        }
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

impl<T> Inbox<T> {
    /// How many inputs wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tap().len()
    }

    /// Whether no input waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a run takes from.
    pub(super) fn tap(&self) -> Tap<T> {
        Tap(Arc::clone(&self.0))
    }
}

impl<T> Tap<T> {
    /// How many inputs wait.
    pub fn len(&self) -> usize {
        self.0.state().queue.len()
    }

    /// Takes the input that has waited longest. Where there is none, the wake follows when there is something to take.
    pub fn next(&self) -> Option<Next<T>> {
        let mut state = self.0.state();
        match state.queue.pop_front() {
            Some(input) => {
                self.0.has_room.notify_one();
                Some(Next::Input(input))
            }
            None if state.feeds == 0 => Some(Next::Ended),
            None => {
                state.is_awaited = true;
                None
            }
        }
    }

    /// Sets what wakes the link.
    pub fn set_wake(&self, wake: Wake) {
        self.0.state().wake = Some(wake);
    }

    /// Wakes the link at once, which has not taken all that waits.
    pub fn wake(&self) {
        self.0.state().call_wake();
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.has_ended = true;
        let left = (std::mem::take(&mut state.queue), state.wake.take());
        self.0.has_room.notify_all();
        // An input may have a feed of this very inbox, whose end takes the lock.
        drop(state);
        drop(left);
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn two(when_full: WhenFull) -> (Feed<u8>, Inbox<u8>) {
        inbox(NonZeroUsize::new(2).unwrap(), when_full)
    }

    fn all(inbox: &Inbox<u8>) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Next::Input(input)) = inbox.tap().next() {
            all.push(input);
        }
        all
    }

    #[test]
    fn a_full_queue_refuses_or_drops_the_oldest() {
        let (feed, inbox) = two(WhenFull::Refuse);
        assert_eq!(feed.send(1), Ok(None));
        assert_eq!(feed.send(2), Ok(None));
        assert_eq!(feed.send(3), Err(Unsent::Full(3)));
        assert_eq!(all(&inbox), [1, 2]);
        let (feed, inbox) = two(WhenFull::DropOldest);
        assert_eq!(feed.send(1), Ok(None));
        assert_eq!(feed.send(2), Ok(None));
        assert_eq!(feed.send(3), Ok(Some(1)));
        assert_eq!(all(&inbox), [2, 3]);
    }

    #[test]
    fn a_sender_waits_until_there_is_room_or_no_inbox() {
        let (feed, inbox) = two(WhenFull::Wait);
        let sender = std::thread::spawn(move || {
            let sent = (1..=5).map(|input| feed.send(input));
            sent.collect::<Vec<_>>()
        });
        let mut taken = Vec::new();
        while taken.len() < 2 {
            if let Some(Next::Input(input)) = inbox.tap().next() {
                taken.push(input);
            }
            std::thread::yield_now();
        }
        while inbox.len() < 2 {
            std::thread::yield_now();
        }
        drop(inbox);
        assert_eq!(taken, [1, 2]);
        let sent = sender.join().unwrap();
        assert_eq!(sent[..4], [Ok(None); 4]);
        assert_eq!(sent[4], Err(Unsent::Ended(5)));
    }

    #[test]
    fn an_input_may_have_a_feed_of_its_own_inbox() {
        struct Reply(#[expect(dead_code, reason = "it is there to be dropped")] Feed<Reply>);
        let (feed, inbox) = inbox(NonZeroUsize::MIN, WhenFull::Refuse);
        assert!(feed.send(Reply(feed.clone())).is_ok());
        drop(inbox);
        assert!(matches!(
            feed.send(Reply(feed.clone())),
            Err(Unsent::Ended(_))
        ));
    }

    #[test]
    fn the_link_is_woken_once_for_what_it_looked_for_in_vain_and_at_the_end() {
        let (feed, inbox) = two(WhenFull::Refuse);
        let (sender, woken) = mpsc::channel();
        inbox
            .tap()
            .set_wake(Box::new(move || sender.send(()).unwrap()));
        feed.send(1).unwrap();
        assert!(woken.try_recv().is_err(), "it has not looked yet");
        assert_eq!(all(&inbox), [1]);
        feed.clone().send(2).unwrap();
        feed.send(3).unwrap();
        assert_eq!(woken.try_iter().count(), 1);
        assert_eq!(all(&inbox), [2, 3]);
        drop(feed);
        assert_eq!(woken.try_iter().count(), 1);
        assert_eq!(inbox.tap().next(), Some(Next::Ended));
    }
}
