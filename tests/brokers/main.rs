//! The built program against the brokers that people run, each as its package brings it.
//!
//! Each broker is started on free ports of the loopback interface, from a folder of its own, with one login; it
//! is stopped at the end. With CI=true mosquitto, RabbitMQ, NATS and both versions of aedes may not be missing; ejabberd,
//! amqtt and rumqttd are tried where they are installed. `operators` and `fronts` need mosquitto alone, set as operators set it and
//! behind the proxies that they put in front.
//!
//! - `table`: what holds for which broker, in one place
//! - `recipe`: how each is set up and started; `broker`: one that runs
//! - `promises`: every promise tried on every broker, and the report
//! - `session`, `request`, `lives`, `cuts`, `presence`: what is tried for each promise
//! - `operators`: mosquitto with limits, rights and odd settings; `fronts`: haproxy, nginx and stunnel
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows them in tests only inside the test functions themselves"
)]

mod broker;
mod cuts;
mod fronts;
mod lives;
mod operators;
mod presence;
mod promises;
mod recipe;
mod request;
mod session;
mod table;
