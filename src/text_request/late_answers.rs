//! A text that was asked more than once may be answered more than once. The later answers are remembered as
//! outstanding here, so that the requester does not take them for answers to its next text.
//!
//! An answer does not name its request: both carry NETID and action, and no more. What ties them
//! together is the text alone. A late answer is recognised by being right for an earlier
//! text, or byte for byte what that text was answered with before (another program's responder may
//! have ideas of its own about title case), and wrong for the present one. Where it is right for the
//! present one, too, it does not matter which request it was meant for.
//!
//! Counting the answers would not do: a responder that died while it had a request answers it when it
//! returns, or never.

use std::collections::VecDeque;

use super::Action;

/// The most texts that are remembered, so that memory stays bounded: beyond that the oldest is forgotten.
const MAX_TEXTS: usize = 64;

#[derive(Debug)]
struct AskedTwice {
    text: Vec<u8>,
    answer: Vec<u8>,
    /// At most so many answers may still come.
    outstanding: u32,
}

/// What was asked more than once.
#[derive(Debug)]
pub struct LateAnswers {
    action: Action,
    asked_twice: VecDeque<AskedTwice>,
}

impl LateAnswers {
    /// Nothing, so far.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            asked_twice: VecDeque::new(),
        }
    }

    /// Whether nothing is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asked_twice.is_empty()
    }

    /// `text` was asked `outstanding` times more than once, and `answer` was the first answer.
    pub fn expect(&mut self, text: Vec<u8>, answer: Vec<u8>, outstanding: u32) {
        if outstanding == 0 {
            return;
        }
        if self.asked_twice.len() == MAX_TEXTS {
            self.asked_twice.pop_front();
        }
        self.asked_twice.push_back(AskedTwice {
            text,
            answer,
            outstanding,
        });
    }

    /// Whether `answer` is a late one and not for `text`. If so, one answer less is outstanding.
    pub fn takes(&mut self, answer: &[u8], text: Option<&[u8]>) -> bool {
        if self.is_empty() || text.is_some_and(|text| self.fits(text, answer)) {
            return false;
        }
        let known =
            |earlier: &AskedTwice| earlier.answer == answer || self.fits(&earlier.text, answer);
        let Some(at) = self.asked_twice.iter().position(known) else {
            return false;
        };
        self.asked_twice[at].outstanding -= 1;
        if self.asked_twice[at].outstanding == 0 {
            self.asked_twice.remove(at);
        }
        true
    }

    fn fits(&self, text: &[u8], answer: &[u8]) -> bool {
        match (std::str::from_utf8(text), std::str::from_utf8(answer)) {
            (Ok(text), Ok(answer)) => self.action.fits(text, answer),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(action: Action, texts: &[(&str, &str, u32)]) -> LateAnswers {
        let mut late = LateAnswers::new(action);
        for (text, answer, outstanding) in texts {
            late.expect((*text).into(), (*answer).into(), *outstanding);
        }
        late
    }

    #[test]
    fn a_late_answer_is_told_from_the_present_one_by_its_text() {
        for (action, earlier, answer, present, comes, taken) in [
            (Action::Reverse, "abc", "cba", "xyz", "cba", true),
            (Action::Reverse, "abc", "cba", "xyz", "zyx", false),
            (Action::Reverse, "abc", "cba", "abc", "cba", false),
            (Action::Uppercase, "abc", "ABC", "Abc", "ABC", false),
            // Another order each time.
            (Action::Shuffle, "abc", "bca", "xyz", "acb", true),
            (Action::Shuffle, "abc", "bca", "xyz", "yxz", false),
            (Action::Shuffle, "abc", "bca", "cab", "acb", false),
            // A responder that has its own idea of title case.
            (Action::TitleCase, "it's", "It'S", "he's", "It'S", true),
            (Action::TitleCase, "it's", "It'S", "he's", "He'S", false),
        ] {
            let mut late = late(action, &[(earlier, answer, 1)]);
            let found = late.takes(comes.as_bytes(), Some(present.as_bytes()));
            assert_eq!(found, taken, "{action} {earlier} {present} {comes}");
            assert_eq!(late.is_empty(), taken);
        }
    }

    #[test]
    fn each_outstanding_answer_is_taken_once() {
        let mut late = late(
            Action::Reverse,
            &[("ab", "ba", 2), ("cd", "dc", 1), ("e", "e", 0)],
        );
        for (comes, taken) in [
            ("ba", true),
            ("ba", true),
            ("ba", false),
            ("e", false),
            ("dc", true),
        ] {
            assert_eq!(late.takes(comes.as_bytes(), None), taken, "{comes}");
        }
        assert!(late.is_empty());
    }
}
