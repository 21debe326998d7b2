//! The folder of the programs, and which of its files may be run: none that anybody else could have put there.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::role::{Failure, Kind, Outcome};

/// The longest name of a file (NAME_MAX, limits.h).
const LONGEST_NAME: usize = 255;

/// The folder.
#[derive(Debug)]
pub struct Folder(PathBuf);

/// Why this file or folder is not to be trusted, if so: others could change it.
fn distrust(metadata: &Metadata) -> Option<&'static str> {
    let own = nix::unistd::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        return Some("it belongs to another user, who could change it; `chown root` it");
    }
    // In a sticky folder they can put nothing in the place of what is there (inode(7)).
    let is_open =
        metadata.mode() & 0o022 != 0 && !(metadata.is_dir() && metadata.mode() & 0o1000 != 0);
    is_open.then_some("others can write it; `chmod go-w` it")
}

/// The same of a real path, and of every folder above it.
fn distrust_path(path: &Path) -> std::io::Result<Option<String>> {
    for part in path.ancestors() {
        if let Some(why) = distrust(&fs::metadata(part)?) {
            return Ok(Some(match part == path {
                true => why.to_owned(),
                false => format!(
                    "others can put another in its place: {}: {why}",
                    part.display()
                ),
            }));
        }
    }
    Ok(None)
}

impl Folder {
    /// The folder at `path`.
    ///
    /// # Errors
    /// When there is none, or others could change what is in it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let wrong = |path: &Path, why: &dyn std::fmt::Display| {
            let text = format!("the folder of programs {}: {why}", path.display());
            Failure::new(Kind::Config, text)
        };
        let real = fs::canonicalize(path).map_err(|error| wrong(path, &error))?;
        let metadata = fs::metadata(&real).map_err(|error| wrong(path, &error))?;
        if !metadata.is_dir() {
            return Err(wrong(path, &"it is no folder"));
        }
        // A folder in which others may put programs is worth nothing, though it be sticky.
        if metadata.mode() & 0o022 != 0 {
            return Err(wrong(path, &"others can write it; `chmod go-w` it"));
        }
        match distrust_path(&real) {
            Ok(None) => {}
            Ok(Some(why)) => return Err(wrong(path, &why)),
            Err(error) => return Err(wrong(path, &error)),
        }
        let folder = Self(real);
        for name in folder.names() {
            if let Err(Outcome::Failed { why, .. }) = folder.program(&name) {
                return Err(wrong(&folder.0.join(&name), &why));
            }
        }
        Ok(folder)
    }

    /// The names of the executable files in it, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let is_program = fs::metadata(entry.path())
                .is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0);
            if is_program && is_plain(&name) {
                // Sorted as they come: a sort for strings would be 3 kB of the binary.
                let at = names.partition_point(|before| *before < name);
                names.insert(at, name);
            }
        }
        names
    }

    /// The program of this name.
    ///
    /// # Errors
    /// What whoever asks for it is to hear: that there is none, or why it is not run.
    pub fn program(&self, name: &str) -> Result<PathBuf, Outcome> {
        if !is_plain(name) {
            return Err(Outcome::Missing);
        }
        let path = self.0.join(name);
        let cannot = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => Outcome::Missing,
            _ => Outcome::failed(format!("it cannot be run: {error}")),
        };
        let metadata = fs::metadata(&path).map_err(cannot)?;
        if !metadata.is_file() {
            return Err(Outcome::Missing);
        }
        if metadata.mode() & 0o111 == 0 {
            return Err(Outcome::failed("it is not executable; `chmod +x` it"));
        }
        // Each time: both may have changed since the start, and a link may lead anywhere.
        let folder = fs::metadata(&self.0).map_err(cannot)?;
        if folder.mode() & 0o022 != 0 {
            return Err(Outcome::failed("others can write its folder"));
        }
        let real = fs::canonicalize(&path).map_err(cannot)?;
        for path in [&self.0, &real] {
            if let Some(why) = distrust_path(path).map_err(cannot)? {
                return Err(Outcome::failed(why));
            }
        }
        Ok(path)
    }
}

