//! What the client sent: its packets, one by one and in their order.

use super::conversation::topics;
use super::examine::packets;
use super::packet::{LEVEL, Packet, Publish};
use super::sentences::shown;
use super::{Check, Closed, Connection, End, Record, Seen, Verdicts};

impl Verdicts {
    /// One of its connections.
    pub(super) fn connection(
        &mut self,
        record: &Record,
        connection: &Connection,
        responses: &[&[u8]],
    ) {
        let mut packets = connection.seen.iter().filter_map(|seen| match seen {
            Seen::Packet(packet) => Some(packet),
            _ => None,
        });
        let broken = connection.seen.iter().find_map(|seen| match seen {
            Seen::Broken(why) => Some(why),
            _ => None,
        });
        match broken {
            Some(why) => self.wrong(Check::Packets, "broken", why.clone()),
            None if packets.clone().next().is_none() => {
                // To connect and to close again, or to be killed meanwhile, breaks no rule of the packets.
            }
            None => self.good(Check::Packets),
        }
        let Some(Packet::Connect { level, client_id }) = packets.next() else {
            return;
        };
        self.judge(Check::Connect, "level", against_level(*level));
        if *level != LEVEL {
            return;
        }
        let net_id = record.run.net_id;
        let against = (client_id != net_id).then(|| match client_id.is_empty() {
            true => format!("the client id is empty; expected the NETID {net_id}"),
            false => format!(
                "the client id is {}; expected the NETID {net_id}",
                shown(client_id.as_bytes())
            ),
        });
        self.judge(Check::ClientId, "other", against);
        self.acknowledged(connection);
        if broken.is_some() {
            self.not_tried(Check::Disconnect, "see packets");
        } else if matches!(record.end, End::Exit(_) | End::Signal(_)) {
            let disconnected = packets.any(|packet| *packet == Packet::Disconnect);
            let how = match connection.closed {
                Closed::Not => "the connection was open when the client had ended",
                _ => "the connection ended without DISCONNECT",
            };
            // One that gives up because its mistake has kept the response away has another sentence.
            if disconnected || !responses.is_empty() {
                let text = format!("{how}; expected DISCONNECT before that");
                let against = (!disconnected).then_some(text);
                self.judge(Check::Disconnect, "none", against);
            }
        }
    }

    /// Whether what went out with QoS 1 was acknowledged.
    fn acknowledged(&mut self, connection: &Connection) {
        let mut seen = connection.seen.iter();
        while let Some(event) = seen.next() {
            let Seen::Response(1, pkid, _) = event else {
                continue;
            };
            let is_ack = |seen: &Seen| *seen == Seen::Packet(Packet::PubAck(*pkid));
            let is_end = |seen: &Seen| *seen == Seen::Packet(Packet::Disconnect);
            let against = match seen.clone().any(is_ack) {
                true => None,
                false if seen.clone().any(is_end) => Some(
                    "the response came with QoS 1, and DISCONNECT followed without PUBACK; paho sends PUBACK after on_message: disconnect() later than that, with loop_start after loop_stop()",
                ),
                false => Some("the response came with QoS 1 and was not acknowledged with PUBACK"),
            };
            self.judge(Check::PubAck, "none", against.map(str::to_owned));
        }
    }

    /// What it subscribed to and published, on all its connections together.
    pub(super) fn messages(&mut self, record: &Record) {
        let Some((request, response)) = topics(&record.run) else {
            return;
        };
        if !packets(record).any(|packet| matches!(packet, Packet::Connect { .. })) {
            return;
        }
        let filters: Vec<(&String, u8)> = packets(record)
            .filter_map(|packet| match packet {
                Packet::Subscribe(_, filters) => Some(filters),
                _ => None,
            })
            .flatten()
            .map(|(filter, qos)| (filter, *qos))
            .collect();
        let published: Vec<&Publish> = packets(record)
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect();
        let other = filters.iter().find(|(filter, _)| **filter != response);
        let text = match (filters.is_empty(), other) {
            (true, _) => Some(format!("it subscribed to nothing; expected {response}")),
            (false, Some((filter, _))) => Some(format!(
                "it subscribed to {}; expected {response}",
                shown(filter.as_bytes())
            )),
            (false, None) => None,
        };
        let kind = if filters.is_empty() { "none" } else { "other" };
        self.judge(Check::Subscribe, kind, text);
        if let Some((_, first)) = filters.first() {
            let other = filters.iter().find(|(_, qos)| *qos != 1);
            let qos = other.map_or(*first, |(_, qos)| *qos);
            let text = format!("SUBSCRIBE asked for QoS {qos}; expected QoS 1");
            self.judge(
                Check::SubscribeQos,
                "other",
                other.is_some().then_some(text),
            );
        }
        let other = published.iter().find(|publish| publish.topic != request);
        let text = match (published.is_empty(), other) {
            (true, _) => Some(format!("it published nothing; expected {request}")),
            (false, Some(publish)) => Some(format!(
                "it published on {}; expected {request}",
                shown(publish.topic.as_bytes())
            )),
            (false, None) => None,
        };
        let kind = if published.is_empty() {
            "none"
        } else {
            "other"
        };
        self.judge(Check::Publish, kind, text);
        if published.is_empty() {
            return;
        }
        let other = published.iter().find(|publish| publish.qos != 1);
        let text = other.map(|publish| format!("PUBLISH had QoS {}; expected QoS 1", publish.qos));
        self.judge(Check::PublishQos, "other", text);
        let is_retained = published.iter().any(|publish| publish.retain);
        let text = "the request was retained: whoever subscribes later would be given it again; expected retain 0";
        let text = is_retained.then(|| text.to_owned());
        self.judge(Check::NotRetained, "retained", text);
        if !filters.is_empty() {
            let first = packets(record)
                .find(|packet| matches!(packet, Packet::Publish(_) | Packet::Subscribe(..)));
            let is_early = matches!(first, Some(Packet::Publish(_)));
            let text = "PUBLISH came before SUBSCRIBE: a response that is quick is lost; expected SUBSCRIBE first";
            let text = is_early.then(|| text.to_owned());
            self.judge(Check::Order, "early", text);
        }
    }
}

/// What is wrong with a protocol level.
fn against_level(level: u8) -> Option<String> {
    let version = match level {
        LEVEL => return None,
        5 => "it speaks MQTT 5".to_owned(),
        3 => "it speaks MQTT 3.1".to_owned(),
        _ => format!("its CONNECT has the protocol level {level}"),
    };
    Some(format!("{version}; the course asks for 3.1.1, level 4"))
}
