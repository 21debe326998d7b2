//! The built program as a user or a script meets it: its command line, its exit codes, its streams, its
//! terminal, and what it says.
//!
//! - `usage`, `url`, `manual`: command lines that make no sense, `--url`, the manual
//! - `exits`, `streams`, `lines`: exit codes, standard output, `--lines`
//! - `story`, `secrets`, `terminal`: what `-v` says, passwords, and the prompt for one
//! - `demo`: `mqtt_client demo`, where the feature `demo` is on
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

#[path = "../harness/src/mosquitto.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod broker;
#[cfg(feature = "demo")]
mod demo;
mod exits;
#[path = "../harness/src/installed.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod installed;
mod lines;
mod manual;
#[path = "../harness/src/outcome.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod outcome;
#[path = "../harness/src/process.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod process;
mod secrets;
mod story;
mod streams;
mod terminal;
#[path = "../harness/src/tools.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod tools;
mod url;
mod usage;
