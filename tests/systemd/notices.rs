//! What a service manager hears: a socket for NOTIFY_SOCKET, as in sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use harness::folder::Folder;
use harness::process::GUARD;

/// Between two signs of life that the unit asks for, in microseconds.
const WATCHDOG: &str = "300000";

/// A socket that a service reports to.
pub struct Notices {
    socket: UnixDatagram,
    folder: Folder,
}

impl Notices {
    pub fn new() -> Self {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(GUARD)).unwrap();
        Self { socket, folder }
    }

    /// The same command as a unit of `Type=notify` starts it.
    pub fn of(&self, mut command: Command) -> Command {
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command
    }

    /// The same command with a watchdog besides.
    pub fn watched(&self, command: Command) -> Command {
        let mut command = self.of(command);
        command.env("WATCHDOG_USEC", WATCHDOG);
        command
    }

    /// Waits for the next notice.
    pub fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let size = self.socket.recv(&mut buffer).expect("no further notice");
        String::from_utf8(buffer[..size].to_vec()).unwrap()
    }

    /// Waits for this very line, and gives all that came before it.
    pub fn wait_for(&self, line: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let notice = self.next();
            if notice.lines().any(|said| said == line) {
                return before;
            }
            before.push(notice);
            assert!(before.len() < 10_000, "`{line}` did not come: {before:?}");
        }
    }

    /// What has arrived and was not read. A datagram is there as soon as its sender has sent it.
    pub fn arrived(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let mut notices = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(size) = self.socket.recv(&mut buffer) {
            notices.push(String::from_utf8(buffer[..size].to_vec()).unwrap());
        }
        self.socket.set_nonblocking(false).unwrap();
        notices
    }

    /// Waits until nothing comes any more, with a healthy program's beats as the clock: ten of them,
    /// and not one notice here.
    pub fn wait_for_silence(&self, healthy: &Self) {
        let mut quiet = 0;
        for _ in 0..1_000 {
            healthy.wait_for("WATCHDOG=1");
            match self.arrived().is_empty() {
                true => quiet += 1,
                false => quiet = 0,
            }
            if quiet == 10 {
                return;
            }
        }
        panic!("the notices do not cease");
    }
}
