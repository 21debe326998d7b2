//! Whether anybody is at the other end, as far as that shows without a session or an answer that is not the doctor's own.

use std::time::{Duration, Instant};

use super::{Broker, Finding, Next, Task};
use crate::link::Session;
use crate::mqtt::{QoS, TopicFilter};
use crate::program::doctor::plan::OtherEnd;
use crate::role::Failure;
use crate::text_request::Action;
use crate::text_request::requester::{RequestConfig, Requester};

/// How long the answer of a responder may take.
const ANSWER: Duration = Duration::from_secs(5);

impl Broker<'_> {
    /// Whether anybody is there.
    pub(super) fn other_end(&mut self) -> Next {
        match &self.plan.other_end {
            OtherEnd::Nobody => {}
            OtherEnd::Responder(action, qos) => self.ask_responder(*action, *qos),
            OtherEnd::Clients(prefix) => self.look_for(prefix),
        }
        Next::GoOn
    }

    fn ask_responder(&mut self, action: Action, qos: QoS) {
        let own = &self.plan.own;
        let config = RequestConfig {
            qos,
            timeout: Some(ANSWER),
            ..RequestConfig::new(own.clone(), action)
        };
        self.report.begin();
        let (answers, end) =
            self.carry(Requester::new(config, "doctor".to_owned(), Instant::now()));
        match (answers.first(), end) {
            (Some(_), _) => self
                .report
                .good("responder", &format!("answers NETID {own}")),
            (None, Ok(_)) => {}
            (None, Err(failure)) => {
                let text = format!(
                    "none answers NETID {own} within {} s: does `mqtt_client responder` run, and may user and responder use this NETID?",
                    ANSWER.as_secs()
                );
                let kind = failure.kind;
                self.report.bad("responder", &Failure::new(kind, text));
            }
        }
    }

    /// Looks at what clients retain of themselves, by `--presence`.
    fn look_for(&mut self, prefix: &str) {
        const UP: &[u8] = b"online";
        let Ok(filter) = TopicFilter::new("mqtt_client/+/status") else {
            return;
        };
        let found = self.run(vec![Task::Listen(filter)], Session::Clean);
        if found.is_stopped() {
            return;
        }
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for finding in found.findings {
            let Finding::Heard(message) = finding else {
                continue;
            };
            let client = message.topic.levels().nth(1).unwrap_or_default().to_owned();
            if client.starts_with(prefix) {
                match message.payload == UP {
                    true => up.push(client),
                    false => down.push(client),
                }
            }
        }
        const STEP: &str = "other end";
        match (&up[..], &down[..]) {
            ([], []) => self.report.note(
                STEP,
                &format!("no {prefix}… says by a retained message that it is up"),
                "nothing but a login would show more, and that would begin a session",
            ),
            ([], [down, ..]) => {
                let text = format!("{down} says that it is not up");
                self.report.note(STEP, &text, "start it");
            }
            ([up, ..], _) => self.report.fact(STEP, &format!("{up} says that it is up")),
        }
    }
}
