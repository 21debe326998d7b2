//! What a text must be before it can become a topic name, a topic filter or a level (MQTT 3.1.1, section 4.7).

use std::fmt;

/// The longest UTF-8 string that an MQTT packet can carry, in bytes, because its length has two bytes (MQTT 3.1.1,
/// section 1.5.3).
pub const MAX_BYTES: usize = 65_535;

/// Why a text is not a topic name, a topic filter or a level.
///
/// It displays as the end of a sentence about that text: "it is empty", "it has a `#`".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// It has no character (section 4.7.3).
    Empty,
    /// It has more than [`MAX_BYTES`] (section 4.7.3), or as a [`Level`](super::Level) more than leaves room for the
    /// rest of a topic.
    TooLong,
    /// It has a character that may not stand there: NUL (section 4.7.3), a wildcard (section 4.7.1), or in a level a
    /// separator, a control character or a noncharacter (section 1.5.3).
    Character(char),
    /// Its bytes are not UTF-8 (section 1.5.3).
    NotUtf8,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "it is empty"),
            Self::TooLong => write!(f, "it is too long for a topic"),
            Self::Character(c @ ('+' | '#' | '/')) => write!(f, "it has a `{c}`"),
            Self::Character(c) if is_noncharacter(*c) => {
                write!(f, "it has the noncharacter U+{:04X}", *c as u32)
            }
            Self::Character(c) => write!(f, "it has the control character U+{:04X}", *c as u32),
            Self::NotUtf8 => write!(f, "it is not UTF-8"),
        }
    }
}

impl std::error::Error for Invalid {}

/// Checks what is true of all three, and that `text` has no `forbidden` character.
pub(super) fn check(text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(Invalid::TooLong);
    }
    match text.chars().find(|c| forbidden(*c)) {
        Some(c) => Err(Invalid::Character(c)),
        None => Ok(()),
    }
}

/// Whether Unicode keeps this code point for a program's own use. A receiver may close the connection on which it
/// arrives (MQTT 3.1.1, section 1.5.3), and mosquitto does.
pub(super) fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe
}
