//! The engine's packets in rumqttc's types, and back. Decides nothing.

use rumqttc::mqttbytes::QoS as WireQoS;
use rumqttc::{
    LastWill, MqttOptions, Packet, PubAck, PubComp, PubRec, PubRel, Publish, Subscribe,
    SubscribeReasonCode, Transport, Unsubscribe,
};

use crate::link::engine::{Incoming, Outgoing};
use crate::link::{Address, Options};
use crate::mqtt::{MAX_PAYLOAD, Message, QoS, TopicName};

/// The largest packet that is accepted, in bytes: the largest payload, and a topic goes with it.
const MAX_PACKET: usize = MAX_PAYLOAD + 128 * 1024;

fn to_wire(qos: QoS) -> WireQoS {
    match qos {
        QoS::AtMostOnce => WireQoS::AtMostOnce,
        QoS::AtLeastOnce => WireQoS::AtLeastOnce,
        QoS::ExactlyOnce => WireQoS::ExactlyOnce,
    }
}

fn from_wire(qos: WireQoS) -> QoS {
    match qos {
        WireQoS::AtMostOnce => QoS::AtMostOnce,
        WireQoS::AtLeastOnce => QoS::AtLeastOnce,
        WireQoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

/// How rumqttc is to connect to `broker`.
pub fn to_rumqttc(
    options: &Options,
    broker: &Address,
    clean_session: bool,
    will: Option<&Message>,
) -> MqttOptions {
    // An IPv6 address without its brackets: with them rumqttc would not find it in a certificate.
    let mut to = MqttOptions::new(&options.client_id, &broker.host, broker.port);
    if broker.is_unix_socket() {
        to.set_transport(Transport::unix());
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = &options.tls {
        to.set_transport(tls.transport());
    }
    to.set_keep_alive(options.keep_alive)
        .set_clean_session(clean_session)
        .set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some(login) = &options.login {
        to.set_credentials(&login.username, &login.password);
    }
    if let Some(will) = will {
        let (topic, payload) = (will.topic.as_str(), will.payload.as_slice());
        to.set_last_will(LastWill::new(
            topic,
            payload,
            to_wire(will.qos),
            will.retain,
        ));
    }
    to
}

/// A packet for the broker, in rumqttc's type.
pub fn to_packet(packet: Outgoing<'_>) -> Packet {
    match packet {
        Outgoing::Publish { pkid, dup, message } => {
            let topic = message.topic.as_str();
            let payload = message.payload.as_slice();
            let mut publish = Publish::new(topic, to_wire(message.qos), payload);
            publish.retain = message.retain;
            publish.dup = dup;
            publish.pkid = pkid;
            Packet::Publish(publish)
        }
        Outgoing::Subscribe(pkid, filter, qos) => {
            let mut subscribe = Subscribe::new(filter.as_str(), to_wire(qos));
            subscribe.pkid = pkid;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Unsubscribe(pkid, filter) => {
            let mut unsubscribe = Unsubscribe::new(filter.as_str());
            unsubscribe.pkid = pkid;
            Packet::Unsubscribe(unsubscribe)
        }
        Outgoing::PubAck(pkid) => Packet::PubAck(PubAck::new(pkid)),
        Outgoing::PubRec(pkid) => Packet::PubRec(PubRec::new(pkid)),
        Outgoing::PubRel(pkid) => Packet::PubRel(PubRel::new(pkid)),
        Outgoing::PubComp(pkid) => Packet::PubComp(PubComp::new(pkid)),
        Outgoing::PingReq => Packet::PingReq,
    }
}

/// How many bytes a packet takes at most.
pub fn size(packet: &Outgoing<'_>) -> usize {
    /// Beyond its topic and its payload.
    const HEAD: usize = 16;
    HEAD + match packet {
        Outgoing::Publish { message, .. } => message.topic.as_str().len() + message.payload.len(),
        Outgoing::Subscribe(_, filter, _) | Outgoing::Unsubscribe(_, filter) => {
            filter.as_str().len()
        }
        _ => 0,
    }
}

/// A packet from the broker, as the engine takes it; `None` for one that a broker must not send on a connection.
pub fn to_incoming(packet: Packet) -> Option<Incoming> {
    Some(match packet {
        Packet::Publish(publish) => from_publish(publish),
        Packet::PubAck(puback) => Incoming::PubAck(puback.pkid),
        Packet::PubRec(pubrec) => Incoming::PubRec(pubrec.pkid),
        Packet::PubRel(pubrel) => Incoming::PubRel(pubrel.pkid),
        Packet::PubComp(pubcomp) => Incoming::PubComp(pubcomp.pkid),
        Packet::SubAck(suback) => Incoming::SubAck {
            pkid: suback.pkid,
            granted: suback.return_codes.first().and_then(|code| match code {
                SubscribeReasonCode::Success(granted) => Some(from_wire(*granted)),
                SubscribeReasonCode::Failure => None,
            }),
        },
        Packet::UnsubAck(unsuback) => Incoming::UnsubAck(unsuback.pkid),
        Packet::PingResp => Incoming::PingResp,
        _ => return None,
    })
}

fn from_publish(publish: Publish) -> Incoming {
    let (topic, invalid) = match TopicName::new(publish.topic) {
        Ok(topic) => (topic, None),
        Err(why) => (TopicName::invalid(), Some(why)),
    };
    let mut message = Message::new(topic, publish.payload, from_wire(publish.qos));
    message.retain = publish.retain;
    Incoming::Publish {
        pkid: publish.pkid,
        dup: publish.dup,
        message,
        invalid,
    }
}
