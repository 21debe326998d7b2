//! Answers that are still to come to what was asked more than once, and must not be taken for answers
//! to anything else.
//!
//! An answer says nothing of the request it belongs to: both carry NETID and action, and no more. What
//! ties them together is the text alone. A late answer is recognised by being right for an earlier
//! text, or byte for byte what that text was answered with before (another program's responder may
//! have ideas of its own about title case), and wrong for the present one. Where it is right for the
//! present one, too, it does not matter which request it was meant for.
//!
//! Counting the answers would not do: a request that was swallowed by a responder that died is answered
//! when that returns, or never.

use std::collections::VecDeque;

use super::Action;

/// More texts than anybody waits for: the oldest is forgotten.
const MOST: usize = 64;

#[derive(Debug)]
struct Doubled {
    text: Vec<u8>,
    answer: Vec<u8>,
    /// At most so many answers may still come.
    owed: u32,
}

/// What was asked more than once.
#[derive(Debug)]
pub struct Late {
    action: Action,
    doubled: VecDeque<Doubled>,
}

impl Late {
    /// Nothing, so far.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            doubled: VecDeque::new(),
        }
    }

    /// Whether nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.doubled.is_empty()
    }

    /// `text` was asked `owed` times more than once, and `answer` was the first answer.
    pub fn expect(&mut self, text: Vec<u8>, answer: Vec<u8>, owed: u32) {
        if owed == 0 {
            return;
        }
        if self.doubled.len() == MOST {
            self.doubled.pop_front();
        }
        self.doubled.push_back(Doubled { text, answer, owed });
    }

    /// Whether `answer` is a late one and not for `text`; then it is owed no more.
    pub fn takes(&mut self, answer: &[u8], text: Option<&[u8]>) -> bool {
        if self.is_empty() || text.is_some_and(|text| self.fits(text, answer)) {
            return false;
        }
        let known =
            |doubled: &Doubled| doubled.answer == answer || self.fits(&doubled.text, answer);
        let Some(at) = self.doubled.iter().position(known) else {
            return false;
        };
        self.doubled[at].owed -= 1;
        if self.doubled[at].owed == 0 {
            self.doubled.remove(at);
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

    fn late(action: Action, texts: &[(&str, &str, u32)]) -> Late {
        let mut late = Late::new(action);
        for (text, answer, owed) in texts {
            late.expect((*text).into(), (*answer).into(), *owed);
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
    fn each_answer_that_is_owed_is_taken_once() {
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
