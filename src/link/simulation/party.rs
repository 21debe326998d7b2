//! A client whose items and warnings a test can read.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::disk::Disk;
use super::world::World;
use crate::link::engine::journal::Journal;
use crate::link::{Inbox, Options};
use crate::role::{Effect, Event, Reaction, Role};

type Log<T> = Rc<RefCell<Vec<T>>>;

/// A client in a world.
pub struct Party<T> {
    pub(crate) number: usize,
    items: Log<T>,
    warnings: Log<String>,
}

impl<T: 'static> Party<T> {
    /// The client begins.
    #[cfg(test)]
    pub(crate) fn begin(
        world: &mut World,
        role: impl Role<Item = T> + 'static,
        options: &Options,
    ) -> Self {
        Self::begin_with(world, role, options, None, None)
    }

    /// The same with a journal on a disk, and an inbox.
    pub(crate) fn begin_with<R: Role<Item = T> + 'static>(
        world: &mut World,
        role: R,
        options: &Options,
        kept: Option<(Journal, Disk)>,
        inbox: Option<Inbox<R::Input>>,
    ) -> Self {
        let (items, warnings) = (Log::default(), Log::default());
        let handed_out = Rc::clone(&items);
        let role = Overheard {
            role,
            warnings: Rc::clone(&warnings),
            published: Rc::default(),
        };
        let number = world.begin_client(role, options, kept, inbox, move |item| {
            handed_out.borrow_mut().push(item);
            Ok(())
        });
        Self {
            number,
            items,
            warnings,
        }
    }

    /// What it has handed out.
    pub fn items(&self) -> Ref<'_, Vec<T>> {
        self.items.borrow()
    }

    /// What it has warned of.
    pub fn warnings(&self) -> Ref<'_, Vec<String>> {
        self.warnings.borrow()
    }
}

/// A role whose warnings are written down, and whose messages are counted: each time that it publishes, however often
/// the link sends that.
pub struct Overheard<R> {
    pub role: R,
    pub warnings: Log<String>,
    pub published: Rc<Cell<usize>>,
}

#[deny(clippy::missing_trait_methods)]
impl<R: Role> Role for Overheard<R> {
    type Item = R::Item;
    type Input = R::Input;

    fn handle(&mut self, now: Instant, event: Event<'_, R::Input>) -> Reaction<R::Item> {
        let effects = self.role.handle(now, event)?;
        for effect in &effects {
            match effect {
                Effect::Warn(text) => self.warnings.borrow_mut().push(text.clone()),
                Effect::Publish(_) => self.published.set(self.published.get() + 1),
                _ => {}
            }
        }
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
