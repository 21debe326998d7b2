//! The roster: who is awaited in a class, one a line.

use super::super::{InvalidFile, MAX_USER_ID};
use crate::mqtt::{Level, one_line};

/// The longest name, in characters: a table and a page have to show it.
const MAX_NAME: usize = 100;

/// One line of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the device logs in as.
    pub user_id: Level,
    /// Whose it is, without control characters; empty where the roster does not say.
    pub name: String,
}

/// Who is awaited, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster(Vec<Entry>);

impl Roster {
    /// Reads lines of `USER_ID`, with a person's name after it where there is one. Empty lines are passed over, and so is
    /// what follows a `#`.
    ///
    /// # Errors
    /// Names the first line whose USER_ID cannot be a topic level, is too long for a login or is there already; and a
    /// text without any USER_ID is wrong, too.
    pub fn parse(text: &str) -> Result<Self, InvalidFile> {
        let mut entries: Vec<Entry> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |why: String| InvalidFile {
                line: index + 1,
                why,
            };
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (user_id, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let shown = one_line(user_id);
            let user_id = Level::new(user_id).map_err(|why| {
                wrong(format!("USER_ID `{shown}` cannot be a topic level: {why}"))
            })?;
            if shown.len() > MAX_USER_ID {
                let size = shown.len();
                return Err(wrong(format!(
                    "the USER_ID has {size} bytes, more than a login may have: {MAX_USER_ID}"
                )));
            }
            if entries.iter().any(|known| known.user_id == user_id) {
                return Err(wrong(format!("a second line for {user_id}")));
            }
            let name = one_line(name.trim()).chars().take(MAX_NAME).collect();
            entries.push(Entry { user_id, name });
        }
        match entries.is_empty() {
            false => Ok(Self(entries)),
            true => Err(InvalidFile {
                line: 0,
                why: "nobody is on it; write a USER_ID a line, and a name after it".to_owned(),
            }),
        }
    }

    /// Whether nobody is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each line.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.0.iter()
    }

    /// Each USER_ID.
    pub fn user_ids(&self) -> impl Iterator<Item = &Level> {
        self.0.iter().map(|entry| &entry.user_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_has_a_user_id_a_line_and_a_name_after_it() {
        let text =
            "# class 7b\n\nalice\n  bob \t Bob  Müller # sits at the door\r\n<b>x\u{1b}y\u{7}";
        let roster = Roster::parse(text).unwrap_err();
        assert_eq!(
            roster.to_string(),
            "line 5: USER_ID `<b>x\\u{1b}y\\u{7}` cannot be a topic level: it has the control character U+001B"
        );
        let text = text.replace(['\u{1b}', '\u{7}'], " ");
        let roster = Roster::parse(&text).unwrap();
        let read: Vec<_> = roster
            .entries()
            .map(|entry| (entry.user_id.as_str(), entry.name.as_str()))
            .collect();
        assert_eq!(read, [("alice", ""), ("bob", "Bob  Müller"), ("<b>x", "y")]);
    }

    #[test]
    fn a_bad_roster_says_which_line() {
        let long = "x".repeat(MAX_USER_ID + 1);
        for (text, expected) in [
            (
                "",
                "nobody is on it; write a USER_ID a line, and a name after it",
            ),
            (
                "# alice\n",
                "nobody is on it; write a USER_ID a line, and a name after it",
            ),
            ("a\n\na Anna", "line 3: a second line for a"),
            (
                "a/b",
                "line 1: USER_ID `a/b` cannot be a topic level: it has a `/`",
            ),
            (
                long.as_str(),
                "line 1: the USER_ID has 257 bytes, more than a login may have: 256",
            ),
        ] {
            assert_eq!(Roster::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
