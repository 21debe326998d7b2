//! One program from its start to its end.
//!
//! It is started by posix_spawn(3), as std's `Command` does it, but with all signals let through: this program blocks
//! SIGTERM, SIGINT and SIGHUP in its threads, and a process that `Command` starts inherits that (signal(7)). SIGTERM could
//! not end such a program, nor what it starts: `timeout 5 sensor` would hang with a sensor that hangs.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{info, warn};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::PASSED_ON;
use super::streams::{Printed, Streams, without_line_feed};
use crate::Seconds;
use crate::link::engine::Start;
use crate::link::thread::spawn_alike;
use crate::mqtt::printable;
use crate::role::Outcome;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long what a program starts on its way out has to leave its process group, which is ended then.
const HEAD_START: Duration = Duration::from_millis(100);

/// The process groups of the programs that run.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

pub fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process group of a program that runs. Dropped, it is killed.
pub struct Group(Pid);

/// Whether any program runs.
pub fn any() -> bool {
    !groups().is_empty()
}

/// Sends every program that runs this signal, and all that it has started.
pub fn signal_all(signal: Signal) {
    for group in groups().iter() {
        // Fails where nothing of it is left.
        let _ = killpg(*group, signal);
    }
}

impl Group {
    fn of(leader: Pid) -> Self {
        groups().push(leader);
        Self::known(leader)
    }

    /// One that is among [`groups`] already.
    pub fn known(leader: Pid) -> Self {
        Self(leader)
    }

    pub fn leader(&self) -> Pid {
        self.0
    }

    /// Whether there is a process of it, which may have ended and not been waited for.
    fn is_there(&self) -> bool {
        killpg(self.0, None).is_ok()
    }

    pub fn signal(&self, signal: Signal) {
        // Fails where nothing of it is left.
        let _ = killpg(self.0, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        groups().retain(|group| *group != self.0);
    }
}

/// Runs `program` for as long as `time`, and keeps `output` bytes of what it prints.
pub fn run(program: &Path, start: &Start, time: Duration, output: usize) -> Outcome {
    let name = printable(start.job.program.as_bytes()).to_string();
    let cannot = |why: &dyn std::fmt::Display| Outcome::failed(format!("it cannot be run: {why}"));
    // First: without it nothing would tell of the program's end.
    let (watch, end) = match watch() {
        Ok(watch) => watch,
        Err(error) => return cannot(&error.desc()),
    };
    info!("running {name}, delivery {:016x}", start.delivery);
    let began = Instant::now();
    let (pid, mut streams) = match begin(program, start, end, output, &name) {
        Ok(begun) => begun,
        Err(Errno::ENOEXEC) => {
            return cannot(&"Exec format error (does its first line begin with #! ?)");
        }
        Err(error) => return cannot(&error.desc()),
    };
    let group = Group::of(pid);
    // It waits for that alone.
    let _ = watch.send(pid);
    let was_ended = follow(&group, &mut streams, &name, began.checked_add(time));
    let status = leave(group, &mut streams);
    let Printed { bytes, more } = streams.into_printed();
    let took = Seconds(began.elapsed());
    if more > 0 {
        warn!("{name} printed {more} bytes more than its limit of {output}: they are cut off");
    }
    let answer = without_line_feed(bytes);
    let why = match status {
        _ if was_ended => format!("time limit of {} s", Seconds(time)),
        Ok(WaitStatus::Exited(_, 0)) => {
            info!("{name} ended after {took} s");
            return Outcome::Done(answer);
        }
        Ok(WaitStatus::Exited(_, code)) => format!("exit code {code}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => format!("signal {}", signal as i32),
        _ => "unknown end".to_owned(),
    };
    info!("{name} ended after {took} s: {why}");
    Outcome::Failed {
        why,
        printed: answer,
    }
}

/// Waits for the end of the program. When its time is over, ends it with all that it has started. Says whether that was so.
fn follow(group: &Group, streams: &mut Streams, name: &str, until: Option<Instant>) -> bool {
    if streams.serve(until, Streams::has_ended) {
        return false;
    }
    warn!("{name}: its time is over, ending it");
    group.signal(Signal::SIGTERM);
    if !streams.serve(Instant::now().checked_add(GRACE), Streams::has_ended) {
        group.signal(Signal::SIGKILL);
        // Nothing survives that; but a file system that hangs may hold it up.
        let _ = streams.serve(Instant::now().checked_add(GRACE), Streams::has_ended);
    }
    true
}

/// The program has ended: what it has printed is read, and what it has left in its process group is ended. What has left
/// the group goes on; nothing waits for its output.
fn leave(group: Group, streams: &mut Streams) -> nix::Result<WaitStatus> {
    let status = waitpid(group.0, None);
    streams.drain();
    // The group keeps its number as long as there is one of it.
    if group.is_there()
        && !streams.serve(Instant::now().checked_add(HEAD_START), Streams::are_closed)
        && group.is_there()
    {
        group.signal(Signal::SIGTERM);
        let until = Instant::now().checked_add(GRACE);
        while group.is_there()
            && !streams.serve(soon(until), Streams::are_closed)
            && !is_over(until)
        {}
    }
    drop(group);
    streams.drain();
    status
}

/// How often a group is asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn soon(until: Option<Instant>) -> Option<Instant> {
    let soon = Instant::now().checked_add(LOOK_AGAIN);
    soon.into_iter().chain(until).min()
}

fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until <= Instant::now())
}

