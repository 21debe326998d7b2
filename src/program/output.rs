//! What leaves the process: lines on standard error, results on standard output.

use std::io::{self, Write};

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
        // Only this program's own words: rumqttc reports as errors what the link mends.
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

/// Writes a result to standard output, and a line feed. A reader that has gone away is no error.
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
    let mut out = io::stdout().lock();
    let written = out
        .write_all(result)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(
            Kind::Output,
            format!("cannot write to standard output: {error}"),
        )),
    }
}

/// Writes a line to standard error, whatever the log's level.
pub fn complain(line: &dyn std::fmt::Display) {
    let prefix = match systemd::stderr_is_journal() {
        true => systemd::journal_prefix(Level::Error),
        false => "mqtt_client: ",
    };
    // Where standard error cannot be written, the exit code still tells.
    let _ = writeln!(io::stderr(), "{prefix}{}", one_line(&line.to_string()));
}
