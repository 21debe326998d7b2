//! The packets of a client that is judged, read from its bytes, and the few that it is answered with (MQTT 3.1.1,
//! chapter 3).
//!
//! It is not rumqttc's reader: that one takes what the standard forbids (a SUBSCRIBE with wrong flags) and reads a CONNECT
//! of MQTT 5 as one of 3.1.1. A judge has to see both.

/// The largest packet that is read, in bytes.
const MAX_PACKET: usize = 1024 * 1024;

/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const TLS: u8 = 22;

/// The protocol level of MQTT 3.1.1 (section 3.1.2.2).
pub const LEVEL: u8 = 4;

/// A packet that a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT.
    Connect {
        /// The protocol level: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.
        level: u8,
        /// Empty also where the level is another than [`LEVEL`], because the rest is read by other rules.
        client_id: String,
    },
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK, with its packet identifier; so with the next three.
    PubAck(u16),
    /// PUBREC.
    PubRec(u16),
    /// PUBREL.
    PubRel(u16),
    /// PUBCOMP.
    PubComp(u16),
    /// SUBSCRIBE: packet identifier, and each filter with its QoS.
    Subscribe(u16, Vec<(String, u8)>),
    /// UNSUBSCRIBE: packet identifier, and the filters.
    Unsubscribe(u16, Vec<String>),
    /// PINGREQ.
    PingReq,
    /// DISCONNECT.
    Disconnect,
}

/// A message of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// 0, 1 or 2.
    pub qos: u8,
    /// The topic.
    pub topic: String,
    /// 0 at QoS 0.
    pub pkid: u16,
    /// The content.
    pub payload: Vec<u8>,
}

/// Takes the first packet from `bytes`; `None` as long as it is not whole.
///
/// # Errors
/// What is wrong with it, as a sentence without a full stop.
pub fn read(bytes: &mut Vec<u8>) -> Result<Option<Packet>, String> {
    let Some(first) = bytes.first().copied() else {
        return Ok(None);
    };
    let mut length = 0;
    let mut at = 1;
    loop {
        let Some(byte) = bytes.get(at).copied() else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return Err("the length of a packet has more than four bytes".to_owned());
        }
    }
    if length > MAX_PACKET {
        return Err(format!("a packet of {length} bytes came"));
    }
    if bytes.len() < at + length {
        return Ok(None);
    }
    let rest = bytes.split_off(at + length);
    let packet = std::mem::replace(bytes, rest);
    parse(first, &packet[at..]).map(Some)
}

fn parse(first: u8, body: &[u8]) -> Result<Packet, String> {
    if first == TLS {
        return Err("a TLS handshake came, and no MQTT; expected a plain connection".to_owned());
    }
    let (name, flags) = match first >> 4 {
        1 => ("CONNECT", 0),
        3 => ("PUBLISH", first & 0xf),
        4 => ("PUBACK", 0),
        5 => ("PUBREC", 0),
        6 => ("PUBREL", 2),
        7 => ("PUBCOMP", 0),
        8 => ("SUBSCRIBE", 2),
        10 => ("UNSUBSCRIBE", 2),
        12 => ("PINGREQ", 0),
        14 => ("DISCONNECT", 0),
        _ => {
            return Err(format!(
                "the byte 0x{first:02x} begins no packet of a client"
            ));
        }
    };
    let mut body = Body(body);
    let packet = packet(first, &mut body).ok_or_else(|| format!("{name} is malformed"))?;
    if matches!(packet, Packet::Connect { level, .. } if level != LEVEL) {
        return Ok(packet);
    }
    if first & 0xf != flags {
        let came = first & 0xf;
        return Err(format!(
            "{name} has the flags {came:04b}, and MQTT 3.1.1 asks for {flags:04b}"
        ));
    }
    if !body.0.is_empty() {
        return Err(format!("{name} is longer than MQTT 3.1.1 makes it"));
    }
    Ok(packet)
}

fn packet(first: u8, body: &mut Body<'_>) -> Option<Packet> {
    Some(match first >> 4 {
        1 => connect(body)?,
        3 => {
            let qos = first >> 1 & 3;
            let topic = body.text()?;
            let pkid = match qos {
                0 => 0,
                1 | 2 => body.identifier()?,
                _ => return None,
            };
            Packet::Publish(Publish {
                retain: first & 1 != 0,
                qos,
                topic,
                pkid,
                payload: std::mem::take(&mut body.0).to_vec(),
            })
        }
        4 => Packet::PubAck(body.identifier()?),
        5 => Packet::PubRec(body.identifier()?),
        6 => Packet::PubRel(body.identifier()?),
        7 => Packet::PubComp(body.identifier()?),
        8 => {
            let pkid = body.identifier()?;
            let mut filters = vec![(body.text()?, body.qos()?)];
            while !body.0.is_empty() {
                filters.push((body.text()?, body.qos()?));
            }
            Packet::Subscribe(pkid, filters)
        }
        10 => {
            let pkid = body.identifier()?;
            let mut filters = vec![body.text()?];
            while !body.0.is_empty() {
                filters.push(body.text()?);
            }
            Packet::Unsubscribe(pkid, filters)
        }
        12 => Packet::PingReq,
        _ => Packet::Disconnect,
    })
}

