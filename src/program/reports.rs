//! Where the controller's reports go.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use log::warn;

use super::output;
use crate::device_session::report::Report;
use crate::role::{Failure, Kind};

/// An open report file, or what stands in for it.
pub enum Reports {
    /// No report is wanted.
    Nowhere,
    /// Standard output.
    Stdout,
    /// A file that grows.
    File(File),
}

impl Reports {
    /// Opens the file; `-` is standard output.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Self::File)
                .map_err(|error| {
                    let text = format!("report file {}: {error}", path.display());
                    Failure::new(Kind::Config, text)
                }),
        }
    }

    /// Writes a line. One that cannot be written must not end the other sessions, so it is only logged.
    pub fn write(&mut self, report: &Report) {
        let line = report.to_json();
        let written = match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => output::print(line.as_bytes()).map_err(|failure| failure.text),
            Self::File(file) => writeln!(file, "{line}").map_err(|error| error.to_string()),
        };
        if let Err(error) = written {
            warn!(
                "the report on session {} is lost: {error}",
                report.unique_id
            );
        }
    }
}
