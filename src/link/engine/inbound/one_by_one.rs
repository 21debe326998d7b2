//! One PUBREC at a time, for aedes, the broker in Node-RED: it takes a PUBREC for the one before, as long as it has not
//! received the PUBCOMP of that, and then loses and repeats messages.
//!
//! It draws its first packet identifier by lot, where most others begin with 1. So a broker that begins elsewhere gets
//! one PUBREC at a time, which costs a round trip for each message and changes nothing else.

/// Whether the next PUBREC has to wait.
#[derive(Debug, Default)]
pub struct OneByOne {
    is_on: bool,
    /// The packet identifier of the PUBREC whose PUBREL is due first.
    awaited: Option<u16>,
    /// A PINGREQ went out after that PUBREC.
    is_before_ping: bool,
}

impl OneByOne {
    /// A new connection: what was awaited on the one before comes no more.
    pub fn connected(&mut self, session_present: bool) {
        self.awaited = None;
        self.is_on &= session_present;
    }

    /// The broker's first packet identifier in a session.
    pub fn begins_with(&mut self, pkid: u16) {
        self.is_on |= pkid != 1;
    }

    /// Whether an acknowledgement has to wait.
    pub fn waits(&self) -> bool {
        self.awaited.is_some()
    }

    /// A PUBREC goes out.
    pub fn received(&mut self, pkid: u16) {
        if self.is_on {
            self.awaited = Some(pkid);
            self.is_before_ping = false;
        }
    }

    /// PUBREL came.
    pub fn released(&mut self, pkid: u16) {
        self.awaited.take_if(|awaited| *awaited == pkid);
    }

    /// PINGREQ went out.
    pub fn ping_sent(&mut self) {
        self.is_before_ping = true;
    }

    /// PINGRESP came. A PUBREL that was due before it does not come any more, and must not hold back the rest for ever.
    pub fn ping_answered(&mut self) {
        if self.is_before_ping {
            self.awaited = None;
        }
    }
}
