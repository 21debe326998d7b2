//! Both ledgers joined: what has arrived, what is due, what is confirmed, over any number of connections.

mod due;
mod journaled;
mod programs;
mod releases;

use std::collections::VecDeque;
use std::time::Instant;

use super::inbound::{Arrival, Inbound};
use super::jobs::Jobs;
use super::journal::{Entry, Journal};
use super::outbox::{By, Confirmed, Outbox, Packet, Replay, WINDOW};
use super::presence::Presence;
use super::subscriptions::Subscriptions;
use super::suspect::{Finding, Rejections, Suspect};
use crate::mqtt::{MAX_PAYLOAD, Message, QoS, TopicFilter};
use crate::role::Undeliverable;

/// How many packet identifiers there are for what is sent: few, so that all can be released at once where the broker
/// holds something old under them ([`Delivery::release_stale`]), and more than a window of packets and another one of
/// releases need.
pub const IDENTIFIERS: u16 = 256;

const _: () = assert!(WINDOW * 2 <= IDENTIFIERS as usize);

/// What is answered to a packet of the broker's.
#[derive(Debug)]
enum Answer {
    /// PUBREL, to PUBREC.
    Release(u16),
    /// PUBCOMP, to PUBREL.
    Complete(u16),
}

/// The highest QoS that a broker is known to have; until it says otherwise, 2.
#[derive(Debug)]
struct BestQoS(QoS);

impl Default for BestQoS {
    fn default() -> Self {
        Self(QoS::ExactlyOnce)
    }
}

/// The state of delivery in both directions.
#[derive(Debug, Default)]
pub struct Delivery {
    outbox: Outbox,
    inbound: Inbound,
    jobs: Jobs,
    /// The answers that are due, in the order in which the broker's packets came (MQTT 3.1.1, section 4.6).
    answers: VecDeque<Answer>,
    /// The packet identifier that was given away last.
    last_pkid: u16,
    /// What continues the session on this connection, to be sent before anything new.
    replays: VecDeque<Replay>,
    /// Packet identifiers under which the broker may hold a QoS 2 message that is over for this end: one
    /// that an earlier process left half-sent, or one that was completed before the broker was restored
    /// from an earlier state.
    stale_pkids: Vec<u16>,
    /// Those of them that are to be released.
    releases: VecDeque<u16>,
    /// Those whose PUBREL went out on this connection, and whose PUBCOMP has not come.
    releasing: Vec<u16>,
    /// An earlier process may have left something half-sent. Where the broker grants QoS 2, that is released before
    /// anything is published with it.
    must_release: bool,
    /// They were on the present connection.
    has_released: bool,
    /// How many connections in a row have ended before all of that was answered. A broker that ends them at such a PUBREL
    /// gets no more of them in the end.
    unanswered_releases: u8,
    /// Acknowledgements handed out before the last PINGREQ.
    acks_before_ping: u64,
    /// PINGREQs without their PINGRESP.
    pings: u32,
    /// A PINGREQ is due.
    wants_ping: bool,
    /// The highest QoS that the broker grants (MQTT 3.1.1, section 3.9.3). Some close the connection at a
    /// PUBLISH above it.
    best_qos: BestQoS,
    /// The message that may be what the broker closes its connections at.
    suspect: Option<Suspect>,
    rejections: Rejections,
    /// Messages with QoS 0 are being dropped, and the log says so already.
    congested: bool,
    /// Where it is, a later process goes on with all of this.
    journal: Option<Journal>,
    /// What the broker is told of this client itself, if anything.
    pub presence: Option<Presence>,
}

impl Delivery {
    /// The broker accepted a connection, which continues the session or begins one.
    /// `was_down` says that no broker ran there in between.
    pub fn connected(
        &mut self,
        session_present: bool,
        was_down: bool,
        subscriptions: &mut Subscriptions,
    ) {
        self.inbound.connected(session_present);
        self.acks_before_ping = 0;
        self.pings = 0;
        self.wants_ping = false;
        self.answers.clear();
        let was_releasing = self.is_releasing();
        self.unanswered_releases += u8::from(was_releasing);
        self.releasing.clear();
        self.releases.clear();
        self.has_released = false;
        self.replays.clear();
        self.acquit();
        if let Some(suspect) = &mut self.suspect {
            suspect.connected();
        }
        if let Some(presence) = &mut self.presence {
            presence.begin();
        }
        if session_present {
            if (was_down || was_releasing) && !self.must_release {
                self.release_stale();
            }
            self.resume(subscriptions);
        } else {
            self.stale_pkids.clear();
            self.must_release = false;
            subscriptions.session_lost();
            self.outbox.session_lost(subscriptions.packets());
            self.note(Entry::SessionLost);
            // What went out before the SUBACK told.
            self.outbox.lower(self.best_qos.0);
        }
    }

