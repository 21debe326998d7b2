//! An MQTT client for a Raspberry Pi that is put in place and left alone. It speaks two small protocols over any
//! MQTT 3.1.1 broker, and this crate has both ends of each: the *device session* ([`device_session`]) and the *text
//! request* ([`text_request`]). The program `mqtt_client` is a thin `main` around it.
//!
//! # Why
//!
//! On a Pi the network drops, the broker restarts and the power goes, and no operator is there to press a button. An
//! MQTT library delivers packets while it is connected; what a lost connection means for a half-finished conversation
//! is left to the library's user. Here the link decides that once, below both protocols. So a protocol is a short state
//! machine that never hears of a socket, and can be tested without one.
//!
//! # The picture
//!
//! ```text
//!                 socket                                    one thread
//!  broker ══════ rumqttc ══════ driver ──Input──► engine ──Event──► Role::handle ──Effects──► engine ──Output──► driver
//!                               (rumqttc,          (pure: reconnect, delivery,                                     │
//!  SIGTERM, Ctrl-C ───────────► the clock,         subscriptions, the end)                                         ▼
//!                               waiting)                                                                    bytes, or wait
//! ```
//!
//! A *role* is one end of one protocol. The *engine* makes delivery dependable. Both are pure: time, packets and
//! messages come in, effects and packets go out. The *driver* is the code that names rumqttc, reads the clock, and
//! waits. Engine and driver together are the *link*.
//!
//! # The rooms
//!
//! `ls src` is the architecture. A room imports only from the rooms above it in this list; the link, the fleet and the
//! two protocols do not import each other. `tests/rooms.rs` checks it.
//!
//! | room | about |
//! |---|---|
//! | [`mqtt`] | words of the standard: topics, filters, messages, QoS; valid by construction |
//! | [`role`] | the contract between a role and the link: [`Event`](role::Event)s in, [`Effect`](role::Effect)s out, [`Failure`](role::Failure)s |
//! | [`presence`] | who is up: the words in retained messages that link and fleet agree on |
//! | [`device_session`] | the first protocol: device, controller, and the words that both agree on |
//! | [`text_request`] | the second protocol: requester, responder, and the topics that both agree on |
//! | [`fleet`] | the role that watches who is up |
//! | [`link`] | carries one role over one connection: options, engine, driver |
//! | [`cli`] | what was typed becomes what is to be run |
//! | `demo` | an embedded broker and all four roles around it (feature `demo`) |
//! | [`program`] | runs a command: signals, standard output, exit codes, systemd, the folder of `--state-dir` |
//!
//! # A role of one's own
//!
//! This role sends each question back as its answer. Its tests need neither a broker nor time, because `handle` is a
//! function of the event:
//!
//! ```
//! use std::time::Instant;
//!
//! use mqtt_client::link::{End, Options, Run, Stop};
//! use mqtt_client::mqtt::{Invalid, Message, QoS, TopicFilter, TopicName};
//! use mqtt_client::role::{Effect, Event, Failure, Reaction, Role};
//!
//! struct Echo {
//!     questions: TopicFilter,
//!     answers: TopicName,
//! }
//!
//! impl Role for Echo {
//!     /// What the caller of the run gets: the length of each question.
//!     type Item = usize;
//!     /// What other threads send it: nothing.
//!     type Input = std::convert::Infallible;
//!
//!     fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<usize> {
//!         Ok(match event {
//!             // The first time and after each lost connection; to ask for a subscription again changes nothing.
//!             Event::Connected { .. } => {
//!                 vec![Effect::Subscribe(self.questions.clone(), QoS::ExactlyOnce)]
//!             }
//!             Event::Received(Message { payload, qos, retain: false, .. }) => vec![
//!                 Effect::Emit(payload.len()),
//!                 Effect::Publish(Message::new(self.answers.clone(), payload.clone(), *qos)),
//!             ],
//!             _ => vec![],
//!         })
//!     }
//!
//!     fn status(&self) -> String { "echoing".to_owned() }
//! }
//!
//! /// Carries the role until `stop` is requested, whatever happens to the connection.
//! fn serve(echo: Echo, stop: &Stop) -> Result<End, Failure> {
//!     let options = Options::new("raspberrypi.local", 1883, "echo-1");
//!     Run::new(&options, stop).carry(echo, |length| {
//!         println!("{length} bytes");
//!         Ok(())
//!     })
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut echo = Echo {
//!     questions: TopicFilter::new("echo/+/question")?,
//!     answers: TopicName::new("echo/answers")?,
//! };
//! let question = Message::new(TopicName::new("echo/pi/question")?, "hello", QoS::AtLeastOnce);
//! let effects = echo.handle(Instant::now(), Event::Received(&question))?;
//! let answer = Message::new(TopicName::new("echo/answers")?, "hello", QoS::AtLeastOnce);
//! assert_eq!(effects, [Effect::Emit(5), Effect::Publish(answer)]);
//!
//! assert_eq!(TopicName::new("echo/+"), Err(Invalid::Character('+')));
//! # Ok(())
//! # }
//! ```
//!
//! # What the link promises a role, and where a promise ends
//!
//! - **What a role publishes is kept until the broker has confirmed it** (PUBACK, PUBCOMP), through any number of
//!   reconnects. It is kept in memory, and in a journal where there is one ([`link::Run::journaled`]): without it a
//!   crash of this process loses it. A message that cannot be carried at all (a
//!   payload above [`mqtt::MAX_PAYLOAD`], or QoS 0 beyond what the connection takes) comes back as
//!   [`Event::Undeliverable`](role::Event::Undeliverable).
//! - **A received message is acknowledged only when everything that its handling published is confirmed.** So after a
//!   crash the broker sends it again, to a client with a persistent session ([`link::Session::Persistent`]), and a
//!   crash can repeat an answer but not lose one; with a journal it repeats none at QoS 2. At QoS 0 there is no acknowledgement, and a lost message stays lost.
//! - **At QoS 2 a role sees a message once,** across reconnects of one process. At QoS 1 it sees a repetition only
//!   where the first delivery was not acknowledged. A broker that restarts without persistence forgets what was on
//!   its way here: no client can bring that back.
//! - **Subscriptions are made again** whenever the broker has lost the session. A refused one ends the run with an
//!   error that names the filter.
//! - **A lost connection is not the role's business.** The link waits with growing, random pauses (at most a minute),
//!   looks the name up again, and tries one broker after the other where there are several. It gives up only what
//!   waiting cannot mend (login refused, certificate not trusted, packet too large), or at the role's own
//!   [`time_limit`](role::Role::time_limit).
//! - **The end is clean:** after [`Effect::Finish`](role::Effect::Finish) or a [`link::Stop`] the link waits for
//!   the confirmations that are due, leaves no session and no subscription behind unless they are to be kept, and
//!   sends DISCONNECT. A stop is over within 3 s.
//!
//! # Threads
//!
//! [`link::Run::carry`] blocks the thread that calls it, and everything above happens on that thread: rumqttc's
//! connection, the engine, the role, and the caller's `emit`. A role needs no lock and no `Send`. Other threads only
//! wake this one: [`link::Stop`] may be requested from any thread, and [`link::Lines`] reads its input on a thread of
//! its own. rumqttc looks names up on a helper thread, and the program waits for signals on one of its own.
//!
//! # Features
//!
//! - `tls` (default): TLS with rustls and ring. Without it the binary has half the size, and an option that asks for
//!   TLS is an error.
//! - `demo`: `mqtt_client demo`, an embedded broker with all four roles. It needs Rust 1.89, the rest 1.85.

#[doc(hidden)]
pub mod cli;
#[cfg(feature = "demo")]
#[doc(hidden)]
pub mod demo;
pub mod device_session;
#[doc(hidden)]
pub mod fleet;
mod json;
pub mod link;
pub mod mqtt;
#[doc(hidden)]
pub mod presence;
#[doc(hidden)]
pub mod program;
pub mod role;
mod seconds;
pub mod signals;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text_request;

use seconds::Seconds;
