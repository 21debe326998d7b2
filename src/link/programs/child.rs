//! One program from its start to its end.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{info, warn};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::output::{Printed, keep, log, without_line_feed};
use super::{PASSED_ON, launch};
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
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process group of a program that runs. Dropped, it is killed.
struct Group(i32);

/// Whether any program runs.
pub fn any() -> bool {
    !groups().is_empty()
}

/// Sends every program that runs this signal, and all that it has started.
pub fn signal_all(signal: Signal) {
    for group in groups().iter() {
        // Fails where nothing of it is left.
        let _ = killpg(Pid::from_raw(*group), signal);
    }
}

impl Group {
    fn of(child: &Child) -> Self {
        let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
        groups().insert(group);
        Self(group)
    }

    fn signal(&self, signal: Signal) {
        // Fails where nothing of it is left.
        let _ = killpg(Pid::from_raw(self.0), signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        groups().remove(&self.0);
    }
}

/// Runs `program` in `folder`, for as long as `time`, and keeps `output` bytes of what it prints.
pub fn run(folder: &Path, program: &Path, start: &Start, time: Duration, output: usize) -> Outcome {
    let name = printable(start.job.program.as_bytes()).to_string();
    info!("running {name}, delivery {:016x}", start.delivery);
    let began = Instant::now();
    let ended = begin(folder, program, start).and_then(|mut child| {
        let until = began.checked_add(time);
        let ended = follow(&mut child, start, &name, until, output);
        // Only now is its number free for another process.
        child.wait().map(|status| (status, ended))
    });
    let (status, Followed { printed, was_ended }) = match ended {
        Ok(ended) => ended,
        Err(error) => return Outcome::failed(format!("it cannot be run: {error}")),
    };
    let took = Seconds(began.elapsed());
    if printed.more > 0 {
        warn!(
            "{name} printed {} bytes more than its limit of {output}: they are cut off",
            printed.more
        );
    }
    let answer = without_line_feed(printed.bytes);
    let why = match was_ended {
        true => format!("time limit of {} s", Seconds(time)),
        false if status.success() => {
            info!("{name} ended after {took} s");
            return Outcome::Done(answer);
        }
        false => said(status),
    };
    info!("{name} ended after {took} s: {why}");
    Outcome::Failed {
        why,
        printed: answer,
    }
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}

fn begin(folder: &Path, program: &Path, start: &Start) -> std::io::Result<Child> {
    let job = &start.job;
    let passed_on = PASSED_ON.iter().filter_map(|name| {
        let value = std::env::var_os(name)?;
        Some((name, value))
    });
    let mut command = launch::command(program);
    command
        .args(&job.arguments)
        .env_clear()
        .envs(passed_on)
        .env(launch::MARK, "1")
        .envs(job.variables.iter().map(|(name, value)| (name, value)))
        .env("DELIVERY_ID", format!("{:016x}", start.delivery))
        .current_dir(folder)
        .process_group(0)
        .stdin(match job.input.is_empty() {
            true => Stdio::null(),
            false => Stdio::piped(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

struct Followed {
    printed: Printed,
    was_ended: bool,
}

/// Waits for the end of the program and of its output. When its time is over, ends it with all that it has started.
fn follow(
    child: &mut Child,
    start: &Start,
    name: &str,
    until: Option<Instant>,
    output: usize,
) -> Followed {
    let group = Group::of(child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = start.job.input.clone();
    let log_name = name.to_owned();
    if let Some(mut stdin) = stdin {
        // It fails where the program ends without reading all of it.
        let _ = thread(move || stdin.write_all(&input));
    }
    let stderr = thread(move || stderr.map(|stderr| log(stderr, &log_name)));
    let stdout = thread(move || {
        stdout
            .map(|stdout| keep(stdout, output))
            .unwrap_or_default()
    });
    let end = End::of(child);
    let mut was_ended = false;
    if !end.comes(child, until) {
        was_ended = true;
        warn!("{name}: its time is over, ending it");
        group.signal(Signal::SIGTERM);
        if !end.comes(child, Instant::now().checked_add(GRACE)) {
            group.signal(Signal::SIGKILL);
            // Nothing survives that; but a file system that hangs may hold it up.
            let _ = end.comes(child, Instant::now().checked_add(GRACE));
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

/// A thread of the same name as this one: the log names the run by it.
pub fn like_this() -> std::thread::Builder {
    let this = std::thread::current();
    std::thread::Builder::new().name(this.name().unwrap_or_default().to_owned())
}

/// Runs `work` on another thread. Where there is none, it has come to its end.
fn thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    if let Err(error) = like_this().spawn(move || sender.send(work())) {
        warn!("there is no thread for a program: {error}");
    }
    receiver
}

/// The end of a process, which leaves its number to it: a signal for its group must not hit another one.
#[cfg(target_os = "linux")]
struct End(Receiver<()>);

#[cfg(target_os = "linux")]
impl End {
    fn of(child: &Child) -> Self {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Self(thread(move || {
            let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let waits =
                |pid| waitid(WaitId::Pid(pid), how).is_err_and(|e| e == rustix::io::Errno::INTR);
            while pid.is_some_and(waits) {}
        }))
    }

    /// Whether it comes until then.
    fn comes(&self, _: &mut Child, until: Option<Instant>) -> bool {
        self.0.recv_timeout(left(until)) != Err(mpsc::RecvTimeoutError::Timeout)
    }
}

/// The same where rustix cannot wait so: it looks again and again.
#[cfg(not(target_os = "linux"))]
struct End;

#[cfg(not(target_os = "linux"))]
impl End {
    fn of(_: &Child) -> Self {
        Self
    }

    fn comes(&self, child: &mut Child, until: Option<Instant>) -> bool {
        while matches!(child.try_wait(), Ok(None)) {
            if left(until).is_zero() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}
