//! Both protocols, both ends of each, around a broker in this process, told as they happen. Knows how
//! the roles are cast and in which order they enter; nothing of how they do their work.

mod broker;
mod narrated;

use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use unicode_segmentation::UnicodeSegmentation;

pub use broker::Broker;

use crate::command::Replies;
use crate::command::controller::{Controller, Plan, Report};
use crate::command::device::{Device, Progress};
use crate::link::{self, End, Options, Session};
use crate::output;
use crate::role::{Failure, Kind, QoS};
use crate::stop::Stop;
use crate::topic::Level;
use crate::transform::Action;
use crate::transform::requester::Requester;
use crate::transform::responder::Responder;
use narrated::{Narrated, line};

const USER_ID: &str = "raspberry-pi";
const NET_ID: &str = "abcd01";

/// Longer than the pause of the device session, short enough for somebody who watches.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// A UNIQUE ID of 32 characters, `/`, and a command.
const COMMAND_TOPIC: usize = 37;
const REQUEST_TOPIC: usize = "abcd01/title-case/response".len();

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
/// When anything of it did not go right: what.
pub fn run(stop: &Stop) -> Result<End, Failure> {
    let broker = Broker::start()?;
    let cast = Cast::new(broker.port(), stop);
    output::print(
        format!(
            "An MQTT broker listens on 127.0.0.1:{}, inside this process. Everything below goes\n\
             through it, over TCP. A line is a subscription that the broker has granted, or a\n\
             message that has arrived: from whom to whom, its topic, its payload.",
            broker.port()
        )
        .as_bytes(),
    )?;
    thread::scope(|scope| {
        // Whatever goes wrong: the scope waits for every thread, so all of them have to end.
        let _curtain = Curtain(&cast);
        cast.play(scope)
    })
}

/// Who takes part. A [`Stop`] wakes one link, so each has its own.
struct Cast {
    port: u16,
    controller: Stop,
    device: Stop,
    requester: Stop,
    responder: Stop,
}

/// Asks everybody to stop when it goes.
struct Curtain<'a>(&'a Cast);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.all().iter().for_each(Stop::request);
    }
}

impl Cast {
    fn new(port: u16, stop: &Stop) -> Self {
        let cast = Self {
            port,
            controller: Stop::new(),
            device: Stop::new(),
            requester: Stop::new(),
            responder: Stop::new(),
        };
        let all = cast.all();
        stop.set_wake(move || all.iter().for_each(Stop::request));
        if stop.requested() {
            cast.all().iter().for_each(Stop::request);
        }
        cast
    }

    fn all(&self) -> [Stop; 4] {
        [
            &self.controller,
            &self.device,
            &self.requester,
            &self.responder,
        ]
        .map(Clone::clone)
    }

    fn play<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<End, Failure> {
        heading("1. The two services subscribe: the controller to logins, the responder to requests")?;
        let (controller, report) = self.controller(scope)?;
        if !controller.has_subscribed(1) {
            return controller.join();
        }
        let responder = self.responder(scope)?;
        if !responder.has_subscribed(Action::ALL.len()) {
            return responder.join();
        }

        heading("2. A device session, QoS 2: log in, get a UNIQUE ID, answer commands")?;
        for service in [self.device(scope)?, controller] {
            if service.join()? == End::Stopped {
                return Ok(End::Stopped);
            }
        }
        let report = report
            .try_recv()
            .map_err(|_| broken("the controller reported no session"))?;
        if let Err(why) = &report.verdict {
            return Err(broken(&format!("the device session failed: {why}")));
        }
        let commands = report.commands.len();
        line(&format!(
            "(the controller's verdict: passed, {commands} commands, {} replies)",
            report.replies.len()
        ))?;

        heading("3. Five text requests, QoS 1: the same text, one action each")?;
        if self.requester(scope)?.join()? == End::Stopped {
            return Ok(End::Stopped);
        }
        self.responder.request();
        responder.join()?;
        output::print(
            format!(
                "\ndemo: 1 device session passed ({commands} commands), {} requests answered",
                ANSWERS.len()
            )
            .as_bytes(),
        )?;
        Ok(End::Finished)
    }

    fn controller<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<(Acting<'scope>, Receiver<Report>), Failure> {
        let (sender, report) = mpsc::channel();
        let (subscribed, subscriptions) = mpsc::channel();
        let plan = Plan {
            patience: PATIENCE,
            seed: fastrand::u64(..),
            sessions: Some(1),
            ..Plan::default()
        };
        let role = Narrated::new(
            Controller::new(plan),
            "controller",
            "device",
            COMMAND_TOPIC,
        )
        .telling(subscribed);
        let acting = Acting::start(scope, "controller", subscriptions, move || {
            let options = self.options("controller", SERVICE);
            link::run(role, &options, &self.controller, |report| {
                // Whoever waits for it gives up only when the demo does.
                let _ = sender.send(report);
            })
        })?;
        Ok((acting, report))
    }

    fn responder<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Acting<'scope>, Failure> {
        let (subscribed, subscriptions) = mpsc::channel();
        let role = Narrated::new(
            Responder::new(QoS::AtLeastOnce, fastrand::u64(..)),
            "responder",
            "requester",
            REQUEST_TOPIC,
        )
        .telling(subscribed);
        Acting::start(scope, "responder", subscriptions, move || {
            let options = self.options("responder", SERVICE);
            link::run(role, &options, &self.responder, |()| {})
        })
    }
}
