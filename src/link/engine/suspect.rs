//! A message that the broker answers by closing the connection: too large for it, on a topic that is not allowed,
//! with a QoS that it does not have (MQTT 3.1.1, section 3.3.5). Sent again first on each connection, it would keep
//! this client from serving anyone for ever.
//!
//! Networks close connections, too. So the message that was unconfirmed when a connection was closed is only a
//! suspect: on the next connections it is sent alone, and only after the broker has answered a PINGREQ. When the
//! connection is closed right then, [`MAX_ENDS`] times in all, the message is dropped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::mqtt::{Message, TopicName};

/// What the broker has closed its connections at. For a while it is not tried again, because a client without an answer asks again.
#[derive(Debug, Default)]
pub struct Rejections(VecDeque<Rejection>);

#[derive(Debug)]
struct Rejection {
    topic: TopicName,
    size: usize,
    until: Instant,
}

/// How long a rejection holds: then the broker may have other settings.
const HOLDS: Duration = Duration::from_secs(300);

/// How many rejections are remembered.
const MAX_REJECTIONS: usize = 64;

impl Rejections {
    /// The broker has closed its connections at this message.
    pub fn add(&mut self, now: Instant, message: &Message) {
        if self.0.len() == MAX_REJECTIONS {
            self.0.pop_front();
        }
        self.0.push_back(Rejection {
            topic: message.topic.clone(),
            size: message.payload.len(),
            until: now + HOLDS,
        });
    }

    /// Whether it will do so again: at the same topic, with no fewer bytes.
    #[must_use]
    pub fn cover(&self, now: Instant, message: &Message) -> bool {
        self.0.iter().any(|known| {
            known.until > now && known.topic == message.topic && known.size <= message.payload.len()
        })
    }
}

/// How many connections one message may end.
const MAX_ENDS: u32 = 4;

/// How far the trial is on the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    /// The PINGREQ is due.
    Ping,
    /// Until PINGRESP.
    Pinged,
    /// The message is due, and nothing else is sent until the broker has confirmed it.
    Alone,
}

/// The message under suspicion, by its serial number in the outbox.
#[derive(Debug)]
pub struct Suspect {
    serial: u64,
    ends: u32,
    trial: Trial,
}

/// What the end of a connection shows of the message that was unconfirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is to be tried again soon, alone.
    Suspicious,
    /// It has ended too many connections.
    Guilty,
}

/// What may be sent while there is a suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// A PINGREQ.
    Ping,
    /// Acknowledgements and SUBSCRIBE.
    NoPublish,
    /// The same, and the message of this serial number.
    Only(u64),
}

impl Suspect {
    /// A connection was closed while the message `unconfirmed`, which had been sent on it, was the oldest without a
    /// confirmation.
    pub fn closed(this: &mut Option<Self>, unconfirmed: u64) -> Finding {
        match this {
            Some(known) if known.serial == unconfirmed => {
                // Without the trial it shows nothing that was not known before.
                if known.trial == Trial::Alone {
                    known.ends += 1;
                }
                match known.ends >= MAX_ENDS {
                    true => Finding::Guilty,
                    false => Finding::Suspicious,
                }
            }
            _ => {
                *this = Some(Self {
                    serial: unconfirmed,
                    ends: 1,
                    trial: Trial::Ping,
                });
                Finding::Suspicious
            }
        }
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// A new connection: the trial begins anew.
    pub fn connected(&mut self) {
        self.trial = Trial::Ping;
    }

    /// The PINGREQ went out.
    pub fn pinged(&mut self) {
        if self.trial == Trial::Ping {
            self.trial = Trial::Pinged;
        }
    }

    /// PINGRESP came.
    pub fn answered(&mut self) {
        if self.trial == Trial::Pinged {
            self.trial = Trial::Alone;
        }
    }

    /// What may be sent now.
    #[must_use]
    pub fn permits(&self) -> Permitted {
        match self.trial {
            Trial::Ping => Permitted::Ping,
            Trial::Pinged => Permitted::NoPublish,
            Trial::Alone => Permitted::Only(self.serial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::QoS;

    #[test]
    fn what_was_rejected_is_not_tried_again_for_a_while() {
        let now = Instant::now();
        let message = |topic: &str, size: usize| {
            let topic = TopicName::new(topic).unwrap();
            Message::new(topic, "x".repeat(size), QoS::AtLeastOnce)
        };
        let mut rejections = Rejections::default();
        rejections.add(now, &message("a", 10));
        assert!(rejections.cover(now, &message("a", 10)));
        assert!(rejections.cover(now, &message("a", 11)));
        assert!(!rejections.cover(now, &message("a", 9)));
        assert!(!rejections.cover(now, &message("b", 10)));
        assert!(!rejections.cover(now + HOLDS, &message("a", 10)));
    }

    #[test]
    fn a_message_is_dropped_when_it_has_ended_its_connections_alone() {
        let mut suspect = None;
        assert_eq!(Suspect::closed(&mut suspect, 7), Finding::Suspicious);
        for end in 2..=MAX_ENDS {
            // A connection that ends before the trial proves nothing.
            suspect.as_mut().unwrap().connected();
            assert_eq!(Suspect::closed(&mut suspect, 7), Finding::Suspicious);
            let known = suspect.as_mut().unwrap();
            known.connected();
            assert_eq!(known.permits(), Permitted::Ping);
            known.answered();
            assert_eq!(known.permits(), Permitted::Ping, "nothing was asked");
            known.pinged();
            assert_eq!(known.permits(), Permitted::NoPublish);
            known.answered();
            assert_eq!(known.permits(), Permitted::Only(7));
            let expected = match end {
                MAX_ENDS => Finding::Guilty,
                _ => Finding::Suspicious,
            };
            assert_eq!(Suspect::closed(&mut suspect, 7), expected);
        }
        assert_eq!(Suspect::closed(&mut suspect, 8), Finding::Suspicious);
        assert_eq!(suspect.unwrap().serial(), 8);
    }
}