    /// What is unconfirmed comes first, under its old identifiers (MQTT 3.1.1, section 4.4).
    ///
    /// A broker that lost its power may hold a session as it was half an hour ago (mosquitto saves every
    /// 1,800 s): it says "session present", and has none of the later subscriptions. Renewing one that
    /// is there changes nothing (section 3.8.4), and is not the role's business.
    fn resume(&mut self, subscriptions: &mut Subscriptions) {
        let replays = self.outbox.resume();
        self.replays.extend(replays);
        for subscribe in subscriptions.renew(|filter| !self.outbox.has_subscription(filter)) {
            self.post(subscribe, None);
        }
    }

    /// The broker granted a subscription with this QoS, where another was asked for. What it does not
    /// deliver it need not take either: nothing is published above that.
    pub fn granted(&mut self, asked: QoS, granted: QoS) {
        if self.must_release {
            match granted {
                QoS::ExactlyOnce => self.release_stale(),
                // Without QoS 2 nothing can be half-sent.
                _ => {
                    self.stale_pkids.clear();
                    self.note(Entry::MayLack(false));
                }
            }
            self.must_release = false;
        }
        if granted < asked.min(self.best_qos.0) {
            self.best_qos.0 = granted;
            self.outbox.lower(granted);
        }
    }

    /// Takes a message to publish, which the received message `cause` led to, or gives it back.
    ///
    /// # Errors
    /// The message, and why it cannot be sent.
    pub fn publish(
        &mut self,
        now: Instant,
        mut message: Message,
        cause: Option<u64>,
    ) -> Result<(), (Message, Undeliverable)> {
        message.qos = message.qos.min(self.best_qos.0);
        if message.payload.len() > MAX_PAYLOAD {
            return Err((message, Undeliverable::TooLarge));
        }
        if self.rejections.cover(now, &message) {
            let size = message.payload.len();
            log::warn!(
                "dropped {size} bytes on {}: as before, the broker would close the connection at it",
                message.topic
            );
            return Err((message, Undeliverable::Rejected));
        }
        if !self.outbox.has_room_for(&message) {
            if !std::mem::replace(&mut self.congested, true) {
                log::warn!("dropping messages with QoS 0: more than the connection can carry");
            }
            return Err((message, Undeliverable::Congested));
        }
        self.post(Packet::Publish(message), cause);
        Ok(())
    }

    /// Takes a packet to send, which the received message `cause` led to.
    pub fn post(&mut self, packet: Packet, cause: Option<u64>) {
        if let Some(serial) = cause {
            self.inbound.await_one_more(serial);
        }
        let next = self.outbox.next_to_push();
        self.note_queued(next, cause, &packet);
        match packet {
            // Its SUBACK says whether something has to be released before an earlier process's messages.
            Packet::Subscribe(..) | Packet::TrySubscribe(..) if self.must_release => {
                self.outbox.push_before_messages(packet, cause);
            }
            packet => self.outbox.push(packet, cause),
        }
    }

    /// Takes back a packet that one broker refused, for another one.
    pub fn post_again(&mut self, refused: Confirmed) {
        self.outbox.push(refused.packet, refused.cause);
    }

    /// The connection has ended: every SUBSCRIBE that the broker may refuse, and has not answered.
    pub fn give_up_tries(&mut self) -> Vec<TopicFilter> {
        self.outbox.give_up_tries()
    }

    /// The broker closes its connections at this message.
    pub fn rejected(&mut self, now: Instant, message: &Message) {
        self.rejections.add(now, message);
    }

    /// The connection has ended, and `closed` by the other end. Says what was under way then, and whether the broker
    /// closes its connections at that message: it is given up then.
    pub fn connection_ended(&mut self, closed: bool) -> Option<(String, Vec<Confirmed>)> {
        // More likely at one of those than at a message.
        if closed && self.is_releasing() {
            return None;
        }
        let (serial, message) = self.outbox.oldest_unconfirmed().filter(|_| closed)?;
        let size = message.payload.len();
        let bytes = if size == 1 { "byte" } else { "bytes" };
        let what = format!("{size} {bytes} on {}", message.topic);
        let finding = Suspect::closed(&mut self.suspect, serial);
        let given_up = match finding {
            Finding::Suspicious => Vec::new(),
            Finding::Guilty => {
                self.suspect = None;
                match self.outbox.give_up_release(serial) {
                    Some(released) => vec![released],
                    None => self.outbox.give_up(serial),
                }
            }
        };
        given_up
            .iter()
            .for_each(|given_up| self.note_done(given_up));
        Some((what, given_up))
    }

    fn has_identifiers(&self) -> bool {
        self.outbox.in_flight() + self.releasing.len() < usize::from(IDENTIFIERS)
    }

    /// A message arrived. A new one has to be [`Delivery::handled`] afterwards.
    pub fn arrived(&mut self, message: &Message, pkid: u16, dup: bool) -> Arrival {
        let arrival = self.inbound.arrived(message, pkid, dup);
        if let (Arrival::New(Some(serial)), QoS::ExactlyOnce) = (arrival, message.qos) {
            if let Some(received) = self.inbound.received(serial) {
                self.note(Entry::Received(received));
            }
        }
        if self.inbound.take_went_back() {
            self.release_stale();
        }
        arrival
    }

    /// The role has handled the message of this serial number.
    pub fn handled(&mut self, serial: u64) {
        self.inbound.resolve_one(serial);
    }

