//! One session as the controller sees it: its stage, and whether a reply is right. Knows neither the other
//! sessions nor what is published.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Plan;
use crate::mqtt::{Level, Message, printable};

/// How long a session with all its replies is watched for one reply too many.
pub const SETTLE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub enum Stage {
    /// Until the SUBACK for the replies.
    Subscribing,
    /// Until the broker has the UNIQUE ID.
    Introducing,
    /// Until the first command.
    Pausing { until: Instant },
    /// Until the last reply; `open` counts the replies to come.
    Commanding {
        open: HashMap<Level, u32>,
        expires_at: Option<Instant>,
    },
    /// Until it is clear that no reply too many follows.
    Settling { until: Instant },
}

impl Stage {
    /// The stage in which the replies of `open` are to come, within the plan's timeout.
    pub fn awaiting(open: HashMap<Level, u32>, now: Instant, plan: &Plan) -> Self {
        match open.values().all(|left| *left == 0) {
            true => Self::Settling {
                until: now + SETTLE,
            },
            false => Self::Commanding {
                open,
                expires_at: plan.timeout.map(|timeout| now + timeout),
            },
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Subscribing | Self::Introducing => None,
            Self::Pausing { until } | Self::Settling { until } => Some(*until),
            Self::Commanding { expires_at, .. } => *expires_at,
        }
    }
}

#[derive(Debug)]
pub struct Session {
    pub user_id: Level,
    pub since: Instant,
    /// As they were sent.
    pub commands: Vec<Level>,
    /// As they came.
    pub replies: Vec<String>,
    pub stage: Stage,
}

impl Session {
    /// A session that begins with the login of `user_id`.
    pub fn new(user_id: Level, now: Instant) -> Self {
        Self {
            user_id,
            since: now,
            commands: Vec::new(),
            replies: Vec::new(),
            stage: Stage::Subscribing,
        }
    }

    /// Takes down the reply to `command`, and says which stage follows.
    ///
    /// # Errors
    /// Why the reply is wrong, which ends the session.
    pub fn take_reply(
        &mut self,
        now: Instant,
        command: &Level,
        reply: &Message,
        plan: &Plan,
    ) -> Result<Stage, String> {
        let Message { topic, payload, .. } = reply;
        let said = printable(payload);
        self.replies.push(said.clone());
        let Some((_, word)) = plan.replies.answer(command.as_str()) else {
            return Err(format!("a reply on {topic}, and {command} is no command"));
        };
        if word.as_bytes() != *payload {
            return Err(format!("on {topic}, `{said}` instead of `{word}`"));
        }
        let too_many = || format!("one reply too many on {topic}");
        let Stage::Commanding { open, .. } = &mut self.stage else {
            return Err(too_many());
        };
        let left = open.get_mut(command).filter(|left| **left > 0);
        let left = left.ok_or_else(too_many)?;
        if reply.qos != plan.qos {
            return Err(format!(
                "the reply on {topic} came with {} to a command with {}",
                reply.qos, plan.qos
            ));
        }
        *left -= 1;
        Ok(Stage::awaiting(std::mem::take(open), now, plan))
    }
}

/// Which replies are missing, and how many of each.
pub fn missing(open: &HashMap<Level, u32>) -> String {
    let mut missing: Vec<String> = open
        .iter()
        .filter(|(_, left)| **left > 0)
        .map(|(command, left)| format!("{left} to {command}"))
        .collect();
    missing.sort();
    missing.join(", ")
}
