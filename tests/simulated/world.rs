//! A world of its own for roles: a broker and a clock that exist only in memory. Time jumps from
//! deadline to deadline; nothing here waits.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use mqtt_client::mqtt::{Message, QoS, TopicFilter, TopicName};
use mqtt_client::role::{Effect, Event, Failure, Reaction, Role};

/// A role whose items are told as text, so that different roles fit into one world.
trait Party {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<String>;
    fn deadline(&self) -> Option<Instant>;
}

struct Told<R>(R);

impl<R: Role<Item: std::fmt::Debug>> Party for Told<R> {
    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<String> {
        let effects = self.0.handle(now, event)?;
        let told = effects.into_iter().map(|effect| match effect {
            Effect::Emit(item) => Effect::Emit(format!("{item:?}")),
            Effect::Subscribe(filter, qos) => Effect::Subscribe(filter, qos),
            Effect::Unsubscribe(filter) => Effect::Unsubscribe(filter),
            Effect::Publish(message) => Effect::Publish(message),
            Effect::AwaitLine => Effect::AwaitLine,
            Effect::Note(text) => Effect::Note(text),
            Effect::Warn(text) => Effect::Warn(text),
            Effect::Finish => Effect::Finish,
        });
        Ok(told.collect())
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}

/// One role in the world, and what became of it.
struct Client {
    party: Box<dyn Party>,
    subscriptions: BTreeMap<TopicFilter, QoS>,
    emitted: Vec<String>,
    warnings: Vec<String>,
    end: Option<Result<(), Failure>>,
}

/// One message as the broker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Since the world began.
    pub at: Duration,
    pub topic: String,
    pub payload: String,
    pub qos: QoS,
}

enum Happening {
    Connected,
    Subscribed(TopicFilter),
    Confirmed(Message),
    Received(Message),
}

#[derive(Default)]
struct Broker {
    retained: Vec<Message>,
    seen: Vec<Seen>,
}

pub struct World {
    start: Instant,
    now: Instant,
    broker: Broker,
    clients: Vec<Client>,
    queue: VecDeque<(usize, Happening)>,
}

impl World {
    pub fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            broker: Broker::default(),
            clients: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    /// Connects a role; its number in this world.
    pub fn connect<R: Role<Item: std::fmt::Debug> + 'static>(&mut self, role: R) -> usize {
        self.clients.push(Client {
            party: Box::new(Told(role)),
            subscriptions: BTreeMap::new(),
            emitted: Vec::new(),
            warnings: Vec::new(),
            end: None,
        });
        let client = self.clients.len() - 1;
        self.queue.push_back((client, Happening::Connected));
        self.settle();
        client
    }

    /// Somebody outside publishes.
    pub fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        let message = Message::new(TopicName::new(topic).unwrap(), payload, qos);
        self.route(message);
        self.settle();
    }

    /// Leaves a retained message on a topic.
    pub fn retain(&mut self, topic: &str, payload: &str) {
        let topic = TopicName::new(topic).unwrap();
        let mut message = Message::new(topic, payload, QoS::AtLeastOnce);
        message.retain = true;
        self.broker.retained.push(message);
    }

    /// Lets time pass until every role has ended, or nothing would happen any more.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Lets time pass until nothing would happen before `time` after the beginning.
    pub fn run_until(&mut self, time: Duration) {
        while self
            .next_deadline()
            .is_some_and(|at| at <= self.start + time)
        {
            self.step();
        }
        self.now = self.now.max(self.start + time);
    }

    /// Jumps to the next deadline; `false` where there is none.
    fn step(&mut self) -> bool {
        let Some(at) = self.next_deadline() else {
            return false;
        };
        self.now = self.now.max(at);
        for client in 0..self.clients.len() {
            let due = self.clients[client].party.deadline();
            if self.clients[client].end.is_none() && due.is_some_and(|at| at <= self.now) {
                self.tell(client, Event::Deadline);
            }
        }
        self.settle();
        true
    }

    fn next_deadline(&self) -> Option<Instant> {
        let running = self.clients.iter().filter(|client| client.end.is_none());
        running.filter_map(|client| client.party.deadline()).min()
    }

    fn settle(&mut self) {
        while let Some((client, happening)) = self.queue.pop_front() {
            match &happening {
                Happening::Connected => self.tell(
                    client,
                    Event::Connected {
                        session_present: false,
                    },
                ),
                Happening::Subscribed(filter) => self.tell(client, Event::Subscribed(filter)),
                Happening::Confirmed(message) => self.tell(client, Event::Confirmed(message)),
                Happening::Received(message) => self.tell(client, Event::Received(message)),
            }
        }
    }

    fn tell(&mut self, client: usize, event: Event<'_>) {
        if self.clients[client].end.is_some() {
            return;
        }
        let effects = match self.clients[client].party.handle(self.now, event) {
            Ok(effects) => effects,
            Err(failure) => {
                self.clients[client].end = Some(Err(failure));
                return;
            }
        };
        for effect in effects {
            let this = &mut self.clients[client];
            match effect {
                Effect::Subscribe(filter, qos) => {
                    this.subscriptions.insert(filter.clone(), qos);
                    self.queue
                        .push_back((client, Happening::Subscribed(filter.clone())));
                    for old in &self.broker.retained {
                        if filter.matches(&old.topic) {
                            self.queue
                                .push_back((client, Happening::Received(old.clone())));
                        }
                    }
                }
                Effect::Unsubscribe(filter) => {
                    this.subscriptions.remove(&filter);
                }
                Effect::Publish(message) => {
                    self.queue
                        .push_back((client, Happening::Confirmed(message.clone())));
                    self.route(message);
                }
                Effect::Emit(item) => this.emitted.push(item),
                Effect::Warn(text) => this.warnings.push(text),
                Effect::Note(_) | Effect::AwaitLine => {}
                Effect::Finish => this.end = Some(Ok(())),
            }
        }
    }

    fn route(&mut self, message: Message) {
        self.broker.seen.push(Seen {
            at: self.now - self.start,
            topic: message.topic.to_string(),
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
            qos: message.qos,
        });
        for (number, client) in self.clients.iter().enumerate() {
            let matching = client
                .subscriptions
                .iter()
                .filter(|(f, _)| f.matches(&message.topic));
            if let Some(granted) = matching.map(|(_, qos)| *qos).max() {
                let mut copy = message.clone();
                copy.qos = copy.qos.min(granted);
                self.queue.push_back((number, Happening::Received(copy)));
            }
        }
    }

    /// Every message the broker saw on this topic.
    pub fn seen_on(&self, topic: &str) -> Vec<Seen> {
        let seen = self.broker.seen.iter();
        seen.filter(|seen| seen.topic == topic).cloned().collect()
    }

    /// Every message the broker saw on this topic, as text.
    pub fn said_on(&self, topic: &str) -> Vec<String> {
        self.seen_on(topic)
            .into_iter()
            .map(|seen| seen.payload)
            .collect()
    }

    pub fn end(&self, client: usize) -> Option<&Result<(), Failure>> {
        self.clients[client].end.as_ref()
    }

    pub fn emitted(&self, client: usize) -> &[String] {
        &self.clients[client].emitted
    }

    pub fn warnings(&self, client: usize) -> &[String] {
        &self.clients[client].warnings
    }

    pub fn is_subscribed(&self, client: usize, filter: &str) -> bool {
        let filter = TopicFilter::new(filter).unwrap();
        self.clients[client].subscriptions.contains_key(&filter)
    }
}
