//! Protocol A, the device session: its topics, its replies and its last words, as both ends read them.
//! Each topic has its inverse beside it. Knows neither of the ends.

pub mod class;
pub mod controller;
pub mod device;
pub mod prefix;
pub mod report;
pub mod verdict;

use std::fmt;
use std::time::Duration;

use crate::mqtt::{Level, MAX_PAYLOAD, TopicFilter, TopicName};

/// What ends a session, on the command topic.
pub const LAST_WORDS: &str = "Well done my IoT!";

/// From the UNIQUE ID to the first command, unless `--delay` says otherwise.
pub const PAUSE: Duration = Duration::from_secs(3);

/// The longest USER_ID that a controller takes, in bytes. MQTT would allow 64 kB, and thousands of those would
/// be a burden.
pub const MAX_USER_ID: usize = 256;

/// The topic on which devices announce their USER_ID.
#[must_use]
pub fn login_topic() -> TopicName {
    TopicName::of(&Level::known("login"))
}

/// The topic on which the device `user_id` hears its UNIQUE ID.
#[must_use]
pub fn unique_id_topic(user_id: &Level) -> TopicName {
    TopicName::of(user_id).join(&Level::known("UUID"))
}

/// The topic of a session's commands and last words.
#[must_use]
pub fn command_topic(unique_id: &Level) -> TopicName {
    TopicName::of(unique_id)
}

/// Reads a command topic back: the UNIQUE ID of its session.
#[must_use]
pub fn parse_command_topic(topic: &TopicName) -> Option<Level> {
    Level::new(topic.as_str()).ok()
}

/// The topic of the reply to `command`.
#[must_use]
pub fn reply_topic(unique_id: &Level, command: &Level) -> TopicName {
    command_topic(unique_id).join(command)
}

/// Reads a reply topic back: the UNIQUE ID of its session, and the command.
#[must_use]
pub fn parse_reply_topic(topic: &TopicName) -> Option<(Level, Level)> {
    let mut levels = topic.levels();
    let unique_id = Level::new(levels.next()?).ok()?;
    let command = Level::new(levels.next()?).ok()?;
    levels.next().is_none().then_some((unique_id, command))
}

/// The filter for all replies of a session.
#[must_use]
pub fn reply_filter(unique_id: &Level) -> TopicFilter {
    TopicFilter::below(&command_topic(unique_id))
}

/// Reads a reply filter back: the UNIQUE ID of its session.
#[must_use]
pub fn parse_reply_filter(filter: &TopicFilter) -> Option<Level> {
    Level::new(filter.as_str().strip_suffix("/+")?).ok()
}

/// Text without the white space around it, which is not part of a command. Neither is the NUL at the end of a
/// string in C.
#[must_use]
pub fn words(payload: &[u8]) -> Option<&str> {
    let is_around = |c: char| c.is_whitespace() || c == '\0';
    let text = std::str::from_utf8(payload).ok()?;
    Some(text.trim_matches(is_around))
}

/// An id without the end of a line or of a string in C, which some publishers send along.
#[must_use]
pub fn without_end(id: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | b'\0');
    let length = id.iter().rposition(|byte| !is_end(byte));
    &id[..length.map_or(0, |last| last + 1)]
}

/// What is said of an empty message where an id or a command is awaited. Whoever clears a retained message sends
/// one (MQTT 3.1.1, section 3.3.1.3), and it comes here like any other.
fn nobody_speaks(topic: &str) -> String {
    format!("ignored an empty message on {topic}: it says nothing, and clears what was retained")
}

/// Which word answers which command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies(Vec<(Level, String)>);

impl Default for Replies {
    fn default() -> Self {
        let table = [
            ("CMD1", "Apple"),
            ("CMD2", "Cat"),
            ("CMD3", "Dog"),
            ("CMD4", "Rat"),
            ("CMD5", "Boy"),
            ("CMD6", "Girl"),
            ("CMD7", "Toy"),
        ];
        Self(
            table
                .into_iter()
                .map(|(command, word)| (Level::known(command), word.to_owned()))
                .collect(),
        )
    }
}

/// Which line of a file is wrong, and why: of the replies, or of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFile {
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.why),
            line => write!(f, "line {line}: {}", self.why),
        }
    }
}

