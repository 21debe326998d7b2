//! The four parts of the demo, each with its thread and its connection. Knows no protocol.

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::narrated::{Narrated, Story};
use crate::link::{End, Options, Run, Session, Stop};
use crate::role::{Failure, Kind, Role};

/// All of them.
pub struct Cast {
    pub controller: Part,
    pub device: Part,
    pub requester: Part,
    pub responder: Part,
}

/// One of them.
pub struct Part {
    /// Also the name of its thread, and its client id.
    name: &'static str,
    /// The part whose messages it receives.
    peer: &'static str,
    /// As wide as the longest of its topics.
    topic_width: usize,
    session: Session,
    port: u16,
    story: Story,
    /// Each part has one of its own, because a [`Stop`] wakes one link only.
    pub stop: Stop,
}

/// A part that is being performed.
pub struct Acting<'scope> {
    name: &'static str,
    thread: ScopedJoinHandle<'scope, Result<End, Failure>>,
    subscriptions: Receiver<()>,
}

/// Asks every part to stop when it falls.
pub struct Curtain(pub [Stop; 4]);

impl Drop for Curtain {
    fn drop(&mut self) {
        self.0.iter().for_each(Stop::request);
    }
}

/// A UNIQUE ID of 32 characters, `/`, and a command.
const COMMAND_TOPIC: usize = 37;

/// `abcd01/title-case/response`
const REQUEST_TOPIC: usize = 26;

impl Cast {
    /// All of them, at the broker on this port.
    pub fn new(port: u16, story: Story) -> Self {
        let persistent = Session::Persistent {
            resume: false,
            keep: false,
        };
        let part = |name, peer, topic_width, session| Part {
            name,
            peer,
            topic_width,
            session,
            port,
            story,
            stop: Stop::new(),
        };
        Self {
            controller: part("controller", "device", COMMAND_TOPIC, persistent),
            device: part("device", "controller", COMMAND_TOPIC, persistent),
            requester: part("requester", "responder", REQUEST_TOPIC, Session::Clean),
            responder: part("responder", "requester", REQUEST_TOPIC, persistent),
        }
    }

    /// What stops each of them.
    pub fn stops(&self) -> [Stop; 4] {
        [
            &self.controller,
            &self.device,
            &self.requester,
            &self.responder,
        ]
        .map(|part| part.stop.clone())
    }
}

impl Part {
    /// Starts the part's thread.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn enter<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        act: impl FnOnce(&Self, &Sender<()>) -> Result<End, Failure> + Send + 'scope,
    ) -> Result<Acting<'scope>, Failure> {
        let (subscribed, subscriptions) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(self.name.to_owned())
            .spawn_scoped(scope, move || act(self, &subscribed))
            .map_err(|error| {
                let text = format!("cannot start a thread for the {}: {error}", self.name);
                Failure::new(Kind::Unreachable, text)
            })?;
        Ok(Acting {
            name: self.name,
            thread,
            subscriptions,
        })
    }

    /// Runs `role` on the calling thread, narrated, until it ends.
    ///
    /// # Errors
    /// The role's, or the link's.
    pub fn perform<R: Role<Input = Infallible>>(
        &self,
        role: R,
        subscribed: &Sender<()>,
        emit: impl FnMut(R::Item) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let options = Options {
            session: self.session,
            give_up_at_once: true,
            ..Options::new("127.0.0.1", self.port, self.name)
        };
        let role = Narrated {
            role,
            name: self.name,
            peer: self.peer,
            topic_width: self.topic_width,
            story: self.story,
            subscribed: subscribed.clone(),
        };
        Run::new(&options, &self.stop).carry(role, emit)
    }
}

impl Acting<'_> {
    /// Waits until the broker has granted so many subscriptions; `false` when the part ended before.
    pub fn has_subscribed(&self, times: usize) -> bool {
        self.subscriptions.iter().take(times).count() == times
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why the part failed, and whose part it was.
    pub fn end(self) -> Result<End, Failure> {
        let end = self.thread.join().unwrap_or_else(|_| {
            // The panic itself has been printed.
            Err(Failure::new(Kind::Protocol, "its thread panicked"))
        });
        end.map_err(|Failure { kind, text }| {
            let kind = match kind {
                Kind::Unreachable | Kind::Output => kind,
                _ => Kind::Protocol,
            };
            Failure::new(kind, format!("the demo's {}: {text}", self.name))
        })
    }
}