/// Both ends of a pipe, which no other program inherits.
pub fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    return nix::unistd::pipe2(OFlag::O_CLOEXEC);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        let (read, write) = nix::unistd::pipe()?;
        for end in [&read, &write] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        Ok((read, write))
    }
}

fn begin(
    program: &Path,
    start: &Start,
    end: OwnedFd,
    output: usize,
    name: &str,
) -> nix::Result<(Pid, Streams)> {
    let job = &start.job;
    let text = |text: &[u8]| CString::new(text).map_err(|_| Errno::EINVAL);
    let program = text(program.as_os_str().as_bytes())?;
    let mut arguments = vec![program.clone()];
    for argument in &job.arguments {
        arguments.push(text(argument.as_bytes())?);
    }
    let mut variables = vec![text(
        format!("DELIVERY_ID={:016x}", start.delivery).as_bytes(),
    )?];
    for (name, value) in &job.variables {
        variables.push(text(format!("{name}={value}").as_bytes())?);
    }
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            variables.push(text(&[name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
    }
    let mut files = PosixSpawnFileActions::init()?;
    let stdin = match job.input.is_empty() {
        true => {
            files.add_open(0, "/dev/null", OFlag::O_RDONLY, Mode::empty())?;
            None
        }
        false => {
            let (theirs, ours) = pipe()?;
            files.add_dup2(theirs.as_raw_fd(), 0)?;
            Some((theirs, ours))
        }
    };
    let (stdout, their_stdout) = pipe()?;
    let (stderr, their_stderr) = pipe()?;
    files.add_dup2(their_stdout.as_raw_fd(), 1)?;
    files.add_dup2(their_stderr.as_raw_fd(), 2)?;
    let pid = posix_spawn(
        program.as_c_str(),
        &files,
        &attributes()?,
        &arguments,
        &variables,
    )?;
    let stdin = stdin.map(|(_, ours)| (ours, job.input.clone()));
    Ok((pid, Streams::new(stdin, stdout, stderr, end, output, name)))
}

/// A process group of its own, all signals let through, and each as a new process has it.
pub fn attributes() -> nix::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&SigSet::empty())?;
    // Rust's runtime ignores it.
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    Ok(attributes)
}

/// A thread that waits for the end of the process whose number it is given. The file that this returns is at its end then.
pub fn watch() -> nix::Result<(Sender<Pid>, OwnedFd)> {
    let (end, held) = pipe()?;
    let (sender, pid) = mpsc::channel();
    let wait = move || {
        if let Ok(pid) = pid.recv() {
            wait_for_end(pid);
        }
        drop(held);
    };
    spawn_alike(Box::new(wait)).map_err(|_| Errno::EAGAIN)?;
    Ok((sender, end))
}

/// Waits for the end of a process, and leaves its number to it: a signal for its group must not hit another one.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn wait_for_end(pid: Pid) {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let how = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid), how) == Err(Errno::EINTR) {}
}

/// The same where nix cannot wait so: the number may become free before the rest of the group is ended.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn wait_for_end(pid: Pid) {
    while waitpid(pid, None) == Err(Errno::EINTR) {}
}
