//! What a controller has to say of a finished session, and the same as a line of JSON.

use std::time::Duration;

use crate::json::quoted;
use crate::mqtt::Level;

/// One finished session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The device that logged in.
    pub user_id: Level,
    /// What the session was called.
    pub unique_id: Level,
    /// The commands, as they were sent.
    pub commands: Vec<Level>,
    /// The replies, as they came, but for the repeated ones.
    pub replies: Vec<String>,
    /// How many right replies came again, as QoS 1 allows.
    pub repeats: u64,
    /// From the login to the verdict.
    pub duration: Duration,
    /// What is no mistake of the device, and worth a look.
    pub hints: Vec<String>,
    /// Why it failed, a sentence for each mistake, or `Ok`.
    pub verdict: Result<(), Vec<String>>,
}

impl Report {
    /// The report as one line of JSON, without the line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let list = |items: &mut dyn Iterator<Item = &str>| {
            let items: Vec<String> = items.map(quoted).collect();
            format!("[{}]", items.join(","))
        };
        let verdict = match &self.verdict {
            Ok(()) => "\"passed\",\"mistakes\":[]".to_owned(),
            Err(why) => format!(
                "\"failed\",\"reason\":{},\"mistakes\":{}",
                quoted(&why.join("; ")),
                list(&mut why.iter().map(String::as_str))
            ),
        };
        let hints = match self.hints.is_empty() {
            true => String::new(),
            false => format!(
                ",\"hints\":{}",
                list(&mut self.hints.iter().map(String::as_str))
            ),
        };
        format!(
            "{{\"user_id\":{},\"unique_id\":{},\"commands\":{},\"replies\":{},\"repeats\":{},\"duration_s\":{:.3},\"verdict\":{verdict}{hints}}}",
            quoted(self.user_id.as_str()),
            quoted(self.unique_id.as_str()),
            list(&mut self.commands.iter().map(Level::as_str)),
            list(&mut self.replies.iter().map(String::as_str)),
            self.repeats,
            crate::Seconds(self.duration),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_of_json() {
        let report = Report {
            user_id: Level::new("a\"b\\").unwrap(),
            unique_id: Level::new("u").unwrap(),
            commands: vec![Level::new("CMD1").unwrap()],
            replies: vec!["Apple".to_owned(), "\t".to_owned()],
            repeats: 2,
            duration: Duration::from_millis(3100),
            hints: vec!["look".to_owned()],
            verdict: Err(vec!["why".to_owned(), "and".to_owned()]),
        };
        assert_eq!(
            report.to_json(),
            r#"{"user_id":"a\"b\\","unique_id":"u","commands":["CMD1"],"replies":["Apple","\u0009"],"repeats":2,"duration_s":3.100,"verdict":"failed","reason":"why; and","mistakes":["why","and"],"hints":["look"]}"#
        );
    }
}
