//! The steps of a run's end.

use std::time::Instant;

/// The steps of [`Phase::Emptying`](super::Phase::Emptying).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptying {
    /// The driver is to connect.
    Connect,
    /// An attempt is under way.
    Connecting,
    /// The broker accepted the connection: the driver is to send DISCONNECT.
    Disconnect,
    /// The broker has until then to end the connection.
    Disconnecting { until: Instant },
}

/// The steps of [`Phase::Closing`](super::Phase::Closing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is no connection: until the programs that run have ended. A later process answers.
    Running,
    /// Until everything is confirmed.
    Confirming,
    /// The connection broke meanwhile: the driver is to connect once more.
    Reconnect,
    /// That attempt is under way.
    Reconnecting,
    /// Until every UNSUBSCRIBE is confirmed.
    Unsubscribing,
    /// The driver is to send DISCONNECT.
    Disconnect,
    /// The broker has until then to end the connection.
    Disconnecting { until: Instant },
}
