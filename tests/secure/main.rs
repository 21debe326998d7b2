//! The way to the broker and back: TLS with certificates made here, logins that nobody else sees, and
//! what a user or a script gets to see of it all.
//!
//! - `certificates`: an authority of the test's own, and what it signs; `tools`: what that takes;
//!   `clock`: the wrong time
//! - `outcome`: what every failure has in common
//! - `encrypted`, `untrusted`, `handshake`, `identity`, `files`, `mismatch`: TLS that works, and TLS that must not
//! - `socket`, `url`, `secrets`, `terminal`: other ways in, and passwords
//! - `exits`, `streams`, `story`: exit codes, standard output, what `-v` says; `lines`: `--lines`
//! - `peers`: where other clients fail
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

#[path = "../mosquitto/broker.rs"]
mod broker;
#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod clock;
#[cfg(feature = "tls")]
mod encrypted;
mod exits;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
mod identity;
#[path = "../mosquitto/installed.rs"]
#[allow(
    dead_code,
    reason = "the other tests use the rest, and expect is blind here"
)]
mod installed;
mod lines;
#[cfg(feature = "tls")]
mod mismatch;
mod outcome;
mod peers;
#[path = "../mosquitto/process.rs"]
mod process;
mod secrets;
mod socket;
mod story;
mod streams;
mod terminal;
mod tools;
#[cfg(feature = "tls")]
mod untrusted;
mod url;
