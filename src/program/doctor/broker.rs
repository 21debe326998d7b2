//! What a broker that can be reached allows: CONNECT, subscriptions, a message at each QoS, a session, and more.

mod other_end;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::examination::{Examination, Finding, Silence, Task};
use super::plan::Plan;
use super::report::Report;
use crate::link::{End, Options, Run, Session, Stop};
use crate::mqtt::{Level, QoS, TopicFilter, TopicName};
use crate::program::share::Probe;
use crate::role::{Failure, Kind, Role};

/// The sizes that are tried, in bytes, and what they are called.
const SIZES: [(usize, &str); 3] = [(4096, "4 kB"), (65_536, "64 kB"), (262_144, "256 kB")];

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// One broker, and what is tried there.
pub struct Broker<'a> {
    options: &'a Options,
    plan: &'a Plan,
    stop: &'a Stop,
    report: &'a mut Report,
}

/// What a run of the examination has come to.
struct Found {
    findings: Vec<Finding>,
    end: Result<End, Failure>,
}

impl Found {
    fn is_stopped(&self) -> bool {
        self.end == Ok(End::Stopped)
    }

    fn is_connected(&self) -> bool {
        !self.findings.is_empty()
    }

    /// How the broker granted the last subscription.
    fn granted(&self) -> Option<QoS> {
        let granted = |finding: &Finding| match finding {
            Finding::Granted(_, qos) => Some(*qos),
            _ => None,
        };
        self.findings.iter().rev().find_map(granted)
    }

    /// What came of the small message at this QoS.
    fn echo(&self, wanted: QoS) -> Option<Result<Duration, Silence>> {
        self.findings.iter().find_map(|finding| match finding {
            Finding::Echo(qos, 0, result) if *qos == wanted => Some(*result),
            _ => None,
        })
    }
}

impl<'a> Broker<'a> {
    /// The broker of `options`.
    pub fn new(
        options: &'a Options,
        plan: &'a Plan,
        stop: &'a Stop,
        report: &'a mut Report,
    ) -> Self {
        Self {
            options,
            plan,
            stop,
            report,
        }
    }

    /// Tries everything, and says each step.
    pub fn examine(&mut self) -> End {
        let steps = [Self::rights, Self::loops, Self::other_end];
        for step in steps {
            if step(self) == Next::Leave || self.report.is_unsaid() {
                break;
            }
        }
        match self.stop.requested() {
            true => End::Stopped,
            false => End::Finished,
        }
    }

    fn run(&self, tasks: Vec<Task>, session: Session) -> Found {
        let mut options = Options {
            session,
            ..self.options.clone()
        };
        // RabbitMQ closes at a CleanSession 0 right after a CleanSession 1 of the same client.
        if session != Session::Clean {
            options.client_id.push_str("-session");
        }
        let mut findings = Vec::new();
        let role = Examination::new(tasks, Instant::now());
        let end = Run::new(&options, self.stop).carry(role, |finding| {
            findings.push(finding);
            Ok(())
        });
        Found { findings, end }
    }

    fn carry<R: Role<Input = Infallible>>(&self, role: R) -> (Vec<R::Item>, Result<End, Failure>) {
        let mut items = Vec::new();
        let end = Run::new(self.options, self.stop).carry(role, |item| {
            items.push(item);
            Ok(())
        });
        (items, end)
    }

