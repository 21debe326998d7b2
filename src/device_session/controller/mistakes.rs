//! What went wrong in a session, in sentences: what came, where, and what was expected. Pure: it names a message, and
//! neither counts replies nor knows stages.

use crate::device_session::prefix::Prefix;
use crate::device_session::{Replies, login_topic, reply_topic, words};
use crate::mqtt::{Level, TopicName, printable};

/// So many kinds of mistakes are told one by one; a client that makes more is told how many.
const MOST: usize = 20;

/// A mistake, and how many more of its kind came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Its kind: of several with the same one the first is told.
    pub kind: String,
    /// The sentence, without a full stop.
    pub sentence: String,
    /// How often it was made.
    pub times: u64,
}

/// The mistakes of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// In the order in which they were made first.
    pub list: Vec<Mistake>,
    /// Those of kinds beyond [`MOST`].
    pub(super) others: u64,
}

impl Mistakes {
    /// Takes one down.
    pub fn add(&mut self, kind: impl Into<String>, sentence: String) {
        let kind = kind.into();
        if let Some(known) = self.list.iter_mut().find(|known| known.kind == kind) {
            known.times += 1;
        } else if self.list.len() < MOST {
            let times = 1;
            self.list.push(Mistake {
                kind,
                sentence,
                times,
            });
        } else {
            self.others += 1;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let told = self.list.iter().map(|mistake| {
            let sentence = &mistake.sentence;
            match mistake.times - 1 {
                0 => sentence.clone(),
                more => format!("{sentence} (and {more} more of this kind)"),
            }
        });
        let mut told: Vec<String> = told.collect();
        if self.others > 0 {
            told.push(format!("and {} mistakes of other kinds", self.others));
        }
        told
    }
}

/// A message on a topic where no reply belongs.
#[derive(Debug, PartialEq, Eq)]
pub struct Stray {
    /// The kind of mistake.
    pub kind: &'static str,
    /// What it is.
    pub sentence: String,
    /// The command that it answers, as far as can be told.
    pub command: Option<Level>,
}

/// A payload as a sentence has it.
fn shown(payload: &[u8]) -> String {
    match payload.is_empty() {
        true => "an empty message".to_owned(),
        false => format!("`{}`", printable(payload)),
    }
}

/// The command that `level` means, whatever its letters' case and the white space around it.
fn meant<'a>(table: &'a Replies, level: &str) -> Option<&'a Level> {
    let level = level.trim();
    let is_meant = |command: &&Level| command.as_str().eq_ignore_ascii_case(level);
    table.commands().find(is_meant)
}

/// The command that this word answers.
fn answered<'a>(table: &'a Replies, word: &str) -> Option<&'a Level> {
    let is_answer = |command: &&Level| {
        let answer = table.answer(command.as_str());
        answer.is_some_and(|(_, known)| known.eq_ignore_ascii_case(word))
    };
    table.commands().find(is_answer)
}

/// Names a message that came on `topic` where the reply to a command of the session `unique_id` of `user_id` belongs on
/// `<UNIQUE_ID>/<COMMAND>`. `None` where it is none of this session's.
#[must_use]
pub fn stray(
    table: &Replies,
    prefix: &Prefix,
    user_id: &Level,
    unique_id: &Level,
    topic: &TopicName,
    payload: &[u8],
) -> Option<Stray> {
    let levels: Vec<&str> = topic.levels().collect();
    let id = unique_id.as_str();
    let word = words(payload).unwrap_or_default();
    let last = levels.last().copied().unwrap_or_default();
    let by_level = levels.iter().rev().find_map(|level| meant(table, level));
    let command = by_level.or_else(|| answered(table, word));
    let (kind, why) = match levels[..] {
        [first] if first == id => ("command topic", "the topic of the commands".to_owned()),
        [first, _] if first == id => match (by_level, answered(table, last)) {
            (Some(command), _) if last.trim() == command.as_str() => {
                ("white space", "with white space in the topic".to_owned())
            }
            (Some(_), _) => ("case", "and topics are case-sensitive".to_owned()),
            (None, Some(_)) => ("swapped", "the word in place of the command".to_owned()),
            (None, None) => (
                "no command",
                format!("and {} is no command", printable(last.as_bytes())),
            ),
        },
        [first, "", ..] if first == id => ("empty level", "with an empty level in it".to_owned()),
        [first, ..] if first == id => ("deeper", "a level too deep".to_owned()),
        [first, ..] if first.eq_ignore_ascii_case(id) => {
            let why = "the UNIQUE ID in other letters: topics are case-sensitive";
            ("case of the UNIQUE ID", why.to_owned())
        }
        ["", second, ..] if second.eq_ignore_ascii_case(id) => {
            ("leading slash", "which begins with a slash".to_owned())
        }
        [_, second, ..] if second.eq_ignore_ascii_case(id) => (
            "level before",
            "with a level before the UNIQUE ID".to_owned(),
        ),
        [first, second] if first == user_id.as_str() && meant(table, second).is_some() => {
            let why = "below the USER_ID instead of the UNIQUE ID";
            ("USER_ID", why.to_owned())
        }
        _ => return None,
    };
    let expected = match command {
        Some(command) => {
            let topic = prefix.shown(reply_topic(unique_id, command));
            format!("the reply to {command} belongs on {topic}")
        }
        None => {
            let topic = prefix.shown(unique_id);
            format!("a reply belongs on {topic}/COMMAND")
        }
    };
    let what = shown(payload);
    let topic = prefix.shown(printable(topic.as_str().as_bytes()));
    Some(Stray {
        kind,
        sentence: format!("{what} came on {topic}, {why}; {expected}"),
        command: command.cloned(),
    })
}

