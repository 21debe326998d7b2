//! The journal's bytes in a folder: one file, which only this program writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::replaced::{is_there, remove_if_there, replace};
use crate::link::engine::journal::Storage;

/// The file of versions up to 0.1.0 of the program, which knew no journal. The journal takes its place.
pub const OLD_SESSION: &str = "session";

/// Far more than a journal has, which is written anew from 256 KiB on.
const MAX_BYTES: u64 = 64 << 20;

/// The file `journal` in a folder.
pub struct JournalFile {
    folder: PathBuf,
    /// The file that this process has written, open at its end.
    file: Option<File>,
}

impl JournalFile {
    /// The journal in this folder, which must exist by the time of the first record.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: None,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("journal")
    }
}

impl Storage for JournalFile {
    fn load(&mut self) -> io::Result<Option<Vec<u8>>> {
        read_regular(&self.path(), MAX_BYTES)
    }

    fn append(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(bytes)?;
        match durably {
            true => file.sync_data(),
            false => Ok(()),
        }
    }

    fn replace(&mut self, bytes: &[u8], durably: bool) -> io::Result<()> {
        let unfinished = self.folder.join("journal.new");
        let write = |unfinished: &Path| write_new(unfinished, bytes, durably);
        self.file = Some(replace(&self.path(), &unfinished, write)?);
        if durably {
            sync_folder(&self.folder)?;
        }
        remove_if_there(&self.folder.join(OLD_SESSION))
    }

    fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        let removed = [self.path(), self.folder.join(OLD_SESSION)]
            .map(|path| is_there(&path)?.then(|| fs::remove_file(path)).transpose());
        match removed
            .into_iter()
            .collect::<io::Result<Vec<_>>>()?
            .iter()
            .any(Option::is_some)
        {
            true => sync_folder(&self.folder),
            false => Ok(()),
        }
    }

    fn name(&self) -> String {
        format!("the journal {}", self.path().display())
    }
}

fn write_new(path: &Path, bytes: &[u8], durably: bool) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    match durably {
        true => file.sync_all().map(|()| file),
        false => Ok(file),
    }
}

/// What is in this file; `None` where there is none.
///
/// # Errors
/// When it cannot be read, is longer than `most`, or is no file.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    // Without waiting: a pipe in its place would have no writer (fifo(7)).
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > most {
        return Err(io::Error::other("it is too long to be this program's"));
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A rename or removal is on the disk only when its folder is (fsync(2)).
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(name: &str) -> PathBuf {
        let name = format!("mqtt_client-journal-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_written_is_loaded_until_it_is_removed() {
        let folder = folder("round");
        let mut journal = JournalFile::in_folder(&folder);
        assert_eq!(journal.load().unwrap(), None);
        assert!(journal.append(b"early", true).is_err());
        journal.replace(b"one", true).unwrap();
        journal.append(b" two", true).unwrap();
        journal.append(b" three", false).unwrap();
        let mut later = JournalFile::in_folder(&folder);
        assert_eq!(later.load().unwrap().unwrap(), b"one two three");
        later.replace(b"four", false).unwrap();
        assert_eq!(later.load().unwrap().unwrap(), b"four");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        later.remove().unwrap();
        later.remove().unwrap();
        assert_eq!(later.load().unwrap(), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_lies_in_the_way_is_neither_written_to_nor_waited_for() {
        let folder = folder("traps");
        let mut journal = JournalFile::in_folder(&folder);
        let precious = folder.join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, folder.join("journal.new")).unwrap();
        symlink(&precious, folder.join("journal")).unwrap();
        journal.replace(b"mine", true).unwrap();
        journal.append(b", too", false).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(
            fs::read_to_string(folder.join("journal")).unwrap(),
            "mine, too"
        );
        let mode = fs::symlink_metadata(folder.join("journal"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{mode:o}");
        journal.remove().unwrap();
        let pipe = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&folder.join("journal"), pipe).unwrap();
        let why = journal.load().unwrap_err().to_string();
        assert_eq!(why, "it is no regular file");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_cannot_be_read_or_written_is_an_error_and_no_panic() {
        let mut journal = JournalFile::in_folder(Path::new("/nonexistent/folder"));
        assert_eq!(journal.load().unwrap(), None);
        assert!(journal.replace(b"x", true).is_err());
        journal.remove().unwrap();
        let folder = folder("folder");
        fs::create_dir(folder.join("journal")).unwrap();
        let mut journal = JournalFile::in_folder(&folder);
        assert!(journal.load().is_err());
        assert!(journal.replace(b"x", true).is_err());
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 1, "more than what was there");
        fs::remove_dir_all(&folder).unwrap();
    }
}
