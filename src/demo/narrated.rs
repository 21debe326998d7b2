//! Says aloud what a role goes through, a line an event. Knows no protocol: only who talks to whom.

use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::output;
use crate::role::{Event, Failure, Reaction, Role, printable};

/// A role whose subscriptions and received messages go to standard output.
pub struct Narrated<R> {
    role: R,
    name: &'static str,
    /// The only one whose messages it receives.
    peer: &'static str,
    /// As wide as the longest topic it will meet.
    topic_width: usize,
    /// Hears of each subscription, once the role has.
    subscribed: Option<Sender<()>>,
}

impl<R> Narrated<R> {
    /// The role `name`, which hears from `peer`.
    pub fn new(role: R, name: &'static str, peer: &'static str, topic_width: usize) -> Self {
        Self {
            role,
            name,
            peer,
            topic_width,
            subscribed: None,
        }
    }

    /// Lets somebody else wait for the subscriptions.
    pub fn telling(mut self, subscribed: Sender<()>) -> Self {
        self.subscribed = Some(subscribed);
        self
    }
}

impl<R: Role> Role for Narrated<R> {
    type Item = R::Item;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<R::Item> {
        // Only what the broker has brought or granted, so that a line always reports a fact.
        match event {
            Event::Subscribed(filter) => {
                let who = format!("{} subscribes", self.name);
                line(&format!("{who:<WHO_WIDTH$}  {}", filter.as_str()))?;
            }
            Event::Received(message) => {
                let who = format!("{} → {}", self.peer, self.name);
                let topic = message.topic.as_str();
                let payload = printable(&message.payload);
                line(&format!(
                    "{who:<WHO_WIDTH$}  {topic:<width$}  {payload}",
                    width = self.topic_width
                ))?;
            }
            Event::Connected { .. } | Event::Confirmed(_) | Event::Deadline => {}
        }
        let reaction = self.role.handle(now, event);
        if let (Event::Subscribed(_), Some(subscribed)) = (event, &self.subscribed) {
            // Nobody listens any more once the scene has begun.
            let _ = subscribed.send(());
        }
        reaction
    }

    fn deadline(&self) -> Option<Instant> {
        self.role.deadline()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.role.time_limit()
    }

    fn status(&self) -> String {
        self.role.status()
    }
}

/// `requester → responder` is the longest.
const WHO_WIDTH: usize = 21;

/// One line of the story, a little to the right of its headings.
///
/// # Errors
/// When it cannot be written.
pub fn line(text: &str) -> Result<(), Failure> {
    output::print(format!(" {text}").as_bytes())
}
