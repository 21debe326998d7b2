//! The one small file that lets a device go on after a crash or a power cut: which session it is in.
//!
//! It is written once a session and removed at its end. A write that a crash interrupts leaves the old
//! file or none, never half of one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::mqtt::Level;

const FIRST_LINE: &str = "mqtt_client session 1";
const LAST_LINE: &str = "end";

/// Longer than any file that this program writes: two levels and a few words.
const MAX_FILE_BYTES: u64 = 2 * crate::mqtt::MAX_BYTES as u64 + 1024;

/// Where a device keeps its session. One folder serves one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFile {
    folder: PathBuf,
}

/// Why a file says nothing about a session to go on with.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It cannot be read.
    Unreadable(String),
    /// It is not of this program's making, or not whole.
    Damaged,
    /// It is another device's.
    Foreign(Level),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::Damaged => write!(f, "it is damaged"),
            Self::Foreign(user_id) => {
                write!(f, "it belongs to {user_id}: give each device a folder")
            }
        }
    }
}

/// A folder that no other process has locked. It is free again when this is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Flock<File>);

/// Another process has locked the folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

impl StateFile {
    /// The file in `folder`, which must exist by the time of the first login.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("session")
    }

    /// The UNIQUE ID that `user_id` was given in a session that has not ended; `None` where there is
    /// no such session.
    ///
    /// # Errors
    /// When there is a file, but not one to rely on: begin anew.
    pub fn load(&self, user_id: &Level) -> Result<Option<Level>, Unusable> {
        let mut bytes = Vec::new();
        let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
        // Without waiting: a pipe in its place would have no writer (fifo(7)).
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(self.path());
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(Unusable::Unreadable("it is no regular file".to_owned()));
        }
        file.take(MAX_FILE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let (owner, unique_id) = parse(&bytes).ok_or(Unusable::Damaged)?;
        match owner == *user_id {
            true => Ok(Some(unique_id)),
            false => Err(Unusable::Foreign(owner)),
        }
    }

    /// Remembers a session: on the disk, not only in the kernel, when this returns.
    ///
    /// # Errors
    /// When the disk is full, or the folder cannot be written.
    pub fn save(&self, user_id: &Level, unique_id: &Level) -> io::Result<()> {
        let unfinished = self.folder.join("session.new");
        // A file there is of a run that was killed, or it is a link to another file: the device must not write to it.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(compose(user_id, unique_id).as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, self.path())?;
        sync_folder(&self.folder)
    }

    /// Keeps the folder to this process, as long as the lock is kept: a second device in it would take the first
    /// one's session. `None` where the folder cannot be locked, because it is missing, or on a network.
    ///
    /// # Errors
    /// When another process has it.
    pub fn lock(&self) -> Result<Option<Lock>, Taken> {
        let Ok(folder) = File::open(&self.folder) else {
            return Ok(None);
        };
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Lock(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Err(Taken),
            Err(_) => Ok(None),
        }
    }

    /// Forgets the session, if there is one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn remove(&self) -> io::Result<()> {
        // On a read-only file system the removal fails even where there is no file.
        use io::ErrorKind::{NotADirectory, NotFound};
        match fs::symlink_metadata(self.path()) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => fs::remove_file(self.path())?,
        }
        sync_folder(&self.folder)
    }
}

/// A rename or removal is on the disk only when its folder is (fsync(2)).
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn compose(user_id: &Level, unique_id: &Level) -> String {
    format!("{FIRST_LINE}\nuser-id {user_id}\nunique-id {unique_id}\n{LAST_LINE}\n")
}

