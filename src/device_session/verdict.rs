//! The verdict on a session as a message on `<USER_ID>/verdict`: what stands in it, and how a device reads it. Whoever
//! has no client of this program reads it as it is: the word first, then a sentence a line.

use std::fmt;

use crate::mqtt::{Level, Message, QoS, TopicName};

/// The topic on which the device `user_id` hears what the controller makes of its session.
#[must_use]
pub fn verdict_topic(user_id: &Level) -> TopicName {
    TopicName::of(user_id).join(&Level::known("verdict"))
}

/// What the controller makes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Every command has its right reply.
    Passed,
    /// There is a mistake.
    Failed,
    /// Something is missing, and may still come.
    Waiting,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        })
    }
}

/// The first line: the word, and which session it is about. A login on a wrong topic has none.
fn headline(word: Word, unique_id: Option<&Level>) -> String {
    match unique_id {
        Some(unique_id) => format!("{word}: session {unique_id}"),
        None => format!("{word}: login"),
    }
}

/// The message that says so to the device `user_id`: neither retained, because it is about one session, nor at QoS 0.
#[must_use]
pub fn verdict_message(
    user_id: &Level,
    unique_id: Option<&Level>,
    word: Word,
    sentences: &[String],
) -> Message {
    let mut text = headline(word, unique_id);
    for sentence in sentences {
        text.push('\n');
        text.push_str(sentence);
    }
    Message::new(verdict_topic(user_id), text, QoS::AtLeastOnce)
}

/// Reads a verdict on the session `unique_id`: the word, and the sentences. `None` where it is about another session.
#[must_use]
pub fn parse_verdict<'a>(
    payload: &'a [u8],
    unique_id: &Level,
) -> Option<(Word, impl Iterator<Item = &'a str> + use<'a>)> {
    let mut lines = std::str::from_utf8(payload).ok()?.lines();
    let first = lines.next()?;
    let words = [Word::Passed, Word::Failed, Word::Waiting];
    let word = words
        .into_iter()
        .find(|word| first == headline(*word, Some(unique_id)))?;
    Some((word, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_controller_writes_the_device_reads() {
        let [alice, id, other] = ["alice", "U1", "U2"].map(|text| Level::new(text).unwrap());
        let sentences = ["one".to_owned(), "two".to_owned()];
        for word in [Word::Passed, Word::Failed, Word::Waiting] {
            let message = verdict_message(&alice, Some(&id), word, &sentences);
            assert_eq!(message.topic.as_str(), "alice/verdict");
            assert!(!message.retain);
            let (read, lines) = parse_verdict(&message.payload, &id).unwrap();
            assert_eq!(
                (read, lines.collect::<Vec<_>>()),
                (word, vec!["one", "two"])
            );
            assert!(parse_verdict(&message.payload, &other).is_none());
        }
        let login = verdict_message(&alice, None, Word::Failed, &sentences);
        assert_eq!(login.payload, b"failed: login\none\ntwo");
        assert!(parse_verdict(&login.payload, &id).is_none());
        assert!(parse_verdict(b"", &id).is_none());
    }
}
