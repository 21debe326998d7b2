//! One session as the controller sees it: its stage, which replies are to come, and what was wrong. Knows neither the
//! other sessions nor what is published.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Plan;
use super::mistakes::{Mistakes, Stray, wrong_word};
use crate::mqtt::{Level, Message, QoS, printable};

/// How long a session with all its replies is watched for one reply too many.
pub const SETTLE: Duration = Duration::from_millis(500);

/// So long nothing may come before it is said what is missing, and before a session with a mistake ends. It is that long
/// and twice the longest silence that a reply has ended.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// So many replies are kept beyond those that commands ask for.
const MOST_REPLIES_TOO_MANY: usize = 20;

#[derive(Debug)]
pub enum Stage {
    /// Until the SUBACK for the replies.
    Subscribing,
    /// Until the broker has the UNIQUE ID.
    Introducing,
    /// Until the first command.
    Pausing { until: Instant },
    /// Until the last reply.
    Commanding(Commanding),
    /// Until it is clear that no reply too many follows.
    Settling { until: Instant },
}

/// What a session waits for that has got its commands.
#[derive(Debug)]
pub struct Commanding {
    /// The replies to come.
    pub open: HashMap<Level, u32>,
    /// How many commands the broker has not confirmed: as long as there is one, the device need not have it.
    pub unconfirmed: u32,
    /// The last sign of life: a reply, or that the broker has another command.
    pub last_sign: Instant,
    /// When it is to be looked at; `None` once it has been, until the next sign.
    pub look_at: Option<Instant>,
    /// When it fails.
    pub expires_at: Option<Instant>,
}

impl Stage {
    /// The stage in which the replies of `open` are to come, within the plan's timeout.
    pub fn awaiting(
        open: HashMap<Level, u32>,
        unconfirmed: u32,
        now: Instant,
        plan: &Plan,
    ) -> Self {
        if open.values().all(|left| *left == 0) {
            return Self::Settling {
                until: now + SETTLE,
            };
        }
        Self::Commanding(Commanding {
            open,
            unconfirmed,
            last_sign: now,
            look_at: (unconfirmed == 0).then(|| now + PATIENCE),
            expires_at: plan.timeout.map(|timeout| now + timeout),
        })
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Subscribing | Self::Introducing => None,
            Self::Pausing { until } | Self::Settling { until } => Some(*until),
            Self::Commanding(commanding) => {
                let times = [commanding.look_at, commanding.expires_at];
                times.into_iter().flatten().min()
            }
        }
    }
}

#[derive(Debug)]
pub struct Session {
    pub user_id: Level,
    pub since: Instant,
    /// As they were sent.
    pub commands: Vec<Level>,
    /// From the login to the first of them.
    pub sent_after: Duration,
    /// What was sent once more, because nothing had come, and when.
    pub once_more: Option<(Level, Duration)>,
    /// As they came, but for the repeated ones.
    pub replies: Vec<String>,
    /// How many right replies came again.
    pub repeats: u64,
    /// The QoS at which a reply must come, or at a higher one.
    pub lowest: QoS,
    /// How often it has logged in before its first command.
    pub logins: u32,
    pub mistakes: Mistakes,
    /// What is no mistake of the device, and may be the reason for one.
    pub hints: Vec<String>,
    pub stage: Stage,
    /// The longest silence that a reply has ended.
    longest_silence: Duration,
    /// Messages elsewhere that were taken for the replies: right ones may follow.
    strays: HashMap<Level, u32>,
}

impl Session {
    /// A session that begins with the login of `user_id`. Its replies must come at `lowest` or above.
    pub fn new(user_id: Level, lowest: QoS, now: Instant) -> Self {
        Self {
            user_id,
            since: now,
            commands: Vec::new(),
            sent_after: Duration::ZERO,
            once_more: None,
            replies: Vec::new(),
            repeats: 0,
            lowest,
            logins: 1,
            mistakes: Mistakes::default(),
            hints: Vec::new(),
            stage: Stage::Subscribing,
            longest_silence: Duration::ZERO,
            strays: HashMap::new(),
        }
    }

