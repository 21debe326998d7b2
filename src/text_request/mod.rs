//! Protocol B, the text request: its topics and its five actions, as both ends read them.

mod action_name;
pub mod judge;
mod late_answers;
pub mod requester;
pub mod responder;

use std::fmt;
use std::str::FromStr;

pub use action_name::ActionName;
use unicode_segmentation::UnicodeSegmentation;

use crate::mqtt::{Level, MAX_PAYLOAD, TopicFilter, TopicName};

/// How many times longer than the request its answer may be, in bytes of UTF-8: U+0390 in upper case.
pub const GROWTH: usize = 3;

/// The longest text that may be asked for, in bytes: its answer can still be published.
pub const MAX_TEXT: usize = MAX_PAYLOAD / GROWTH;

const _: () = assert!(MAX_TEXT * GROWTH <= MAX_PAYLOAD);

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Every letter upper case (Unicode's full mapping).
    Uppercase,
    /// Every letter lower case.
    Lowercase,
    /// The first letter of each word upper case, the rest lower; words stand between white space.
    TitleCase,
    /// Back to front, by grapheme cluster.
    Reverse,
    /// In random order, by grapheme cluster.
    Shuffle,
}

impl Action {
    /// All of them, in the order of the help text.
    pub const ALL: [Self; 5] = [
        Self::Uppercase,
        Self::Lowercase,
        Self::TitleCase,
        Self::Reverse,
        Self::Shuffle,
    ];

    /// As topics and the command line spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uppercase => "uppercase",
            Self::Lowercase => "lowercase",
            Self::TitleCase => "title-case",
            Self::Reverse => "reverse",
            Self::Shuffle => "shuffle",
        }
    }

    /// Does it. Only shuffling draws from `random`.
    #[must_use]
    pub fn apply(self, text: &str, random: &mut fastrand::Rng) -> String {
        match self {
            Self::Uppercase => text.to_uppercase(),
            Self::Lowercase => text.to_lowercase(),
            Self::TitleCase => title_case(text),
            Self::Reverse => text.graphemes(true).rev().collect(),
            Self::Shuffle => {
                let mut graphemes: Vec<&str> = text.graphemes(true).collect();
                random.shuffle(&mut graphemes);
                graphemes.concat()
            }
        }
    }

    /// Whether `answer` is a right answer to `text`. Shuffled may be any order of its characters.
    #[must_use]
    pub fn fits(self, text: &str, answer: &str) -> bool {
        match self {
            Self::Shuffle => has_same_characters(text, answer),
            _ => self.apply(text, &mut fastrand::Rng::with_seed(0)) == answer,
        }
    }
}

/// Whether each character is as often in the one as in the other. Counted: a sort would be 3 kB of the binary.
fn has_same_characters(text: &str, answer: &str) -> bool {
    let mut left: Vec<(char, usize)> = Vec::new();
    for c in text.chars() {
        match left.binary_search_by_key(&c, |(known, _)| *known) {
            Ok(at) => left[at].1 += 1,
            Err(at) => left.insert(at, (c, 1)),
        }
    }
    let is_there = |c| match left.binary_search_by_key(&c, |(known, _)| *known) {
        Ok(at) if left[at].1 > 0 => {
            left[at].1 -= 1;
            true
        }
        _ => false,
    };
    answer.len() == text.len() && answer.chars().all(is_there)
}

fn title_case(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let rest = word.find(char::is_alphabetic).map_or(word.len(), |start| {
            start + word[start..].chars().next().map_or(0, char::len_utf8)
        });
        let (first, rest) = word.split_at(rest);
        title.push_str(&first.to_uppercase());
        title.push_str(&rest.to_lowercase());
    }
    title
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|a| a.name() == name).ok_or(())
    }
}

/// The topic that carries NETID's messages for `action`.
#[must_use]
pub fn request_topic(net_id: &Level, action: impl Into<ActionName>) -> TopicName {
    exchange(net_id, &action.into()).join(&Level::known("request"))
}

/// The topic that carries the answers.
#[must_use]
pub fn response_topic(net_id: &Level, action: impl Into<ActionName>) -> TopicName {
    exchange(net_id, &action.into()).join(&Level::known("response"))
}

fn exchange(net_id: &Level, action: &ActionName) -> TopicName {
    TopicName::of(net_id).join(action.level())
}

/// The filter for the requests of one action under any NETID.
#[must_use]
pub fn request_filter(action: Action) -> TopicFilter {
    TopicFilter::under_any(&[Level::known(action.name()), Level::known("request")])
}

/// The filter for the requests of any action under any NETID.
#[must_use]
pub fn all_requests_filter() -> TopicFilter {
    TopicFilter::under_any_two(&Level::known("request"))
}

/// Reads a request's topic back: its NETID and its action.
#[must_use]
pub fn parse_request_topic(topic: &TopicName) -> Option<(Level, ActionName)> {
    let mut levels = topic.levels();
    let net_id = Level::new(levels.next()?).ok()?;
    let action = ActionName::new(Level::new(levels.next()?).ok()?);
    (levels.next() == Some("request") && levels.next().is_none()).then_some((net_id, action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(action: Action, text: &str) -> String {
        action.apply(text, &mut fastrand::Rng::with_seed(1))
    }

    #[test]
    fn texts_are_transformed_as_people_read_them() {
        for (action, text, expected) in [
            (Action::Uppercase, "straße ÿ", "STRASSE Ÿ"),
            (Action::Lowercase, "ÀÉÎ ΟΔΟΣ", "àéî οδος"),
            (
                Action::TitleCase,
                "hELLO  wORLD\tit's",
                "Hello  World\tIt's",
            ),
            (
                Action::TitleCase,
                "(nice) 4you élan ßa",
                "(Nice) 4You Élan SSa",
            ),
            (Action::Reverse, "abc", "cba"),
            (Action::Reverse, "e\u{301}a👩‍👩‍👧🇩🇪", "🇩🇪👩‍👩‍👧ae\u{301}"),
            (Action::Uppercase, "", ""),
            (Action::TitleCase, " ", " "),
        ] {
            assert_eq!(apply(action, text), expected, "{action} {text}");
        }
    }

    #[test]
    fn shuffling_keeps_every_character_whole() {
        let text = "abcdefgh👩‍👩‍👧🇩🇪e\u{301}";
        let shuffled = apply(Action::Shuffle, text);
        let sorted = |text: &str| {
            let mut all: Vec<String> = text.graphemes(true).map(str::to_owned).collect();
            all.sort();
            all
        };
        assert_ne!(shuffled, text);
        assert_eq!(sorted(&shuffled), sorted(text));
    }

    #[test]
    fn both_ends_agree_on_the_topics() {
        let net_id = Level::new("abcd01").unwrap();
        for action in Action::ALL {
            let request = request_topic(&net_id, action);
            assert_eq!(request.as_str(), format!("abcd01/{action}/request"));
            assert!(request_filter(action).matches(&request));
            assert_eq!(
                parse_request_topic(&request),
                Some((net_id.clone(), action.into()))
            );
            let response = response_topic(&net_id, action);
            assert_eq!(response.as_str(), format!("abcd01/{action}/response"));
            assert_eq!(parse_request_topic(&response), None);
            assert_eq!(action.name().parse(), Ok(action));
        }
        assert_eq!("Uppercase".parse::<Action>(), Err(()));
    }
}
