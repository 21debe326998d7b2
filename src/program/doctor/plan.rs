//! Which topics the doctor tries for which role.
//!
//! It subscribes to the role's very own, under a client id of its own and without a group, which would take its share of
//! the messages. It publishes on none of them: a login would begin a session, and a request would be answered. So it
//! publishes on topics of its own that access rights for the role are likely to allow.

use crate::cli::{Examined, Invocation};
use crate::device_session::{login_topic, reply_filter, unique_id_topic};
use crate::mqtt::{Level, QoS, TopicFilter, TopicName};
use crate::text_request::{
    Action, ActionName, all_requests_filter, request_filter, response_topic,
};

/// What is tried for a run.
#[derive(Debug)]
pub struct Plan {
    /// What is run, in words.
    pub title: String,
    /// What it subscribes to.
    pub filters: Vec<TopicFilter>,
    /// Where the doctor may publish to itself, the likeliest first.
    pub loops: Vec<TopicName>,
    /// The QoS that it works with; `None` where nothing says so.
    pub qos: Option<QoS>,
    /// Its group.
    pub share: Option<Level>,
    /// It goes on with its session after a cut.
    pub lasts: bool,
    /// Who is at the other end.
    pub other_end: OtherEnd,
    /// A level that no other client has.
    pub own: Level,
}

/// Who is at the other end, and how that shows.
#[derive(Debug, PartialEq, Eq)]
pub enum OtherEnd {
    /// Nobody in particular.
    Nobody,
    /// A responder, which answers a request of the doctor's own.
    Responder(Action, QoS),
    /// Clients whose ids begin so, which show by a retained `online` alone.
    Clients(&'static str),
}

impl Plan {
    /// What is tried for `run`, by a doctor that goes by `own`; a device by the name of `user_id`.
    pub fn new(run: &Examined, user_id: Option<&Level>, own: &Level) -> Self {
        let doctor = TopicName::of(own);
        let mut plan = Self {
            title: "the connection alone".to_owned(),
            filters: Vec::new(),
            loops: Vec::new(),
            qos: None,
            share: None,
            lasts: false,
            other_end: OtherEnd::Nobody,
            own: own.clone(),
        };
        match run {
            Examined::Connection { qos, .. } => plan.qos = *qos,
            Examined::Role(run) => plan.add(run, user_id, own),
        }
        plan.loops.push(doctor.clone());
        plan.loops.push(doctor.join(&Level::known("doctor")));
        plan.loops
            .push(TopicName::of(&Level::known("mqtt_client")).join(own));
        plan
    }

    fn add(&mut self, run: &Invocation, user_id: Option<&Level>, own: &Level) {
        match run {
            Invocation::Request { config, .. } => {
                let (net_id, action) = (&config.net_id, &config.action);
                self.title = format!("request of {net_id} for {action}");
                let answers = response_topic(net_id, action.clone());
                self.filters.push(TopicFilter::exactly(&answers));
                self.loops.push(TopicName::of(net_id).join(own));
                self.qos = Some(config.qos);
                // What a program does, nobody here knows.
                if let Some(known) = action.known() {
                    self.other_end = OtherEnd::Responder(known, config.qos);
                }
            }
            Invocation::Device { config, .. } => {
                let user_id = user_id.unwrap_or(&config.user_id);
                let prefix = &config.prefix;
                self.title = format!("device {user_id}");
                self.filters.push(TopicFilter::exactly(
                    &prefix.topic(&unique_id_topic(user_id)),
                ));
                // A UNIQUE ID is any level: this stands for all of them.
                let sessions = prefix.topic(&TopicName::of(own));
                self.filters.push(TopicFilter::exactly(&sessions));
                self.loops
                    .push(prefix.topic(&TopicName::of(user_id).join(own)));
                self.qos = Some(config.qos);
                self.lasts = true;
                self.other_end = OtherEnd::Clients("mqtt_client-controller");
            }
            Invocation::Controller { plan, .. } => {
                self.title = "controller".to_owned();
                let prefix = &plan.prefix;
                let logins = prefix.topic(&login_topic());
                self.filters.push(TopicFilter::exactly(&logins));
                self.filters.push(prefix.filter(&reply_filter(own)));
                self.loops.push(prefix.topic(&unique_id_topic(own)));
                self.qos = Some(plan.qos);
                self.share = plan.share.clone();
                self.lasts = true;
                self.other_end = OtherEnd::Clients("device-");
            }
            Invocation::Responder { config, .. } => {
                self.title = "responder".to_owned();
                match config.has_programs {
                    true => self.filters.push(all_requests_filter()),
                    false => self.filters.extend(Action::ALL.map(request_filter)),
                }
                self.loops
                    .push(response_topic(own, ActionName::new(own.clone())));
                self.qos = Some(config.qos);
                self.share = config.share.clone();
                self.lasts = config.share.is_none();
            }
            _ => {}
        }
    }
}
