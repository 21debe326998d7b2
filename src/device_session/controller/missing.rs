//! Which replies are missing, in sentences: what was sent when, and what was not heard.

use std::time::Duration;

use super::session::{Commanding, Session, Stage, number, times};
use crate::Seconds;
use crate::device_session::prefix::Prefix;
use crate::device_session::{command_topic, unique_id_topic};
use crate::mqtt::Level;

/// At most so many commands are named in one sentence.
const MOST_NAMED: usize = 10;

fn after(duration: Duration) -> String {
    format!("{:.1} s after the login", Seconds(duration))
}

impl Session {
    /// What is missing, a sentence each; none where nothing is.
    pub fn missing(&self, prefix: &Prefix, unique_id: &Level) -> Vec<String> {
        let Stage::Commanding(commanding) = &self.stage else {
            return Vec::new();
        };
        let commands = prefix.shown(command_topic(unique_id));
        if self.is_silent() {
            return vec![self.nothing(prefix, unique_id)];
        }
        if let Some(sentence) = self.came_late(&commands, commanding) {
            return vec![sentence];
        }
        let (mut never, mut less) = (Vec::new(), Vec::new());
        // Sorted as they come: a sort would be 4 kB of the binary.
        let mut open: Vec<(&Level, u32)> = Vec::new();
        for (command, left) in commanding.open.iter().filter(|(_, left)| **left > 0) {
            let at = open.partition_point(|(before, _)| *before < command);
            open.insert(at, (command, *left));
        }
        for (command, left) in open {
            let sent = self.sent(command);
            match sent.saturating_sub(left as usize) {
                0 => never.push(format!("{command} (sent {})", times(sent))),
                came => less.push(format!(
                    "{command} (sent {}, answered {})",
                    times(sent),
                    times(came)
                )),
            }
        }
        let when = after(self.sent_after);
        let mut sentences = Vec::new();
        if !never.is_empty() {
            let never = list(&never);
            sentences.push(format!(
                "replies missing: none came to {never}; the commands went out on {commands} {when}, and {commands}/COMMAND is where a reply belongs"
            ));
        }
        if !less.is_empty() {
            let less = list(&less);
            sentences.push(format!(
                "replies missing: too few came to {less}; a command that comes again is answered again"
            ));
        }
        sentences
    }

    fn nothing(&self, prefix: &Prefix, unique_id: &Level) -> String {
        let commands = prefix.shown(command_topic(unique_id));
        let introduced = prefix.shown(unique_id_topic(&self.user_id));
        let (first, once_more) = match &self.once_more {
            Some((command, at)) => (
                self.commands.len().saturating_sub(1),
                format!(" (and {command} again {})", after(*at)),
            ),
            None => (self.commands.len(), String::new()),
        };
        format!(
            "replies missing: nothing came at all; the UNIQUE ID went out on {introduced}, and {} on {commands} {}{once_more}: was the client subscribed to both by then?",
            number(first),
            after(self.sent_after)
        )
    }

    /// The one command that was sent again is answered, and none of those before it.
    fn came_late(&self, commands: &str, commanding: &Commanding) -> Option<String> {
        let (command, at) = self.once_more.as_ref()?;
        let open: u32 = commanding.open.values().sum();
        let is_it = |(other, left): (&Level, &u32)| {
            *left as usize == self.sent(other) - usize::from(other == command)
        };
        let before = self.commands.len() - 1;
        if open as usize != before
            || !self.mistakes.is_empty()
            || !commanding.open.iter().all(is_it)
        {
            return None;
        }
        Some(format!(
            "replies missing: the client came late; it answered {command}, sent {}, and none of the {} on {} {}: it is to subscribe as soon as it has the UNIQUE ID",
            after(*at),
            number(before),
            commands,
            after(self.sent_after)
        ))
    }

    /// The command to send once more where nothing has come: it tells a client that came late from one that is not there.
    /// Not the first one, because that is what a slow client answers first.
    pub fn to_send_once_more<'a>(
        &'a self,
        mut table: impl Iterator<Item = &'a Level>,
    ) -> Option<Level> {
        if !self.is_silent() || self.once_more.is_some() {
            return None;
        }
        let first = self.commands.first()?;
        let is_other = |command: &&Level| *command != first;
        let other = self.commands.iter().rev().find(is_other);
        other.or_else(|| table.find(is_other)).cloned()
    }
}

fn list(items: &[String]) -> String {
    let named = items.iter().take(MOST_NAMED).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
