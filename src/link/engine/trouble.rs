//! What the driver has to say of a connection that ended, or could not be made.

use crate::role::Kind;

/// A connection's end, or an attempt's.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What happened and what to do, without a full stop.
    pub text: String,
    /// How the run ends, where waiting cannot mend this.
    pub fatal: Option<Kind>,
    /// The other end closed the connection.
    pub closed: bool,
    /// The other end closed the connection instead of answering the CONNECT.
    pub is_unanswered: bool,
    /// The host refused the attempt: no broker runs there now.
    pub is_down: bool,
    /// The broker sent a packet beyond this program's limit.
    pub too_large: bool,
    /// The broker answers and does not serve yet: a node of a cluster in an election.
    pub temporarily_unavailable: bool,
}

impl Trouble {
    /// Trouble that waiting may mend.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self {
            text,
            fatal: None,
            closed: false,
            is_unanswered: false,
            is_down: false,
            too_large: false,
            temporarily_unavailable: false,
        }
    }

    /// The other end closed the connection, which waiting may mend.
    #[must_use]
    pub fn closed(text: String) -> Self {
        Self {
            closed: true,
            ..Self::new(text)
        }
    }

    /// Trouble that waiting cannot mend.
    #[must_use]
    pub fn fatal(kind: Kind, text: String) -> Self {
        Self {
            fatal: Some(kind),
            ..Self::new(text)
        }
    }
}
