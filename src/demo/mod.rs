//! Both protocols, both ends of each, around a broker in this process, told as they happen. Knows how
//! the roles are cast and in which order they enter; nothing of how they do their work.

mod broker;
mod cast;
mod narrated;

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use unicode_segmentation::UnicodeSegmentation;

pub use broker::Broker;

use crate::device_session::PAUSE;
use crate::device_session::controller::{Controller, Plan};
use crate::device_session::device::{Device, DeviceConfig, Progress};
use crate::device_session::report::Report;
use crate::link::End;
use crate::link::Stop;
use crate::mqtt::Level;
use crate::role::{Failure, Kind};
use crate::text_request::Action;
use crate::text_request::requester::{RequestConfig, Requester};
use crate::text_request::responder::{Responder, ResponderConfig};
use cast::{Acting, Cast, Curtain, Part};
use narrated::tell;

const USER_ID: &str = "raspberry-pi";
const NET_ID: &str = "abcd01";

/// Longer than the pause of the device session, and short enough for a person who watches.
const TIMEOUT: Option<Duration> = Some(Duration::from_secs(10));

/// Letters that grow, letters that bear marks (the last one in two code points), and a symbol.
const TEXT: &str = "Grüße an Zoe\u{308} ☕";

/// What has to come back; `None` for a shuffle, which has many right answers.
const ANSWERS: [(Action, Option<&str>); 5] = [
    (Action::Uppercase, Some("GRÜSSE AN ZOE\u{308} ☕")),
    (Action::Lowercase, Some("grüße an zoe\u{308} ☕")),
    (Action::TitleCase, Some("Grüße An Zoe\u{308} ☕")),
    (Action::Reverse, Some("☕ e\u{308}oZ na eßürG")),
    (Action::Shuffle, None),
];

/// Runs it.
///
/// # Errors
/// When anything in it did not go right: what.
pub fn run(stop: &Stop) -> Result<End, Failure> {
    let broker = Broker::start()?;
    let cast = Cast::new(broker.port());
    let stops = cast.stops();
    let everybody = stops.clone();
    stop.set_wake(move || everybody.iter().for_each(Stop::request));
    if stop.requested() {
        stops.iter().for_each(Stop::request);
    }
    tell(&format!(
        "An MQTT broker listens on 127.0.0.1:{}, inside this process. Everything below\n\
         goes through it. A line is a subscription that it granted (+ stands for any\n\
         one level), or a message that arrived: from whom to whom, topic, payload.",
        broker.port()
    ))?;
    thread::scope(|scope| {
        // However this ends, the scope waits for every thread: all of them have to end, too.
        let _curtain = Curtain(stops);
        play(&cast, scope)
    })
}

fn play<'scope>(cast: &'scope Cast, scope: &'scope Scope<'scope, '_>) -> Result<End, Failure> {
    tell("\n1. Two services subscribe: the controller to logins, the responder to requests")?;
    let (report, reports) = mpsc::channel();
    let controller = cast.controller.enter(scope, move |part, subscribed| {
        let role = Controller::new(Plan {
            timeout: TIMEOUT,
            seed: fastrand::u64(..),
            sessions: Some(1),
            ..Plan::default()
        });
        part.perform(role, subscribed, |finished| {
            let failed = finished.verdict.is_err();
            // Whoever waits for it gives up only when all of the demo does.
            let _ = report.send(finished);
            if failed {
                // It would wait for last words that are not going to be said.
                cast.device.stop.request();
            }
            Ok(())
        })
    })?;
    if !controller.has_subscribed(1) {
        return controller.end();
    }
    let responder = cast.responder.enter(scope, |part, subscribed| {
        let role = Responder::new(ResponderConfig {
            seed: fastrand::u64(..),
            ..ResponderConfig::default()
        });
        part.perform(role, subscribed, |()| Ok(()))
    })?;
    if !responder.has_subscribed(Action::ALL.len()) {
        return responder.end();
    }

    tell("\n2. A device session at QoS 2: log in, get a UNIQUE ID, answer commands")?;
    let Some(report) = device_session(cast, scope, controller, &reports)? else {
        return Ok(End::Stopped);
    };
    let commands = report.commands.len();
    tell(&format!(
        "   The controller's verdict: passed, {commands} commands, {} right replies.",
        report.replies.len()
    ))?;

    tell("\n3. Five text requests at QoS 1: the same text, one action each")?;
    let requester = cast.requester.enter(scope, requests)?;
    if requester.end()? == End::Stopped {
        return Ok(End::Stopped);
    }
    cast.responder.stop.request();
    responder.end()?;
    tell(&format!(
        "\ndemo: 1 device session passed ({commands} commands), {} requests answered",
        ANSWERS.len()
    ))?;
    Ok(End::Finished)
}

