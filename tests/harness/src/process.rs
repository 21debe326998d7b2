//! A child process: what it says, line by line, what it is sent, and how it ends, never hanging.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// After this, what has not happened will not: it keeps a broken program from hanging the tests, and
/// says nothing about how fast a right one is.
pub const GUARD: Duration = Duration::from_secs(60);

/// Between two looks at a child that has closed its outputs and is about to end.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The file of the program under test. Cargo (1.94 and newer) names it to the tests that it runs; for
/// others, and for a test that a debugger runs, it lies one folder above the test itself.
pub fn program() -> PathBuf {
    let named = std::env::var_os("CARGO_BIN_EXE_mqtt_client");
    let above = || {
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(2).unwrap().join("mqtt_client")
    };
    named.map_or_else(above, PathBuf::from)
}

/// Where no broker is: a port of the loopback interface on which, unlike on one that has just become free, no
/// process listens.
pub const NO_BROKER: [&str; 4] = ["-h", "127.0.0.1", "-p", "1"];

/// The program under test, without what the developer's own environment would tell it.
pub fn mqtt_client<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program());
    command.args(args).env_remove("RUST_LOG");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MQTT_CLIENT_") {
            command.env_remove(name);
        }
    }
    command
}

/// The same command, started by `wrapper`: its program and its arguments become the wrapper's last
/// arguments, and its environment the wrapper's.
pub fn through(mut wrapper: Command, command: &Command) -> Command {
    wrapper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(name, value),
            None => wrapper.env_remove(name),
        };
    }
    wrapper
}

/// The same command, started by the shell with this script, in which `"$@"` stands for it.
pub fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]);
    through(shell, command)
}

/// Runs a command to its end, with nothing on its standard input.
pub fn run(command: Command) -> Ended {
    let mut process = Process::start(command);
    process.close_stdin();
    process.end()
}

/// A running child. Killed when it is dropped.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
}

/// How a child ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a command; its three standard streams are ours.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdin: child.stdin.take(),
            stdout: Output::read(child.stdout.take().unwrap()),
            stderr: Output::read(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Writes to its standard input.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until a line of its standard output contains `text`.
    pub fn wait_for_stdout(&self, text: &str) -> String {
        self.wait_in_stdout(text, |said| line_with(said, text))
    }

    /// Waits until a line of its standard error contains `text`.
    pub fn wait_for_stderr(&self, text: &str) -> String {
        self.wait_in_stderr(text, |said| line_with(said, text))
    }

    /// Waits until `found` finds in its standard error what is called `what`.
    pub fn wait_in_stderr<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        self.or_panic(self.stderr.wait(found), what)
    }

    /// Waits until `found` finds in its standard output what is called `what`.
    pub fn wait_in_stdout<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        self.or_panic(self.stdout.wait(found), what)
    }

    fn or_panic<T>(&self, found: Option<T>, what: &str) -> T {
        found.unwrap_or_else(|| {
            panic!(
                "`{what}` did not come\nstdout: {}\nstderr: {}",
                self.stdout.so_far(),
                self.stderr.so_far()
            )
        })
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Sends it a signal: TERM, INT.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Waits for its end, whatever its standard input.
    pub fn end(mut self) -> Ended {
        let guard = Instant::now() + GUARD;
        let stdout = self.stdout.to_end();
        let stderr = self.stderr.to_end();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() >= guard => {
                    panic!("it does not end\nstdout: {stdout}\nstderr: {stderr}")
                }
                None => std::thread::sleep(LOOK_AGAIN),
            }
        };
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first whole line that contains `text`.
pub fn line_with(said: &str, text: &str) -> Option<String> {
    said.split_inclusive('\n')
        .find(|line| line.ends_with('\n') && line.contains(text))
        .map(str::to_owned)
}

/// What a child has written to one of its outputs.
#[derive(Default)]
struct Output {
    state: Mutex<Written>,
    more: Condvar,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    /// Reads all along, so that the child never waits for a reader.
    fn read(mut from: impl Read + Send + 'static) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let written = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let size = from.read(&mut buffer).unwrap_or(0);
                let mut state = written.state.lock().unwrap();
                state.bytes.extend_from_slice(&buffer[..size]);
                state.ended = size == 0;
                written.more.notify_all();
                if state.ended {
                    break;
                }
            }
        });
        output
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().unwrap().bytes).into_owned()
    }

    /// Waits until `found` finds something; `None` when the output or the guard ends first.
    fn wait<T>(&self, found: impl Fn(&str) -> Option<T>) -> Option<T> {
        let guard = Instant::now() + GUARD;
        let mut state = self.state.lock().unwrap();
        loop {
            let seen = found(&String::from_utf8_lossy(&state.bytes));
            let left = guard.saturating_duration_since(Instant::now());
            if seen.is_some() || state.ended || left.is_zero() {
                return seen;
            }
            state = self.more.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Everything, when it has ended.
    fn to_end(&self) -> String {
        let guard = Instant::now() + GUARD;
        let mut state = self.state.lock().unwrap();
        while !state.ended {
            let left = guard.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "it does not end; it said: {}",
                String::from_utf8_lossy(&state.bytes)
            );
            state = self.more.wait_timeout(state, left).unwrap().0;
        }
        String::from_utf8_lossy(&state.bytes).into_owned()
    }
}
