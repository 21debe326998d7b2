//! One level of a topic, as it comes from outside.

use std::fmt;

use super::invalid::{Invalid, MAX_BYTES, check, is_noncharacter};

/// One level of a topic, chosen outside of this program: a USER_ID, a NETID, a UNIQUE ID.
///
/// It is not empty and has no `+`, `#`, `/`, NUL, control character or noncharacter, so a topic or filter made of it
/// has exactly the levels that the source of this program gives it: a UNIQUE ID of `#` cannot turn a device's
/// subscription into one to all topics. It is short enough that the topics made of it stay within MQTT's length.
///
/// ```
/// use mqtt_client::mqtt::{Invalid, Level};
///
/// assert_eq!(Level::from_bytes(b"alice").map(|level| level.to_string()), Ok("alice".to_owned()));
/// assert_eq!(Level::new("#"), Err(Invalid::Character('#')));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(String);

impl Level {
    /// What a level leaves of [`MAX_BYTES`] for the rest of its topic, in bytes: more than this program adds.
    const ROOM: usize = 256;

    /// The level with this text.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let forbidden =
            |c: char| matches!(c, '+' | '#' | '/') || c.is_control() || is_noncharacter(c);
        check(text, forbidden)?;
        if text.len() > MAX_BYTES - Self::ROOM {
            return Err(Invalid::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The level with a text that stands in this program's source. It is checked in debug builds only.
    pub(crate) fn known(text: &'static str) -> Self {
        debug_assert_eq!(Self::new(text).map(|l| l.0), Ok(text.to_owned()));
        Self(text.to_owned())
    }

    /// The level that a message carries as its payload.
    ///
    /// # Errors
    /// [`Invalid::NotUtf8`], or the first rule that the text breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| Invalid::NotUtf8)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_can_never_widen_a_subscription() {
        let long = "x".repeat(MAX_BYTES);
        for (text, why) in [
            ("", Invalid::Empty),
            ("#", Invalid::Character('#')),
            ("a+b", Invalid::Character('+')),
            ("a/b", Invalid::Character('/')),
            ("a\0b", Invalid::Character('\0')),
            ("a\nb", Invalid::Character('\n')),
            ("a\u{85}b", Invalid::Character('\u{85}')),
            (long.as_str(), Invalid::TooLong),
        ] {
            assert_eq!(Level::new(text), Err(why), "{text:.20?}");
        }
        assert_eq!(Level::from_bytes(&[0xff]), Err(Invalid::NotUtf8));
        for text in ["alice", "Ünï çode", "$SYS", "a b", "."] {
            assert_eq!(Level::new(text).map(|l| l.to_string()), Ok(text.to_owned()));
        }
    }
}
