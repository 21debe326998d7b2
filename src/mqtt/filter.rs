//! A topic filter: which messages a subscription asks for (MQTT 3.1.1, section 4.7).

use std::fmt;

use super::invalid::{Invalid, check};
use super::{Level, TopicName};

/// A topic filter: which messages a subscription asks for. `+` stands for any one level, and a `#` at the end for any
/// number of them.
///
/// ```
/// use mqtt_client::mqtt::{Invalid, TopicFilter, TopicName};
///
/// # fn main() -> Result<(), Invalid> {
/// let filter = TopicFilter::new("+/reverse/request")?;
/// assert!(filter.matches(&TopicName::new("abcd01/reverse/request")?));
/// assert!(!filter.matches(&TopicName::new("abcd01/reverse/response")?));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(String);

impl TopicFilter {
    /// The topic filter with this text.
    ///
    /// # Errors
    /// The first rule that `text` breaks: a `+` must be a whole level, and a `#` must be the whole last one (section
    /// 4.7.1).
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

    /// The filter that matches this one topic name.
    #[must_use]
    pub fn exactly(topic: &TopicName) -> Self {
        Self(topic.as_str().to_owned())
    }

    /// The filter that matches every topic name one level below this one.
    #[must_use]
    pub fn below(topic: &TopicName) -> Self {
        Self(format!("{}/+", topic.as_str()))
    }

    /// The filter that matches these levels below any first level: `+/reverse/request` for `reverse`, `request`.
    #[must_use]
    pub fn under_any(levels: &[Level]) -> Self {
        let mut filter = String::from("+");
        for level in levels {
            filter.push('/');
            filter.push_str(level.as_str());
        }
        Self(filter)
    }

    /// The filter that matches this level below any two: `+/+/request`.
    #[must_use]
    pub fn under_any_two(level: &Level) -> Self {
        Self(format!("+/+/{level}"))
    }

    /// This filter as a shared subscription: of all clients that subscribe to it in the name of `group`, the broker
    /// gives each message to one. It is from MQTT 5 (section 4.8.2, whose rules for a share name are those of a
    /// [`Level`]); brokers offer it to clients of MQTT 3.1.1 as well.
    #[must_use]
    pub fn shared(&self, group: &Level) -> Self {
        Self(format!("$share/{group}/{}", self.0))
    }

    /// Whether this is a shared subscription: a broker that does not offer them may refuse it for that reason alone.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.starts_with("$share/")
    }

    /// This filter with `prefix` and a slash before it; that of a shared subscription goes before both.
    #[must_use]
    pub fn under(&self, prefix: &TopicName) -> Self {
        let (group, filter) = self.split_share();
        Self(format!("{group}{prefix}/{filter}"))
    }

    /// The inverse of [`TopicFilter::under`]; `None` where `prefix` is not before it, or nothing behind.
    #[must_use]
    pub fn below_of(&self, prefix: &TopicName) -> Option<Self> {
        let (group, filter) = self.split_share();
        let rest = filter.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
        (!rest.is_empty()).then(|| Self(format!("{group}{rest}")))
    }

    /// `$share/GROUP/` where it begins with that, and the rest.
    fn split_share(&self) -> (&str, &str) {
        let group = self.0.strip_prefix("$share/");
        let group = group.and_then(|rest| rest.split_once('/'));
        let rest = group.map_or(&*self.0, |(_, rest)| rest);
        self.0.split_at(self.0.len() - rest.len())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message on `topic` matches (section 4.7.1). A wildcard as the first level does not match a name that
    /// begins with `$` (section 4.7.2). The prefix of a shared subscription is not taken off.
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        if topic.as_str().starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
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

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
