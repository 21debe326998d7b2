//! One device session through the proxy: what the device published, what an observer heard.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use mqtt_client::device_session::LAST_WORDS;
use mqtt_client::device_session::device::{Device, DeviceConfig, Progress};
use mqtt_client::link::Stop;
use mqtt_client::link::{End, Options, Run, Session};
use mqtt_client::mqtt::{Level, QoS};
use mqtt_client::role::{Effect, Event, Failure, Reaction, Role};

use crate::controller::{Controller, GUARD};
use harness::observer::Heard;
use harness::proxy::Proxy;

/// Four commands with a repeat, and what they come to.
pub const COMMANDS: [&str; 4] = ["CMD1", "CMD2", "CMD1", "CMD3"];
const REPLIES: [&str; 4] = ["CMD1 Apple", "CMD2 Cat", "CMD1 Apple", "CMD3 Dog"];

/// What the device lets its watcher know.
#[derive(Debug)]
enum Sign {
    /// Its subscription to the commands is confirmed.
    Ready,
}

/// A device that is watched: which publishes were unconfirmed when a connection ended.
struct Watched {
    device: Device,
    commands: String,
    signs: Sender<Sign>,
    unconfirmed: Vec<String>,
    /// How often the broker may have heard a message once more than the observer should: each
    /// message that was unconfirmed when a new connection began.
    may_repeat: Sender<BTreeMap<String, usize>>,
    repeats: BTreeMap<String, usize>,
    connected: bool,
}

fn named(topic: &str, payload: &[u8]) -> String {
    let level = topic.rsplit('/').next().unwrap_or_default();
    format!("{level} {}", String::from_utf8_lossy(payload))
}

#[deny(clippy::missing_trait_methods)]
impl Role for Watched {
    type Item = Progress;
    type Input = Infallible;

    fn handle(&mut self, now: Instant, event: Event<'_>) -> Reaction<Progress> {
        match event {
            Event::Connected { .. } if self.connected => {
                for name in &self.unconfirmed {
                    *self.repeats.entry(name.clone()).or_default() += 1;
                }
            }
            Event::Connected { .. } => self.connected = true,
            Event::Subscribed { filter, .. } if filter.as_str() == self.commands => {
                let _ = self.signs.send(Sign::Ready);
            }
            Event::Confirmed(message) => {
                let name = named(message.topic.as_str(), &message.payload);
                let at = self.unconfirmed.iter().position(|known| *known == name);
                self.unconfirmed
                    .remove(at.expect("confirmed what was not published"));
            }
            _ => {}
        }
        let effects = self.device.handle(now, event)?;
        for effect in &effects {
            match effect {
                Effect::Publish(message) => self
                    .unconfirmed
                    .push(named(message.topic.as_str(), &message.payload)),
                Effect::Finish => {
                    let _ = self.may_repeat.send(self.repeats.clone());
                }
                _ => {}
            }
        }
        Ok(effects)
    }

    fn deadline(&self) -> Option<Instant> {
        self.device.deadline()
    }

    fn time_limit(&self) -> Option<Instant> {
        self.device.time_limit()
    }

    fn is_done(&self) -> bool {
        self.device.is_done()
    }

