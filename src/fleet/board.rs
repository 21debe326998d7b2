//! One of the fleet, as it is to be seen: who it is, and what has become of it.

use crate::json;
use crate::mqtt::TopicName;
use crate::presence::Details;

/// How long after it was due a client is late, in seconds: it has to connect first, and two clocks differ.
pub const GRACE: u64 = 30;

/// What has become of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is connected, as far as the broker knows.
    Online,
    /// It has ended, and said so.
    Ended,
    /// It has ended, and is to be back.
    Paused,
    /// It was to be back, and is not.
    Late,
    /// It went without a word: the last will says so.
    Lost,
    /// It is not there, and has left no details that would tell why.
    Offline,
}

impl State {
    /// Its name, in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Ended => "ended",
            Self::Paused => "paused",
            Self::Late => "late",
            Self::Lost => "lost",
            Self::Offline => "offline",
        }
    }
}

/// One of the fleet. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Its status topic.
    pub topic: TopicName,
    /// What has become of it.
    pub state: State,
    /// Since when; `None` where nobody knows.
    pub since: Option<u64>,
    /// What it has said of itself.
    pub details: Option<Details>,
}

impl Board {
    /// The one that says this of itself at `now`; and when it was lost, where that has been seen.
    #[must_use]
    pub fn new(
        topic: TopicName,
        is_online: bool,
        details: Option<Details>,
        lost_at: Option<u64>,
        now: u64,
    ) -> Self {
        let (state, since) = match (&details, is_online) {
            (Some(details), true) => (State::Online, Some(details.since)),
            (None, true) => (State::Online, None),
            (None, false) => (State::Offline, lost_at),
            (Some(Details { end: None, .. }), false) => (State::Lost, lost_at),
            (Some(details), false) => {
                let state = match details.next {
                    None => State::Ended,
                    Some(next) if now <= next.saturating_add(GRACE) => State::Paused,
                    Some(_) => State::Late,
                };
                (state, Some(details.at))
            }
        };
        Self {
            topic,
            state,
            since,
            details,
        }
    }

    /// When it will be late, if it does not come.
    #[must_use]
    pub fn is_late_at(&self) -> Option<u64> {
        let next = self.details.as_ref()?.next?;
        let is_paused = self.state == State::Paused;
        is_paused.then(|| next.saturating_add(GRACE + 1))
    }

    /// What to call it: its client id, or where it does not say that its topic.
    #[must_use]
    pub fn name(&self) -> &str {
        let id = self.details.as_ref().map(|details| details.id.as_str());
        id.filter(|id| !id.is_empty())
            .unwrap_or_else(|| self.topic.as_str())
    }

    /// How it ended, or what it is doing, or was when it was heard of last.
    #[must_use]
    pub fn doing(&self) -> &str {
        let Some(details) = &self.details else {
            return "";
        };
        match (self.state, &details.end) {
            (State::Online, _) | (_, None) => &details.doing,
            (_, Some(end)) => end,
        }
    }

    /// The board as a line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let since = self.since.map(|since| since.to_string());
        let details = self.details.as_ref().map(Details::members);
        format!(
            "{{\"who\":{},\"topic\":{},\"state\":\"{}\",\"state_since\":{}{}{}}}",
            json::quoted(self.name()),
            json::quoted(self.topic.as_str()),
            self.state.name(),
            since.as_deref().unwrap_or("null"),
            if details.is_some() { "," } else { "" },
            details.unwrap_or_default(),
        )
    }
}

/// That the broker has nothing of this one any more, as a line of JSON.
#[must_use]
pub fn gone_to_json(topic: &TopicName) -> String {
    let topic = json::quoted(topic.as_str());
    format!("{{\"topic\":{topic},\"state\":\"gone\"}}")
}
