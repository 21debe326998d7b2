//! Delivery through cuts: a device, a proxy that ends connections, a real mosquitto, and an observer
//! on a connection of its own.
//!
//! Every case has a name; `MQTT_CLIENT_CUT=<name>` runs that one alone. Random cases take a seed from
//! `MQTT_CLIENT_SEED`, and print it.
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
mod observer;
mod restart;
mod rivals;
mod session;
mod silence;
mod state;
