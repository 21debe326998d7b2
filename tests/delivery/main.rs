//! Delivery through cuts: a device, a proxy that ends connections, a real mosquitto, and an observer
//! on a connection of its own.
//!
//! Every cut has a name, as a case: `TEST_CASE=qos2-Up-17-Reset`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod controller;
mod crash;
mod device;
mod matrix;
mod restart;
mod rivals;
mod services;
mod session;
mod silence;
mod state;
