//! Runs the programs that a role wants ([`Effect::Run`](crate::role::Effect::Run)), each on a thread of its own, so that
//! the link goes on meanwhile: pings, acknowledgements, the watchdog.
//!
//! A program has a time and a length of output. When its time is over, its whole process group is ended: SIGTERM, and
//! SIGKILL a little later. What it prints beyond that length is dropped, and it runs on. What it leaves running in its
//! process group is ended with it.
//!
//! It gets a new process group, no more of the environment than [`PASSED_ON`] and
//! what the job names, and its standard error goes to the log.

mod child;
mod folder;
mod process;
mod streams;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::engine::{Rules, Start};
use super::thread::spawn_alike;
use crate::mqtt::{Level, QoS, TopicName};
use crate::role::{Failure, Job, Outcome};
use folder::Folder;
use nix::sys::signal::Signal;

/// The environment variables that a program gets of this program's own.
pub const PASSED_ON: [&str; 9] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR",
];

/// How programs are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramOptions {
    /// Where they are. A program is an executable file in it whose name does not begin with a dot.
    pub folder: PathBuf,
    /// How long one may run.
    pub time: Duration,
    /// How many bytes of its output count, [`MAX_OUTPUT`](Self::MAX_OUTPUT) at most.
    pub output: usize,
    /// How many may run at once.
    pub at_once: usize,
    /// One that may have run when an earlier process ended is not run again.
    pub is_at_most_once: bool,
}

impl ProgramOptions {
    /// How long a program may run, unless it is set otherwise.
    pub const TIME: Duration = Duration::from_secs(10);
    /// How many bytes of output count, unless it is set otherwise.
    pub const OUTPUT: usize = 64 * 1024;
    /// The most that can be set: a reply has room for it, and for why its program failed.
    pub const MAX_OUTPUT: usize = crate::mqtt::MAX_PAYLOAD - 1024;

    /// The programs in this folder, one at a time.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            time: Self::TIME,
            output: Self::OUTPUT,
            at_once: 1,
            is_at_most_once: false,
        }
    }
}

pub use process::{Ended, Process};

/// Runs the program at this path by itself, as a role's program is run, for what it prints.
#[must_use]
pub fn ask(program: &Path, arguments: &[&str]) -> Outcome {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let job = Job {
        program: name.into_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        input: Vec::new(),
        variables: Vec::new(),
        // There is nobody to answer.
        topic: TopicName::of(&Level::known("doctor")),
        qos: QoS::AtMostOnce,
    };
    let start = Start {
        number: 0,
        delivery: 0,
        job: Box::new(job),
    };
    child::run(
        program,
        &start,
        ProgramOptions::TIME,
        ProgramOptions::OUTPUT,
    )
}

/// From SIGTERM to SIGKILL at the end of a run, which has waited already.
const LAST_GRACE: Duration = Duration::from_millis(200);

type Wake = Box<dyn Fn() + Send>;

#[derive(Default)]
struct State {
    /// What has ended, and the link has not heard of.
    ended: Vec<(u64, Outcome)>,
    wake: Option<Wake>,
}

/// The programs of a run. They end with it.
pub struct Programs {
    folder: Folder,
    options: ProgramOptions,
    state: Arc<Mutex<State>>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Programs {
    /// The programs of `options`.
    ///
    /// # Errors
    /// When there is no such folder; when others than its owner can write it, or one of the programs, or put another
    /// folder in its place: they could make this process run anything.
    pub fn open(options: ProgramOptions) -> Result<Self, Failure> {
        Ok(Self {
            folder: Folder::open(&options.folder)?,
            options,
            state: Arc::default(),
        })
    }

    /// The names of the programs there are now, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.folder.names()
    }

    pub(super) fn rules(&self) -> Rules {
        Rules {
            at_once: self.options.at_once,
            is_at_most_once: self.options.is_at_most_once,
        }
    }

    /// Whether there is such a program; otherwise what the role is to hear of it.
    pub(super) fn look(&self, job: &Job) -> Result<(), Outcome> {
        self.folder.program(&job.program).map(|_| ())
    }

    /// Starts a program. When it has ended, [`Programs::next`] has what came of it.
    pub(super) fn start(&self, start: Start) {
        let number = start.number;
        let program = match self.folder.program(&start.job.program) {
            Ok(program) => program,
            Err(outcome) => return end(&self.state, number, outcome),
        };
        let state = Arc::clone(&self.state);
        let (time, output) = (self.options.time, self.options.output);
        let run = move || {
            let outcome = child::run(&program, &start, time, output);
            end(&state, number, outcome);
        };
        if let Err(error) = spawn_alike(Box::new(run)) {
            let outcome = Outcome::failed(format!("there is no thread for it: {error}"));
            end(&self.state, number, outcome);
        }
    }

    /// A program that has ended.
    pub(super) fn next(&self) -> Option<(u64, Outcome)> {
        let mut state = locked(&self.state);
        match state.ended.is_empty() {
            true => None,
            false => Some(state.ended.remove(0)),
        }
    }

    /// Sets what is called when a program has ended, on another thread.
    pub(super) fn set_wake(&self, wake: impl Fn() + Send + 'static) {
        locked(&self.state).wake = Some(Box::new(wake));
    }
}

fn end(state: &Mutex<State>, number: u64, outcome: Outcome) {
    let mut state = locked(state);
    state.ended.push((number, outcome));
    if let Some(wake) = &state.wake {
        wake();
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        child::signal_all(Signal::SIGTERM);
        let until = Instant::now() + LAST_GRACE;
        while child::any() && Instant::now() < until {
            std::thread::sleep(LAST_GRACE / 10);
        }
        end_all();
    }
}

/// Ends every program that this process runs, at once. It is for the end of the process, whatever its reason.
pub fn end_all() {
    child::signal_all(Signal::SIGKILL);
}