impl Replies {
    /// Reads lines of `CMD=word`. Empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// Names the first line that is not of that form, has a command that cannot be a topic level, or
    /// repeats a command, or a reply longer than [`MAX_PAYLOAD`]; a text without any reply is wrong too.
    pub fn parse(text: &str) -> Result<Self, InvalidFile> {
        let mut table: Vec<(Level, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |why: String| InvalidFile {
                line: index + 1,
                why,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((command, word)) = line.split_once('=') else {
                return Err(wrong("there is no `=`; write CMD=word".to_owned()));
            };
            let (command, word) = (command.trim(), word.trim());
            if command == LAST_WORDS {
                return Err(wrong(format!("`{LAST_WORDS}` ends the session")));
            }
            let command = Level::new(command)
                .map_err(|why| wrong(format!("the command cannot be a topic level: {why}")))?;
            if table.iter().any(|(known, _)| *known == command) {
                return Err(wrong(format!("a second reply for {command}")));
            }
            if word.len() > MAX_PAYLOAD {
                let size = word.len();
                return Err(wrong(format!(
                    "the reply to {command} has {size} bytes, more than a message carries: {MAX_PAYLOAD}"
                )));
            }
            table.push((command, word.to_owned()));
        }
        if table.is_empty() {
            return Err(InvalidFile {
                line: 0,
                why: "there is no reply in it; write lines of CMD=word".to_owned(),
            });
        }
        Ok(Self(table))
    }

    /// The command as a topic level, and the word that answers it.
    #[must_use]
    pub fn answer(&self, command: &str) -> Option<(&Level, &str)> {
        self.0
            .iter()
            .find(|(known, _)| known.as_str() == command)
            .map(|(known, word)| (known, word.as_str()))
    }

    /// The commands that have an answer.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = &Level> {
        self.0.iter().map(|(command, _)| command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_missions() {
        let replies = Replies::default();
        let said: Vec<_> = replies
            .commands()
            .filter_map(|c| replies.answer(c.as_str()))
            .map(|(command, word)| format!("{command} {word}"))
            .collect();
        assert_eq!(
            said.join(", "),
            "CMD1 Apple, CMD2 Cat, CMD3 Dog, CMD4 Rat, CMD5 Boy, CMD6 Girl, CMD7 Toy"
        );
        assert_eq!(replies.answer("CMD8"), None);
        assert_eq!(replies.answer("cmd1"), None);
    }

    #[test]
    fn what_one_end_writes_into_a_topic_the_other_reads_from_it() {
        let unique_id = Level::new("U1").unwrap();
        let command = Level::new("CMD1").unwrap();
        let commands = command_topic(&unique_id);
        let reply = reply_topic(&unique_id, &command);
        let replies = reply_filter(&unique_id);
        assert_eq!(parse_command_topic(&commands), Some(unique_id.clone()));
        assert_eq!(parse_reply_filter(&replies), Some(unique_id.clone()));
        assert_eq!(parse_reply_topic(&reply), Some((unique_id, command)));
        assert!(replies.matches(&reply) && !replies.matches(&commands));
        assert_eq!(parse_command_topic(&reply), None);
        for other in ["U1", "U1/", "/CMD1", "U1/CMD1/x"] {
            let other = TopicName::new(other).unwrap();
            assert_eq!(parse_reply_topic(&other), None, "{other}");
        }
        let other = TopicFilter::exactly(&reply);
        assert_eq!(parse_reply_filter(&other), None);
    }

    #[test]
    fn a_replies_file_replaces_the_table() {
        let replies = Replies::parse("# mine\n\n on = yes \nCMD1=a=b\r\n").unwrap();
        assert_eq!(replies.commands().len(), 2);
        assert_eq!(replies.answer("on").unwrap().1, "yes");
        assert_eq!(replies.answer("CMD1").unwrap().1, "a=b");
    }

    #[test]
    fn a_reply_is_as_long_as_a_message_carries_and_no_longer() {
        let longest = "x".repeat(MAX_PAYLOAD);
        assert!(Replies::parse(&format!("CMD1={longest}")).is_ok());
        assert_eq!(
            Replies::parse(&format!("\nCMD1={longest}x"))
                .unwrap_err()
                .to_string(),
            "line 2: the reply to CMD1 has 786433 bytes, more than a message carries: 786432"
        );
    }

    #[test]
    fn a_bad_replies_file_says_which_line() {
        for (text, expected) in [
            ("", "there is no reply in it; write lines of CMD=word"),
            ("CMD1", "line 1: there is no `=`; write CMD=word"),
            ("a=b\na=c", "line 2: a second reply for a"),
            (
                "\n#=b\nx/y=b",
                "line 3: the command cannot be a topic level: it has a `/`",
            ),
            (
                "=b",
                "line 1: the command cannot be a topic level: it is empty",
            ),
            (
                "Well done my IoT!=b",
                "line 1: `Well done my IoT!` ends the session",
            ),
        ] {
            assert_eq!(Replies::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
