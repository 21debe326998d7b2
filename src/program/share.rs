//! Whether the broker has shared subscriptions. Many brokers grant `$share/GROUP/…` as if it were a name like any other,
//! and deliver nothing on it: a responder or controller there would be silent for ever, and so would its log.
//!
//! So before its run each of a group publishes to itself, over a connection and a client id of its own: the run's
//! session is not touched, and a broker that refuses any of it costs nothing. The topic is below `mqtt_client/`, and
//! nobody else subscribes to it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use log::{debug, warn};

use crate::link::{End, Options, Refusals, Run, Session, Stop, Watcher};
use crate::mqtt::{Level, Message, QoS, TopicFilter, TopicName};
use crate::role::{Effect, Event, Reaction, Role};

/// How long a message to oneself may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Warns where the broker delivers nothing to `group`. `None`: the run is to stop.
pub fn check(
    options: &Options,
    group: Option<&Level>,
    stop: &Stop,
    watcher: &mut dyn Watcher,
) -> Option<()> {
    let Some(group) = group else {
        return Some(());
    };
    let mut options = options.clone();
    options.client_id.push_str("-probe");
    options.session = Session::Clean;
    options.presence = None;
    // The run itself waits for the end of a refusal.
    options.refusals = Refusals::End;
    let topic = format!("mqtt_client/{}/share", options.client_id);
    let (Ok(topic), Ok(filter)) = (TopicName::new(&topic), TopicFilter::new(&topic)) else {
        return Some(());
    };
    let mut is_ignored = false;
    let run = Run::new(&options, stop).watched_by(watcher);
    let end = run.carry(Probe::new(topic, filter, group), |ignored| {
        is_ignored = ignored;
        Ok(())
    });
    if is_ignored {
        warn!(
            "the broker at {} delivers nothing on $share/{group}/…: it has no shared subscriptions; leave out --share, or use another broker",
            options.address()
        );
    }
    match end {
        Ok(End::Stopped) => None,
        Ok(End::Finished) => Some(()),
        Err(failure) => {
            debug!("no test of --share: {failure}");
            Some(())
        }
    }
}

/// Subscribes as one of the group and publishes; where nothing comes, does the same without the group: only where that
/// comes is the group to blame, and not the user's rights. Hands out whether it is.
pub struct Probe {
    topic: TopicName,
    plain: TopicFilter,
    shared: TopicFilter,
    /// The group has been tried.
    is_plain: bool,
    deadline: Option<Instant>,
    is_done: bool,
}

impl Probe {
    /// On this topic, and on the filter that is the same, in this group.
    pub fn new(topic: TopicName, plain: TopicFilter, group: &Level) -> Self {
        Self {
            topic,
            shared: plain.shared(group),
            plain,
            is_plain: false,
            deadline: None,
            is_done: false,
        }
    }

    fn done(&mut self, is_ignored: bool) -> Vec<Effect<bool>> {
        self.deadline = None;
        if std::mem::replace(&mut self.is_done, true) {
            return Vec::new();
        }
        vec![Effect::Emit(is_ignored), Effect::Finish]
    }
}

impl Role for Probe {
    type Item = bool;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<bool> {
        let filter = match self.is_plain {
            true => &self.plain,
            false => &self.shared,
        };
        Ok(match event {
            Event::Connected { .. } => {
                let is_first = self.deadline.replace(now + LIMIT).is_none();
                match is_first && !self.is_done {
                    true => vec![Effect::Subscribe(filter.clone(), QoS::AtLeastOnce)],
                    false => Vec::new(),
                }
            }
            Event::Subscribed { filter: other, .. } if other == filter => {
                self.deadline = Some(now + LIMIT);
                let text = filter.as_str();
                let message = Message::new(self.topic.clone(), text, QoS::AtLeastOnce);
                vec![Effect::Publish(message)]
            }
            Event::Received(message) if message.topic == self.topic => {
                let is_plain = message.payload == self.plain.as_str().as_bytes();
                self.done(is_plain)
            }
            Event::Deadline if self.is_plain => self.done(false),
            Event::Deadline => {
                self.is_plain = true;
                self.deadline = Some(now + LIMIT);
                vec![Effect::Subscribe(self.plain.clone(), QoS::AtLeastOnce)]
            }
            _ => Vec::new(),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn status(&self) -> String {
        "testing --share".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTED: Event<'static> = Event::Connected {
        session_present: false,
    };

    fn probe() -> Probe {
        let topic = "mqtt_client/me-probe/share";
        Probe::new(
            TopicName::new(topic).unwrap(),
            TopicFilter::new(topic).unwrap(),
            &Level::new("west").unwrap(),
        )
    }

    /// Subscribes, and publishes once that is granted: gives the message.
    fn publishes(probe: &mut Probe, now: Instant, event: Event<'_>) -> Message {
        let subscribed = probe.handle(now, event).unwrap();
        let [Effect::Subscribe(filter, _)] = &subscribed[..] else {
            panic!("{subscribed:?}");
        };
        let granted = QoS::AtLeastOnce;
        let event = Event::Subscribed { filter, granted };
        let published = probe.handle(now, event).unwrap();
        let [Effect::Publish(message)] = &published[..] else {
            panic!("{published:?}");
        };
        message.clone()
    }

    fn verdict(probe: &mut Probe, now: Instant, event: Event<'_>) -> bool {
        let effects = probe.handle(now, event).unwrap();
        let [Effect::Emit(is_ignored), Effect::Finish] = effects[..] else {
            panic!("{effects:?}");
        };
        assert!(probe.is_done());
        assert_eq!(probe.handle(now, event), Ok(vec![]), "a second copy");
        is_ignored
    }

    #[test]
    fn a_message_that_comes_through_the_group_is_no_warning() {
        let now = Instant::now();
        let mut probe = probe();
        let shared = publishes(&mut probe, now, CONNECTED);
        assert!(!verdict(&mut probe, now, Event::Received(&shared)));
    }

    #[test]
    fn a_message_that_comes_without_the_group_alone_is_one() {
        let now = Instant::now();
        let mut probe = probe();
        let shared = publishes(&mut probe, now, CONNECTED);
        assert_eq!(probe.deadline(), Some(now + LIMIT));
        let plain = publishes(&mut probe, now + LIMIT, Event::Deadline);
        assert_ne!(shared.payload, plain.payload);
        assert!(verdict(&mut probe, now + LIMIT, Event::Received(&plain)));
    }

    #[test]
    fn where_nothing_comes_the_users_rights_may_be_the_reason() {
        let now = Instant::now();
        let mut probe = probe();
        publishes(&mut probe, now, CONNECTED);
        publishes(&mut probe, now + LIMIT, Event::Deadline);
        let after_both = now + LIMIT + LIMIT;
        assert_eq!(probe.deadline(), Some(after_both));
        let effects = probe.handle(after_both, Event::Deadline);
        let nothing = vec![Effect::Emit(false), Effect::Finish];
        assert_eq!(effects, Ok(nothing));
        assert_eq!(probe.deadline(), None);
    }
}