/// Says why `payload` is not `word`, the one that answers `command`: the kind of mistake, and the sentence.
#[must_use]
pub fn wrong_word(
    table: &Replies,
    command: &Level,
    word: &str,
    topic: &str,
    payload: &[u8],
) -> (String, String) {
    let trimmed = words(payload).unwrap_or_default();
    let quoted = trimmed.trim_matches(['"', '\'', '`']);
    let (kind, why) = if std::str::from_utf8(payload).is_err() {
        ("UTF-8", ", and is not UTF-8".to_owned())
    } else if trimmed == command.as_str() {
        let why = ": that is the command, and not the word that answers it";
        ("command for word", why.to_owned())
    } else if trimmed == word {
        let why = ": nothing belongs before or after the word, no blank, no line feed";
        ("around the word", why.to_owned())
    } else if quoted == word {
        ("quotation marks", ": without quotation marks".to_owned())
    } else if trimmed.eq_ignore_ascii_case(word) {
        let why = ": capital and small letters differ";
        ("case of the word", why.to_owned())
    } else if let Some(other) = answered(table, trimmed) {
        let why = format!(": that is the word for {other}, and not for {command}");
        ("word", why)
    } else {
        ("word", format!(", the word for {command}"))
    };
    let kind = match kind {
        "word" => format!("word for {command}"),
        kind => kind.to_owned(),
    };
    let sentence = format!(
        "{} came on {topic} instead of `{word}`{why}",
        shown(payload)
    );
    (kind, sentence)
}