/// Whether it can be the name of a program: of a file in the folder itself, and not of a hidden one.
fn is_plain(name: &str) -> bool {
    let is_path = name.contains(['/', '\0']);
    !(name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || is_path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(name: &str) -> PathBuf {
        let name = format!("mqtt_client-programs-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        mode(&folder, 0o755);
        folder
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn file(path: &Path, bits: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        mode(path, bits);
    }

    #[test]
    fn a_program_is_an_executable_file_of_the_folder_itself() {
        let path = folder("plain");
        file(&path.join("READ"), 0o755);
        file(&path.join("-x"), 0o755);
        file(&path.join(".hidden"), 0o755);
        file(&path.join("text"), 0o644);
        fs::create_dir(path.join("folder")).unwrap();
        symlink("nowhere", path.join("dangling")).unwrap();
        symlink("READ", path.join("link")).unwrap();
        let folder = Folder::open(&path).unwrap();
        assert_eq!(folder.names(), ["-x", "READ", "link"]);
        for name in ["READ", "link", "-x"] {
            assert_eq!(
                folder.program(name),
                Ok(path.canonicalize().unwrap().join(name))
            );
        }
        let long = "x".repeat(300);
        let absent = [
            "",
            ".",
            "..",
            "./READ",
            "../../bin/sh",
            ".hidden",
            "read",
            "folder",
            "dangling",
            "/bin/sh",
            "a\0b",
            &long,
        ];
        for name in absent {
            assert_eq!(folder.program(name), Err(Outcome::Missing), "{name}");
        }
        let why = Outcome::failed("it is not executable; `chmod +x` it");
        assert_eq!(folder.program("text"), Err(why));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_others_can_change_is_refused() {
        let path = folder("open");
        let said = |path: &Path| {
            let failure = Folder::open(path).unwrap_err();
            assert_eq!(failure.kind, Kind::Config);
            failure.text
        };
        assert!(said(&path.join("none")).contains("No such file"));
        file(&path.join("READ"), 0o775);
        let text = said(&path);
        assert!(
            text.contains("READ: others can write it; `chmod go-w` it"),
            "{text}"
        );
        assert!(said(&path.join("READ")).contains("no folder"));
        mode(&path.join("READ"), 0o755);
        let folder = Folder::open(&path).unwrap();
        mode(&path.join("READ"), 0o757);
        let outcome = folder.program("READ");
        assert!(
            matches!(outcome, Err(Outcome::Failed { .. })),
            "{outcome:?}"
        );
        mode(&path.join("READ"), 0o755);
        for bits in [0o777, 0o775, 0o1777] {
            mode(&path, bits);
            assert!(said(&path).contains("others can write it"));
            let outcome = folder.program("READ");
            assert!(
                matches!(outcome, Err(Outcome::Failed { .. })),
                "{outcome:?}"
            );
        }
        mode(&path, 0o755);
        // A link that leads to where others can put something else.
        let open = path.join("open");
        fs::create_dir(&open).unwrap();
        mode(&open, 0o777);
        file(&open.join("program"), 0o755);
        symlink(open.join("program"), path.join("LINK")).unwrap();
        let outcome = folder.program("LINK");
        assert!(
            matches!(outcome, Err(Outcome::Failed { .. })),
            "{outcome:?}"
        );
        fs::remove_file(path.join("LINK")).unwrap();
        mode(&path, 0o777);
        let below = path.join("below");
        fs::create_dir(&below).unwrap();
        mode(&below, 0o755);
        assert!(said(&below).contains("others can put another in its place"));
        mode(&path, 0o1777);
        assert!(Folder::open(&below).is_ok());
        fs::remove_dir_all(path).unwrap();
    }
}
