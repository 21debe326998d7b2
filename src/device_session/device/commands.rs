//! Commands that a program answers: `NAME [ARGUMENT…]` runs the program NAME, and what comes of it is the reply. A
//! command that no program answers has its word in the table, or none.

use std::time::Instant;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::config::ENDING;
use super::{Device, Progress, State};
use crate::device_session::{LAST_WORDS, reply_topic, words};
use crate::mqtt::{Level, Message, QoS, printable};
use crate::role::{Effect, Job, Outcome};

/// The variable that has the whole command.
const COMMAND: &str = "COMMAND";

/// What cannot stand in a topic level, and what stands for it.
const NOT_IN_A_LEVEL: &AsciiSet = &CONTROLS.add(b'+').add(b'#').add(b'/').add(b'%');

/// The longest part of a command's name that its reply's topic repeats, in bytes.
const LONGEST_NAME: usize = 1024;

/// The level of the reply's topic: the command's name, percent-encoded where it cannot be a level.
fn reply_level(name: &str) -> Option<Level> {
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = &name[..end];
    Level::new(name)
        .or_else(|_| Level::new(&utf8_percent_encode(name, NOT_IN_A_LEVEL).to_string()))
        .ok()
}

/// The program that answers `command` in the session `unique_id`. `None` where that is empty.
fn job_for(unique_id: &Level, command: &str, qos: QoS) -> Option<Job> {
    let mut words = command.split_whitespace().map(str::to_owned);
    let program = words.next()?;
    let topic = reply_topic(unique_id, &reply_level(&program)?);
    Some(Job {
        program,
        arguments: words.collect(),
        input: Vec::new(),
        variables: vec![
            (COMMAND.to_owned(), command.to_owned()),
            ("UNIQUE_ID".to_owned(), unique_id.to_string()),
        ],
        topic,
        qos,
    })
}

fn command(job: &Job) -> &str {
    let mut variables = job.variables.iter();
    let command = variables.find(|(name, _)| name == COMMAND);
    command.map_or("", |(_, command)| command)
}

impl Device {
    /// A command, or the last words.
    pub(super) fn answer(&mut self, now: Instant, message: &Message) -> Vec<Effect<Progress>> {
        let State::Serving {
            unique_id,
            answered,
            unconfirmed,
        } = &mut self.state
        else {
            return Vec::new();
        };
        let payload = &message.payload;
        let command = words(payload);
        if command == Some(LAST_WORDS) {
            self.state = State::Leaving {
                unique_id: unique_id.clone(),
                unconfirmed: *unconfirmed,
            };
            self.last_words_came(now);
            let mut effects = vec![Effect::Remember(ENDING.to_owned(), Some(Vec::new()))];
            effects.extend(self.leave());
            return effects;
        }
        let job = command.filter(|_| self.has_programs);
        if let Some(job) = job.and_then(|command| job_for(unique_id, command, message.qos)) {
            *unconfirmed += 1;
            self.running += 1;
            return vec![Effect::Run(Box::new(job))];
        }
        let Some((command, word)) = command.and_then(|command| self.replies.answer(command)) else {
            return vec![Effect::Warn(format!(
                "ignored the unknown command `{}`",
                printable(payload)
            ))];
        };
        *answered += 1;
        *unconfirmed += 1;
        vec![Effect::Publish(Message::new(
            reply_topic(unique_id, command),
            word,
            message.qos,
        ))]
    }

