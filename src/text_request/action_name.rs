//! The name of an action in a topic: one of the five, or one that a responder has beside them.

use std::fmt;

use super::Action;
use crate::mqtt::Level;

/// What a request asks for, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionName {
    name: Level,
    known: Option<Action>,
}

impl ActionName {
    /// The action of this name.
    #[must_use]
    pub fn new(name: Level) -> Self {
        let known = name.as_str().parse().ok();
        Self { name, known }
    }

    /// The name as a topic level.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.name
    }

    /// Which of the five it is, if it is one.
    #[must_use]
    pub fn known(&self) -> Option<Action> {
        self.known
    }

    /// Whether `answer` may be the answer to `text`. Of an action that is none of the five nothing is known.
    #[must_use]
    pub fn fits(&self, text: &str, answer: &str) -> bool {
        self.known.is_none_or(|action| action.fits(text, answer))
    }
}

impl From<Action> for ActionName {
    fn from(action: Action) -> Self {
        Self {
            name: Level::known(action.name()),
            known: Some(action),
        }
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
