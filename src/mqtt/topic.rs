//! A topic name: where a message is published (MQTT 3.1.1, section 4.7).

use std::fmt;

use super::Level;
use super::invalid::{Invalid, check};

/// A topic name: where a message is published. It has no wildcard and no NUL, is not empty, and fits into a packet.
///
/// The broker may send any such name, so control characters are allowed here; a [`Level`] is stricter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(String);

impl TopicName {
    /// The topic name with this text.
    ///
    /// # Errors
    /// The first rule that `text` breaks (sections 4.7.1 and 4.7.3).
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        check(&text, |c| matches!(c, '+' | '#' | '\0'))?;
        Ok(Self(text))
    }

    /// The topic name of one level.
    #[must_use]
    pub fn of(level: &Level) -> Self {
        Self(level.as_str().to_owned())
    }

    /// Stands in for the topic name of a received message when that breaks the standard. It is empty, as no valid one
    /// is, so it is the topic of no protocol.
    pub(crate) fn invalid() -> Self {
        Self(String::new())
    }

    /// This topic name with `level` below it.
    #[must_use]
    pub fn join(&self, level: &Level) -> Self {
        Self(format!("{}/{}", self.0, level.as_str()))
    }

    /// This topic name with `prefix` and a slash before it.
    #[must_use]
    pub fn under(&self, prefix: &Self) -> Self {
        Self(format!("{prefix}/{self}"))
    }

    /// The inverse of [`TopicName::under`]; `None` where `prefix` is not before it, or nothing behind.
    #[must_use]
    pub fn below_of(&self, prefix: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
        (!rest.is_empty()).then(|| Self(rest.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels, from the first; one of them may be empty, as in `a//b`.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
