//! An observer by another hand, paho, with a session of its own that outlives the broker's restart. (rumqttc alone does
//! not: after a reconnect it loses the first of two new messages whose packet identifiers are taken.)

use std::cell::{Cell, RefCell};
use std::process::Command;

use crate::process::Process;

/// One message, as heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// The QoS by which the broker delivered it, which is 1 at most.
    pub qos: u8,
}

/// It hears and says what it is told to.
pub struct Observer {
    process: RefCell<Process>,
    /// Lines that have been read.
    read: Cell<usize>,
    /// Connections whose subscriptions have been awaited.
    connections: Cell<usize>,
}

impl Observer {
    /// Starts it by a command of [`crate::peers`], and waits for its subscriptions.
    pub fn start(command: Command) -> Self {
        let observer = Self {
            process: RefCell::new(Process::start(command)),
            read: Cell::new(0),
            connections: Cell::new(0),
        };
        observer.await_subscriptions();
        observer
    }

    /// Waits until it has subscribed on one more connection than when this was called before.
    pub fn await_subscriptions(&self) {
        self.connections.set(self.connections.get() + 1);
        let subscribed = |said: &str| {
            let count = whole_lines(said).filter(|l| *l == "subscribed").count();
            (count >= self.connections.get()).then_some(())
        };
        let process = self.process.borrow();
        process.wait_in_stdout("subscribed", subscribed);
    }

    /// Publishes; the broker may have it later.
    pub fn publish(&self, topic: &str, payload: &str, qos: u8) {
        let line = format!("{qos} {topic} {payload}\n");
        self.process.borrow_mut().write(line.as_bytes());
    }

    /// The next message that `wanted` accepts; those before it are forgotten.
    pub fn hear(&self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let next = |said: &str| {
            let mut lines = whole_lines(said).skip(self.read.get());
            lines.find_map(|line| {
                self.read.set(self.read.get() + 1);
                heard(line).filter(&wanted)
            })
        };
        self.process.borrow().wait_in_stdout(what, next)
    }

    /// All that it has not forgotten, up to the first that `last` accepts.
    pub fn hear_until(&self, what: &str, last: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let all = RefCell::new(Vec::new());
        self.hear(what, |heard| {
            all.borrow_mut().push(heard.clone());
            last(heard)
        });
        all.into_inner()
    }
}

fn whole_lines(said: &str) -> impl Iterator<Item = &str> {
    said.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
}

fn heard(line: &str) -> Option<Heard> {
    let mut words = line.strip_prefix("heard ")?.splitn(3, ' ');
    Some(Heard {
        qos: words.next()?.parse().ok()?,
        topic: words.next()?.to_owned(),
        payload: words.next()?.to_owned(),
    })
}
