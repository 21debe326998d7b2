//! What a run leaves on the broker; and how a connection is left after DISCONNECT: at once where nothing can come any
//! more, since the broker's end is a round trip away.

use std::time::{Duration, Instant};

use super::{Outcome, Phase};
use crate::link::engine::Engine;
use crate::link::engine::presence::Presence;
use crate::link::{End, Session};
use crate::role::Kind;

/// How long the broker may take to end the connection after DISCONNECT. Until then this end reads on:
/// unread bytes would make the kernel reset the connection, and the broker would take that for a failure.
pub const LAST_READ: Duration = Duration::from_secs(1);

/// The same where nothing can come any more, and the next connection has the same client id. A broker that works on
/// both at once should have read the DISCONNECT before that CONNECT. On a network that is slower than this it has,
/// because the CONNECT arrives a round trip later.
const HEAD_START: Duration = Duration::from_millis(10);

/// That nothing is expected from the broker after DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// The run is over then.
    ForGood,
    /// The connection that empties the session comes next.
    UntilNext,
}

impl Quiet {
    /// How long the connection is read after DISCONNECT, unless it is left.
    pub fn last_read(this: Option<Self>) -> Duration {
        match this {
            Some(Self::UntilNext) => HEAD_START,
            Some(Self::ForGood) | None => LAST_READ,
        }
    }
}

/// Whether a later run may go on where this one ended.
fn may_be_resumed(end: &Outcome) -> bool {
    match end {
        Ok(End::Stopped) => true,
        Ok(End::Finished) => false,
        // Not after silence: the other end has gone, and the next run begins anew. Nor where the other end has broken the
        // protocol: what it sent would end the next run, too. Everything else may be mended: a wrong password must cost
        // nothing of what an earlier process has left.
        Err(failure) => !matches!(failure.kind, Kind::NoAnswer | Kind::Protocol),
    }
}

impl Engine<'_> {
    /// Whether nothing of the session is to stay on the broker.
    pub(super) fn leaves_nothing(&self, end: &Outcome) -> bool {
        match self.session {
            Session::Clean => false,
            Session::Persistent { keep, .. } => !(keep && may_be_resumed(end)),
        }
    }

    /// Whether nothing is expected from the broker any more, once it has the DISCONNECT.
    pub(super) fn quiet(&self) -> Option<Quiet> {
        let Phase::Closing { end, .. } = &self.phase else {
            return None;
        };
        let presence = self.delivery.presence.as_ref();
        if !self.delivery.owes_nothing() || presence.is_some_and(Presence::must_be_heard) {
            return None;
        }
        match self.session {
            // It is subscribed still, but all that the role waited for has come. To a service that is stopped, and where
            // others publish on the same topic, the next message may be on its way.
            Session::Clean => {
                let is_quiet = *end == Ok(End::Finished) && !self.passed_over;
                is_quiet.then_some(Quiet::ForGood)
            }
            Session::Persistent { .. } => self.leaves_nothing(end).then_some(Quiet::UntilNext),
        }
    }

    /// The driver has left the connection after DISCONNECT.
    pub(in crate::link::engine) fn on_left(&mut self, now: Instant) {
        match &self.phase {
            Phase::Closing { .. } => self.on_closed(),
            Phase::Emptying { .. } => self.on_emptied(now, true),
            _ => {}
        }
    }
}
