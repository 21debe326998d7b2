//! An observer by another hand, paho, which goes on over the restart of a broker. (rumqttc alone does not:
//! after a reconnect it loses the first of two new messages whose packet identifiers are taken.)

use std::cell::{Cell, RefCell};

use mqtt_client::mqtt::QoS;

use crate::controller::Heard;
use harness::peers;
use harness::process::Process;

pub struct Observer {
    process: RefCell<Process>,
    /// Lines that have been read.
    read: Cell<usize>,
    /// Connections whose subscriptions have been awaited.
    connections: Cell<usize>,
}

impl Observer {
    /// Connects and subscribes to `filters` at QoS 1.
    pub fn start(port: u16, filters: &[&str]) -> Self {
        let filters = filters.iter().copied();
        let process = peers::start("observer.py", &port.to_string(), filters);
        let observer = Self {
            process: RefCell::new(process),
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

    pub fn publish(&self, topic: &str, payload: &str, qos: QoS) {
        let line = format!("{} {topic} {payload}\n", qos.level());
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
