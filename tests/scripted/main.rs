//! A hostile or broken broker: the program against one that does what a script says, and breaks every rule.
//!
//! Whatever comes, the program ends with a documented exit code and a clear line, or goes on; it does
//! not panic, hang, grow without bound, or connect faster than its backoff allows.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod acks;
mod case;
mod connack;
mod floods;
mod messages;
mod packets;
mod random;
mod silence;
#[cfg(target_os = "linux")]
mod way;
