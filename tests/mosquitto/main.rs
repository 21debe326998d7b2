//! The built program against a real mosquitto, and against clients of the protocols by other hands.
//!
//! Each test starts a broker of its own on a free port of the loopback interface. What is not
//! installed is not tested, and standard error says so; with `CI=true` that is a failure.
//!
//! - `installed`: mosquitto, its clients, paho; what a test needs and what is there
//! - `process`: a child process: its lines, its signals, its end
//! - `broker`: a mosquitto, its settings and its log
//! - `peer`: the clients in `tests/peers`, written in Python with paho
//! - `json`: what they report, read
//! - `request`, `device`, `controller`: the protocols, end against end; `bytes`: a request, byte by byte
//! - `login`, `subscription`, `retained`: what a broker refuses or keeps
//! - `share`, `brokers`: several of a kind, several brokers, and one of them killed
//! - `unreachable`, `usage`, `stop`: no broker, no sense, no more
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod broker;
mod brokers;
mod bytes;
mod controller;
mod device;
#[allow(dead_code, reason = "the other tests use the rest")]
mod installed;
mod json;
mod login;
mod peer;
mod process;
mod request;
mod retained;
mod share;
mod stop;
mod subscription;
mod unreachable;
mod usage;