    /// A program has ended, or there is none. Its reply is one that the session waits for.
    pub(super) fn ran(
        &mut self,
        now: Instant,
        job: &Job,
        outcome: &Outcome,
    ) -> Vec<Effect<Progress>> {
        self.running = self.running.saturating_sub(1);
        self.heard(now);
        let name = printable(job.program.as_bytes());
        let mut effects = Vec::new();
        let payload = match outcome {
            Outcome::Done(_) => outcome.clone().into_payload(),
            Outcome::Missing => match self.replies.answer(command(job)) {
                Some((_, word)) => word.as_bytes().to_vec(),
                None => {
                    let command = printable(command(job).as_bytes());
                    effects.push(Effect::Warn(format!(
                        "the unknown command `{command}`: there is no program {name}, and no reply in the table"
                    )));
                    outcome.clone().into_payload()
                }
            },
            Outcome::Failed { why, .. } => {
                effects.push(Effect::Warn(format!("the command {name} failed: {why}")));
                outcome.clone().into_payload()
            }
        };
        if let State::Serving { answered, .. } = &mut self.state {
            *answered += 1;
        }
        effects.push(Effect::Publish(Message::new(
            job.topic.clone(),
            payload,
            job.qos,
        )));
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{level, message, serving_with_programs};
    use super::*;
    use crate::role::{Event, Role, Told};

    #[test]
    fn a_command_is_a_program_and_its_arguments_as_they_are() {
        let job = |command| job_for(&level("U1"), command, QoS::AtLeastOnce);
        let set = job("SET_LED  '3 $(reboot) on;").unwrap();
        assert_eq!(set.program, "SET_LED");
        assert_eq!(set.arguments, ["'3", "$(reboot)", "on;"]);
        assert_eq!(command(&set), "SET_LED  '3 $(reboot) on;");
        assert_eq!(set.topic.as_str(), "U1/SET_LED");
        assert_eq!(job(""), None);
    }

    #[test]
    fn a_name_that_can_be_no_level_is_encoded_and_a_long_one_is_cut() {
        let level = |name: &str| reply_level(name).map(|level| level.to_string());
        let some = |level: &str| Some(level.to_owned());
        assert_eq!(level("../../bin/sh"), some("..%2F..%2Fbin%2Fsh"));
        assert_eq!(level("a%b"), some("a%b"));
        assert_eq!(level("#"), some("%23"));
        assert_eq!(level("a\u{1}"), some("a%01"));
        let long = "x".repeat(300);
        assert_eq!(level(&long), Some(long.clone()));
        assert_eq!(level(&"ä".repeat(1000)).unwrap().len(), LONGEST_NAME);
    }

    #[test]
    fn the_reply_is_what_the_program_prints_or_why_there_is_nothing() {
        let now = Instant::now();
        for (command, outcome, topic, reply) in [
            ("T", Outcome::Done(b"21".to_vec()), "U1/T", "21"),
            (
                "T",
                Outcome::failed("exit code 3"),
                "U1/T",
                "error: exit code 3",
            ),
            ("T 1", Outcome::Missing, "U1/T", "error: no such command"),
            ("CMD2", Outcome::Missing, "U1/CMD2", "Cat"),
        ] {
            let mut device = serving_with_programs(now);
            let command = message("U1", command, QoS::ExactlyOnce);
            let effects = device.told(now, Event::Received(&command)).unwrap();
            let [Effect::Run(job)] = &effects[..] else {
                panic!("{effects:?}");
            };
            let effects = device.told(now, Event::Ran(job, &outcome)).unwrap();
            let reply = message(topic, reply, QoS::ExactlyOnce);
            assert_eq!(effects.last(), Some(&Effect::Publish(reply)), "{outcome:?}");
        }
    }

    #[test]
    fn the_session_ends_when_the_last_program_has_answered() {
        let now = Instant::now();
        let mut device = serving_with_programs(now);
        let command = message("U1", "T", QoS::ExactlyOnce);
        let effects = device.told(now, Event::Received(&command)).unwrap();
        let [Effect::Run(job)] = &effects[..] else {
            panic!("{effects:?}");
        };
        assert_eq!(
            device.time_limit(),
            None,
            "the program has a limit of its own"
        );
        let last = message("U1", LAST_WORDS, QoS::ExactlyOnce);
        assert_eq!(device.told(now, Event::Received(&last)), Ok(vec![]));
        let effects = device.told(now, Event::Ran(job, &Outcome::Done(b"21".to_vec())));
        let reply = message("U1/T", "21", QoS::ExactlyOnce);
        assert_eq!(effects, Ok(vec![Effect::Publish(reply.clone())]));
        assert!(device.time_limit().is_some());
        let effects = device.told(now, Event::Confirmed(&reply)).unwrap();
        assert_eq!(effects.last(), Some(&Effect::Finish));
    }
}