/// Names a login on another topic than `login`: the sentence, and who wants to log in. `None` where it is none.
#[must_use]
pub fn stray_login(
    prefix: &Prefix,
    topic: &TopicName,
    payload: &[u8],
) -> Option<(String, Option<Level>)> {
    let levels: Vec<&str> = topic.levels().collect();
    let sent = Level::from_bytes(super::without_end(payload)).ok();
    let (why, user_id) = match levels[..] {
        ["login", "UUID" | "verdict"] => return None,
        [one] if one.eq_ignore_ascii_case("login") => ("topics are case-sensitive", sent),
        ["", one] if one.eq_ignore_ascii_case("login") => {
            ("a topic that begins with a slash is another one", sent)
        }
        ["login", below] => (
            "a level below is another topic",
            Level::new(below).ok().or(sent),
        ),
        _ => return None,
    };
    let what = shown(payload);
    let topic = prefix.shown(printable(topic.as_str().as_bytes()));
    let login = prefix.shown(login_topic());
    let sentence =
        format!("{what} came on {topic} instead of {login}: {why}; the USER_ID is the message");
    Some((sentence, user_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00c0ffee";

    fn level(text: &str) -> Level {
        Level::new(text).unwrap()
    }

    fn named(topic: &str, payload: &str) -> Option<(String, Option<String>)> {
        let topic = TopicName::new(topic).unwrap();
        let table = Replies::default();
        let stray = stray(
            &table,
            &Prefix::NONE,
            &level("alice"),
            &level(ID),
            &topic,
            payload.as_bytes(),
        )?;
        Some((stray.sentence, stray.command.map(|c| c.to_string())))
    }

    #[test]
    fn a_message_on_a_wrong_topic_is_told_where_it_belongs() {
        for (topic, why) in [
            ("00c0ffee", "the topic of the commands"),
            ("00c0ffee/cmd1", "and topics are case-sensitive"),
            ("00c0ffee/CMD1 ", "with white space in the topic"),
            ("00c0ffee/Apple", "the word in place of the command"),
            ("00c0ffee//CMD1", "with an empty level in it"),
            ("00c0ffee/CMD1/reply", "a level too deep"),
            ("00c0ffee/reply/CMD1", "a level too deep"),
            (
                "00C0FFEE/CMD1",
                "the UNIQUE ID in other letters: topics are case-sensitive",
            ),
            ("/00c0ffee/CMD1", "which begins with a slash"),
            ("reply/00c0ffee/CMD1", "with a level before the UNIQUE ID"),
            ("alice/CMD1", "below the USER_ID instead of the UNIQUE ID"),
        ] {
            let (sentence, command) = named(topic, "Apple").unwrap();
            let expected = format!(
                "`Apple` came on {topic}, {why}; the reply to CMD1 belongs on 00c0ffee/CMD1"
            );
            assert_eq!(sentence, expected);
            assert_eq!(command.as_deref(), Some("CMD1"), "{topic}");
        }
        assert_eq!(
            named("00c0ffee/CMD8", "Hello"),
            Some((
                "`Hello` came on 00c0ffee/CMD8, and CMD8 is no command; a reply belongs on 00c0ffee/COMMAND".to_owned(),
                None
            ))
        );
        for other in ["alice/status", "alice/UUID", "bob/CMD1", "U2/CMD1", "U2"] {
            assert_eq!(named(other, "Apple"), None, "{other}");
        }
    }

    #[test]
    fn a_wrong_word_is_told_what_it_is() {
        let table = Replies::default();
        let topic = "U/CMD1";
        for (payload, why) in [
            ("Ape", ", the word for CMD1"),
            ("apple", ": capital and small letters differ"),
            (
                "Apple\n",
                ": nothing belongs before or after the word, no blank, no line feed",
            ),
            ("\"Apple\"", ": without quotation marks"),
            ("Cat", ": that is the word for CMD2, and not for CMD1"),
            (
                "CMD1",
                ": that is the command, and not the word that answers it",
            ),
        ] {
            let (_, said) = wrong_word(&table, &level("CMD1"), "Apple", topic, payload.as_bytes());
            let came = printable(payload.as_bytes());
            assert_eq!(
                said,
                format!("`{came}` came on U/CMD1 instead of `Apple`{why}")
            );
        }
        let (_, said) = wrong_word(&table, &level("CMD1"), "Apple", topic, b"");
        assert!(
            said.starts_with("an empty message came on U/CMD1"),
            "{said}"
        );
        let (_, said) = wrong_word(&table, &level("CMD1"), "Apple", topic, b"\xff");
        assert!(said.ends_with("is not UTF-8"), "{said}");
    }

    #[test]
    fn a_login_on_a_wrong_topic_is_told_apart_from_other_messages() {
        for (topic, payload, why, who) in [
            ("Login", "alice", "topics are case-sensitive", "alice"),
            ("/login", "alice\n", "begins with a slash", "alice"),
            ("login/bob", "", "a level below is another topic", "bob"),
        ] {
            let topic = TopicName::new(topic).unwrap();
            let (sentence, user_id) =
                stray_login(&Prefix::NONE, &topic, payload.as_bytes()).unwrap();
            assert!(sentence.contains(why), "{sentence}");
            assert_eq!(user_id, Some(level(who)));
        }
        for topic in ["login", "login/UUID", "alice/login", "a"] {
            let topic = TopicName::new(topic).unwrap();
            let named = stray_login(&Prefix::NONE, &topic, b"alice");
            assert_eq!(named.is_some(), topic.as_str() == "login", "{topic}");
        }
    }

    #[test]
    fn mistakes_of_one_kind_are_counted_and_the_kinds_are_few() {
        let mut mistakes = Mistakes::default();
        for _ in 0..3 {
            mistakes.add("a", "it".to_owned());
        }
        assert_eq!(mistakes.sentences(), ["it (and 2 more of this kind)"]);
        for kind in 0..100 {
            mistakes.add(kind.to_string(), "other".to_owned());
        }
        assert_eq!(mistakes.sentences().len(), MOST + 1);
        assert_eq!(mistakes.sentences()[MOST], "and 81 mistakes of other kinds");
    }
}
