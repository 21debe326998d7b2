//! A folder for what survives the process: a lock on it, and the journal in it.

mod journal_file;
mod replaced;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

pub(crate) use journal_file::{OLD_SESSION, read_regular};
pub(crate) use replaced::replace;

use super::engine::journal::{Header, Journal};
use crate::role::{Failure, Kind};
use journal_file::JournalFile;

/// A folder for one [`Journal`], of one role with one client id, which no other process has locked. It is free again when this is dropped, or the process
/// ends.
///
/// ```no_run
/// # use mqtt_client::link::{Options, Session, StateDir};
/// # fn main() -> Result<(), mqtt_client::role::Failure> {
/// let state = StateDir::lock("/var/lib/thermometer", true)?;
/// let mut options = Options::new("raspberrypi.local", 1883, "thermometer-1");
/// // Both: the broker keeps the session for the next process, and that goes on with it.
/// options.session = Session::LASTING;
/// let journal = state.journal("thermometer", &options.client_id);
/// let remembered = journal.memory();
/// # let _ = remembered;
/// # Ok(())
/// # }
/// ```
pub struct StateDir {
    folder: PathBuf,
    is_synced: bool,
    _lock: Option<Flock<File>>,
}

impl StateDir {
    /// Keeps the folder to this process: a second one in it would be a second client with the same id, too, and they
    /// would throw each other out. A folder that cannot be locked, because it is missing, or on a network, is used all
    /// the same; where it is still missing when the first record is written, the run warns and goes on without a journal.
    ///
    /// `is_synced`: a record is on the disk before what it is about goes to the network (fdatasync(2)), so that a power
    /// cut loses and repeats nothing, either. That is a write to the disk for each batch of messages.
    ///
    /// # Errors
    /// When another process has it.
    pub fn lock(folder: impl Into<PathBuf>, is_synced: bool) -> Result<Self, Failure> {
        let folder = folder.into();
        // Of no pipe: that would wait for a writer (fifo(7)).
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_DIRECTORY.bits())
            .open(&folder);
        let lock = match opened {
            Err(_) => None,
            Ok(file) => match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => Some(lock),
                Err((_, Errno::EWOULDBLOCK)) => return Err(taken(&folder)),
                Err(_) => None,
            },
        };
        Ok(Self {
            folder,
            is_synced,
            _lock: lock,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journal of this role and client id. What another role or client id has left in the folder is left alone while
    /// something is open in it; then the run has no journal, and warns of that.
    #[must_use]
    pub fn journal(&self, role: &str, client_id: &str) -> Journal {
        let header = Header {
            owner: format!("{role}, client id {client_id}"),
            boot: boot_id(),
            is_durable: self.is_synced,
        };
        Journal::open(Box::new(JournalFile::in_folder(&self.folder)), header)
    }
}

/// The present boot, as the kernel names it (random(4)). A service that is locked in (ProcSubset=pid) cannot read that;
/// its unit hands it over (`%b`, systemd.unit(5)). Where there is neither, the end of a journal is not relied on.
fn boot_id() -> Option<String> {
    let by_kernel = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let id = by_kernel.or_else(|| std::env::var("BOOT_ID").ok())?;
    // The kernel writes it with dashes.
    Some(id.trim().replace('-', ""))
}

fn taken(folder: &Path) -> Failure {
    let folder = folder.display();
    let text = format!(
        "another mqtt_client is running with the state folder {folder}: stop it first (`systemctl stop mqtt_client`), or give --state-dir another"
    );
    Failure::new(Kind::Busy, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let folder = std::env::temp_dir().join(format!("mqtt_client-lock-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let first = StateDir::lock(&folder, false).unwrap();
        let second = StateDir::lock(&folder, false).err().unwrap();
        assert_eq!(second.kind, Kind::Busy);
        assert!(second.text.contains("is running with the state folder"));
        drop(first);
        assert!(StateDir::lock(&folder, false).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(StateDir::lock(&folder, false).is_ok(), "it is missing");
        nix::unistd::mkfifo(&folder, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(StateDir::lock(&folder, false).is_ok(), "it is a pipe");
        std::fs::remove_file(&folder).unwrap();
    }
}