    /// CONNECT, and the very subscriptions of the role.
    fn rights(&mut self) -> Next {
        let qos = self.plan.qos.unwrap_or(QoS::AtMostOnce);
        let filters = self.plan.filters.iter();
        let tasks: Vec<Task> = filters
            .map(|filter| Task::Subscribe(filter.clone(), qos))
            .collect();
        self.report.begin();
        let found = self.run(tasks, Session::Clean);
        if found.is_stopped() {
            return Next::Leave;
        }
        if !found.is_connected() {
            let failure = found.end.err().unwrap_or_else(no_connection);
            self.report.bad("connect", &failure);
            return Next::Leave;
        }
        let user = match &self.options.login {
            Some(login) => format!("as user {}", login.username),
            None => "without a user name".to_owned(),
        };
        let text = format!(
            "{} accepts client {} {user}",
            self.options.address(),
            self.options.client_id
        );
        self.report.good("connect", &text);
        let unanswered = found.findings.iter().find_map(|finding| match finding {
            Finding::Unanswered(filter, Silence::Rejected) => Some((
                Kind::Refused,
                format!("the broker closes the connection at a SUBSCRIBE to {filter}: has the user the right to read it?"),
            )),
            Finding::Unanswered(filter, _) => Some((
                Kind::NoAnswer,
                format!("the broker does not answer a SUBSCRIBE to {filter}: is it overloaded, or has the user no right to read it?"),
            )),
            _ => None,
        });
        if let Some((kind, text)) = unanswered {
            let failure = Failure::new(kind, text);
            self.report.bad("subscribe", &failure);
            return Next::GoOn;
        }
        match found.end {
            Err(failure) => self.report.bad("subscribe", &failure),
            Ok(_) if self.plan.filters.is_empty() => {}
            Ok(_) => {
                let filters: Vec<&str> =
                    self.plan.filters.iter().map(TopicFilter::as_str).collect();
                let granted = found.granted().map_or(0, QoS::level);
                let text = format!("{}: QoS {granted} granted", filters.join(", "));
                self.report.fact("subscribe", &text);
            }
        }
        Next::GoOn
    }

    /// A message to oneself, on the first topic on which it comes back, and what else can be tried there.
    fn loops(&mut self) -> Next {
        let mut first = None;
        for topic in &self.plan.loops {
            let found = self.run(tasks_on(topic), Session::Clean);
            if found.is_stopped() {
                return Next::Leave;
            }
            if let Some(Ok(_)) = found.echo(QoS::AtMostOnce) {
                self.say_loops(topic, &found);
                self.share(topic);
                self.session(topic);
                return Next::GoOn;
            }
            first.get_or_insert(found);
        }
        let user = self
            .options
            .login
            .as_ref()
            .map_or("", |login| &login.username);
        let topics: Vec<&str> = self.plan.loops.iter().map(TopicName::as_str).collect();
        let failure = match first.map(|found| (found.echo(QoS::AtMostOnce), found.end)) {
            Some((None, Err(failure))) if failure.kind != Kind::Refused => failure,
            _ => {
                let text = format!(
                    "nothing comes back of what is published on {}: let user {user} write and read there, or on the role's topics (mosquitto: acl_file); rights for these alone cannot be tried",
                    topics.join(", ")
                );
                Failure::new(Kind::Refused, text)
            }
        };
        self.report.bad("qos0", &failure);
        Next::GoOn
    }

    fn say_loops(&mut self, topic: &TopicName, found: &Found) {
        let granted = found.granted().unwrap_or(QoS::AtMostOnce);
        for qos in LEVELS {
            let level = qos.level();
            let step = format!("qos{level}");
            let remedy = match level {
                0 => "use another broker".to_owned(),
                _ => format!("give -q {}, or use another broker", level - 1),
            };
            let (text, is_wanted) = (
                match found.echo(qos) {
                    Some(Ok(time)) => {
                        let text = format!("what is published on {topic} comes back");
                        self.report.timed(&step, time, &text);
                        continue;
                    }
                    Some(Err(Silence::Above(_))) => {
                        format!("the broker grants QoS {} at most", granted.level())
                    }
                    Some(Err(Silence::Rejected)) => {
                        format!("the broker closes the connection at a message with {qos}")
                    }
                    Some(Err(Silence::Late)) => {
                        format!("what is published with {qos} does not come back")
                    }
                    None => format!("the connection ended before a message with {qos}"),
                },
                self.plan.qos.is_some_and(|wanted| wanted >= qos),
            );
            match is_wanted {
                true => {
                    let failure = Failure::new(Kind::Refused, format!("{text}: {remedy}"));
                    self.report.bad(&step, &failure);
                }
                false => self.report.note(&step, &text, "not needed here"),
            }
        }
        let retains = |finding: &Finding| match finding {
            Finding::Retains(retains) => Some(*retains),
            _ => None,
        };
        match found.findings.iter().find_map(retains) {
            Some(true) => self.report.fact("retained", "messages are retained"),
            Some(false) => self.report.note("retained", "no message is retained", ""),
            None => {}
        }
        self.say_sizes(found);
    }