    fn status(&self) -> String {
        self.device.status()
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub connections: u32,
    /// Replies that the observer heard once more, at QoS 1.
    pub repeated: usize,
    /// Bytes up and down.
    pub passed: (u64, u64),
}

/// A device on a thread of its own.
struct Running {
    ready: Receiver<Sign>,
    repeats: Receiver<BTreeMap<String, usize>>,
    thread: std::thread::JoinHandle<Result<End, Failure>>,
}

fn start_device(
    port: u16,
    user_id: &str,
    unique_id: &str,
    qos: QoS,
    keep_alive: Duration,
) -> Running {
    let (signs, ready) = channel();
    let (may_repeat, repeats) = channel();
    let config = DeviceConfig {
        qos,
        timeout: Some(GUARD),
        ..DeviceConfig::new(Level::new(user_id).unwrap())
    };
    let device = Device::new(config, Instant::now());
    let watched = Watched {
        device,
        commands: unique_id.to_owned(),
        signs,
        unconfirmed: Vec::new(),
        may_repeat,
        repeats: BTreeMap::new(),
        connected: false,
    };
    let mut options = Options::new("127.0.0.1", port, user_id);
    options.keep_alive = keep_alive;
    options.reconnect_delay = Duration::from_millis(10);
    options.session = Session::Persistent {
        resume: false,
        keep: false,
    };
    let thread = std::thread::spawn(move || {
        Run::new(&options, &Stop::new()).carry(watched, |_progress| Ok(()))
    });
    Running {
        ready,
        repeats,
        thread,
    }
}

/// Runs a session through `proxy`, and judges it.
pub fn run(
    controller: &Controller,
    proxy: &Proxy,
    user_id: &str,
    qos: QoS,
) -> Result<Outcome, String> {
    let usual = Options::new("127.0.0.1", 0, user_id).keep_alive;
    run_with_keep_alive(controller, proxy, user_id, qos, usual)
}

/// The same for a device with this keep alive.
pub fn run_with_keep_alive(
    controller: &Controller,
    proxy: &Proxy,
    user_id: &str,
    qos: QoS,
    keep_alive: Duration,
) -> Result<Outcome, String> {
    let unique_id = format!("id-{user_id}");
    let device = start_device(proxy.port(), user_id, &unique_id, qos, keep_alive);
    let mut heard: Vec<Heard> = Vec::new();
    controller.hear("the login", &mut heard, |heard| {
        heard.topic == "login" && heard.payload == user_id
    })?;
    controller.publish(&format!("{user_id}/UUID"), &unique_id, qos);
    device
        .ready
        .recv_timeout(GUARD)
        .map_err(|_| "the device does not subscribe to its commands".to_owned())?;
    for command in COMMANDS {
        controller.publish(&unique_id, command, qos);
    }
    // At QoS 1 a reply may be heard twice: wait for the last one, which comes last.
    let last = format!("{unique_id}/CMD3");
    let came = controller.hear("the last reply", &mut heard, |heard| heard.topic == last)?;
    heard.push(came);
    controller.publish(&unique_id, LAST_WORDS, qos);
    let end = device
        .thread
        .join()
        .map_err(|_| "the device panicked".to_owned())?
        .map_err(|failure| format!("the device failed: {failure}"))?;
    if end != End::Finished {
        return Err(format!("the device ended {end:?}"));
    }
    heard.extend(controller.hear_everything(user_id)?);
    let repeats = device
        .repeats
        .recv_timeout(GUARD)
        .map_err(|e| e.to_string())?;
    judge(&heard, user_id, &unique_id, qos, &repeats).map(|repeated| Outcome {
        connections: proxy.connections(),
        repeated,
        passed: proxy.passed(),
    })
}

/// How many replies came once more; an error where more did than may, or fewer than must.
fn judge(
    heard: &[Heard],
    user_id: &str,
    unique_id: &str,
    qos: QoS,
    may_repeat: &BTreeMap<String, usize>,
) -> Result<usize, String> {
    let mut logins = 1;
    let mut replies = Vec::new();
    for heard in heard {
        if heard.topic == "login" && heard.payload == user_id {
            logins += 1;
        }
        if heard.topic.starts_with(&format!("{unique_id}/")) {
            if heard.qos != qos.level() {
                return Err(format!("a reply at QoS {}", heard.qos));
            }
            replies.push(named(&heard.topic, heard.payload.as_bytes()));
        }
    }
    let allowed = |name: &str| match qos {
        QoS::ExactlyOnce => 0,
        _ => may_repeat.get(name).copied().unwrap_or(0),
    };
    if logins > 1 + allowed(&format!("login {user_id}")) {
        return Err(format!("{logins} logins"));
    }
    if qos == QoS::ExactlyOnce && replies != REPLIES {
        return Err(format!("replies {replies:?}"));
    }
    let mut repeated = 0;
    for name in ["CMD1 Apple", "CMD2 Cat", "CMD3 Dog"] {
        let count = |list: &[String]| list.iter().filter(|known| *known == name).count();
        let wanted = REPLIES.iter().filter(|known| **known == name).count();
        let came = count(&replies);
        if came < wanted || came > wanted + allowed(name) {
            return Err(format!(
                "{came} of {name}: {replies:?}, may repeat {may_repeat:?}"
            ));
        }
        repeated += came - wanted;
    }
    if let Some(stranger) = replies
        .iter()
        .find(|reply| !REPLIES.contains(&reply.as_str()))
    {
        return Err(format!("a reply {stranger}"));
    }
    Ok(repeated)
}
