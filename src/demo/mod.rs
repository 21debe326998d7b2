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
use narrated::Story;

const USER_ID: &str = "raspberry-pi";
const NET_ID: &str = "abcd01";

/// Longer than the pause of the device session, and short enough for a person who watches.
const TIMEOUT: Duration = Duration::from_secs(10);

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

const _: () = assert!(PAUSE.as_secs() < TIMEOUT.as_secs());

/// Runs it, and hands what there is to tell to `print`.
///
/// # Errors
/// Says which part of it failed, and why.
pub fn run(stop: &Stop, print: fn(&[u8]) -> Result<(), Failure>) -> Result<End, Failure> {
    let story = Story(print);
    let broker = Broker::start()?;
    let cast = Cast::new(broker.port(), story);
    let stops = cast.stops();
    let parts = stops.clone();
    let _wake = stop.add_wake(move || parts.iter().for_each(Stop::request));
    if stop.requested() {
        stops.iter().for_each(Stop::request);
    }
    story.tell(&format!(
        "An MQTT broker listens on 127.0.0.1:{}, inside this process. Everything below\n\
         goes through it. A line is a subscription that it granted (+ stands for any\n\
         one level), or a message that arrived: from whom to whom, topic, payload.",
        broker.port()
    ))?;
    thread::scope(|scope| {
        // The scope waits for every thread, however this ends: so every part is asked to stop.
        let _curtain = Curtain(stops);
        play(&cast, story, scope)
    })
}

fn play<'scope>(
    cast: &'scope Cast,
    story: Story,
    scope: &'scope Scope<'scope, '_>,
) -> Result<End, Failure> {
    story
        .tell("\n1. Two services subscribe: the controller to logins, the responder to requests")?;
    let (report, reports) = mpsc::channel();
    let controller = cast.controller.enter(scope, move |part, subscribed| {
        let role = Controller::new(Plan {
            timeout: Some(TIMEOUT),
            seed: fastrand::u64(..),
            sessions: Some(1),
            // Each subscription is a line of the story.
            near_misses: false,
            ..Plan::default()
        });
        part.perform(role, subscribed, |finished| {
            let failed = finished.verdict.is_err();
            // The demo waits for the report until all of its parts have ended.
            let _ = report.send(finished);
            if failed {
                // The device would wait for last words that the controller is not going to send.
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

    story.tell("\n2. A device session at QoS 2: log in, get a UNIQUE ID, answer commands")?;
    let Some(report) = device_session(cast, story, scope, controller, &reports)? else {
        return Ok(End::Stopped);
    };
    let commands = report.commands.len();
    story.tell(&format!(
        "   The controller's verdict: passed, {commands} commands, {} right replies.",
        report.replies.len()
    ))?;

    story.tell("\n3. Five text requests at QoS 1: the same text, one action each")?;
    let requester = cast.requester.enter(scope, requests)?;
    if requester.end()? == End::Stopped {
        return Ok(End::Stopped);
    }
    cast.responder.stop.request();
    responder.end()?;
    story.tell(&format!(
        "\ndemo: 1 device session passed ({commands} commands), {} requests answered",
        ANSWERS.len()
    ))?;
    Ok(End::Finished)
}

/// Plays the device's part, and returns the controller's report; `None` when the demo was stopped.
fn device_session<'scope>(
    cast: &'scope Cast,
    story: Story,
    scope: &'scope Scope<'scope, '_>,
    controller: Acting<'scope>,
    reports: &Receiver<Report>,
) -> Result<Option<Report>, Failure> {
    let device = cast.device.enter(scope, move |part, subscribed| {
        let user_id = level(USER_ID)?;
        let config = DeviceConfig {
            timeout: Some(TIMEOUT),
            ..DeviceConfig::new(user_id)
        };
        let role = Device::new(config, Instant::now());
        part.perform(role, subscribed, |progress| match progress {
            Progress::LoggedIn(_) => story.tell(&format!(
                "   The controller waits {} s, for the device to subscribe.",
                PAUSE.as_secs()
            )),
            Progress::Verdict(..) | Progress::Done => Ok(()),
        })
    })?;
    let device = device.end();
    if device == Ok(End::Finished) && controller.end()? == End::Stopped {
        return Ok(None);
    }
    let report = reports.try_recv().ok();
    // The controller's verdict comes before the device's failure, because it explains that.
    if let Some(Err(why)) = report.as_ref().map(|report| &report.verdict) {
        let why = why.join("; ");
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
            timeout: Some(TIMEOUT),
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
