//! A program of the user's own, as a shell would start it, but for its process group: with this process's environment
//! and nothing on standard input. Its outputs are the caller's.

use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnFileActions, posix_spawnp};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};

use super::child::{Group, attributes, groups, pipe, watch};
use crate::link::Stop;

/// A program that runs, the leader of a process group. Dropped, the group is killed.
pub struct Process {
    group: Group,
    /// What it prints.
    pub stdout: OwnedFd,
    /// What it says on standard error.
    pub stderr: OwnedFd,
    /// It comes to its end when the process does.
    pub end: OwnedFd,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exit(i32),
    /// By the signal of this number.
    Signal(i32),
}

impl Process {
    /// Starts the program that the first word names, as a path or to be found in PATH, with the other words as its
    /// arguments; `None` where a stop is requested. One that is requested meanwhile finds it among the programs that
    /// [`end_all`](super::end_all) ends.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub fn start(words: &[OsString], stop: &Stop) -> nix::Result<Option<Self>> {
        let text = |text: &[u8]| CString::new(text).map_err(|_| Errno::EINVAL);
        let arguments = words.iter().map(|word| text(word.as_bytes()));
        let arguments = arguments.collect::<nix::Result<Vec<CString>>>()?;
        let program = arguments.first().ok_or(Errno::ENOENT)?;
        let variables = std::env::vars_os()
            .map(|(name, value)| text(&[name.as_bytes(), b"=", value.as_bytes()].concat()));
        let variables = variables.collect::<nix::Result<Vec<CString>>>()?;
        let (watch, end) = watch()?;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_open(0, "/dev/null", OFlag::O_RDONLY, Mode::empty())?;
        let (stdout, their_stdout) = pipe()?;
        let (stderr, their_stderr) = pipe()?;
        files.add_dup2(their_stdout.as_raw_fd(), 1)?;
        files.add_dup2(their_stderr.as_raw_fd(), 2)?;
        let attributes = attributes()?;
        let pid = {
            // Held, so that who ends all programs finds this one, or it is not started.
            let mut groups = groups();
            if stop.requested() {
                return Ok(None);
            }
            let pid = posix_spawnp(program, &files, &attributes, &arguments, &variables)?;
            groups.push(pid);
            pid
        };
        // It waits for that alone.
        let _ = watch.send(pid);
        Ok(Some(Self {
            group: Group::known(pid),
            stdout,
            stderr,
            end,
        }))
    }

    /// The number of its process group.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.group.leader().as_raw()
    }

    /// Kills it, if it has not ended, and all that it has left in its process group; says how it ended.
    #[must_use]
    pub fn finish(self) -> Ended {
        // Before it is waited for: until then its number is not another's.
        self.group.signal(Signal::SIGKILL);
        match waitpid(self.group.leader(), None) {
            Ok(WaitStatus::Exited(_, code)) => Ended::Exit(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ended::Signal(signal as i32),
            _ => Ended::Signal(Signal::SIGKILL as i32),
        }
    }
}
