//! The log: what the link and the roles have to say, as lines on standard error. RUST_LOG is read as env_logger reads it,
//! which would be 20 kB of the binary.

use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::output::complain;
use super::systemd;
use crate::mqtt::one_line;

/// Whose words these are: the target of a record begins with that.
const OURS: &str = "mqtt_client";

/// Which records are wanted.
#[derive(Debug)]
struct Filter {
    /// The beginning of a target, and what is wanted of it. The longest counts, and of several the last.
    rules: Vec<(String, LevelFilter)>,
    /// What has to stand in a record's text.
    text: String,
}

impl Filter {
    /// What `spec` asks for: `LEVEL`, `TARGET` or `TARGET=LEVEL` between commas, and a text after a slash. What it does not
    /// say of this program's own words, `level` does.
    fn new(level: LevelFilter, spec: &str) -> Self {
        let (parts, text) = spec.split_once('/').unwrap_or((spec, ""));
        let mut rules: Vec<(String, LevelFilter)> = Vec::new();
        for part in parts.split(',').map(str::trim) {
            let (target, wanted) = match part.split_once('=') {
                Some((target, wanted)) => (target.trim(), wanted.trim()),
                None if part.parse::<LevelFilter>().is_ok() => ("", part),
                None => (part, ""),
            };
            match wanted.parse() {
                Ok(wanted) => rules.push((target.to_owned(), wanted)),
                Err(_) if part.is_empty() => {}
                Err(_) if wanted.is_empty() => {
                    rules.push((target.to_owned(), LevelFilter::Trace));
                }
                Err(_) => complain(&format_args!(
                    "warning: RUST_LOG: `{part}` does nothing: `{wanted}` is no level"
                )),
            }
        }
        // Nothing of the libraries below, unless it is asked for: at -vv they would tell of their packets.
        if rules.iter().all(|(target, _)| !target.is_empty()) {
            rules.insert(0, (OURS.to_owned(), level));
        }
        Self {
            rules,
            text: text.to_owned(),
        }
    }

    fn wants(&self, target: &str, level: Level) -> bool {
        let rules = self.rules.iter();
        let rules = rules.filter(|(beginning, _)| target.starts_with(beginning));
        let rule = rules.max_by_key(|(beginning, _)| beginning.len());
        rule.is_some_and(|(_, wanted)| level <= *wanted)
    }
}

struct Words {
    filter: Filter,
    is_for_journal: bool,
}

impl Log for Words {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.wants(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = one_line(&record.args().to_string());
        if !text.contains(&self.filter.text) {
            return;
        }
        // The demo runs several roles in one process, each on a thread of its name.
        let thread = std::thread::current();
        let name = thread.name().filter(|name| *name != "main");
        let who = name.unwrap_or(OURS);
        let line = match (self.is_for_journal, record.level()) {
            (true, level) => format!("{}{text}\n", systemd::journal_prefix(level)),
            (false, Level::Warn) => format!("{who}: warning: {text}\n"),
            (false, _) => format!("{who}: {text}\n"),
        };
        // Where standard error cannot be written, there is nobody to tell.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Sets it up. RUST_LOG, where it is set, wins over `level`.
pub fn start(level: LevelFilter) {
    let spec = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = Filter::new(level, &spec);
    let most = filter.rules.iter().map(|(_, wanted)| *wanted).max();
    let words = Words {
        filter,
        is_for_journal: systemd::stderr_is_journal(),
    };
    // A second log in one process would be a mistake of ours, and no reason to end it.
    if log::set_boxed_logger(Box::new(words)).is_ok() {
        log::set_max_level(most.unwrap_or(level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_of_a_target_decides() {
        use Level::{Debug, Info, Trace, Warn};
        // What is wanted at most of the link, of the rest of this program, and of a library.
        for (spec, link, rest, library) in [
            ("", Some(Info), Some(Info), None),
            ("off", None, None, None),
            ("warn", Some(Warn), Some(Warn), Some(Warn)),
            (
                "WARN, mqtt_client=debug",
                Some(Debug),
                Some(Debug),
                Some(Warn),
            ),
            (
                "mqtt_client=debug,warn",
                Some(Debug),
                Some(Debug),
                Some(Warn),
            ),
            ("mqtt_client = warn", Some(Warn), Some(Warn), None),
            ("mqtt_client::link=debug", Some(Debug), Some(Info), None),
            (
                "mqtt_client=off,mqtt_client::link=warn",
                Some(Warn),
                None,
                None,
            ),
            (
                "mqtt_client=off,mqtt_client=warn",
                Some(Warn),
                Some(Warn),
                None,
            ),
            ("rumqttc", Some(Info), Some(Info), Some(Trace)),
            ("rumqttc=", Some(Info), Some(Info), Some(Trace)),
            ("rumqttc=loud,,", Some(Info), Some(Info), None),
            ("warn/text", Some(Warn), Some(Warn), Some(Warn)),
        ] {
            let filter = Filter::new(LevelFilter::Info, spec);
            for (target, most) in [
                ("mqtt_client::link::engine", link),
                ("mqtt_client", rest),
                ("rumqttc::state", library),
            ] {
                for level in Level::iter() {
                    let wanted = most.is_some_and(|most| level <= most);
                    assert_eq!(
                        filter.wants(target, level),
                        wanted,
                        "{spec} {target} {level}"
                    );
                }
            }
        }
        assert_eq!(Filter::new(LevelFilter::Info, "warn/a b").text, "a b");
    }
}
