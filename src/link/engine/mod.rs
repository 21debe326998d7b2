//! The pure side of the link.

pub mod inbound;
pub mod outbox;
