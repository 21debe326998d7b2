//! Tells what a role goes through, a line an event. Knows no protocol, only the names of the two ends.

use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::mqtt::printable;
use crate::role::{Event, Failure, Reaction, Role};

/// `requester → responder` is the longest.
const WHO_WIDTH: usize = 21;

/// Where the demo's lines go.
#[derive(Clone, Copy)]
pub struct Story(pub fn(&[u8]) -> Result<(), Failure>);

impl Story {
    /// Tells a line, or several.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(self, text: &str) -> Result<(), Failure> {
        (self.0)(text.as_bytes())
    }
}

/// A role whose subscriptions and received messages are told.
pub struct Narrated<R> {
    pub role: R,
    pub name: &'static str,
    /// The end whose messages it receives.
    pub peer: &'static str,
    /// As wide as the longest topic.
    pub topic_width: usize,
    pub story: Story,
    /// Told of every subscription, once the role knows of it.
    pub subscribed: Sender<()>,
}

#[deny(clippy::missing_trait_methods)]
impl<R: Role> Role for Narrated<R> {
    type Item = R::Item;
    type Input = R::Input;

    fn handle(&mut self, now: Instant, event: Event<'_, R::Input>) -> Reaction<R::Item> {
        // Told is what the broker granted or delivered, not what the role asked for.
        match event {
            Event::Subscribed { filter, .. } => {
                let who = format!("{} subscribes", self.name);
                self.story
                    .tell(&format!("   {who:<WHO_WIDTH$}  {}", filter.as_str()))?;
            }
            Event::Received(message) => {
                let who = format!("{} → {}", self.peer, self.name);
                let topic = message.topic.as_str();
                let payload = printable(&message.payload);
                let width = self.topic_width;
                self.story
                    .tell(&format!("   {who:<WHO_WIDTH$}  {topic:<width$}  {payload}"))?;
            }
            _ => {}
        }
        let reaction = self.role.handle(now, event);
        if let Event::Subscribed { .. } = event {
            // The demo waits for the subscriptions of the services only.
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
