//! The role that tries a broker, one task after the other, and hands out what it finds. It knows no protocol of this
//! program: which topics it tries is decided elsewhere.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::role::{Effect, Event, Failure, Kind, Reaction, Role, Undeliverable};

/// How long an answer of the broker may take.
const LIMIT: Duration = Duration::from_secs(3);

/// How long retained messages may take after a SUBACK.
const LISTENING: Duration = Duration::from_millis(500);

/// How long all of it may take. A broker that closes the connection at a message takes several attempts.
const ALL: Duration = Duration::from_secs(60);

/// So many connections may end at a SUBSCRIBE: a broker closes them where the filter is not allowed (RabbitMQ).
const MAX_ENDS: u32 = 3;

/// An echo that took longer than this says that a larger one would take too long.
const CHEAP: Duration = Duration::from_millis(500);

/// Something to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Subscribe.
    Subscribe(TopicFilter, QoS),
    /// Publish so many bytes on a topic that is subscribed to, and see them come back.
    Echo(TopicName, QoS, usize),
    /// Have a message retained, subscribe again and see it come. Then have it forgotten: the three tasks that follow.
    Retain(TopicName),
    /// The second of them.
    Recall(TopicName),
    /// The third.
    Forget(TopicName),
    /// Take what is retained on a filter.
    Listen(TopicFilter),
    /// End like a process that was killed, so that a session stays.
    Vanish,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The broker accepted the connection.
    Connected {
        /// It still had the session.
        session_present: bool,
    },
    /// It granted the subscription with this QoS at most.
    Granted(TopicFilter, QoS),
    /// It answered the SUBSCRIBE with nothing.
    Unanswered(TopicFilter, Silence),
    /// What was published came back, or not.
    Echo(QoS, usize, Result<Duration, Silence>),
    /// It retains messages.
    Retains(bool),
    /// This is retained.
    Heard(Message),
}

/// Why nothing came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The time is over.
    Late,
    /// The broker closes the connection at it.
    Rejected,
    /// The broker has granted this QoS at most, so it was not tried.
    Above(QoS),
}

/// The role.
pub struct Examination {
    tasks: VecDeque<Task>,
    /// The first connection is there.
    is_online: bool,
    /// What was granted last.
    granted: QoS,
    /// How many connections have ended in the present task.
    ends: u32,
    begun: Instant,
    deadline: Option<Instant>,
    time_limit: Instant,
}

impl Examination {
    /// These tasks, from `now` on.
    pub fn new(tasks: Vec<Task>, now: Instant) -> Self {
        Self {
            tasks: tasks.into(),
            is_online: false,
            granted: QoS::ExactlyOnce,
            ends: 0,
            begun: now,
            deadline: None,
            time_limit: now + ALL,
        }
    }

    /// Begins the first of the tasks that are left.
    fn begin(&mut self, now: Instant) -> Reaction<Finding> {
        self.begun = now;
        self.ends = 0;
        self.deadline = Some(now + LIMIT);
        let Some(task) = self.tasks.front() else {
            self.deadline = None;
            return Ok(vec![Effect::Finish]);
        };
        let retained = |topic: &TopicName, payload: &str| Message {
            retain: true,
            ..Message::new(topic.clone(), payload, QoS::AtLeastOnce)
        };
        Ok(vec![match task {
            Task::Subscribe(filter, qos) => Effect::Subscribe(filter.clone(), *qos),
            Task::Echo(_, qos, size) if *qos > self.granted => {
                let finding = Finding::Echo(*qos, *size, Err(Silence::Above(self.granted)));
                return self.end(now, finding);
            }
            Task::Echo(topic, qos, size) => {
                Effect::Publish(Message::new(topic.clone(), payload(*qos, *size), *qos))
            }
            Task::Retain(topic) => Effect::Publish(retained(topic, "doctor")),
            Task::Recall(topic) => Effect::Subscribe(TopicFilter::exactly(topic), QoS::AtLeastOnce),
            Task::Forget(topic) => Effect::Publish(retained(topic, "")),
            Task::Listen(filter) => Effect::Subscribe(filter.clone(), QoS::AtMostOnce),
            Task::Vanish => return Err(Failure::new(Kind::Unreachable, "as was intended")),
        }])
    }

    /// The present task is over; on to the next.
    fn end(&mut self, now: Instant, finding: Finding) -> Reaction<Finding> {
        self.tasks.pop_front();
        // What is larger would fare no better, and where nothing comes back at all nothing else would.
        match &finding {
            Finding::Echo(QoS::AtMostOnce, _, Err(_)) => self.tasks.clear(),
            Finding::Echo(_, size, Err(_)) if *size > 0 => self.drop_larger(*size),
            Finding::Echo(_, size, Ok(time)) if *time > CHEAP => self.drop_larger(*size),
            _ => {}
        }
        let mut effects = vec![Effect::Emit(finding)];
        effects.extend(self.begin(now)?);
        Ok(effects)
    }

