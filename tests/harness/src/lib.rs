//! What the suites share: everything that a test of `mqtt_client` starts, waits for or looks into.
//!
//! It knows the program under test as a file only, never as a library.
//!
//! - [`needed`]: what has to be installed, and what happens where it is not
//! - [`process`]: a child process: its lines, its signals, its end; [`outcome`]: what every end has in common
//! - [`folder`], [`clock`]: files of a test's own, and a clock of its own
//! - [`mosquitto`]: a real broker; [`peers`]: clients by another hand; [`observer`]: one that hears and says
//! - [`port`]: where a broker listens
//! - [`scripted`]: a broker that does what a script says, in the packets of [`wire`]
//! - [`proxy`]: the way to a broker, which can be cut
//! - [`repeat`]: seeds, cases, and the command that repeats a failure
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

pub mod clock;
pub mod folder;
pub mod mosquitto;
pub mod needed;
pub mod observer;
pub mod outcome;
pub mod peers;
pub mod port;
pub mod process;
pub mod proxy;
pub mod repeat;
pub mod scripted;
pub mod wire;
