//! What leaves the process: lines on standard error, results on standard output.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use log::{Level, LevelFilter};

use super::systemd;
use crate::cli::Verbosity;
use crate::mqtt::one_line;
use crate::role::{Failure, Kind};

/// Sets up the log on standard error. RUST_LOG, where it is set, wins over `verbosity`.
pub fn start_log(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::Error,
        Verbosity::Normal => LevelFilter::Warn,
        Verbosity::Verbose => LevelFilter::Info,
        Verbosity::Packets => LevelFilter::Debug,
    };
    let mut builder = env_logger::Builder::new();
    let filter = std::env::var("RUST_LOG").unwrap_or_default();
    let is_for_all = |part: &str| part.trim().parse::<LevelFilter>().is_ok();
    if !filter.split(',').any(is_for_all) {
        // Only this program's own words: at -vv the libraries below would tell of theirs.
        builder.filter_module("mqtt_client", level);
    }
    builder.parse_filters(&filter);
    let journal = systemd::stderr_is_journal();
    builder.format(move |out, record| {
        if journal {
            let prefix = systemd::journal_prefix(record.level());
            return writeln!(out, "{prefix}{}", one_line(&record.args().to_string()));
        }
        // The demo runs several roles in one process, each on a thread of its name.
        let thread = std::thread::current();
        let who = thread
            .name()
            .filter(|name| *name != "main")
            .unwrap_or("mqtt_client");
        match record.level() {
            Level::Warn => writeln!(
                out,
                "{who}: warning: {}",
                one_line(&record.args().to_string())
            ),
            _ => writeln!(out, "{who}: {}", one_line(&record.args().to_string())),
        }
    });
    // A second log in one process would be a mistake of ours, and no reason to end it.
    let _ = builder.try_init();
}

/// Writes a result to standard output, and a line feed: byte for byte, unless that is a terminal, which would obey the
/// control characters in it. A reader that has gone away is no error.
///
/// # Errors
/// When the result cannot be written, as on a full disk.
pub fn print(result: &[u8]) -> Result<(), Failure> {
    print_to_reader(result).map(|_| ())
}

/// [`print()`], for one of many results: false when their reader has gone away.
///
/// # Errors
/// Those of [`print()`].
pub fn print_to_reader(result: &[u8]) -> Result<bool, Failure> {
    let shown = match io::stdout().is_terminal() {
        true => harmless(result),
        false => Cow::Borrowed(result),
    };
    write_to_reader(&[&shown, &b"\n"[..]].concat())
}

/// Writes this as it is, for a terminal, too: false when the reader has gone away.
///
/// # Errors
/// Those of [`print()`].
pub fn write_to_reader(text: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(
            Kind::Output,
            format!("cannot write to standard output: {error}"),
        )),
    }
}

/// A result as a terminal may show it: the other end chose it, and must not choose what the terminal does. Control
/// characters are escaped, but for tabs and the ends of lines, and what is not UTF-8 is U+FFFD.
fn harmless(result: &[u8]) -> Cow<'_, [u8]> {
    let is_harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    let text = String::from_utf8_lossy(result);
    if matches!(text, Cow::Borrowed(text) if !text.contains(is_harmful)) {
        return Cow::Borrowed(result);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_harmful(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown.into_bytes())
}

/// Writes a line to standard error, whatever the log's level, as an error.
pub fn complain(line: &dyn std::fmt::Display) {
    write_line(Level::Error, line);
}

/// Writes a line to standard error, whatever the log's level: what the user has asked to be told.
pub fn tell(line: &dyn std::fmt::Display) {
    write_line(Level::Info, line);
}

fn write_line(level: Level, line: &dyn std::fmt::Display) {
    let prefix = match systemd::stderr_is_journal() {
        true => systemd::journal_prefix(level),
        false => "mqtt_client: ",
    };
    // Where standard error cannot be written, the exit code still tells.
    let _ = writeln!(io::stderr(), "{prefix}{}", one_line(&line.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_orders() {
        for (result, expected) in [
            (&b"cba"[..], "cba"),
            (b"a\tb\nc", "a\tb\nc"),
            (b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (b"\x1b[2J\rx\x7f", "\\u{1b}[2J\\rx\\u{7f}"),
            ("\u{9b}2J Ünï".as_bytes(), "\\u{9b}2J Ünï"),
            (b"\x9b2J", "\u{fffd}2J"),
        ] {
            assert_eq!(String::from_utf8_lossy(&harmless(result)), expected);
        }
    }
}
