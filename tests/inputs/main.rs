//! All that comes from outside, read into the program's own types: seeded random inputs, and what has to
//! hold for each of them.
//!
//! `TEST_INPUTS=<count>` makes so many of each kind, instead of a few thousand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod arguments;
mod controller;
mod device;
mod files;
mod requests;
mod source;
mod topics;
