//! The controller's verdict, for a device that was asked to show it: it hears it before the last words as a rule, and a
//! session that has failed has none.

use std::time::{Duration, Instant};

use super::config::SESSION;
use super::{Device, Progress, State};
use crate::device_session::verdict::{Word, parse_verdict, verdict_topic};
use crate::mqtt::{QoS, TopicFilter, TopicName};
use crate::role::{Effect, Failure, Kind};

/// How long a device waits for the verdict after the last words. It is sent before them, and may be overtaken.
const AFTER_LAST_WORDS: Duration = Duration::from_secs(2);

/// Whether there is a verdict to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Nobody asked for it.
    Unwanted,
    /// It is to come.
    Wanted,
    /// The last words have come without it: it has until then.
    Until(Instant),
    /// It has come, or its time is over.
    Over,
}

impl Device {
    pub(super) fn verdict_topic(&self) -> TopicName {
        verdict_topic(&self.user_id)
    }

    /// The subscription, where it is wanted. A broker that refuses it costs the verdict alone.
    pub(super) fn listen_for_the_verdict(&self) -> Option<Effect<Progress>> {
        let filter = TopicFilter::exactly(&self.verdict_topic());
        let is_wanted = self.verdict != Awaited::Unwanted;
        is_wanted.then_some(Effect::TrySubscribe(filter, QoS::AtLeastOnce))
    }

    /// The last words have come: the verdict has not much time any more, and none beyond the time limit.
    pub(super) fn last_words_came(&mut self, now: Instant) {
        if self.verdict == Awaited::Wanted {
            let until = now + AFTER_LAST_WORDS;
            let until = self.expires_at.map_or(until, |limit| limit.min(until));
            self.verdict = Awaited::Until(until);
        }
    }

    /// A message on the verdict's topic.
    pub(super) fn judged(&mut self, now: Instant, payload: &[u8]) -> Vec<Effect<Progress>> {
        let (State::Serving { unique_id, .. } | State::Leaving { unique_id, .. }) = &self.state
        else {
            return Vec::new();
        };
        let Some((word, lines)) = parse_verdict(payload, unique_id) else {
            return vec![Effect::Note(
                "ignored a verdict on another session".to_owned(),
            )];
        };
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let mut effects = vec![Effect::Emit(Progress::Verdict(word, lines))];
        match word {
            Word::Waiting => {}
            Word::Passed => {
                self.verdict = Awaited::Over;
                effects.extend(self.leave());
            }
            Word::Failed => {
                effects.push(Effect::Remember(SESSION.to_owned(), None));
                self.state = State::Failed {
                    unique_id: unique_id.clone(),
                    at: now,
                };
            }
        }
        effects
    }

    pub(super) fn verdict_until(&self) -> Option<Instant> {
        match self.verdict {
            Awaited::Until(until) => Some(until),
            _ => None,
        }
    }

    pub(super) fn is_verdict_overdue(&self, now: Instant) -> bool {
        self.verdict_until().is_some_and(|until| until <= now)
    }

    /// The end of a session that the controller has failed.
    pub(super) fn failed(&self) -> Option<Failure> {
        match &self.state {
            State::Failed { unique_id, .. } => {
                let text = format!("the controller has failed session {unique_id}");
                Some(Failure::new(Kind::Protocol, text))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{level, message};
    use super::super::*;
    use super::*;
    use crate::device_session::LAST_WORDS;
    use crate::role::Told;

    /// A device that wants the verdict, in session U1.
    fn serving(now: Instant) -> Device {
        let config = DeviceConfig {
            verdict: true,
            ..DeviceConfig::new(level("alice"))
        };
        let mut device = Device::new(config, now);
        let session_present = false;
        let begun = device.told(now, Event::Connected { session_present });
        let verdict = TopicFilter::new("alice/verdict").unwrap();
        let listens = Effect::TrySubscribe(verdict, QoS::AtLeastOnce);
        assert!(begun.unwrap().contains(&listens));
        let filter = TopicFilter::new("alice/UUID").unwrap();
        let granted = QoS::ExactlyOnce;
        let filter = &filter;
        device
            .told(now, Event::Subscribed { filter, granted })
            .unwrap();
        let id = message("alice/UUID", "U1", QoS::ExactlyOnce);
        device.told(now, Event::Received(&id)).unwrap();
        device
    }

    fn hears(device: &mut Device, now: Instant, topic: &str, text: &str) -> Vec<Effect<Progress>> {
        let message = message(topic, text, QoS::AtLeastOnce);
        device.told(now, Event::Received(&message)).unwrap()
    }

    fn verdict(word: Word, lines: &[&str]) -> Effect<Progress> {
        let lines = lines.iter().map(ToString::to_string).collect();
        Effect::Emit(Progress::Verdict(word, lines))
    }

    #[test]
    fn a_verdict_of_failure_is_shown_and_ends_the_run() {
        let now = Instant::now();
        let mut device = serving(now);
        let other = hears(&mut device, now, "alice/verdict", "failed: session U0\nno");
        assert!(matches!(other[..], [Effect::Note(_)]), "{other:?}");
        let said = hears(
            &mut device,
            now,
            "alice/verdict",
            "waiting: session U1\nso far",
        );
        assert_eq!(said, [verdict(Word::Waiting, &["so far"])]);
        let said = hears(
            &mut device,
            now,
            "alice/verdict",
            "failed: session U1\none\ntwo",
        );
        assert_eq!(said, [verdict(Word::Failed, &["one", "two"])]);
        assert_eq!(device.deadline(), Some(now));
        let failure = device.told(now, Event::Deadline).unwrap_err();
        assert_eq!(failure.kind, Kind::Protocol);
        assert!(failure.text.contains("U1"), "{failure}");
    }

    #[test]
    fn the_verdict_comes_before_the_last_words_or_within_two_seconds() {
        let now = Instant::now();
        let passed = "passed: session U1";
        let mut device = serving(now);
        hears(&mut device, now, "alice/verdict", passed);
        let end = hears(&mut device, now, "U1", LAST_WORDS);
        assert_eq!(end.last(), Some(&Effect::Finish));

        let mut device = serving(now);
        assert_eq!(hears(&mut device, now, "U1", LAST_WORDS), []);
        let end = hears(&mut device, now, "alice/verdict", passed);
        assert_eq!(end[0], verdict(Word::Passed, &[]));
        assert_eq!(end.last(), Some(&Effect::Finish));

        let mut device = serving(now);
        hears(&mut device, now, "U1", LAST_WORDS);
        let over = now + AFTER_LAST_WORDS;
        assert_eq!(device.deadline(), Some(over));
        let end = device.told(over, Event::Deadline).unwrap();
        assert_eq!(end.last(), Some(&Effect::Finish));
    }
}
