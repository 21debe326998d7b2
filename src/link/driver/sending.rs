//! What is due goes out: everything that one turn of the loop led to, in one write. Nothing here waits; what the
//! socket does not take at once stays in the buffer.

use std::time::Instant;

use log::debug;
use rumqttc::StateError;

use super::{Driver, wire};

/// How many bytes may wait in the buffer: as many as [`write`](super::connection::Connection::write) takes.
const BUFFER: usize = 8 * 1024;

impl Driver<'_> {
    /// Writes what is due, as far as the socket takes it. Says whether there was anything.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn send_due(&mut self) -> Result<bool, StateError> {
        // What an earlier turn could not get rid of comes first.
        if !self.engine.is_due() || !self.connection.flush()? {
            return Ok(false);
        }
        let now = Instant::now();
        let connection = &mut self.connection;
        let mut waiting = 0;
        loop {
            let written = self.engine.send_next(now, |outgoing| {
                waiting += wire::size(&outgoing);
                let packet = wire::to_packet(outgoing);
                debug!("sending {packet:?}");
                connection.write(packet)
            });
            match written {
                None => break,
                Some(written) => written?,
            }
            if waiting >= BUFFER {
                self.engine.commit();
                if !connection.flush()? {
                    return Ok(true);
                }
                waiting = 0;
            }
        }
        self.engine.commit();
        connection.flush()?;
        Ok(true)
    }
}