    fn say_sizes(&mut self, found: &Found) {
        let mut largest = None;
        let mut too_large = None;
        for (size, name) in SIZES {
            let tried = found.findings.iter().find_map(|finding| match finding {
                Finding::Echo(_, tried, result) if *tried == size => Some(result),
                _ => None,
            });
            match tried {
                Some(Ok(_)) => largest = Some(name),
                Some(Err(_)) => too_large = Some(name),
                None => {}
            }
        }
        match (largest, too_large) {
            (Some(name), None) => self.report.fact("size", &format!("at least {name}")),
            (largest, Some(name)) => {
                let text = format!(
                    "at least {}, but not {name}",
                    largest.unwrap_or("some bytes")
                );
                let remedy =
                    "a larger message is dropped (mosquitto: max_packet_size, message_size_limit)";
                self.report.note("size", &text, remedy);
            }
            (None, None) => {}
        }
    }

    /// Whether a message to a group comes, to one of which nobody else is a member.
    fn share(&mut self, topic: &TopicName) {
        let filter = TopicFilter::exactly(topic);
        let group = Level::known("doctor");
        let (ignored, end) = self.carry(Probe::new(topic.clone(), filter, &group));
        let is_wanted = self.plan.share.is_some();
        match (ignored.first(), end) {
            (_, Ok(End::Stopped)) => {}
            (Some(false), _) => self.report.fact("share", "shared subscriptions work"),
            (_, end) => {
                let text = match end {
                    Err(failure) => failure.text,
                    Ok(_) => "the broker delivers nothing to shared subscriptions".to_owned(),
                };
                let text = text.replace(": ", ", ");
                match is_wanted {
                    false => self.report.note("share", &text, "not needed here"),
                    true => {
                        let text = format!("{text}: leave out --share, or use another broker");
                        self.report.bad("share", &Failure::new(Kind::Refused, text));
                    }
                }
            }
        }
    }

    /// Whether the broker keeps a session over the end of a connection. The second run leaves none.
    fn session(&mut self, topic: &TopicName) {
        if !self.plan.lasts {
            return;
        }
        let begin = Session::Persistent {
            resume: false,
            keep: true,
        };
        let go_on = Session::Persistent {
            resume: true,
            keep: false,
        };
        // RabbitMQ has a session only where there is a subscription.
        let subscribe = Task::Subscribe(TopicFilter::exactly(topic), QoS::AtLeastOnce);
        let first = self.run(vec![subscribe, Task::Vanish], begin);
        if let (false, Err(failure)) = (first.is_connected(), &first.end) {
            let text = format!("not tried, as {}", failure.text);
            self.report.note("session", &text, "");
            return;
        }
        let second = self.run(Vec::new(), go_on);
        let kept = Finding::Connected {
            session_present: true,
        };
        if first.is_stopped() || second.is_stopped() {
            return;
        }
        match second.findings.contains(&kept) {
            true => self
                .report
                .fact("session", "kept over the end of a connection"),
            false => self.report.note(
                "session",
                "the broker keeps none over the end of a connection",
                "what comes during a cut is lost; allow it sessions (CleanSession 0)",
            ),
        }
    }
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Leave,
}

fn no_connection() -> Failure {
    Failure::new(Kind::Unreachable, "the broker does not answer")
}

/// What is tried on a topic.
fn tasks_on(topic: &TopicName) -> Vec<Task> {
    let echo = |qos, size| Task::Echo(topic.clone(), qos, size);
    let mut tasks = vec![Task::Subscribe(
        TopicFilter::exactly(topic),
        QoS::ExactlyOnce,
    )];
    tasks.extend(LEVELS.map(|qos| echo(qos, 0)));
    tasks.extend([
        Task::Retain(topic.clone()),
        Task::Recall(topic.clone()),
        Task::Forget(topic.clone()),
    ]);
    tasks.extend(SIZES.map(|(size, _)| echo(QoS::AtLeastOnce, size)));
    tasks
}
