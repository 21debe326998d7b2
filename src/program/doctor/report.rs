//! What the doctor says: a line a step, or an object of JSON a step, and the exit code of the first that failed.

use std::time::{Duration, Instant};

use crate::json::quoted;
use crate::mqtt::one_line;
use crate::program::output;
use crate::role::{Failure, Kind};

/// The steps, as they are said.
pub struct Report {
    json: bool,
    /// Of several brokers the one that is examined.
    broker: Option<String>,
    failed: Option<Kind>,
    begun: Instant,
    /// Standard output did not take it. What was to be said after that is lost.
    unsaid: Option<Failure>,
}

/// How a step ended.
enum End<'a> {
    Good,
    /// Good enough, with something to know.
    Noted(&'a str),
    /// Bad, with the remedy.
    Failed(&'a str),
}

impl Report {
    /// Nothing said yet.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            broker: None,
            failed: None,
            begun: Instant::now(),
            unsaid: None,
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.failed.map_or(0, Kind::exit_code)
    }

    /// Of several brokers, whose turn it is.
    pub fn turn_to(&mut self, broker: String) {
        self.broker = Some(broker);
    }

    /// A step begins, and its time with it.
    pub fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// How long the present step has taken.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }

    /// A step that needed no time worth the word.
    pub fn fact(&mut self, step: &str, text: &str) {
        self.say(step, None, text, &End::Good);
    }

    /// The present step is good.
    pub fn good(&mut self, step: &str, text: &str) {
        let taken = self.taken();
        self.say(step, Some(taken), text, &End::Good);
    }

    /// A step that took `time` is good.
    pub fn timed(&mut self, step: &str, time: Duration, text: &str) {
        self.say(step, Some(time), text, &End::Good);
    }

    /// Something to know, and what to do if it matters.
    pub fn note(&mut self, step: &str, text: &str, remedy: &str) {
        self.say(step, None, text, &End::Noted(remedy));
    }

    /// The present step has failed. The remedy is what the failure's text has after its first colon.
    pub fn bad(&mut self, step: &str, failure: &Failure) {
        let (text, remedy) = split(&failure.text);
        let taken = self.taken();
        self.failed.get_or_insert(failure.kind);
        self.say(step, Some(taken), text, &End::Failed(remedy));
    }

    /// Whether there is no use in going on.
    pub fn is_unsaid(&self) -> bool {
        self.unsaid.is_some()
    }

    /// The end of the report.
    ///
    /// # Errors
    /// Standard output did not take all of it.
    pub fn finish(self) -> Result<(), Failure> {
        self.unsaid.map_or(Ok(()), Err)
    }

    fn say(&mut self, step: &str, time: Option<Duration>, text: &str, end: &End<'_>) {
        if self.is_unsaid() {
            return;
        }
        let line = match self.json {
            true => self.object(step, time, text, end),
            false => self.line(step, time, text, end),
        };
        // Whether anybody still reads does not matter: the exit code tells, too.
        self.unsaid = output::print(one_line(&line).as_bytes()).err();
    }

    fn line(&self, step: &str, time: Option<Duration>, text: &str, end: &End<'_>) -> String {
        let (mark, remedy) = match end {
            End::Good => ("ok", ""),
            End::Noted(remedy) => ("note", *remedy),
            End::Failed(remedy) => ("FAIL", *remedy),
        };
        let broker = self.broker.as_ref().map(|broker| format!("{broker}: "));
        let broker = broker.unwrap_or_default();
        let colon = if remedy.is_empty() { "" } else { ": " };
        let time = match (end, time.map(|time| time.as_millis())) {
            (End::Good, Some(0)) => " (< 1 ms)".to_owned(),
            (End::Good, Some(ms)) => format!(" ({ms} ms)"),
            _ => String::new(),
        };
        format!("{mark:<4}  {step:<9}  {broker}{text}{colon}{remedy}{time}")
    }

    fn object(&self, step: &str, time: Option<Duration>, text: &str, end: &End<'_>) -> String {
        let (is_ok, remedy) = match end {
            End::Good => (true, ""),
            End::Noted(remedy) => (true, *remedy),
            End::Failed(remedy) => (false, *remedy),
        };
        let mut object = format!("{{\"step\":{}", quoted(step));
        let mut add = |name: &str, value: String| object.push_str(&format!(",\"{name}\":{value}"));
        if let Some(broker) = &self.broker {
            add("broker", quoted(broker));
        }
        add("ok", is_ok.to_string());
        if let Some(time) = time {
            add("ms", time.as_millis().to_string());
        }
        add("text", quoted(text));
        if !remedy.is_empty() {
            add("remedy", quoted(remedy));
        }
        object.push('}');
        object
    }
}

/// A failure's line, as what happened and what to do about it. `broker at HOST: why` names no remedy.
fn split(text: &str) -> (&str, &str) {
    match text.split_once(": ") {
        Some((what, remedy)) if what.split(' ').count() > 3 => (what, remedy),
        _ => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_or_an_object() {
        let text = "broker at [::1]:1883 refused the connection: is it running?";
        let (what, remedy) = split(text);
        assert_eq!(remedy, "is it running?");
        let mut report = Report::new(false);
        let ms = Some(Duration::from_millis(12));
        let failed = End::Failed(remedy);
        assert_eq!(
            report.line("tcp", ms, what, &failed),
            "FAIL  tcp        broker at [::1]:1883 refused the connection: is it running?"
        );
        assert_eq!(
            report.line("name", ms, "x", &End::Good),
            "ok    name       x (12 ms)"
        );
        report.turn_to("pi:1".to_owned());
        assert_eq!(
            report.object("tcp", ms, "a\"b", &failed),
            r#"{"step":"tcp","broker":"pi:1","ok":false,"ms":12,"text":"a\"b","remedy":"is it running?"}"#
        );
        assert_eq!(
            report.line("share", None, "none", &End::Noted("use another")),
            "note  share      pi:1: none: use another"
        );
    }

    #[test]
    fn a_failure_without_a_remedy_stays_whole() {
        let text = "broker at pi:1883: Broken pipe (os error 32)";
        assert_eq!(split(text), (text, ""));
    }

    #[test]
    fn the_first_failure_gives_the_exit_code() {
        let mut report = Report::new(false);
        assert_eq!(report.code(), 0);
        for kind in [Kind::Refused, Kind::NoAnswer] {
            report.failed.get_or_insert(kind);
        }
        assert_eq!(report.code(), 77);
    }
}
