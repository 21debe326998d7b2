//! What happens in each session as it happens, for whoever watches a class: a [`Report`](super::Report) comes when the
//! session is over. The controller collects them only where [`Plan::watched`](super::Plan::watched) asks for it.

use super::Controller;
use super::mistakes::Mistakes;
use crate::mqtt::Level;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A session has begun.
    LoggedIn {
        /// Who logged in.
        user_id: Level,
        /// What the session is called.
        unique_id: Level,
    },
    /// A session of an earlier process goes on.
    WentOn {
        /// Who logged in.
        user_id: Level,
        /// What the session is called.
        unique_id: Level,
        /// The commands that it has had.
        commands: Vec<Level>,
        /// How many replies have come.
        answered: usize,
    },
    /// A login began no session.
    NotLoggedIn {
        /// Who wanted to log in, as far as that can be told.
        user_id: Option<Level>,
        /// Why not.
        why: String,
    },
    /// Commands have gone out.
    Commanded {
        /// In which session.
        unique_id: Level,
        /// Which, in their order.
        commands: Vec<Level>,
    },
    /// A message came where a reply to this command belongs.
    Replied {
        /// In which session.
        unique_id: Level,
        /// The command.
        command: Level,
        /// The payload, as a log shows it.
        word: String,
        /// There is nothing wrong with it.
        is_right: bool,
    },
    /// A mistake of a kind that this session has not had before.
    Mistaken {
        /// In which session.
        unique_id: Level,
        /// What is wrong.
        sentence: String,
    },
    /// Something is missing, and may still come.
    Missing {
        /// In which session.
        unique_id: Level,
        /// What is missing.
        sentences: Vec<String>,
    },
}

impl Controller {
    /// What has happened since this was asked last. A caller whose plan is watched asks after each event.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Keeps the step where anybody wants to know.
    pub(super) fn step(&mut self, step: impl FnOnce() -> Step) {
        if self.plan.watched {
            self.steps.push(step());
        }
    }

    /// The mistakes of a session that were not among its first `known`.
    pub(super) fn new_mistakes(&mut self, unique_id: &Level, known: usize) {
        let session = self.sessions.get(unique_id);
        let list = session.map(|session| &session.mistakes.list[..]);
        let new = list.and_then(|list| list.get(known..)).unwrap_or_default();
        let sentences: Vec<String> = new.iter().map(|m| m.sentence.clone()).collect();
        for sentence in sentences {
            self.step(|| Step::Mistaken {
                unique_id: unique_id.clone(),
                sentence,
            });
        }
    }

    /// The sessions that an earlier process has begun.
    pub(super) fn went_on(&mut self) {
        let told = self
            .sessions
            .iter()
            .map(|(unique_id, session)| Step::WentOn {
                user_id: session.user_id.clone(),
                unique_id: unique_id.clone(),
                commands: session.commands.clone(),
                answered: session.replies.len(),
            });
        if self.plan.watched {
            self.steps.extend(told);
        }
    }
}

impl Mistakes {
    /// How many were made, and how many of them are told one by one.
    pub(super) fn counts(&self) -> (u64, usize) {
        let told: u64 = self.list.iter().map(|mistake| mistake.times).sum();
        (told + self.others, self.list.len())
    }
}
