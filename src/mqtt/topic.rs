//! Topic names, topic filters and topic levels, valid by construction (MQTT 3.1.1, section 4.7).
//!
//! Knows the rules of the standard and nothing of this program's protocols.

use std::fmt;

/// The longest UTF-8 string MQTT can carry, in bytes (MQTT 3.1.1, section 1.5.3).
pub const MAX_BYTES: usize = 65_535;

/// Why a text is not a topic name, topic filter or topic level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Nothing in it (section 4.7.3).
    Empty,
    /// More than [`MAX_BYTES`] (section 4.7.3).
    TooLong,
    /// A character that may not stand there: NUL, a control character, a noncharacter, a wildcard or a
    /// separator.
    Character(char),
    /// Bytes that are not UTF-8 (section 1.5.3).
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

fn check(text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), Invalid> {
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

/// Code points that Unicode keeps for a program's own use. Receivers may end the connection of whoever
/// sends one (MQTT 3.1.1, section 1.5.3), and mosquitto does.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe
}

/// One level of a topic that somebody else chose: a USER_ID, a NETID, a UNIQUE ID.
///
/// Not empty, no `+`, `#`, `/`, NUL, control character or noncharacter, and short enough that the topics
/// made of it stay within MQTT's length. So a level can never widen a subscription to other people's topics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(String);

impl Level {
    /// Room that a level leaves for the rest of its topic, in bytes.
    const ROOM: usize = 256;

    /// Checks `text`.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let forbidden =
            |c: char| matches!(c, '+' | '#' | '/') || c.is_control() || is_noncharacter(c);
        check(text, forbidden)?;
        if text.len() > MAX_BYTES - Self::ROOM {
            return Err(Invalid::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// A level that this program's own source spells out.
    pub(crate) fn known(text: &'static str) -> Self {
        debug_assert_eq!(Self::new(text).map(|l| l.0), Ok(text.to_owned()));
        Self(text.to_owned())
    }

    /// Checks a payload that ought to be a level.
    ///
    /// # Errors
    /// Says which rule the bytes break.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        Self::new(std::str::from_utf8(bytes).map_err(|_| Invalid::NotUtf8)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A topic name: what a message is published to. No wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(String);

impl TopicName {
    /// Checks `text`.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        check(&text, |c| matches!(c, '+' | '#' | '\0'))?;
        Ok(Self(text))
    }

    /// The topic of one level.
    #[must_use]
    pub fn of(level: &Level) -> Self {
        Self(level.0.clone())
    }

    /// Stands in for a topic name that a broker sent against the standard.
    pub(crate) fn invalid() -> Self {
        Self(String::new())
    }

    /// This topic with `level` below it.
    #[must_use]
    pub fn join(&self, level: &Level) -> Self {
        Self(format!("{}/{}", self.0, level.0))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels, from the top.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }
}

/// A topic filter: what a subscription asks for. May hold `+` and `#` as whole levels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(String);

impl TopicFilter {
    /// Checks `text` (section 4.7.1).
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        check(&text, |c| c == '\0')?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.len() > 1 {
                if let Some(c) = level.chars().find(|c| matches!(c, '+' | '#')) {
                    return Err(Invalid::Character(c));
                }
            }
            if level == "#" && levels.peek().is_some() {
                return Err(Invalid::Character('#'));
            }
        }
        Ok(Self(text))
    }

    /// The filter that matches this one topic.
    #[must_use]
    pub fn exactly(topic: &TopicName) -> Self {
        Self(topic.0.clone())
    }

    /// The filter for every topic one level below this one.
    #[must_use]
    pub fn below(topic: &TopicName) -> Self {
        Self(format!("{}/+", topic.0))
    }

    /// The filter for these levels below anybody's first level.
    #[must_use]
    pub fn under_any(levels: &[Level]) -> Self {
        let mut filter = String::from("+");
        for level in levels {
            filter.push('/');
            filter.push_str(level.as_str());
        }
        Self(filter)
    }

    /// This filter, shared by all who ask for it in the name of `group`: each message goes to one of
    /// them (MQTT 5, section 4.8.2, whose rules for a share name are those of a [`Level`]; brokers
    /// have it for 3.1.1, too).
    #[must_use]
    pub fn shared(&self, group: &Level) -> Self {
        Self(format!("$share/{group}/{}", self.0))
    }

    /// Whether it is shared: a broker may refuse it for that alone.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.starts_with("$share/")
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message on `topic` is meant (section 4.7.1; wildcards do not match a leading `$`, 4.7.2).
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        if topic.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.0.split('/');
        for level in self.0.split('/') {
            match (level, names.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TopicFilter {
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

    #[test]
    fn filters_take_wildcards_as_whole_levels_only() {
        for text in ["a", "+", "#", "a/+/b", "a/#", "/", "+/a/request"] {
            assert!(TopicFilter::new(text).is_ok(), "{text}");
        }
        for text in ["", "a+", "a/b#", "#/a", "++", "a\0"] {
            assert!(TopicFilter::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("é/+", "é/x", true),
        ] {
            let filter = TopicFilter::new(filter).unwrap();
            let topic = TopicName::new(topic).unwrap();
            assert_eq!(filter.matches(&topic), expected, "{filter} {topic}");
        }
    }
}
