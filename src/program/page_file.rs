//! The file of `--page`: replaced as a whole, so that whoever reads it never sees half a page.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::link::state::replace;

/// Everybody may read it, as a web server of another user does.
const MODE: u32 = 0o644;

/// The file, and the one beside it that becomes it.
pub struct PageFile {
    path: PathBuf,
    unfinished: PathBuf,
}

impl PageFile {
    /// The page at this path, or where a link there leads. Its folder must exist.
    ///
    /// # Errors
    /// The path names no file, or there is something else, as a device or a pipe: it would be replaced.
    pub fn new(path: &Path) -> io::Result<Self> {
        let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
        let path = match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(no_file()),
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().ok_or_else(no_file)?);
        name.push(".new");
        let unfinished = path.with_file_name(name);
        Ok(Self { path, unfinished })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces what is in it. Where that fails the old page stays, and nothing beside it.
    pub fn write(&self, html: &str) -> io::Result<()> {
        replace(&self.path, &self.unfinished, |unfinished| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(MODE)
                .open(unfinished)?;
            // Whatever the umask.
            file.set_permissions(Permissions::from_mode(MODE))?;
            file.write_all(html.as_bytes())?;
            Ok(file)
        })
        .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_replaced_as_a_whole_and_leaves_nothing_beside_it() {
        let folder = std::env::temp_dir().join(format!("mqtt_client-page-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let page = PageFile::new(&folder.join("x.html")).unwrap();
        // Of a run that was killed: a link, which is not followed.
        let other = folder.join("other");
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, folder.join(".x.html.new")).unwrap();
        for html in ["one", "two"] {
            page.write(html).unwrap();
            assert_eq!(fs::read_to_string(page.path()).unwrap(), html);
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        let mode = fs::metadata(page.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        // A folder is in its place.
        let taken = folder.join("taken");
        let later = PageFile::new(&taken).unwrap();
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("x"), "").unwrap();
        assert!(later.write("x").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        // `/dev/stdout` and `/dev/null` would be gone, with everybody's output.
        for path in [&*taken, Path::new(".."), Path::new("/dev/null")] {
            assert!(PageFile::new(path).is_err(), "{}", path.display());
        }
        // A link into a web server's folder is followed.
        let link = folder.join("link.html");
        std::os::unix::fs::symlink(page.path(), &link).unwrap();
        PageFile::new(&link).unwrap().write("three").unwrap();
        assert_eq!(fs::read_to_string(page.path()).unwrap(), "three");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        fs::remove_dir_all(&folder).unwrap();
    }
}