    fn drop_larger(&mut self, than: usize) {
        let is_larger = |task: &Task| matches!(task, Task::Echo(_, _, size) if *size > than);
        self.tasks.retain(|task| !is_larger(task));
    }

    fn next(&mut self, now: Instant) -> Reaction<Finding> {
        self.tasks.pop_front();
        self.begin(now)
    }

    /// The broker has closed the connection. The link tries again what was under way, and tells of a message at which
    /// that happens again and again; of a SUBSCRIBE it does not.
    fn connected_again(&mut self, now: Instant) -> Reaction<Finding> {
        self.ends += 1;
        self.deadline = self.deadline.map(|_| now + LIMIT);
        match self.tasks.front() {
            Some(Task::Subscribe(..) | Task::Listen(_)) if self.ends >= MAX_ENDS => {
                self.given_up(now, Silence::Rejected)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn subscribed(&mut self, now: Instant, filter: &TopicFilter, qos: QoS) -> Reaction<Finding> {
        match self.tasks.front() {
            Some(Task::Subscribe(asked, _)) if asked == filter => {
                self.granted = qos;
                self.end(now, Finding::Granted(filter.clone(), qos))
            }
            Some(Task::Listen(asked)) if asked == filter => {
                self.deadline = Some(now + LISTENING);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn received(&mut self, now: Instant, message: &Message) -> Reaction<Finding> {
        match self.tasks.front() {
            Some(Task::Echo(topic, qos, size))
                if *topic == message.topic
                    && !message.retain
                    && message.payload == payload(*qos, *size) =>
            {
                let time = now.saturating_duration_since(self.begun);
                let finding = Finding::Echo(*qos, *size, Ok(time));
                self.end(now, finding)
            }
            Some(Task::Recall(topic)) if *topic == message.topic && message.retain => {
                self.end(now, Finding::Retains(true))
            }
            Some(Task::Listen(filter)) if filter.matches(&message.topic) && message.retain => {
                Ok(vec![Effect::Emit(Finding::Heard(message.clone()))])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Nothing has come of the present task.
    fn given_up(&mut self, now: Instant, why: Silence) -> Reaction<Finding> {
        let finding = match self.tasks.front() {
            Some(Task::Subscribe(filter, _)) => Finding::Unanswered(filter.clone(), why),
            Some(Task::Echo(_, qos, size)) => Finding::Echo(*qos, *size, Err(why)),
            Some(Task::Retain(_)) if why == Silence::Rejected => {
                // There is nothing to recall, and nothing to forget.
                self.tasks
                    .retain(|task| !matches!(task, Task::Recall(_) | Task::Forget(_)));
                Finding::Retains(false)
            }
            Some(Task::Recall(_)) => Finding::Retains(false),
            _ => return self.next(now),
        };
        self.end(now, finding)
    }
}

/// A text of so many bytes that no other task publishes.
fn payload(qos: QoS, size: usize) -> Vec<u8> {
    let mut payload = format!("doctor {}", qos.level()).into_bytes();
    payload.resize(size.max(payload.len()), b'.');
    payload
}

impl Role for Examination {
    type Item = Finding;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Finding> {
        match event {
            Event::Connected { session_present } if !self.is_online => {
                self.is_online = true;
                let mut effects = vec![Effect::Emit(Finding::Connected { session_present })];
                effects.extend(self.begin(now)?);
                Ok(effects)
            }
            Event::Connected { .. } => self.connected_again(now),
            Event::Subscribed { filter, granted } => self.subscribed(now, filter, granted),
            Event::Received(message) => self.received(now, message),
            Event::Confirmed(message) => match self.tasks.front() {
                Some(Task::Retain(topic) | Task::Forget(topic)) if *topic == message.topic => {
                    self.next(now)
                }
                _ => Ok(Vec::new()),
            },
            Event::Undeliverable(_, Undeliverable::Congested) => Ok(Vec::new()),
            Event::Undeliverable(..) => self.given_up(now, Silence::Rejected),
            Event::Deadline if now >= self.time_limit => Err(Failure::new(
                Kind::NoAnswer,
                "the broker has not answered in time: is it overloaded?",
            )),
            Event::Deadline => self.given_up(now, Silence::Late),
            Event::Ran(..)
            | Event::Line(_)
            | Event::Input(_)
            | Event::InputsEnded
            | Event::Stopping => Ok(Vec::new()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let deadline = self.deadline.unwrap_or(self.time_limit);
        (!self.is_done()).then_some(deadline.min(self.time_limit))
    }

    fn time_limit(&self) -> Option<Instant> {
        Some(self.time_limit)
    }

    fn is_done(&self) -> bool {
        self.is_online && self.tasks.is_empty()
    }

    fn status(&self) -> String {
        format!("{} tasks left", self.tasks.len())
    }
}

#[cfg(test)]
mod tests;
