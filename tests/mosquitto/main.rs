//! The built program against a real mosquitto, and against clients of the protocols by other hands.
//!
//! Each test starts a broker of its own on a free port of the loopback interface. What is not
//! installed is not tested, and standard error says so; with `CI=true` that is a failure.
//!
//! - `peer`: the clients in `tests/peers`, written in Python with paho
//! - `class`: a controller with a roster, and what is seen of it
//! - `json`: what they report, read
//! - `request`, `device`, `controller`: the protocols, end against end; `bytes`: a request, byte by byte
//! - `judge`: which sentence the controller has for which mistake of a client
//! - `login`, `subscription`, `retained`: what a broker refuses or keeps
//! - `programs`: commands and requests that programs answer
//! - `doctor`: what is wrong with a way to a broker, found step by step
//! - `examples`: those of the library
//! - `fleet`: who says that it is there, and who sees it
//! - `share`, `brokers`: several of a kind, several brokers, and one of them killed
//! - `socket`, `honest`: a Unix socket as host; where other clients fail
//! - `unreachable`, `stop`: no broker, no more
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod brokers;
mod bytes;
mod class;
mod controller;
mod device;
mod doctor;
mod examples;
mod fleet;
mod honest;
mod json;
mod judge;
mod login;
mod peer;
mod programs;
mod request;
mod retained;
mod share;
mod socket;
mod stop;
mod subscription;
mod unreachable;
