//! Answers to earlier texts, which must not be taken for the answer to the present one. A request that was repeated
//! may be answered twice; and at QoS 1 any answer may come twice, when a responder loses its connection before it
//! hears PUBACK (MQTT 3.1.1, section 4.3.2).
//!
//! An answer does not name its request: both carry NETID and action, and no more. What ties them
//! together is the text alone. A late answer is recognised by being right for an earlier
//! text and wrong for the present one. What was asked more than once is recognised by its first answer, too, byte for
//! byte: another program's responder may have ideas of its own about title case. Where an answer is right for the
//! present text, too, it does not matter which request it was meant for.
//!
//! Counting the answers would not do: a responder that died while it had a request answers it when it
//! returns, or never.

use std::collections::VecDeque;

use super::ActionName;

/// The most texts that are remembered, so that memory stays bounded: beyond that the oldest is forgotten.
const MAX_TEXTS: usize = 64;

#[derive(Debug)]
struct Answered {
    text: Vec<u8>,
    answer: Vec<u8>,
    /// At most so many further answers may come because the request was repeated.
    outstanding: u32,
}

/// What was asked before.
#[derive(Debug)]
pub struct LateAnswers {
    action: ActionName,
    answered: VecDeque<Answered>,
}

impl LateAnswers {
    /// Nothing, so far.
    #[must_use]
    pub fn new(action: ActionName) -> Self {
        Self {
            action,
            answered: VecDeque::new(),
        }
    }

    /// Whether a request was repeated, and may be answered once more.
    #[must_use]
    pub fn are_outstanding(&self) -> bool {
        self.answered.iter().any(|earlier| earlier.outstanding > 0)
    }

    /// `text` was asked `outstanding` times more than once, and `answer` was the first answer.
    pub fn expect(&mut self, text: Vec<u8>, answer: Vec<u8>, outstanding: u32) {
        if self.answered.len() == MAX_TEXTS {
            self.answered.pop_front();
        }
        self.answered.push_back(Answered {
            text,
            answer,
            outstanding,
        });
    }

    /// Whether `answer` is a late one and not for `text`. If so, one answer less is outstanding.
    pub fn takes(&mut self, answer: &[u8], text: Option<&[u8]>) -> bool {
        if text.is_some_and(|text| self.fits(text, answer)) {
            return false;
        }
        let known = |earlier: &Answered| {
            let is_other = text != Some(&earlier.text);
            let is_repeated = earlier.outstanding > 0 && earlier.answer == answer;
            is_other && (is_repeated || self.fits(&earlier.text, answer))
        };
        // The repeated one first: that it is answered is what a lingering requester waits for.
        let repeated = |earlier: &Answered| earlier.outstanding > 0 && known(earlier);
        let at = self.answered.iter().position(repeated);
        let Some(at) = at.or_else(|| self.answered.iter().position(known)) else {
            return false;
        };
        let earlier = &mut self.answered[at];
        earlier.outstanding = earlier.outstanding.saturating_sub(1);
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
    use crate::text_request::Action;

    fn late(action: Action, texts: &[(&str, &str, u32)]) -> LateAnswers {
        let mut late = LateAnswers::new(action.into());
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
            assert_eq!(late.are_outstanding(), !taken);
        }
    }

    #[test]
    fn each_answer_to_what_was_repeated_is_counted_once() {
        let texts = [("ab", "ba", 2), ("cd", "dc", 1), ("e", "e", 0)];
        let mut late = late(Action::Reverse, &texts);
        for (comes, outstanding) in [("ba", true), ("e", true), ("ba", true), ("dc", false)] {
            assert!(late.takes(comes.as_bytes(), None), "{comes}");
            assert_eq!(late.are_outstanding(), outstanding, "{comes}");
        }
    }

    /// At QoS 1 a responder sends its answer again when it has lost the connection before the PUBACK.
    #[test]
    fn an_answer_that_comes_twice_is_not_the_next_ones() {
        let mut late = late(Action::Reverse, &[("ab", "ba", 0)]);
        assert!(late.takes(b"ba", Some(b"cd")));
        assert!(late.takes(b"ba", Some(b"cd")), "any number of times");
        assert!(!late.takes(b"dc", Some(b"cd")));
        assert!(!late.takes(b"ba", Some(b"ab")), "the same text once more");
        // Another responder's idea of title case: not ours, and so nothing is known of it.
        let mut late = self::late(Action::TitleCase, &[("it's", "It'S", 0)]);
        assert!(!late.takes(b"It'S", Some(b"iT'S")));
    }
}