    /// PUBACK, SUBACK or UNSUBACK came. `None` where nothing waits for it.
    pub fn acknowledged(&mut self, by: By, pkid: u16) -> Option<Confirmed> {
        let confirmed = self.outbox.confirmed(by, pkid)?;
        self.note_done(&confirmed);
        self.acquit();
        Some(confirmed)
    }

    /// Where the broker has confirmed the suspect, there is none any more: the others' turn has come.
    fn acquit(&mut self) {
        self.suspect
            .take_if(|suspect| !self.outbox.holds(suspect.serial()));
    }

    /// PUBACK came. Whether it was for what the broker is told of this client itself.
    pub fn presence_acknowledged(&mut self, pkid: u16) -> bool {
        let presence = self.presence.as_mut();
        presence.is_some_and(|presence| presence.acknowledged(pkid))
    }

    /// Whether the broker has confirmed all that it is told of this client itself.
    #[must_use]
    pub fn has_said_all(&self) -> bool {
        self.presence.as_ref().is_none_or(Presence::is_settled)
    }

    /// PUBREC came. One that comes again is answered again: its PUBREL may be lost (MQTT 3.1.1, section 4.3.3).
    pub fn pub_rec(&mut self, pkid: u16) {
        if let Some(serial) = self.outbox.received(pkid) {
            self.note(Entry::Released { serial });
        }
        self.answers.push_back(Answer::Release(pkid));
    }

    /// PUBCOMP came. `None` where nothing waits for it.
    pub fn pub_comp(&mut self, pkid: u16) -> Option<Confirmed> {
        self.releasing.retain(|released| *released != pkid);
        if self.has_released && !self.is_releasing() {
            self.unanswered_releases = 0;
            self.note(Entry::MayLack(false));
        }
        let confirmed = self.outbox.completed(pkid)?;
        self.note_done(&confirmed);
        self.acquit();
        // Over for this end; not for a broker that is restored from an earlier state.
        if !self.stale_pkids.contains(&pkid) {
            self.stale_pkids.push(pkid);
        }
        Some(confirmed)
    }

    /// PUBREL came. Whatever the packet identifier, PUBCOMP is the answer (MQTT 3.1.1, section 4.3.3).
    pub fn pub_rel(&mut self, pkid: u16) {
        self.inbound.released(pkid);
        self.note(Entry::Forgotten(pkid));
        self.answers.push_back(Answer::Complete(pkid));
    }

    /// The broker has read everything that was sent before this packet.
    pub fn known_to_broker(&mut self, confirmed: &Confirmed) {
        self.inbound.known_to_broker(confirmed.after_acks);
    }

    /// The role has heard of the confirmation: the message that led to the packet has one less to wait for.
    pub fn confirmed(&mut self, confirmed: &Confirmed) {
        if let Some(serial) = confirmed.cause {
            self.inbound.resolve_one(serial);
        }
        self.congested &= !self.outbox.is_empty();
    }

    /// The broker is to show that it is there.
    pub fn ask_for_ping(&mut self) {
        self.wants_ping = true;
    }

    /// PINGREQ went out.
    fn ping_sent(&mut self) {
        self.inbound.ping_sent();
        self.wants_ping = false;
        self.acks_before_ping = self.inbound.acks();
        self.pings += 1;
        if let Some(suspect) = &mut self.suspect {
            suspect.pinged();
        }
        if let Some(presence) = &mut self.presence {
            presence.pinged();
        }
    }

    /// PINGRESP came: the broker has read what was sent before the PINGREQ.
    pub fn ping_answered(&mut self) {
        if let Some(suspect) = &mut self.suspect {
            suspect.answered();
        }
        if let Some(presence) = &mut self.presence {
            presence.answered();
        }
        self.pings = self.pings.saturating_sub(1);
        if self.pings == 0 {
            self.inbound.ping_answered();
            self.inbound.known_to_broker(self.acks_before_ping);
        }
    }

    /// How many packets the broker has not confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.outbox.len()
    }

    /// Whether this packet is to be sent already, or waits for its confirmation.
    #[must_use]
    pub fn is_asking(&self, packet: &Packet) -> bool {
        self.outbox.has(packet)
    }

    /// How many messages the broker has not confirmed.
    #[must_use]
    pub fn unconfirmed_messages(&self) -> usize {
        self.outbox.messages()
    }

    /// Whether nothing of this end is unconfirmed, nothing of the broker's unacknowledged, and no program runs.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.outbox.is_empty() && self.inbound.is_settled() && self.jobs.running() == 0
    }

    /// How many programs run.
    #[must_use]
    pub fn running_programs(&self) -> usize {
        self.jobs.running()
    }

    /// Whether the broker has still to send something that this end knows of.
    #[must_use]
    pub fn owes_nothing(&self) -> bool {
        self.is_settled()
            && self.is_released()
            && self.releasing.is_empty()
            && self.pings == 0
            && self.has_said_all()
    }

    /// Whether the broker has released every message that it sent with QoS 2, and has its PUBCOMP.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.inbound.is_released() && self.answers.is_empty()
    }
}
