//! Programs that these tests need besides mosquitto, and whether they are there.

use std::io::Write;
use std::process::{Command, Stdio};

/// Makes certificates; Debian's package openssl.
#[cfg(feature = "tls")]
pub const OPENSSL: Tool = Tool {
    program: "openssl",
    version: "version",
};

/// Runs `terminal.py`; its standard library is enough.
pub const PYTHON: Tool = Tool {
    program: "python3",
    version: "--version",
};

/// A program that the shell finds.
#[derive(Clone, Copy)]
pub struct Tool {
    program: &'static str,
    version: &'static str,
}

impl Tool {
    pub fn command(self) -> Command {
        Command::new(self.program)
    }

    /// Whether the calling test cannot be run here. Says so on standard error, past libtest's capture.
    ///
    /// # Panics
    /// With `CI=true`, where nothing may be missing.
    #[track_caller]
    pub fn missing(self) -> bool {
        let started = self
            .command()
            .arg(self.version)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if started.is_ok_and(|status| status.success()) {
            return false;
        }
        let Self { program, .. } = self;
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "not installed: {program}");
        let test = std::panic::Location::caller();
        let line = format!("NOT RUN: {test}: not installed: {program}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        true
    }
}
