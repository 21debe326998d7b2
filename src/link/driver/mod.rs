//! The socket's side of the link.

pub mod quick_ack;
pub mod tls;
