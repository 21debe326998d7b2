//! One program from its start to its end.
//!
//! It is started by posix_spawn(3), as std's `Command` does it, but with all signals let through: this program blocks
//! SIGTERM, SIGINT and SIGHUP in its threads, and a process that `Command` starts inherits that (signal(7)). SIGTERM could
//! not end such a program, nor what it starts: `timeout 5 sensor` would hang with a sensor that hangs.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
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
use super::output::{Printed, keep, log, without_line_feed};
use crate::Seconds;
use crate::link::engine::Start;
use crate::mqtt::printable;
use crate::role::Outcome;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long what a program has left running may keep its output open, once it has been killed: it may have left the
/// process group.
const LAST_READ: Duration = Duration::from_millis(200);

/// The process groups of the programs that run.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process group of a program that runs. Dropped, it is killed.
struct Group(Pid);

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
        Self(leader)
    }

    fn signal(&self, signal: Signal) {
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
    info!("running {name}, delivery {:016x}", start.delivery);
    let began = Instant::now();
    let child = match begin(program, start) {
        Ok(child) => child,
        Err(error) => {
            let hint = match error {
                Errno::ENOEXEC => " (does its first line begin with #! ?)",
                _ => "",
            };
            return Outcome::failed(format!("it cannot be run: {}{hint}", error.desc()));
        }
    };
    let pid = child.pid;
    let Followed { printed, was_ended } =
        follow(child, start, &name, began.checked_add(time), output);
    // Only now is its number free for another process.
    let status = waitpid(pid, None);
    let took = Seconds(began.elapsed());
    if printed.more > 0 {
        warn!(
            "{name} printed {} bytes more than its limit of {output}: they are cut off",
            printed.more
        );
    }
    let answer = without_line_feed(printed.bytes);
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

/// A program that has been started, and this end of its streams.
struct Child {
    pid: Pid,
    stdin: Option<File>,
    stdout: File,
    stderr: File,
}

/// Both ends of a pipe, which no other program inherits.
fn pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
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

fn begin(program: &Path, start: &Start) -> nix::Result<Child> {
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
    let pid = posix_spawn(
        program.as_c_str(),
        &files,
        &attributes,
        &arguments,
        &variables,
    )?;
    Ok(Child {
        pid,
        stdin: stdin.map(|(_, ours)| ours.into()),
        stdout: stdout.into(),
        stderr: stderr.into(),
    })
}

struct Followed {
    printed: Printed,
    was_ended: bool,
}

/// Waits for the end of the program and of its output. When its time is over, ends it with all that it has started.
fn follow(
    child: Child,
    start: &Start,
    name: &str,
    until: Option<Instant>,
    output: usize,
) -> Followed {
    let Child {
        pid,
        stdin,
        stdout,
        stderr,
    } = child;
    let group = Group::of(pid);
    if let Some(mut stdin) = stdin {
        let input = start.job.input.clone();
        let _ = thread(move || {
            // It fails where the program ends without reading all of it.
            let _ = stdin.write_all(&input);
            Printed::default()
        });
    }
    let log_name = name.to_owned();
    let stderr = thread(move || {
        log(stderr, &log_name);
        Printed::default()
    });
    let stdout = thread(move || keep(stdout, output));
    let end = thread(move || {
        wait_for_end(pid);
        Printed::default()
    });
    let mut was_ended = false;
    if !comes(&end, until) {
        was_ended = true;
        warn!("{name}: its time is over, ending it");
        group.signal(Signal::SIGTERM);
        if !comes(&end, Instant::now().checked_add(GRACE)) {
            group.signal(Signal::SIGKILL);
            // Nothing survives that; but a file system that hangs may hold it up.
            let _ = comes(&end, Instant::now().checked_add(GRACE));
        }
    }
    // What it has left running may go on printing.
    group.signal(Signal::SIGTERM);
    let open_until = Instant::now().checked_add(GRACE);
    let mut printed = stdout.recv_timeout(left(open_until)).ok();
    let _ = stderr.recv_timeout(left(open_until));
    drop(group);
    if printed.is_none() {
        printed = stdout.recv_timeout(LAST_READ).ok();
    }
    Followed {
        printed: printed.unwrap_or_default(),
        was_ended,
    }
}

fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |at| {
        at.saturating_duration_since(Instant::now())
    })
}

/// Runs `work` on a thread of the same name as this one: the log names the run by it. Of one type for every work, or
/// std's code for a thread would be there once for each (3 kB).
///
/// # Errors
/// When the system has no thread for it.
pub fn spawn(work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    let this = std::thread::current();
    let like_this = std::thread::Builder::new().name(this.name().unwrap_or_default().to_owned());
    like_this.spawn(work).map(|_| ())
}

/// Runs `work` on another thread. Where there is none, it has come to its end.
fn thread(work: impl FnOnce() -> Printed + Send + 'static) -> Receiver<Printed> {
    let (sender, receiver) = mpsc::channel();
    let work = Box::new(move || {
        // Whoever waits may have given up.
        let _ = sender.send(work());
    });
    if let Err(error) = spawn(work) {
        warn!("there is no thread for a program: {error}");
    }
    receiver
}

/// Whether what another thread waits for comes until then.
fn comes(other: &Receiver<Printed>, until: Option<Instant>) -> bool {
    !matches!(
        other.recv_timeout(left(until)),
        Err(RecvTimeoutError::Timeout)
    )
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
