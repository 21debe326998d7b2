//! One of the fleet, as it is to be seen: who it is, and what has become of it.

use std::rc::Rc;

use crate::json;
use crate::mqtt::TopicName;
use crate::presence::Said;

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
    pub said: Option<Rc<Said>>,
}

impl Board {
    /// The one that says this of itself at `now`; and when it was lost, where that has been seen.
    #[must_use]
    pub fn new(
        topic: TopicName,
        is_online: bool,
        said: Option<Rc<Said>>,
        lost_at: Option<u64>,
        now: u64,
    ) -> Self {
        let number = |name| said.as_ref()?.number(name);
        let has_ended = said.as_ref().is_some_and(|said| said.text("end").is_some());
        let (state, since) = match (is_online, &said) {
            (true, _) => (State::Online, number("since")),
            (false, None) => (State::Offline, lost_at),
            (false, Some(_)) if !has_ended => (State::Lost, lost_at),
            (false, Some(_)) => {
                let state = match number("next") {
                    None => State::Ended,
                    Some(next) if now <= next.saturating_add(GRACE) => State::Paused,
                    Some(_) => State::Late,
                };
                (state, number("at"))
            }
        };
        Self {
            topic,
            state,
            since,
            said,
        }
    }

    /// A text that it has said of itself; empty where it has not.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let said = self.said.as_ref();
        said.and_then(|said| said.text(name)).unwrap_or_default()
    }

    /// A number that it has said of itself.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.said.as_ref()?.number(name)
    }

    /// When it will be late, if it does not come.
    #[must_use]
    pub fn is_late_at(&self) -> Option<u64> {
        let next = self.number("next").filter(|_| self.state == State::Paused);
        next.map(|next| next.saturating_add(GRACE + 1))
    }

    /// What to call it: its client id, or where it does not say that its topic.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.text("id") {
            "" => self.topic.as_str(),
            id => id,
        }
    }

    /// How it ended, or what it is doing, or was when it was heard of last.
    #[must_use]
    pub fn doing(&self) -> &str {
        match (self.state, self.text("end")) {
            (State::Online, _) | (_, "") => self.text("doing"),
            (_, end) => end,
        }
    }

    /// The board as a line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let since = self.since.map(|since| since.to_string());
        let said = self.said.as_ref().map(|said| said.members());
        format!(
            "{{\"who\":{},\"topic\":{},\"state\":\"{}\",\"state_since\":{}{}}}",
            json::quoted(self.name()),
            json::quoted(self.topic.as_str()),
            self.state.name(),
            since.as_deref().unwrap_or("null"),
            said.unwrap_or_default(),
        )
    }
}

/// That the broker has nothing of this one any more, as a line of JSON.
#[must_use]
pub fn gone_to_json(topic: &TopicName) -> String {
    let topic = json::quoted(topic.as_str());
    format!("{{\"topic\":{topic},\"state\":\"gone\"}}")
}
