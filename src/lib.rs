//! An MQTT client for a Raspberry Pi: two small protocols over any broker, both ends of each.
//!
//! ```text
//!             socket                                            one thread
//!  broker ══════════════ rumqttc Connection ──► link ──Event──► Role::handle ──Effects──► link ──► rumqttc's state
//!                                                ▲                                                and write buffer
//!  SIGTERM, Ctrl-C, SIGHUP ── ctrlc's thread ────┘    link owns: the clock, backoff, acknowledgements, resends, shutdown
//! ```
//!
//! A *role* is one end of one protocol, a pure state machine. The *link* carries its effects out over
//! rumqttc and makes delivery dependable. The rooms, each of which imports only from those above it:
//!
//! - [`topic`]: topic names, filters and levels, valid by construction
//! - [`role`]: the vocabulary between roles and the link
//! - [`repeats`]: when a role says again what nobody has answered
//! - [`stop`]: a request to stop, between threads; [`lines`]: text that comes in line by line
//! - [`command`]: protocol A, the device session: `device` and `controller`
//! - [`transform`]: protocol B, the text request: `requester` and `responder`
//! - [`link`]: the only room that names rumqttc
//! - [`service`]: readiness, status and watchdog, for systemd
//! - [`state`]: the file that lets a device go on after a power cut
//! - [`cli`], [`prompt`], [`output`], [`run`]: the program around them
//! - `demo`: the embedded broker and all four roles (feature `demo`)

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
pub mod device_session;
pub mod link;
pub mod mqtt;
pub mod program;
pub mod role;
pub mod text_request;
