//! Acknowledges at once, on the TCP level, what this end answers with no packet of its own.
//!
//! mosquitto leaves Nagle's algorithm on by default: it holds its next small packet back until the one
//! before is acknowledged. And a kernel that sees a dialogue delays its acknowledgements by 40 ms, in the
//! hope of a packet that they can go with. A request loses them between the PUBACK and the answer.
//! `TCP_QUICKACK` (tcp(7)) ends the wait. It is not permanent, so it is set each time.

pub use platform::QuickAck;

#[cfg(target_os = "linux")]
mod platform {
    use std::os::fd::{OwnedFd, RawFd};

    use log::debug;
    use rustix::net::{Shutdown, SocketAddr, getpeername, shutdown, sockopt};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    use crate::link::Address;

    /// The connection's socket, once it was needed, and where it could be found.
    #[derive(Debug, Default)]
    pub struct QuickAck(Option<Option<OwnedFd>>);

    impl QuickAck {
        /// Acknowledges what has been read.
        pub fn send(&mut self, broker: &Address) {
            let socket = self.0.get_or_insert_with(|| search(broker));
            if let Some(socket) = socket {
                // Nothing depends on it but the time.
                let _ = sockopt::set_tcp_quickack(socket, true);
            }
        }

        /// Nothing follows the DISCONNECT. Some brokers (rmqttd) close the connection only when they have
        /// read its end, although MQTT 3.1.1, section 3.14.4, has them do so by themselves: a request would
        /// wait for that.
        pub fn finish(&self, is_encrypted: bool) {
            // TLS has an end of its own, and some brokers log another one as an error.
            if let (Some(Some(socket)), false) = (&self.0, is_encrypted) {
                let _ = shutdown(socket, Shutdown::Write);
            }
        }
    }

    /// Looks for the socket that is connected to the broker: rumqttc does not hand it out. Where it
    /// cannot be had (a kernel before 5.6, a sandbox, another connection of this process to the same
    /// port), all still works, and a request takes 40 ms longer.
    fn search(broker: &Address) -> Option<OwnedFd> {
        if broker.is_unix_socket() {
            return None;
        }
        let mut found = sockets(broker.port);
        if found.len() != 1 {
            debug!("no TCP_QUICKACK: {} sockets to choose from", found.len());
            return None;
        }
        found.pop()
    }

    /// The sockets of this process that are connected to `port`, each under a descriptor of its own.
    fn sockets(port: u16) -> Vec<OwnedFd> {
        let (Ok(process), Ok(files)) = (
            pidfd_open(getpid(), PidfdFlags::empty()),
            std::fs::read_dir("/proc/self/fd"),
        ) else {
            return Vec::new();
        };
        files
            .filter_map(|file| {
                let file = file.ok()?;
                let kind = std::fs::read_link(file.path()).ok()?;
                if !kind.to_str()?.starts_with("socket:") {
                    return None;
                }
                let number: RawFd = file.file_name().to_str()?.parse().ok()?;
                let socket = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
                let peer = SocketAddr::try_from(getpeername(&socket).ok()??).ok()?;
                (peer.port() == port).then_some(socket)
            })
            .collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    /// A Linux matter.
    #[derive(Debug, Default)]
    pub struct QuickAck;

    impl QuickAck {
        pub fn send(&mut self, _: &crate::link::Address) {}

        pub fn finish(&self, _: bool) {}
    }
}
