//! A role at work on a thread of its own, and what can be waited for. Knows no protocol.

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mqtt_client::demo::Broker;
use mqtt_client::link::Stop;
use mqtt_client::link::{End, Options, Run, Session};
use mqtt_client::mqtt::Level;
use mqtt_client::role::{Event, Failure, Reaction, Role};

/// When a role gives up waiting for what a test expects: it says better than a test what did not come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// When a test gives up.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What the program's services and devices use.
pub const PERSISTENT: Session = Session::WHILE_RUNNING;

pub fn options(broker: &Broker, client_id: &str, session: Session) -> Options {
    let mut options = Options::new("127.0.0.1", broker.port(), client_id);
    options.session = session;
    options.give_up_at_once = true;
    options
}

pub fn level(text: &str) -> Level {
    Level::new(text).unwrap()
}

/// A role that is being run. Stops when it is dropped.
pub struct Running<T> {
    stop: Stop,
    items: Receiver<T>,
    subscriptions: Receiver<String>,
    end: Receiver<Result<End, Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Running<T> {
    pub fn start(
        role: impl Role<Item = T, Input = Infallible> + Send + 'static,
        options: Options,
    ) -> Self {
        let stop = Stop::new();
        let (item, items) = mpsc::channel();
        let (subscribed, subscriptions) = mpsc::channel();
        let (ended, end) = mpsc::channel();
        let heard = stop.clone();
        let thread = std::thread::spawn(move || {
            let role = Watched { role, subscribed };
            let result = Run::new(&options, &heard).carry(role, |it| {
                let _ = item.send(it);
                Ok(())
            });
            let _ = ended.send(result);
        });
        Self {
            stop,
            items,
            subscriptions,
            end,
            thread: Some(thread),
        }
    }

    /// Waits until the broker has granted so many subscriptions.
    pub fn subscribed(self, times: usize) -> Self {
        for _ in 0..times {
            self.subscriptions.recv_timeout(LIMIT).unwrap();
        }
        self
    }

    pub fn stop(&self) {
        self.stop.request();
    }

    /// Waits for the end, and gives it with the items that nobody has fetched.
    pub fn end(mut self) -> (Result<End, Failure>, Vec<T>) {
        let end = self.end.recv_timeout(LIMIT).unwrap();
        self.thread.take().unwrap().join().unwrap();
        (end, self.items.try_iter().collect())
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.stop.request();
    }
}

/// Lets the subscriptions of a role be waited for.
struct Watched<R> {
    role: R,
    subscribed: Sender<String>,
}

#[deny(clippy::missing_trait_methods)]
impl<R: Role> Role for Watched<R> {
    type Item = R::Item;
    type Input = R::Input;

    fn handle(&mut self, now: Instant, event: Event<'_, R::Input>) -> Reaction<R::Item> {
        if let Event::Subscribed { filter, .. } = event {
            let _ = self.subscribed.send(filter.as_str().to_owned());
        }
        self.role.handle(now, event)
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
