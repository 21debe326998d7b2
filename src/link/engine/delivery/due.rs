//! What is sent next: answers, what continues the session, acknowledgements, then the outbox; and what a suspect holds
//! back.

use super::{Answer, Delivery, IDENTIFIERS};
use crate::link::engine::Outgoing;
use crate::link::engine::inbound::Ack;
use crate::link::engine::journal::Entry;
use crate::link::engine::outbox::{Confirmed, Packet, Replay};
use crate::link::engine::presence::Presence;
use crate::link::engine::suspect::{Permitted, Suspect};
use crate::mqtt::{Message, QoS};

impl Delivery {
    /// Whether [`Delivery::send_next`] has something to send.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.answers.is_empty()
            || self.may_ping()
            || self.may_release()
            || self.next_presence().is_some()
            || self.may_replay()
            || self.inbound.has_ack()
            || self.has_identifiers() && self.may_send_next()
    }

    fn permits(&self) -> Option<Permitted> {
        self.suspect.as_ref().map(Suspect::permits)
    }

    fn may_release(&self) -> bool {
        let is_trial = matches!(self.permits(), Some(Permitted::Ping | Permitted::NoPublish));
        !is_trial && !self.tries_presence() && !self.releases.is_empty()
    }

    fn may_ping(&self) -> bool {
        let presence = self.presence.as_ref().and_then(Presence::permits);
        let wanted = [self.permits(), presence].contains(&Some(Permitted::Ping));
        self.wants_ping || wanted
    }

    fn next_presence(&self) -> Option<(u16, &Message)> {
        let presence = self.presence.as_ref()?;
        presence.next(self.suspect.is_some())
    }

    /// What the broker is told of this client itself is to be alone on its way. A suspect of the role's comes first.
    fn tries_presence(&self) -> bool {
        let presence = self.presence.as_ref();
        let is_suspect = presence.is_some_and(|presence| presence.permits().is_some());
        self.suspect.is_none() && is_suspect
    }

    /// The suspect, and what was published before it: the order stays.
    fn may_replay(&self) -> bool {
        let Some(first) = self.replays.front().filter(|_| !self.tries_presence()) else {
            return false;
        };
        match (self.permits(), first) {
            (None, _) | (Some(Permitted::Only(_)), Replay::Release(_)) => true,
            (Some(Permitted::Only(serial)), Replay::Publish(pkid, _)) => self
                .outbox
                .serial_of(*pkid)
                .is_none_or(|first| first <= serial),
            (Some(_), _) => false,
        }
    }

    /// The suspect, and what was published before it: the order stays.
    fn may_send_next(&self) -> bool {
        match (self.outbox.next(), self.permits()) {
            (None, _) => false,
            // First it has to be known whether something has to be released.
            (Some(Packet::Publish(message)), _)
                if message.qos == QoS::ExactlyOnce
                    && self.must_release
                    && self.outbox.awaits_sub_ack() =>
            {
                false
            }
            (Some(Packet::Publish(_)), Some(Permitted::Only(serial))) => {
                self.outbox.next_serial().is_some_and(|next| next <= serial)
            }
            (Some(Packet::Publish(_)), Some(_)) => false,
            (Some(Packet::Publish(_)), None) => !self.tries_presence(),
            _ => true,
        }
    }

    /// Sends the next packet that is due with `write`. `Some(Ok(Some(..)))` is a message with QoS 0, which is
    /// confirmed by that.
    pub fn send_next<E>(
        &mut self,
        write: impl FnOnce(Outgoing<'_>) -> Result<(), E>,
    ) -> Option<Result<Option<Confirmed>, E>> {
        // Before PINGREQ and the outbox, whose confirmations show that the broker has read the answers.
        if let Some(answer) = self.answers.pop_front() {
            let outgoing = match answer {
                Answer::Release(pkid) => Outgoing::PubRel(pkid),
                Answer::Complete(pkid) => Outgoing::PubComp(pkid),
            };
            return Some(write(outgoing).map(|()| None));
        }
        if self.may_ping() {
            return Some(write(Outgoing::PingReq).map(|()| {
                self.ping_sent();
                None
            }));
        }
        if self.may_release() {
            if let Some(pkid) = self.releases.pop_front() {
                self.releasing.push(pkid);
                return Some(write(Outgoing::PubRel(pkid)).map(|()| None));
            }
        }
        if let Some((pkid, message)) = self.next_presence() {
            let outgoing = Outgoing::Publish {
                pkid,
                dup: false,
                message,
            };
            return Some(write(outgoing).map(|()| {
                let presence = self.presence.as_mut();
                self.wants_ping |= presence.is_some_and(|presence| presence.sent(pkid));
                None
            }));
        }
        let replay = match self.may_replay() {
            true => self.replays.pop_front(),
            false => None,
        };
        if let Some(replay) = replay {
            let outgoing = match &replay {
                Replay::Publish(pkid, message) => Outgoing::Publish {
                    pkid: *pkid,
                    dup: true,
                    message,
                },
                Replay::Release(pkid) => Outgoing::PubRel(*pkid),
            };
            let written = write(outgoing);
            if written.is_ok() {
                self.outbox.replayed(replay.pkid());
            }
            return Some(written.map(|()| None));
        }
        if let Some(Ack { pkid, qos }) = self.inbound.next_ack() {
            while let Some(pkid) = self.inbound.take_noted_ack() {
                self.note(Entry::Acknowledged(pkid));
            }
            let outgoing = match qos {
                QoS::ExactlyOnce => Outgoing::PubRec(pkid),
                _ => Outgoing::PubAck(pkid),
            };
            return Some(write(outgoing).map(|()| None));
        }
        if !self.has_identifiers() || !self.may_send_next() {
            return None;
        }
        let packet = self.outbox.next()?;
        let pkid = match packet.needs_identifier() {
            true => self.free_identifier(),
            false => 0,
        };
        let outgoing = match packet {
            Packet::Publish(message) => Outgoing::Publish {
                pkid,
                dup: false,
                message,
            },
            Packet::Subscribe(filter, qos) | Packet::TrySubscribe(filter, qos) => {
                Outgoing::Subscribe(pkid, filter, *qos)
            }
            Packet::Unsubscribe(filter) => Outgoing::Unsubscribe(pkid, filter),
        };
        let is_message = matches!(packet, Packet::Publish(_));
        let acks = self.inbound.acks();
        Some(write(outgoing).map(|()| {
            if pkid > 0 {
                self.last_pkid = pkid;
            }
            if let (true, Some(serial)) = (pkid > 0 && is_message, self.outbox.next_serial()) {
                self.note(Entry::Sent { serial, pkid });
            }
            self.outbox.sent(pkid, acks)
        }))
    }

    /// The next packet identifier, counted upwards, that belongs to nothing.
    fn free_identifier(&self) -> u16 {
        let mut pkid = self.last_pkid;
        loop {
            pkid = pkid % IDENTIFIERS + 1;
            // `has_identifiers` has seen that there is one.
            if !self.outbox.is_in_flight(pkid) && !self.releasing.contains(&pkid) {
                return pkid;
            }
        }
    }
}
