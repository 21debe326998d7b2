//! A prefix: the levels before every topic of a session, so that many controllers share one broker. The two ends know the
//! protocol's topics without it; it is put before what they send and taken from what they hear, here alone. Only sentences
//! that name a topic name it in full.

use crate::mqtt::{Level, Message, TopicFilter, TopicName};
use crate::role::{Effect, Event, Job, Memory, Reaction};

/// The longest prefix, in bytes: a USER_ID, a command and the rest of a topic have to fit behind it.
pub const MAX_PREFIX: usize = 128;

/// The levels before every topic, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix(Option<TopicName>);

impl Prefix {
    /// Nothing before the topics.
    pub const NONE: Self = Self(None);

    /// The prefix with this text: one level or several.
    ///
    /// # Errors
    /// Why it cannot stand before a topic.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Err("what begins with $ is the broker's own".to_owned());
        }
        if text.len() > MAX_PREFIX {
            let size = text.len();
            return Err(format!("it has {size} bytes, more than {MAX_PREFIX}"));
        }
        for level in text.split('/') {
            Level::new(level).map_err(|why| match level {
                "" => "it has an empty level".to_owned(),
                _ => why.to_string(),
            })?;
        }
        TopicName::new(text)
            .map(|topic| Self(Some(topic)))
            .map_err(|why| why.to_string())
    }

    /// Its text; `None` where there is no prefix.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_ref().map(TopicName::as_str)
    }

    /// This topic in full.
    #[must_use]
    pub fn topic(&self, topic: &TopicName) -> TopicName {
        match &self.0 {
            Some(prefix) => topic.under(prefix),
            None => topic.clone(),
        }
    }

    /// This filter in full. That of a group stays one.
    #[must_use]
    pub fn filter(&self, filter: &TopicFilter) -> TopicFilter {
        match &self.0 {
            Some(prefix) => filter.under(prefix),
            None => filter.clone(),
        }
    }

    /// What is shown of a topic that is to be named in full.
    #[must_use]
    pub fn shown(&self, topic: impl std::fmt::Display) -> String {
        match &self.0 {
            Some(prefix) => format!("{prefix}/{topic}"),
            None => topic.to_string(),
        }
    }

    /// The topic without the prefix; `None` where that is not before it.
    pub(super) fn local(&self, topic: &TopicName) -> Option<TopicName> {
        match &self.0 {
            Some(prefix) => topic.below_of(prefix),
            None => Some(topic.clone()),
        }
    }

    /// The filter without the prefix; `None` where that is not before it.
    pub(super) fn local_filter(&self, filter: &TopicFilter) -> Option<TopicFilter> {
        match &self.0 {
            Some(prefix) => filter.below_of(prefix),
            None => Some(filter.clone()),
        }
    }

    /// What a process remembers whose topics had this prefix, without it.
    #[must_use]
    pub fn recalled(&self, memory: Memory) -> Memory {
        let unconfirmed = memory.unconfirmed.iter();
        Memory {
            unconfirmed: unconfirmed.filter_map(|topic| self.local(topic)).collect(),
            ..memory
        }
    }

    /// Has `role` react to an event whose topics have the prefix. A message without it is none of this role's.
    pub(super) fn around<T>(
        &self,
        event: Event<'_>,
        role: impl FnOnce(Event<'_>) -> Reaction<T>,
    ) -> Reaction<T> {
        let (filter, message, job);
        // One call for all kinds, because the role's code is copied to each.
        let event = match event {
            event if self.0.is_none() => event,
            Event::Subscribed {
                filter: full,
                granted,
            } => {
                let Some(local) = self.local_filter(full) else {
                    return Ok(Vec::new());
                };
                filter = local;
                let filter = &filter;
                Event::Subscribed { filter, granted }
            }
            Event::Confirmed(full) | Event::Undeliverable(full, _) | Event::Received(full) => {
                let Some(topic) = self.local(&full.topic) else {
                    return Ok(Vec::new());
                };
                message = Message {
                    topic,
                    ..full.clone()
                };
                match event {
                    Event::Confirmed(_) => Event::Confirmed(&message),
                    Event::Undeliverable(_, why) => Event::Undeliverable(&message, why),
                    _ => Event::Received(&message),
                }
            }
            Event::Ran(full, outcome) => {
                let Some(topic) = self.local(&full.topic) else {
                    return Ok(Vec::new());
                };
                job = Job {
                    topic,
                    ..full.clone()
                };
                Event::Ran(&job, outcome)
            }
            event => event,
        };
        let effects = role(event)?;
        if self.0.is_none() {
            return Ok(effects);
        }
        Ok(effects
            .into_iter()
            .map(|effect| self.before(effect))
            .collect())
    }

    fn before<T>(&self, effect: Effect<T>) -> Effect<T> {
        match effect {
            Effect::Subscribe(filter, qos) => Effect::Subscribe(self.filter(&filter), qos),
            Effect::TrySubscribe(filter, qos) => Effect::TrySubscribe(self.filter(&filter), qos),
            Effect::Unsubscribe(filter) => Effect::Unsubscribe(self.filter(&filter)),
            Effect::Publish(message) => Effect::Publish(Message {
                topic: self.topic(&message.topic),
                ..message
            }),
            Effect::Run(job) => Effect::Run(Box::new(Job {
                topic: self.topic(&job.topic),
                ..*job
            })),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::QoS;
    use crate::role::Outcome;

    #[test]
    fn a_prefix_is_one_level_or_several() {
        for text in ["7b", "school/7b", "a b", "Ünï"] {
            assert_eq!(Prefix::new(text).unwrap().text(), Some(text));
        }
        let long = "x".repeat(MAX_PREFIX + 1);
        for (text, why) in [
            ("", "it has an empty level"),
            ("/a", "it has an empty level"),
            ("a/", "it has an empty level"),
            ("a//b", "it has an empty level"),
            ("$SYS", "what begins with $ is the broker's own"),
            ("a/+", "it has a `+`"),
            ("#", "it has a `#`"),
            (&long, "it has 129 bytes, more than 128"),
        ] {
            assert_eq!(Prefix::new(text).unwrap_err(), why, "{text}");
        }
    }

    /// What a later process finds in the journal, the topic of a job among it, has the prefix.
    #[test]
    fn a_role_sees_no_prefix_and_everybody_else_does() {
        let prefix = Prefix::new("7b").unwrap();
        let topic = |text: &str| TopicName::new(text).unwrap();
        let job = |text: &str| Job {
            program: "x".to_owned(),
            arguments: Vec::new(),
            input: Vec::new(),
            variables: Vec::new(),
            topic: topic(text),
            qos: QoS::AtLeastOnce,
        };
        let message = |text: &str| Message::new(topic(text), "x", QoS::AtLeastOnce);
        let outcome = Outcome::Missing;
        for (event, expected) in [
            (
                Event::Received(&message("7b/U1")),
                Event::Received(&message("U1")),
            ),
            (
                Event::Confirmed(&message("7b/U1")),
                Event::Confirmed(&message("U1")),
            ),
            (
                Event::Ran(&job("7b/U1/CMD1"), &outcome),
                Event::Ran(&job("U1/CMD1"), &outcome),
            ),
            (Event::Deadline, Event::Deadline),
        ] {
            let effects: Reaction<()> = prefix.around(event, |seen| {
                assert_eq!(seen, expected);
                Ok(vec![
                    Effect::Run(Box::new(job("U1/CMD1"))),
                    Effect::Publish(message("U1/CMD1")),
                ])
            });
            assert_eq!(
                effects.unwrap(),
                [
                    Effect::Run(Box::new(job("7b/U1/CMD1"))),
                    Effect::Publish(message("7b/U1/CMD1"))
                ]
            );
        }
        for event in [
            Event::Received(&message("U1")),
            Event::Ran(&job("U1/CMD1"), &outcome),
        ] {
            let effects: Reaction<()> = prefix.around(event, |_| panic!());
            assert_eq!(effects, Ok(vec![]), "of another class");
        }
        let memory = Memory {
            unconfirmed: vec![topic("7b/U1/CMD1"), topic("U1/CMD1")],
            ..Memory::default()
        };
        assert_eq!(prefix.recalled(memory).unconfirmed, [topic("U1/CMD1")]);
    }

    #[test]
    fn it_is_put_before_topics_and_filters_and_taken_away_again() {
        let prefix = Prefix::new("a/b").unwrap();
        let topic = TopicName::new("U1/CMD1").unwrap();
        let full = prefix.topic(&topic);
        assert_eq!(full.as_str(), "a/b/U1/CMD1");
        assert_eq!(prefix.local(&full), Some(topic.clone()));
        for other in ["U1/CMD1", "a/b", "a/bc/U1", "A/b/U1", "a/b/"] {
            let other = TopicName::new(other).unwrap();
            assert_eq!(prefix.local(&other), None, "{other}");
        }
        for (filter, full) in [
            ("U1/+", "a/b/U1/+"),
            ("+/x/#", "a/b/+/x/#"),
            ("$share/west/login", "$share/west/a/b/login"),
        ] {
            let filter = TopicFilter::new(filter).unwrap();
            let full = TopicFilter::new(full).unwrap();
            assert_eq!(prefix.filter(&filter), full);
            assert_eq!(prefix.local_filter(&full), Some(filter.clone()));
            assert_eq!(prefix.local_filter(&filter), None);
            assert_eq!(Prefix::NONE.filter(&full), full);
        }
    }
}
