//! One session as the controller sees it: its stage, and whether a reply is right. Knows neither the other
//! sessions nor what is published.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Plan;
use crate::mqtt::{Level, Message, QoS, printable};

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
    /// As they came, but for the repeated ones.
    pub replies: Vec<String>,
    /// How many right replies came again.
    pub repeats: u64,
    /// The QoS at which a reply must come, or at a higher one.
    pub lowest: QoS,
    pub stage: Stage,
}

impl Session {
    /// A session that begins with the login of `user_id`. Its replies must come at `lowest` or above.
    pub fn new(user_id: Level, lowest: QoS, now: Instant) -> Self {
        Self {
            user_id,
            since: now,
            commands: Vec::new(),
            replies: Vec::new(),
            repeats: 0,
            lowest,
            stage: Stage::Subscribing,
        }
    }

    /// Takes down the reply to `command`, and says which stage follows; `None` where the stage is as before.
    ///
    /// # Errors
    /// Why the reply is wrong, which ends the session.
    pub fn take_reply(
        &mut self,
        now: Instant,
        command: &Level,
        reply: &Message,
        plan: &Plan,
    ) -> Result<Option<Stage>, String> {
        let judged = self.judge(command, reply, plan);
        if judged == Ok(Right::Repeated) {
            // Counted and not kept: there is no limit to how many may come.
            self.repeats += 1;
            return Ok(None);
        }
        self.replies.push(printable(&reply.payload));
        judged?;
        let Stage::Commanding { open, .. } = &mut self.stage else {
            return Ok(None);
        };
        if let Some(left) = open.get_mut(command) {
            *left -= 1;
        }
        Ok(Some(Stage::awaiting(std::mem::take(open), now, plan)))
    }

    fn judge(&self, command: &Level, reply: &Message, plan: &Plan) -> Result<Right, String> {
        let Message { topic, payload, .. } = reply;
        let Some((_, word)) = plan.replies.answer(command.as_str()) else {
            return Err(format!("a reply on {topic}, and {command} is no command"));
        };
        if word.as_bytes() != *payload {
            let said = printable(payload);
            return Err(format!("on {topic}, `{said}` instead of `{word}`"));
        }
        if reply.qos < self.lowest {
            return Err(format!(
                "the reply on {topic} came with {} to a command with {}",
                reply.qos, self.lowest
            ));
        }
        let open = match &self.stage {
            Stage::Commanding { open, .. } => open.get(command).copied().unwrap_or(0),
            _ => 0,
        };
        match open {
            1.. => Ok(Right::Awaited),
            0 if self.may_repeat(reply.qos) && self.commands.contains(command) => {
                Ok(Right::Repeated)
            }
            0 => Err(format!("one reply too many on {topic}")),
        }
    }

    /// Whether a reply that came at `qos` may have come before. At QoS 1 device and broker repeat what was not
    /// acknowledged when the connection was lost (MQTT 3.1.1, section 4.3.2), even where the broker raises
    /// the QoS on the rest of the way.
    fn may_repeat(&self, qos: QoS) -> bool {
        [qos, self.lowest].contains(&QoS::AtLeastOnce)
    }
}

/// What a right reply is.
#[derive(Debug, PartialEq, Eq)]
enum Right {
    /// One that is missing.
    Awaited,
    /// One that has come before.
    Repeated,
}

/// Which replies are missing, and how many of each.
pub fn missing(open: &HashMap<Level, u32>) -> String {
    let mut missing: Vec<String> = Vec::new();
    for (command, left) in open.iter().filter(|(_, left)| **left > 0) {
        let text = format!("{left} to {command}");
        // Sorted as they come: a sort for strings would be 3 kB of the binary.
        let at = missing.partition_point(|before| *before < text);
        missing.insert(at, text);
    }
    missing.join(", ")
}
