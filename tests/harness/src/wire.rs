//! MQTT 3.1.1 by hand: right and wrong packets as bytes, and what the client sent, read back.

// Packet types, as the first four bits carry them (section 2.2.1).

/// What a client begins with.
pub const CONNECT: u8 = 1;
/// A message.
pub const PUBLISH: u8 = 3;
/// The first answer to a message at QoS 2.
pub const PUBREC: u8 = 5;
/// The answer to PUBREC.
pub const PUBREL: u8 = 6;
/// The wish to hear the messages on a filter.
pub const SUBSCRIBE: u8 = 8;
/// The wish to hear them no more.
pub const UNSUBSCRIBE: u8 = 10;
/// A sign of life.
pub const PINGREQ: u8 = 12;
/// What a client ends with.
pub const DISCONNECT: u8 = 14;

/// The answer to PINGREQ, whole.
pub const PINGRESP: &[u8] = &[0xd0, 0];

/// A packet with this first byte. Its remaining length is right.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(remaining_length(body.len()));
    bytes.extend(body);
    bytes
}

/// Section 2.2.3.
pub fn remaining_length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// The answer to CONNECT.
pub fn connack(session_present: bool, code: u8) -> Vec<u8> {
    packet(0x20, &[session_present.into(), code])
}

/// PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70, UNSUBACK 0xb0.
pub fn ack(first: u8, pkid: u16) -> Vec<u8> {
    packet(first, &pkid.to_be_bytes())
}

/// The answer to SUBSCRIBE.
pub fn suback(pkid: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&pkid.to_be_bytes(), codes].concat())
}

/// A PUBLISH as it should be; at QoS 0 without its packet identifier.
pub fn publish(topic: impl AsRef<[u8]>, qos: u8, pkid: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut body = string(topic.as_ref());
    if qos > 0 {
        body.extend(pkid.to_be_bytes());
    }
    body.extend(payload.as_ref());
    packet(0x30 | qos << 1, &body)
}

/// A length in two bytes, and so many bytes, UTF-8 or not (section 1.5.3).
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut string = (bytes.len() as u16).to_be_bytes().to_vec();
    string.extend(bytes);
    string
}

/// A packet of the client's.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Its type: one of the constants above.
    pub kind: u8,
    /// The other four bits of its first byte.
    pub flags: u8,
    /// All that follows its length.
    pub body: Vec<u8>,
}

impl Packet {
    /// The QoS of a PUBLISH.
    pub fn qos(&self) -> u8 {
        self.flags >> 1 & 3
    }

    /// CleanSession (section 3.1.2.4), where this is a CONNECT.
    pub fn clean_session(&self) -> bool {
        self.body[7] & 2 != 0
    }

    fn topic_end(&self) -> usize {
        2 + usize::from(u16::from_be_bytes([self.body[0], self.body[1]]))
    }

    /// The topic of a PUBLISH.
    pub fn topic(&self) -> String {
        String::from_utf8(self.body[2..self.topic_end()].to_vec()).unwrap()
    }

    /// The payload of a PUBLISH.
    pub fn payload(&self) -> &[u8] {
        let identifier = if self.qos() > 0 { 2 } else { 0 };
        &self.body[self.topic_end() + identifier..]
    }

    /// The packet identifier, of whatever has one.
    pub fn pkid(&self) -> u16 {
        let at = match self.kind {
            PUBLISH => self.topic_end(),
            _ => 0,
        };
        u16::from_be_bytes([self.body[at], self.body[at + 1]])
    }

    /// The filter of a SUBSCRIBE with one filter, and the QoS it asks for.
    pub fn filter(&self) -> (String, u8) {
        let (qos, filter) = self.body[4..].split_last().unwrap();
        (String::from_utf8(filter.to_vec()).unwrap(), *qos)
    }
}
