//! The built program as a Raspberry Pi runs it: under systemd, and on days when nothing works.
//!
//! What is not installed is not tested, and standard error says so; with `CI=true` that is a failure.
//! The unit inside a booted system, the packages and the ARM binaries: `packaging/try-*`.
//!
//! - `notices`: what a service manager hears from the program
//! - `notify`: readiness, status, watchdog, the end
//! - `journal`: lines with a priority
//! - `unit`: the units as systemd reads them
//! - `days`: no broker, no name server, a full disk, a read-only one
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod days;
mod journal;
mod notices;
mod notify;
mod unit;
