//! The last word of a device that is stopped in its pause: it has no connection then, and has said that it will be back.
//! So it makes one, for no longer than [`LIMIT`].

use std::convert::Infallible;
use std::time::{Duration, Instant};

use log::debug;

use crate::link::{Options, Presence, Refusals, Run, Session, Stop};
use crate::role::{Effect, Event, Reaction, Role};

/// How long it may take. What runs late is ended with the process.
const LIMIT: Duration = Duration::from_secs(1);

/// Says that it will not be back, where it has said anything.
pub fn say(mut options: Options) {
    let Some(presence) = options.presence else {
        return;
    };
    options.presence = Some(Presence {
        pause: None,
        ..presence
    });
    options.session = Session::Clean;
    options.give_up_at_once = true;
    options.refusals = Refusals::End;
    let limit = Instant::now() + LIMIT;
    // That of the process has been requested.
    let end = Run::new(&options, &Stop::new()).carry(Farewell { limit }, |()| Ok(()));
    if let Err(failure) = end {
        debug!("no last word: {failure}");
    }
}

/// Has nothing to do but to end: the link says that it does.
struct Farewell {
    limit: Instant,
}

impl Role for Farewell {
    type Item = ();
    type Input = Infallible;

    fn handle(&mut self, _: Instant, event: Event<'_>) -> Reaction<()> {
        Ok(match event {
            Event::Connected { .. } => vec![Effect::Finish],
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.limit)
    }

    fn time_limit(&self) -> Option<Instant> {
        Some(self.limit)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn status(&self) -> String {
        "stopped in the pause".to_owned()
    }
}
