//! A program that a role wants run, and what came of it.

use crate::mqtt::{QoS, TopicName};

/// A program that answers a message. It is no path and no line for a shell: a name in the folder of the run's
/// [`Programs`](crate::link::Programs), and its arguments as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The name.
    pub program: String,
    /// The arguments.
    pub arguments: Vec<String>,
    /// What the program reads on standard input.
    pub input: Vec<u8>,
    /// Environment variables for it: name and value. What must not get about has no place here.
    pub variables: Vec<(String, String)>,
    /// Where the role publishes what comes of it. A later process knows by that whom it answers.
    pub topic: TopicName,
    /// The QoS of that.
    pub qos: QoS,
}

/// What came of a [`Job`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The program has ended with exit code 0, and printed this, less the last line feed.
    Done(Vec<u8>),
    /// It has ended otherwise, or was ended, or could not be run.
    Failed {
        /// Why, in a few words: `exit code 3`.
        why: String,
        /// What it has printed until then.
        printed: Vec<u8>,
    },
    /// There is no such program.
    Missing,
}

impl Outcome {
    /// A failure before anything was printed.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            printed: Vec::new(),
        }
    }

    /// The answer to whoever asked: what the program has printed; or `error: `, why, and after a colon what it has
    /// printed until then.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        match self {
            Self::Done(printed) => printed,
            Self::Missing => b"error: no such command".to_vec(),
            Self::Failed { why, printed } => {
                let mut payload = format!("error: {why}").into_bytes();
                if !printed.is_empty() {
                    payload.extend(b": ");
                    payload.extend(printed);
                }
                payload
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_a_failure_from_what_was_printed() {
        let failed = |printed: &[u8]| Outcome::Failed {
            why: "exit code 3".to_owned(),
            printed: printed.to_vec(),
        };
        for (outcome, payload) in [
            (Outcome::Done(b"21.5".to_vec()), "21.5"),
            (Outcome::Done(Vec::new()), ""),
            (failed(b""), "error: exit code 3"),
            (failed(b"no sensor"), "error: exit code 3: no sensor"),
            (Outcome::Missing, "error: no such command"),
        ] {
            assert_eq!(outcome.into_payload(), payload.as_bytes());
        }
    }
}
