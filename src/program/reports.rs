//! Where the controller's reports go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use log::warn;

use super::output;
use crate::device_session::class::{Class, csv};
use crate::device_session::report::Report;
use crate::role::{Failure, Kind};
use crate::utc;

/// An open report file, or what stands in for it.
pub enum Reports {
    /// No report is wanted.
    Nowhere,
    /// Standard output.
    Stdout,
    /// A file that grows.
    File(File),
    /// The same, with comma-separated values.
    Csv(File),
}

impl Reports {
    /// Opens the file; `-` is standard output. What ends in `.csv` has comma-separated values, and a line above them that
    /// names them where it is new.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Nowhere),
            Some(path) if path.as_os_str() == "-" => Ok(Self::Stdout),
            Some(path) => Self::in_file(path).map_err(|error| {
                let text = format!("report file {}: {error}", path.display());
                Failure::new(Kind::Config, text)
            }),
        }
    }

    fn in_file(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let extension = path.extension().unwrap_or_default();
        if !extension.eq_ignore_ascii_case("csv") {
            return Ok(Self::File(file));
        }
        if file.metadata()?.len() == 0 {
            write!(file, "{}{}", csv::HEAD, csv::END)?;
        }
        Ok(Self::Csv(file))
    }

    /// Whether they go to standard output.
    pub fn is_on_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    /// Whether they are comma-separated values.
    pub fn is_csv(&self) -> bool {
        matches!(self, Self::Csv(_))
    }

    /// Writes a line. One that cannot be written must not end the other sessions, so it is only logged.
    pub fn write(&mut self, report: &Report, class: &Class) {
        let json = || report.to_json();
        let written = match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => output::print(json().as_bytes()).map_err(|failure| failure.text),
            Self::File(file) => append(file, &(json() + "\n")),
            Self::Csv(file) => {
                let time = utc::second(utc::since_1970().as_secs());
                let line = csv::line(report, class.seat_of(&report.user_id), &time);
                append(file, &(line + csv::END))
            }
        };
        if let Err(error) = written {
            warn!(
                "the report on session {} is lost: {error}",
                report.unique_id
            );
        }
    }
}

/// In one piece, so that a reader sees whole lines.
fn append(file: &mut File, line: &str) -> Result<(), String> {
    file.write_all(line.as_bytes())
        .map_err(|error| error.to_string())
}
