//! Says aloud what a role goes through, a line an event. Knows no protocol: only who hears from whom.

use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::mqtt::printable;
use crate::program::output;
use crate::role::{Event, Failure, Reaction, Role};

/// `requester → responder` is the longest.
const WHO_WIDTH: usize = 21;

/// A role whose subscriptions and received messages go to standard output.
pub struct Narrated<R> {
    pub role: R,
    pub name: &'static str,
    /// The only one it hears from.
    pub peer: &'static str,
    /// As wide as the longest topic.
    pub topic_width: usize,
    /// Told of every subscription, once the role knows of it.
    pub subscribed: Sender<()>,
}

impl<R: Role> Role for Narrated<R> {
    type Item = R::Item;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<R::Item> {
        // Only what the broker granted or brought, so that every line reports a fact.
        match event {
            Event::Subscribed(filter) => {
                let who = format!("{} subscribes", self.name);
                tell(&format!("   {who:<WHO_WIDTH$}  {}", filter.as_str()))?;
            }
            Event::Received(message) => {
                let who = format!("{} → {}", self.peer, self.name);
                let topic = message.topic.as_str();
                let payload = printable(&message.payload);
                let width = self.topic_width;
                tell(&format!("   {who:<WHO_WIDTH$}  {topic:<width$}  {payload}"))?;
            }
            _ => {}
        }
        let reaction = self.role.handle(now, event);
        if let Event::Subscribed(_) = event {
            // Only the services' are waited for.
            let _ = self.subscribed.send(());
        }
        reaction
    }

    fn deadline(&self) -> Option<Instant> {
        self.role.deadline()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.role.time_limit()
    }

    fn is_done(&self) -> bool {
        self.role.is_done()
    }

    fn status(&self) -> String {
        self.role.status()
    }
}

/// A line of the story.
///
/// # Errors
/// When it cannot be written.
pub fn tell(text: &str) -> Result<(), Failure> {
    output::print(text.as_bytes())
}
