//! Makes the kernel send its TCP acknowledgement at once when this program sends no packet that could carry it.
//!
//! mosquitto leaves Nagle's algorithm on by default, so it holds its next small packet back until the kernel here has
//! acknowledged the one before. The kernel delays that acknowledgement by 40 ms, because it expects a packet that can
//! carry it. So a request would lose 40 ms between the PUBACK and the answer. `TCP_QUICKACK` (tcp(7)) ends the delay,
//! but the kernel forgets the setting, so the driver sets it each time.

pub use platform::QuickAck;

#[cfg(target_os = "linux")]
mod platform {
    use std::os::fd::{OwnedFd, RawFd};

    use log::debug;
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, Shutdown, SocketAddr, getpeername, recv, shutdown, sockopt};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    use crate::link::Address;

    /// The connection's socket: `None` until the first use, then whether a search has found it.
    #[derive(Debug, Default)]
    pub struct QuickAck(Option<Option<OwnedFd>>);

    impl QuickAck {
        /// Makes the kernel acknowledge what rumqttc has read.
        pub fn send(&mut self, broker: &Address) {
            let socket = self.0.get_or_insert_with(|| search(broker));
            if let Some(socket) = socket {
                // A failure costs 40 ms and nothing else.
                let _ = sockopt::set_tcp_quickack(socket, true);
            }
        }

        /// Ends this side of the connection after the DISCONNECT. The broker should close the connection by itself
        /// then (MQTT 3.1.1, section 3.14.4). But some brokers (rmqttd) wait for this side to end it first.
        ///
        /// Says whether this side has ended, and nothing that came is unread: then a close resets nothing.
        pub fn finish(&mut self, broker: &Address, is_encrypted: bool) -> bool {
            // TLS ends a connection with a message of its own, one each way. Some brokers log an end without this end's
            // as an error, and theirs would find a closed socket here.
            if is_encrypted {
                return false;
            }
            let Some(socket) = self.0.get_or_insert_with(|| search(broker)) else {
                return false;
            };
            let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            shutdown(&*socket, Shutdown::Write).is_ok()
                && matches!(
                    recv(&*socket, &mut [0], look),
                    Err(Errno::AGAIN) | Ok((0, _))
                )
        }
    }

    /// Searches this process's files for the socket that is connected to the broker, because rumqttc does not give
    /// access to it. Without the socket (with a kernel before 5.6, in a sandbox, or if this process has another
    /// connection to the same port) a request takes 40 ms longer.
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

    /// Duplicates of this process's sockets that are connected to `port`.
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
    /// Does nothing, because only Linux has `TCP_QUICKACK`.
    #[derive(Debug, Default)]
    pub struct QuickAck;

    impl QuickAck {
        pub fn send(&mut self, _: &crate::link::Address) {}

        pub fn finish(&mut self, _: &crate::link::Address, _: bool) -> bool {
            false
        }
    }
}