fn connect(body: &mut Body<'_>) -> Option<Packet> {
    let name = body.text()?;
    let level = body.byte()?;
    if level != LEVEL {
        // A bridge sets the highest bit.
        return matches!(&*name, "MQTT" | "MQIsdp").then(|| Packet::Connect {
            level,
            client_id: String::new(),
        });
    }
    let flags = body.byte()?;
    if name != "MQTT" || flags & 1 != 0 {
        return None;
    }
    let _keep_alive = body.number()?;
    let client_id = body.text()?;
    if flags & 0x04 != 0 {
        let _will_topic = body.text()?;
        let _will = body.bytes()?;
    }
    if flags & 0x80 != 0 {
        let _user_name = body.text()?;
    }
    if flags & 0x40 != 0 {
        let _password = body.bytes()?;
    }
    Some(Packet::Connect { level, client_id })
}

/// What is left of a packet.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A packet identifier, which is never 0 (section 2.3.1).
    fn identifier(&mut self) -> Option<u16> {
        self.number().filter(|pkid| *pkid != 0)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }

    fn text(&mut self) -> Option<String> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }

    fn qos(&mut self) -> Option<u8> {
        self.byte().filter(|qos| *qos <= 2)
    }
}

/// CONNACK without a session, with this return code (section 3.2.2.3).
pub fn connack(code: u8) -> Vec<u8> {
    vec![0x20, 2, 0, code]
}

/// A packet that has nothing but a packet identifier: PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK.
pub fn acknowledgement(first: u8, pkid: u16) -> Vec<u8> {
    let [high, low] = pkid.to_be_bytes();
    vec![first, 2, high, low]
}

/// SUBACK with what is granted for each filter.
pub fn suback(pkid: u16, granted: &[u8]) -> Vec<u8> {
    framed(0x90, &[&pkid.to_be_bytes(), granted])
}

/// PUBLISH of the broker's; `pkid` is 0 at QoS 0 and not sent then.
pub fn publish(topic: &str, qos: u8, pkid: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(topic.len()).unwrap_or(u16::MAX);
    let pkid = pkid.to_be_bytes();
    let pkid = if qos == 0 { &[][..] } else { &pkid };
    let parts = [&length.to_be_bytes()[..], topic.as_bytes(), pkid, payload];
    framed(0x30 | qos << 1, &parts)
}

fn framed(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let byte = u8::try_from(length & 0x7f).unwrap_or(0x7f);
        length >>= 7;
        if length == 0 {
            packet.push(byte);
            break;
        }
        packet.push(byte | 0x80);
    }
    for part in parts {
        packet.extend_from_slice(part);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(bytes: &[u8]) -> Result<Option<Packet>, String> {
        read(&mut bytes.to_vec())
    }

    #[test]
    fn packets_are_read_one_by_one_and_when_they_are_whole() {
        let connect = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab";
        let publish = publish("a/b", 1, 7, &[b'x'; 200]);
        let mut bytes = [&connect[..], &publish, b"\xe0"].concat();
        let expected = Packet::Connect {
            level: 4,
            client_id: "ab".to_owned(),
        };
        assert_eq!(read(&mut bytes), Ok(Some(expected)));
        let Ok(Some(Packet::Publish(message))) = read(&mut bytes) else {
            panic!("{bytes:?}");
        };
        assert_eq!((&*message.topic, message.qos, message.pkid), ("a/b", 1, 7));
        assert_eq!(message.payload.len(), 200);
        assert_eq!(read(&mut bytes), Ok(None));
        bytes.push(0);
        assert_eq!(read(&mut bytes), Ok(Some(Packet::Disconnect)));
        assert!(bytes.is_empty());
        for end in 0..connect.len() {
            assert_eq!(read_one(&connect[..end]), Ok(None));
        }
    }

    #[test]
    fn other_versions_are_told_by_their_level() {
        for (bytes, expected) in [
            (
                &b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x14\x00\x00"[..],
                5,
            ),
            (b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00", 3),
        ] {
            let Ok(Some(Packet::Connect { level, .. })) = read_one(bytes) else {
                panic!("{:?}", read_one(bytes));
            };
            assert_eq!(level, expected);
        }
    }

    #[test]
    fn what_the_standard_forbids_is_said() {
        for (bytes, says) in [
            (
                &b"\x80\x06\x00\x01\x00\x01a\x01"[..],
                "SUBSCRIBE has the flags 0000",
            ),
            (b"\x82\x06\x00\x00\x00\x01a\x01", "SUBSCRIBE is malformed"),
            (b"\x82\x06\x00\x01\x00\x01a\x03", "SUBSCRIBE is malformed"),
            (b"\x82\x02\x00\x01", "SUBSCRIBE is malformed"),
            (b"\x36\x05\x00\x01a\x00\x01", "PUBLISH is malformed"),
            (b"\x30\x03\x00\x01\xff", "PUBLISH is malformed"),
            (b"GET / HTTP/1.1\r\n\r\n", "PUBACK"),
            (b"\x00\x00", "0x00"),
            (b"\x20\x02\x00\x00", "0x20"),
            (b"\xe0\x01\x00", "DISCONNECT is longer"),
            (b"\x16\x03\x01\x00\xa5", "TLS handshake"),
            (b"\x30\xff\xff\xff\xff\x01", "four bytes"),
            (b"\x30\xff\xff\xff\x7f", "a packet of 268435455 bytes"),
            (
                b"\x10\x0c\x00\x04HTTP\x04\x02\x00\x00\x00\x00",
                "CONNECT is malformed",
            ),
        ] {
            match read_one(bytes) {
                Err(why) => assert!(why.contains(says), "{bytes:?}: {why}"),
                // Its first byte is one of PUBACK's, and its second a length that never comes.
                other => assert_eq!((other, says), (Ok(None), "PUBACK")),
            }
        }
    }

    #[test]
    fn no_bytes_break_the_reader() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            if let Some(length) = bytes.get_mut(1) {
                *length %= 40;
            }
            while matches!(read(&mut bytes), Ok(Some(_))) {}
        }
    }
}