/// The two ids in a file's bytes, where they are exactly what [`StateFile::save`] writes.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(Level, Level)> {
    let text = std::str::from_utf8(bytes).ok()?;
    // Not `lines`, which would take CRLF for LF.
    let mut lines = text.split('\n');
    let begins = lines.next() == Some(FIRST_LINE);
    let user_id = Level::new(lines.next()?.strip_prefix("user-id ")?).ok()?;
    let unique_id = Level::new(lines.next()?.strip_prefix("unique-id ")?).ok()?;
    let whole = begins && lines.eq([LAST_LINE, ""]);
    whole.then_some((user_id, unique_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> Level {
        Level::new(text).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let name = format!("mqtt_client-state-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_saved_is_loaded_until_it_is_removed() {
        let folder = folder("round");
        let state = StateFile::in_folder(&folder);
        assert_eq!(state.load(&level("alice")), Ok(None));
        state.save(&level("alice"), &level("U 1")).unwrap();
        state.save(&level("alice"), &level("Ü2")).unwrap();
        assert_eq!(state.load(&level("alice")), Ok(Some(level("Ü2"))));
        assert_eq!(
            state.load(&level("bob")),
            Err(Unusable::Foreign(level("alice")))
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        state.remove().unwrap();
        state.remove().unwrap();
        assert_eq!(state.load(&level("alice")), Ok(None));
        fs::remove_dir_all(&folder).unwrap();
    }

    /// Wherever a crash stops the writing: the new file beside the old one, cut at any byte.
    #[test]
    fn a_crash_while_writing_leaves_the_old_file_or_none() {
        let folder = folder("crash");
        let state = StateFile::in_folder(&folder);
        let whole = compose(&level("alice"), &level("new"));
        for old in [None, Some(level("old"))] {
            if let Some(old) = &old {
                state.save(&level("alice"), old).unwrap();
            }
            for length in 0..=whole.len() {
                fs::write(folder.join("session.new"), &whole[..length]).unwrap();
                assert_eq!(state.load(&level("alice")), Ok(old.clone()));
            }
        }
        state.save(&level("alice"), &level("new")).unwrap();
        assert_eq!(state.load(&level("alice")), Ok(Some(level("new"))));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_damaged_file_is_told_from_a_good_one() {
        let whole = compose(&level("alice"), &level("U1"));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole.as_bytes()[..length]), None, "{length}");
        }
        for foreign in [
            "{}",
            "\0",
            "\u{feff}mqtt_client session 1\nuser-id a\nunique-id b\nend\n",
            "mqtt_client session 1\nuser-id a\nunique-id #\nend\n",
            "mqtt_client session 2\nuser-id a\nunique-id b\nend\n",
            "mqtt_client session 1\nuser-id a\nunique-id b\nend\nmore\n",
        ] {
            assert_eq!(parse(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(parse(whole.as_bytes()), Some((level("alice"), level("U1"))));
    }

    #[test]
    fn what_lies_in_the_way_is_neither_written_to_nor_waited_for() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = folder("traps");
        let state = StateFile::in_folder(&folder);
        let precious = folder.join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, folder.join("session.new")).unwrap();
        state.save(&level("alice"), &level("U1")).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(state.load(&level("alice")), Ok(Some(level("U1"))));
        let mode = fs::symlink_metadata(state.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
        fs::remove_file(state.path()).unwrap();
        let pipe = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&state.path(), pipe).unwrap();
        let why = Unusable::Unreadable("it is no regular file".to_owned());
        assert_eq!(state.load(&level("alice")), Err(why));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_serves_one_process_at_a_time() {
        let folder = folder("lock");
        let state = StateFile::in_folder(&folder);
        let first = state.lock().unwrap();
        assert!(first.is_some());
        assert_eq!(state.lock().unwrap_err(), Taken);
        state.save(&level("alice"), &level("U1")).unwrap();
        drop(first);
        assert!(state.lock().unwrap().is_some());
        fs::remove_dir_all(&folder).unwrap();
        assert!(state.lock().unwrap().is_none(), "it is missing");
    }

    #[test]
    fn what_cannot_be_read_or_written_is_an_error_and_no_panic() {
        let state = StateFile::in_folder("/nonexistent/folder");
        assert_eq!(state.load(&level("alice")), Ok(None));
        assert!(state.save(&level("alice"), &level("U1")).is_err());
        let folder = folder("folder");
        fs::create_dir(folder.join("session")).unwrap();
        let state = StateFile::in_folder(&folder);
        assert!(matches!(
            state.load(&level("alice")),
            Err(Unusable::Unreadable(_))
        ));
        assert!(state.save(&level("alice"), &level("U1")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
