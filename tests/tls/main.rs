//! TLS that works, and TLS that must not: certificates made here, shown to a real mosquitto.
//!
//! - `certificates`: an authority of the test's own, and what it signs
//! - `encrypted`, `untrusted`, `handshake`, `identity`, `files`, `mismatch`: TLS that works, and TLS that must not
#![cfg(feature = "tls")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

#[path = "../harness/src/mosquitto.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod broker;
mod certificates;
#[path = "../harness/src/clock.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod clock;
mod encrypted;
mod files;
mod handshake;
mod identity;
#[path = "../harness/src/installed.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod installed;
mod mismatch;
#[path = "../harness/src/outcome.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod outcome;
#[path = "../harness/src/process.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod process;
#[path = "../harness/src/tools.rs"]
#[allow(dead_code, reason = "the other suites use the rest")]
mod tools;
mod untrusted;
