//! The clock of a Pi that has not found a time server yet: libfaketime, which shows one program another
//! time (Debian's package faketime).

use std::path::PathBuf;
use std::process::Command;

use crate::folder::Folder;
use crate::needed::FAKETIME;

/// What a program that is run by it takes for the time of day.
pub struct Clock {
    library: PathBuf,
    folder: Folder,
}

impl Clock {
    /// A clock that begins with the year 1970.
    pub fn unset() -> Self {
        let clock = Self {
            library: FAKETIME.path(),
            folder: Folder::new(),
        };
        clock.set("@1970-01-01 00:00:30");
        clock
    }

    /// As a time server would: `+0` is the time that it really is.
    pub fn set(&self, time: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, time).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    /// The same program under this clock. How long something takes is not the clock's business.
    pub fn over(&self, mut command: Command) -> Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }
}
