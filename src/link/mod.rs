//! Carries one role over one broker connection, and makes delivery dependable.
//!
//! [`Options`] say which broker, and what it remembers; a [`Stop`] ends a [`Run`]. The rest is by choice: what other
//! threads send ([`inbox`](inbox())), lines to work on ([`Lines`]), programs that the role has run ([`Programs`]), a
//! journal for a later process ([`StateDir`]), a service manager that looks on ([`Watcher`]), and words on the broker that
//! say that the client is there ([`Presence`]), or that it is not ([`Options::will`]).
//!
//! What is promised of all that is on the first page of this crate. It is decided in the engine, which is pure; the driver
//! carries it out over rumqttc.

mod driver;
#[doc(hidden)]
pub mod engine;
mod inbox;
mod lines;
mod options;
mod presence;
pub mod programs;
// Of the tests' harness the room `testing` shows a part. It panics where a test is to fail.
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
pub(crate) mod simulation;
pub(crate) mod state;
mod stop;
pub(crate) mod thread;
mod watcher;

#[doc(hidden)]
pub use driver::stages;
pub use driver::tls::{Tls, TlsFiles};
pub use engine::CLOSING_LIMIT;
pub use engine::journal::Journal;
pub use engine::outbox::WINDOW as MOST_UNCONFIRMED;
pub use inbox::{Feed, Inbox, Unsent, WhenFull, inbox};
pub use lines::Lines;
pub use options::{Address, Login, Options, Refusals, Session};
pub use presence::{AtEnd, Presence};
pub use programs::{ProgramOptions, Programs};
pub use state::StateDir;
pub use stop::Stop;
pub use watcher::Watcher;

use std::convert::Infallible;

use crate::role::{Failure, Role};
use driver::{Driver, Sources};
use engine::{ErasedRole, RoleWithSink};
use watcher::Unwatched;

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The role asked for it.
    Finished,
    /// The [`Stop`] asked for it.
    Stopped,
}

/// A run of one role against the broker of `options`, or one of several.
///
/// ```no_run
/// use mqtt_client::link::{End, Options, Run, Session, StateDir, Stop};
/// use mqtt_client::role::Failure;
/// use mqtt_client::text_request::responder::{Responder, ResponderConfig};
///
/// fn serve(stop: &Stop) -> Result<End, Failure> {
///     let state = StateDir::lock("/var/lib/responder", false)?;
///     let mut options = Options::new("raspberrypi.local", 1883, "responder-1");
///     options.session = Session::LASTING;
///     let journal = state.journal("responder", &options.client_id);
///     let run = Run::new(&options, stop).journaled(Some(journal));
///     run.carry(Responder::new(ResponderConfig::default()), |()| Ok(()))
/// }
/// ```
///
/// `I` is the [`Role::Input`] of the role that it can carry.
pub struct Run<'a, I = Infallible> {
    parts: Parts<'a>,
    inbox: Option<&'a Inbox<I>>,
}

/// What is of one type in every run.
struct Parts<'a> {
    options: &'a Options,
    stop: &'a Stop,
    watcher: Option<&'a mut dyn Watcher>,
    sources: Sources<'a>,
    journal: Option<Journal>,
}

impl<'a> Run<'a> {
    /// A run that ends when the role finishes or fails, or when `stop` is requested.
    #[must_use]
    pub fn new(options: &'a Options, stop: &'a Stop) -> Self {
        Self {
            parts: Parts {
                options,
                stop,
                watcher: None,
                sources: Sources::default(),
                journal: None,
            },
            inbox: None,
        }
    }

    /// The same run for a role that other threads send inputs to.
    #[must_use]
    pub fn fed_by<I>(self, inbox: &'a Inbox<I>) -> Run<'a, I> {
        Run {
            parts: self.parts,
            inbox: Some(inbox),
        }
    }
}

impl<'a, I> Run<'a, I> {
    /// The same run with a service manager that watches its progress: systemd's watchdog (sd_notify(3)), for one.
    #[must_use]
    pub fn watched_by(mut self, watcher: &'a mut dyn Watcher) -> Self {
        self.parts.watcher = Some(watcher);
        self
    }

    /// The same run for a role that works on `lines`.
    #[must_use]
    pub fn on_lines(mut self, lines: &'a Lines) -> Self {
        self.parts.sources.lines = Some(lines);
        self
    }

    /// The same run for a role that has programs run.
    #[must_use]
    pub fn running(mut self, programs: Option<&'a Programs>) -> Self {
        self.parts.sources.programs = programs;
        self
    }

    /// The same run, written down so that a later process can go on with it.
    #[must_use]
    pub fn journaled(mut self, journal: Option<Journal>) -> Self {
        self.parts.journal = journal;
        self
    }

    /// Carries `role` until it finishes, fails or is stopped. What the role emits goes to `emit`, before
    /// the message that led to it is acknowledged.
    ///
    /// Ends within 3 s of a stop, unless the network itself keeps a call from returning (a name look-up).
    ///
    /// # Errors
    /// Options that no broker could make anything of, the role's own failure or that of `emit`, the broker's final
    /// refusal, no connection within the role's time limit, a line that cannot be used, or no file left for a connection.
    pub fn carry<R: Role<Input = I>>(
        self,
        role: R,
        emit: impl FnMut(R::Item) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let inputs = self.inbox.map(Inbox::tap);
        let role = RoleWithSink::new(role, emit, inputs);
        self.parts.carry(Box::new(role))
    }
}

impl Parts<'_> {
    fn carry(self, role: Box<dyn ErasedRole + '_>) -> Result<End, Failure> {
        self.options.check()?;
        let mut unwatched = Unwatched;
        let watcher = self.watcher.unwrap_or(&mut unwatched);
        Driver::new(
            role,
            self.options,
            self.stop,
            watcher,
            self.sources,
            self.journal,
        )?
        .run()
    }
}
