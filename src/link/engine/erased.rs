//! A role whose items go to the caller of the run: one type for every role, or the engine would be
//! compiled once for each of them (32 kB).

use std::convert::Infallible;
use std::time::Instant;

use crate::link::inbox::{Next, Tap};
use crate::role::{Event, Failure, Reaction, Role};

/// A role without its type and without its items.
pub trait ErasedRole {
    /// [`Role::handle`]; an error of the sink is one of the role's.
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible>;
    /// Hands the role the next input that another thread has sent; `None` where there is none.
    fn take_input(&mut self, now: Instant) -> Option<Reaction<Infallible>>;
    /// How many inputs wait.
    fn inputs(&self) -> usize;
    /// Sets what wakes the link when there is an input that [`ErasedRole::take_input`] did not have.
    fn set_wake(&self, wake: Box<dyn Fn() + Send>);
    /// Calls that at once.
    fn wake(&self);
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
pub struct RoleWithSink<R: Role, E> {
    role: R,
    emit: E,
    tap: Option<Tap<R::Input>>,
    /// The role knows that no input will follow.
    has_heard_end: bool,
}

impl<R: Role, E: FnMut(R::Item) -> Result<(), Failure>> RoleWithSink<R, E> {
    /// This role, whose items go to `emit` and whose inputs come from `tap`.
    pub fn new(role: R, emit: E, tap: Option<Tap<R::Input>>) -> Self {
        Self {
            role,
            emit,
            tap,
            has_heard_end: false,
        }
    }

    fn react(&mut self, now: Instant, event: Event<'_, R::Input>) -> Reaction<Infallible> {
        let is_deadline = matches!(event, Event::Deadline);
        let reaction = self.role.handle(now, event)?;
        let mut effects = Vec::with_capacity(reaction.len());
        for effect in reaction {
            effects.extend(effect.emitted(&mut self.emit)?);
        }
        debug_assert!(
            !is_deadline || self.deadline().is_none_or(|at| at > now),
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
}

impl<R: Role, E: FnMut(R::Item) -> Result<(), Failure>> ErasedRole for RoleWithSink<R, E> {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Infallible> {
        self.react(now, event.with_inputs())
    }

    fn take_input(&mut self, now: Instant) -> Option<Reaction<Infallible>> {
        match self.tap.as_ref()?.next()? {
            Next::Input(input) => Some(self.react(now, Event::Input(&input))),
            Next::Ended if self.has_heard_end => None,
            Next::Ended => {
                self.has_heard_end = true;
                Some(self.react(now, Event::InputsEnded))
            }
        }
    }

    fn inputs(&self) -> usize {
        self.tap.as_ref().map_or(0, Tap::len)
    }

    fn set_wake(&self, wake: Box<dyn Fn() + Send>) {
        if let Some(tap) = &self.tap {
            tap.set_wake(wake);
        }
    }

    fn wake(&self) {
        if let Some(tap) = &self.tap {
            tap.wake();
        }
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
