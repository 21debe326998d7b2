//! Old packet identifiers, which are released before anything new is sent under them.

use super::Delivery;

/// How often a broker gets a PUBREL that the standard does not ask for, where the connection ends at it: more often than
/// chance would end it there.
const MOST_RELEASES: u8 = 3;

impl Delivery {
    /// Releases the identifiers under which the broker may hold what is over for this end.
    ///
    /// It would take new messages under them for repetitions (MQTT 3.1.1, section 4.3.3); and mosquitto counts what it
    /// holds under them against its max_inflight_messages, and drops what is beyond that although it confirms it.
    /// Identifiers of messages that are in flight are skipped: a PUBREL first would make the broker take a replay for a new message.
    ///
    /// The standard asks for no such PUBREL, and some brokers end the connection at one (NATS, aedes 0.51), or fall
    /// silent (RabbitMQ). So it is sent only where there is a need: for what an earlier process may have left, and to a
    /// broker that may have been restored from an earlier state.
    pub(super) fn release_stale(&mut self) {
        self.must_release = false;
        // Once a connection is enough.
        if self.unanswered_releases >= MOST_RELEASES
            || std::mem::replace(&mut self.has_released, true)
        {
            return;
        }
        let stale = self.stale_pkids.iter().copied();
        // One of a SUBSCRIBE is released all the same: it says nothing of an old message.
        let is_over = |pkid: &u16| !self.outbox.is_message_in_flight(*pkid);
        self.releases = stale.filter(is_over).collect();
    }

    /// Whether some of that has still to go out, or to be answered.
    pub(super) fn is_releasing(&self) -> bool {
        !(self.releasing.is_empty() && self.releases.is_empty())
    }
}
