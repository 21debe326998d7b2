//! The built program as a user or a script meets it: its command line, its exit codes, its streams, its
//! terminal, and what it says.
//!
//! - `usage`, `url`, `manual`, `completions`: command lines that make no sense, `--url`, the manual, what the shells offer
//! - `exits`, `streams`, `lines`: exit codes, standard output, `--lines`
//! - `story`, `secrets`, `terminal`: what `-v` says, passwords, and the prompt for one
//! - `pages`: README.md, docs and the others: their links, and the commands in them
//! - `demo`: `mqtt_client demo`, where the feature `demo` is on
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod completions;
#[cfg(feature = "demo")]
mod demo;
mod exits;
mod lines;
mod manual;
mod pages;
mod secrets;
mod story;
mod streams;
mod terminal;
mod url;
mod usage;
