//! An MQTT 3.1.1 client that is put on a board and left alone. Networks drop, brokers restart and the power goes; what a
//! program has published still arrives, and at QoS 2 it arrives once.
//!
//! An MQTT library delivers packets while it is connected. What a lost connection means for a half-finished
//! conversation is left to its user: which messages to send again, under which packet identifiers, what to acknowledge
//! when, which subscriptions to make anew. Here the [`link`] decides that, once, below every protocol. So a protocol is
//! a short state machine, a [`role`], which never hears of a socket, and is tested without one.
//!
//! The program `mqtt_client` carries four such roles, both ends of two small protocols: the *device session*
//! ([`device_session`]) and the *text request* ([`text_request`]). This page is for those who write a role of their own.
//!
//! # A first role
//!
//! It sends each question back as its answer. `handle` is a function of the event and the time, so that a test needs
//! neither a broker nor patience:
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Instant;
//!
//! use mqtt_client::link::{End, Options, Run, Stop};
//! use mqtt_client::mqtt::{Message, QoS, TopicFilter, TopicName};
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
//!     /// What other threads send: nothing.
//!     type Input = Infallible;
//!
//!     fn handle(&mut self, _now: Instant, event: Event<'_>) -> Reaction<usize> {
//!         Ok(match event {
//!             // The first time, and after each lost connection.
//!             Event::Connected { .. } => {
//!                 vec![Effect::Subscribe(self.questions.clone(), QoS::ExactlyOnce)]
//!             }
//!             // A retained message is an old one.
//!             Event::Received(Message { payload, qos, retain: false, .. }) => vec![
//!                 Effect::Emit(payload.len()),
//!                 Effect::Publish(Message::new(self.answers.clone(), payload.clone(), *qos)),
//!             ],
//!             _ => vec![],
//!         })
//!     }
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
//! # Ok(())
//! # }
//! ```
//!
//! The repository's `examples/` are whole programs: `thermometer.rs` publishes what another thread measures, `relay.rs`
//! switches a pin and has a last will, and `custom_protocol.rs` has both ends of a protocol, tested in simulated time.
//!
//! # Where to look
//!
//! | room | about |
//! |---|---|
//! | [`mqtt`] | words of the standard: topics, filters, messages, QoS; valid by construction |
//! | [`role`] | the contract between a role and the link: [`Event`](role::Event)s in, [`Effect`](role::Effect)s out |
//! | [`link`] | carries a role: [`Options`](link::Options), [`Run`](link::Run), inputs, the journal |
//! | [`signals`] | SIGINT, SIGTERM and SIGHUP end a run well |
//! | `testing` | a role in simulated time, against a broker that cuts (feature `testing`) |
//! | [`device_session`], [`text_request`] | the two protocols |
//!
//! # Inputs
//!
//! Beside messages a role can have
//!
//! - **inputs of other threads**: [`link::inbox`] is a bounded queue, whose [`Feed`](link::Feed) is `Send` and `Clone`. Its
//!   sender chooses what happens while it is full ([`link::WhenFull`]): it waits, drops the oldest, or is refused.
//!   [`link::Run::fed_by`] connects it;
//! - **lines** of standard input or any other reader, one at a time as the role asks for them
//!   ([`link::Lines`], [`role::Effect::AwaitLine`]);
//! - **time**: [`role::Role::deadline`];
//! - **programs** that it has run, and their output ([`role::Effect::Run`], [`link::Programs`]).
//!
//! # What the link promises a role, and where a promise ends
//!
//! - **What a role publishes is kept until the broker has confirmed it** (PUBACK, PUBCOMP), through any number of
//!   reconnects. A message that cannot be carried at all (a payload above [`mqtt::MAX_PAYLOAD`], or QoS 0 beyond what the
//!   connection takes) comes back as [`Event::Undeliverable`](role::Event::Undeliverable).
//! - **A received message is acknowledged only when everything that its handling published is confirmed**, or is in a
//!   synced journal. So after a crash the broker sends it again, to a client with a persistent session
//!   ([`link::Session::LASTING`]). At QoS 0 there is no acknowledgement, and a lost message stays lost.
//! - **At QoS 2 a role sees a message once,** across reconnects of one process, unless it has chosen
//!   [`Session::Clean`](link::Session::Clean). At QoS 1 it sees a repetition only
//!   where the first delivery was not acknowledged. A broker that restarts without persistence forgets what was on
//!   its way here: no client can bring that back.
//! - **Subscriptions are made again** whenever the broker has lost the session. A refused one ends the run with an
//!   error that names the filter.
//! - **A lost connection is not the role's business.** The link waits with growing, random pauses (at most a minute),
//!   looks the name up again, and tries one broker after the other where there are several. It gives up only what
//!   waiting cannot mend (login refused, certificate not trusted, packet too large), or at the role's own
//!   [`time_limit`](role::Role::time_limit).
//! - **The end is clean:** a role hears of a stop ([`Event::Stopping`](role::Event::Stopping)) and may publish a last word;
//!   after [`Effect::Finish`](role::Effect::Finish) or a [`link::Stop`] the link waits for
//!   the confirmations that are due, leaves no session and no subscription behind unless they are to be kept, and
//!   sends DISCONNECT. A stop is over within 3 s. What is not confirmed by then, it warns of, with the number.
//!
//! # What survives the process
//!
//! | level | `kill -9` | power cut |
//! |---|---|---|
//! | no journal | what was published and not confirmed is lost | the same |
//! | a journal ([`link::StateDir`], [`link::Run::journaled`]) | nothing is lost; at QoS 2 nothing is repeated | nothing is lost that was received; it may be repeated |
//! | a synced one | as above | as after `kill -9`: at QoS 2 nothing is lost, nothing repeated |
//!
//! Each level needs a broker that keeps the session, and [`link::Session::LASTING`]. What a role itself has to know in the
//! next process it hands over with [`Effect::Remember`](role::Effect::Remember), and reads from
//! [`link::Journal::memory`]. What another thread has sent is the role's, and safe, once the role has handled it
//! ([`link::Feed`]). A role that finishes, or fails with [`Kind::NoAnswer`](role::Kind::NoAnswer) or
//! [`Kind::Protocol`](role::Kind::Protocol), leaves nothing; a stop, a crash and any other failure do.
//!
//! # What it says
//!
//! Link and roles write to the crate [`log`]; the program shows it with env_logger. At `warn`: what a person should look
//! into, lost connections among it; at `info`: each message; at `debug`: each packet. Remedies in these lines name options of
//! the program `mqtt_client`.
//!
//! # Threads
//!
//! [`link::Run::carry`] blocks the thread that calls it, and everything above happens on that thread: rumqttc's
//! connection, the engine, the role, and the caller's `emit`. A role needs no lock and no `Send`. Other threads only
//! wake this one: [`link::Stop`] may be requested and a [`link::Feed`] used from any thread, and [`link::Lines`] reads its
//! input on a thread of its own. Several runs in one process each need a thread and a client id.
//!
//! # Features
//!
//! - `tls` (default): TLS with rustls and ring. Without it the program has half the size, and [`link::Tls`] cannot
//!   be loaded.
//! - `testing`: the room `testing`. For `[dev-dependencies]`.
//! - `demo`: an embedded broker, for the program's command `demo`. It needs Rust 1.89, the rest 1.85.
//!
//! Every item here but those marked as hidden is held to semantic versioning from 1.0 on; until then a minor version may
//! change them, and the change log says so.

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
mod utc;

use seconds::Seconds;
