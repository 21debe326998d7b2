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
//! rumqttc and makes delivery dependable. The rooms, each of which imports only from those above it; the
//! link and the protocols never import each other:
//!
//! - [`mqtt`]: topics and messages, the words of the standard
//! - [`role`]: the contract between a role and the link
//! - [`device_session`]: protocol A: `device` and `controller`
//! - [`text_request`]: protocol B: `requester` and `responder`
//! - [`link`]: the only room that names rumqttc
//! - [`cli`]: arguments and environment become what is to be run; reads no file
//! - `demo`: the embedded broker and all four roles (feature `demo`)
//! - [`program`]: one function a command; files, signals, systemd, standard output, exit codes

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
pub mod device_session;
pub mod link;
pub mod mqtt;
pub mod program;
pub mod role;
pub mod text_request;