/// `None` when it was stopped.
fn device_session<'scope>(
    cast: &'scope Cast,
    scope: &'scope Scope<'scope, '_>,
    controller: Acting<'scope>,
    reports: &Receiver<Report>,
) -> Result<Option<Report>, Failure> {
    let device = cast.device.enter(scope, |part, subscribed| {
        let user_id = level(USER_ID)?;
        let config = DeviceConfig {
            timeout: TIMEOUT,
            ..DeviceConfig::new(user_id)
        };
        let role = Device::new(config, Instant::now());
        part.perform(role, subscribed, |progress| match progress {
            Progress::LoggedIn(_) => tell(&format!(
                "   The controller waits {} s, for the device to subscribe.",
                PAUSE.as_secs()
            )),
            Progress::Done => Ok(()),
        })
    })?;
    let device = device.end();
    if device == Ok(End::Finished) && controller.end()? == End::Stopped {
        return Ok(None);
    }
    let report = reports.try_recv().ok();
    // First, as it explains what the device may have to say.
    if let Some(Err(why)) = report.as_ref().map(|report| &report.verdict) {
        return Err(broken(format!("the demo's device session failed: {why}")));
    }
    match (device?, report) {
        (End::Stopped, _) => Ok(None),
        (End::Finished, Some(report)) => Ok(Some(report)),
        (End::Finished, None) => Err(broken("the demo's controller reported no session")),
    }
}

/// One after the other, as five runs of `mqtt_client NETID ACTION MESSAGE` would be.
fn requests(part: &Part, subscribed: &Sender<()>) -> Result<End, Failure> {
    let net_id = level(NET_ID)?;
    for (action, expected) in ANSWERS {
        let config = RequestConfig {
            timeout: TIMEOUT,
            ..RequestConfig::new(net_id.clone(), action)
        };
        let role = Requester::new(config, TEXT.to_owned(), Instant::now());
        let mut answer = Vec::new();
        let end = part.perform(role, subscribed, |payload| {
            answer = payload;
            Ok(())
        })?;
        if end == End::Stopped {
            return Ok(End::Stopped);
        }
        let answer = String::from_utf8_lossy(&answer);
        let right = match expected {
            Some(expected) => answer == expected,
            None => is_permutation(&answer, TEXT),
        };
        if !right {
            return Err(broken(format!("{action} of `{TEXT}` gave `{answer}`")));
        }
    }
    Ok(End::Finished)
}

fn is_permutation(one: &str, other: &str) -> bool {
    let sorted = |text| {
        let mut graphemes: Vec<&str> = UnicodeSegmentation::graphemes(text, true).collect();
        graphemes.sort_unstable();
        graphemes
    };
    sorted(one) == sorted(other)
}

fn level(text: &str) -> Result<Level, Failure> {
    Level::new(text).map_err(|why| broken(format!("`{text}` cannot be a topic level: {why}")))
}

fn broken(text: impl Into<String>) -> Failure {
    Failure::new(Kind::Protocol, text)
}
