//! TLS that works, and TLS that must not: certificates made here, shown to a real mosquitto.
//!
//! - `certificates`: an authority of the test's own, and what it signs
//! - `doctor`: the same, found at its step
//! - `encrypted`, `untrusted`, `handshake`, `identity`, `files`, `mismatch`: TLS that works, and TLS that must not
#![cfg(feature = "tls")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod certificates;
mod doctor;
mod encrypted;
mod files;
mod handshake;
mod identity;
mod mismatch;
mod untrusted;
