//! A file that is replaced as a whole: whoever reads it sees the old one or the new one, and never a half.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Has `write` make the file `unfinished`, and gives it the name `path`. Where that fails `path` stays as it is, and nothing
/// beside it.
pub fn replace(
    path: &Path,
    unfinished: &Path,
    write: impl FnOnce(&Path) -> io::Result<File>,
) -> io::Result<File> {
    // A file there is of a run that was killed, or it is a link to another file, which must not be written to.
    remove_if_there(unfinished)?;
    let renamed = write(unfinished).and_then(|file| fs::rename(unfinished, path).map(|()| file));
    if renamed.is_err() {
        // It would take room on a disk that is full.
        let _ = remove_if_there(unfinished);
    }
    renamed
}

/// On a read-only file system a removal fails even where there is nothing to remove.
pub fn is_there(path: &Path) -> io::Result<bool> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(false),
        there => there.map(|_| true),
    }
}

/// Removes this file, where there is one.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match is_there(path)? {
        true => fs::remove_file(path),
        false => Ok(()),
    }
}
