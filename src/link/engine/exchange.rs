//! What goes into the engine and what comes out of it: inputs and outputs, and the packets in both directions.

use std::time::Instant;

use super::Trouble;
use crate::link::{Address, End};
use crate::mqtt::{Invalid, Message, QoS, TopicFilter};
use crate::role::{Failure, Outcome};

/// What has happened.
#[derive(Debug)]
pub enum Input {
    /// The broker accepted the connection (CONNACK).
    Connected {
        /// Whether it still holds the session.
        session_present: bool,
    },
    /// A packet arrived.
    Packet(Incoming),
    /// A part of a packet arrived, or left: on a slow line the rest takes its time.
    Progress,
    /// The attempt failed, or the connection has ended.
    Lost(Trouble),
    /// The connection was left after DISCONNECT, before the broker ended it.
    Left,
    /// The line that [`awaits_line`](super::Engine::awaits_line) asked for; `None` when there are no more; or why it cannot be
    /// used.
    Line(Result<Option<String>, Failure>),
    /// The program of this number has ended.
    Ran(u64, Outcome),
    /// The run is to stop.
    Stop,
    /// The instant of the last [`Output::Wait`] or [`Output::Pause`] has come. An attempt to connect that
    /// was under way has been given up.
    Timeout,
}

/// A packet from the broker.
#[derive(Debug)]
pub enum Incoming {
    /// PUBLISH.
    Publish {
        /// The packet identifier; 0 with QoS 0.
        pkid: u16,
        /// The DUP flag.
        dup: bool,
        /// The message.
        message: Message,
        /// What is wrong with its topic name, if anything: then [`Message::topic`] only stands in for it.
        invalid: Option<Invalid>,
    },
    /// PUBACK.
    PubAck(u16),
    /// PUBREC.
    PubRec(u16),
    /// PUBREL.
    PubRel(u16),
    /// PUBCOMP.
    PubComp(u16),
    /// SUBACK, with the QoS that was granted, or a refusal.
    SubAck {
        /// The packet identifier.
        pkid: u16,
        /// The QoS, `None` for return code 0x80.
        granted: Option<QoS>,
    },
    /// UNSUBACK.
    UnsubAck(u16),
    /// PINGRESP.
    PingResp,
}

/// A packet for the broker.
#[derive(Debug, Clone, Copy)]
pub enum Outgoing<'a> {
    /// PUBLISH.
    Publish {
        /// The packet identifier; 0 with QoS 0.
        pkid: u16,
        /// The DUP flag: it was sent before, on an earlier connection.
        dup: bool,
        /// The message.
        message: &'a Message,
    },
    /// SUBSCRIBE, with its packet identifier.
    Subscribe(u16, &'a TopicFilter, QoS),
    /// UNSUBSCRIBE, with its packet identifier.
    Unsubscribe(u16, &'a TopicFilter),
    /// PUBACK.
    PubAck(u16),
    /// PUBREC.
    PubRec(u16),
    /// PUBREL.
    PubRel(u16),
    /// PUBCOMP.
    PubComp(u16),
    /// PINGREQ.
    PingReq,
}

/// What the driver is to do next, after it has sent what is due.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Begin an attempt to connect, on a new connection.
    Connect {
        /// The broker.
        to: Address,
        /// The CleanSession flag (MQTT 3.1.1, section 3.1.2.4).
        clean_session: bool,
        /// The last will (section 3.1.2.5).
        will: Option<Message>,
    },
    /// Send DISCONNECT. The broker ends the connection then.
    Disconnect {
        /// Nothing is expected from the broker any more. So the connection may be left without waiting for that, where
        /// nothing unexpected has come: unread bytes would make the kernel reset it.
        may_leave: bool,
    },
    /// Wait for what the connection brings, or the attempt, until this instant at the latest.
    Wait(Option<Instant>),
    /// Drop the connection, if there is one, and wait until this instant or a stop.
    Pause(Option<Instant>),
    /// The run is over.
    End(Result<End, Failure>),
}
