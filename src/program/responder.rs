//! The command `responder`: answers text requests until a signal comes.

use super::connection::Connection;
use super::systemd::Systemd;
use super::{DONE, share, signals};
use crate::cli::ConnectionConfig;
use crate::link::{End, Run, Session};
use crate::role::Failure;
use crate::text_request::responder::{Responder, ResponderConfig};

/// Runs it.
///
/// # Errors
/// Why it could not go on.
pub fn run(connection: ConnectionConfig, config: ResponderConfig) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let session = match config.share {
        None => Session::Persistent {
            resume: false,
            keep: false,
        },
        // In a group the others answer while this one is away. The broker would give a session that outlives
        // the connection its share of the requests all the same, and keep them until it returns.
        Some(_) => Session::Clean,
    };
    signals::until_signal(DONE, move |stop| {
        let Some(options) = connection.for_service(session, stop)? else {
            return Ok(End::Stopped);
        };
        let mut systemd = Systemd::ready();
        if share::check(&options, config.share.as_ref(), stop, &mut systemd).is_none() {
            return Ok(End::Stopped);
        }
        let run = Run::new(&options, stop).watched_by(&mut systemd);
        run.carry(Responder::new(config), |()| Ok(()))
    })
}