    fn open(&self, command: &Level) -> u32 {
        match &self.stage {
            Stage::Commanding(commanding) => commanding.open.get(command).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// How often this command was sent.
    pub fn sent(&self, command: &Level) -> usize {
        self.commands.iter().filter(|sent| *sent == command).count()
    }

    /// A sign of life. The stage that follows, where it is another one or waits anew.
    fn sign(&mut self, now: Instant, plan: &Plan) -> Option<Stage> {
        let Stage::Commanding(commanding) = &mut self.stage else {
            return None;
        };
        let silence = now.saturating_duration_since(commanding.last_sign);
        self.longest_silence = self.longest_silence.max(silence);
        let patience = PATIENCE.max(self.longest_silence * 2);
        let open = std::mem::take(&mut commanding.open);
        let mut stage = Stage::awaiting(open, commanding.unconfirmed, now, plan);
        if let Stage::Commanding(Commanding {
            look_at: Some(at), ..
        }) = &mut stage
        {
            *at = now + patience;
        }
        Some(stage)
    }

    /// The broker has one of the commands. The stage that follows: it waits anew with its looks, and not with its time limit,
    /// which is that for a reply.
    pub fn delivered(&mut self, now: Instant) -> Option<Stage> {
        let Stage::Commanding(commanding) = &mut self.stage else {
            return None;
        };
        let unconfirmed = commanding.unconfirmed.saturating_sub(1);
        let patience = PATIENCE.max(self.longest_silence * 2);
        Some(Stage::Commanding(Commanding {
            open: std::mem::take(&mut commanding.open),
            unconfirmed,
            // The link's time is not the device's.
            last_sign: now,
            look_at: (unconfirmed == 0).then(|| now + patience),
            expires_at: commanding.expires_at,
        }))
    }

    /// One reply to `command` less to wait for.
    fn take_one(&mut self, now: Instant, command: &Level, plan: &Plan) -> Option<Stage> {
        if let Stage::Commanding(commanding) = &mut self.stage {
            if let Some(left) = commanding.open.get_mut(command) {
                *left = left.saturating_sub(1);
            }
        }
        self.sign(now, plan)
    }

    /// Takes down the reply to `command`, which the table has with `word`, on the topic where it belongs. Gives the stage
    /// that follows; `None` where it is as before.
    pub fn take_reply(
        &mut self,
        now: Instant,
        command: &Level,
        word: &str,
        reply: &Message,
        plan: &Plan,
    ) -> Option<Stage> {
        let Message { payload, qos, .. } = reply;
        let topic = &plan.prefix.shown(&reply.topic);
        let is_awaited = self.open(command) > 0;
        let is_right = word.as_bytes() == *payload && *qos >= self.lowest;
        if !is_awaited && is_right && self.may_repeat(*qos) && self.commands.contains(command) {
            // Counted and not kept: there is no limit to how many may come.
            self.repeats += 1;
            return None;
        }
        if self.replies.len() < self.commands.len() + MOST_REPLIES_TOO_MANY {
            self.replies.push(printable(payload));
        }
        if word.as_bytes() != *payload {
            let (kind, sentence) = wrong_word(&plan.replies, command, word, topic, payload);
            self.mistakes.add(kind, sentence);
        }
        if *qos < self.lowest {
            let lowest = self.lowest;
            let sentence = format!(
                "the reply on {topic} came with {qos}, and its command with {lowest}: a reply has the QoS of its command"
            );
            self.mistakes.add("QoS", sentence);
        }
        if is_awaited {
            return self.take_one(now, command, plan);
        }
        if is_right && !self.is_for_a_stray(command) {
            self.too_many(command, topic, payload);
        }
        None
    }

    /// Takes down a message on a topic where no reply belongs.
    pub fn take_stray(&mut self, now: Instant, stray: Stray, plan: &Plan) -> Option<Stage> {
        self.mistakes.add(stray.kind, stray.sentence);
        let command = stray.command.filter(|command| self.open(command) > 0)?;
        *self.strays.entry(command.clone()).or_default() += 1;
        self.take_one(now, &command, plan)
    }

    /// Whether a message elsewhere was taken for this reply.
    fn is_for_a_stray(&mut self, command: &Level) -> bool {
        match self.strays.get_mut(command) {
            Some(taken) if *taken > 0 => {
                *taken -= 1;
                true
            }
            _ => false,
        }
    }

    fn too_many(&mut self, command: &Level, topic: &str, payload: &[u8]) {
        let word = printable(payload);
        let (kind, sentence) = match (self.commands.is_empty(), self.sent(command)) {
            (true, _) => (
                "before",
                format!(
                    "`{word}` came on {topic} before any command was sent: a reply follows its command"
                ),
            ),
            (false, 0) => (
                "not sent",
                format!("`{word}` came on {topic}, and {command} was not sent in this session"),
            ),
            (false, sent) => (
                "too many",
                format!(
                    "one reply too many came on {topic}: {command} was sent {}, and each command is answered once",
                    times(sent)
                ),
            ),
        };
        self.mistakes.add(kind, sentence);
    }

    /// Whether a reply that came at `qos` may have come before. At QoS 1 device and broker repeat what was not
    /// acknowledged when the connection was lost (MQTT 3.1.1, section 4.3.2), even where the broker raises
    /// the QoS on the rest of the way.
    fn may_repeat(&self, qos: QoS) -> bool {
        [qos, self.lowest].contains(&QoS::AtLeastOnce)
    }

    /// Whether nothing has come since the commands went out, neither right nor wrong.
    pub fn is_silent(&self) -> bool {
        self.replies.is_empty() && self.mistakes.is_empty() && self.repeats == 0
    }
}

/// So many commands, in words.
pub fn number(count: usize) -> String {
    match count {
        1 => "1 command".to_owned(),
        count => format!("{count} commands"),
    }
}

/// How often, in words.
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
