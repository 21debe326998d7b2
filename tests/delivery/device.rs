//! The program as a device with a state folder, killed and started again, and what it says each time.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mqtt_client::mqtt::QoS;

use crate::controller::GUARD;
use harness::folder::Folder;
use harness::process::mqtt_client;

/// Between two looks at it.
pub const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Where it writes to.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    Stdout,
    Stderr,
}

/// A device, its files, and its processes, of which there is one after the other.
pub struct Device {
    folder: Folder,
    port: u16,
    user_id: String,
    qos: QoS,
    lives: u32,
    /// How many of them began without a session to go on with.
    anew: usize,
    child: Option<Child>,
}

impl Device {
    /// One that answers CMD1 with `word 1`, and so on; to be started.
    pub fn new(port: u16, user_id: &str, qos: QoS, commands: usize) -> Self {
        let folder = Folder::new();
        let table: String = (1..=commands)
            .map(|n| format!("CMD{n}=word {n}\n"))
            .collect();
        fs::write(folder.path().join("replies"), table).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self {
            folder,
            port,
            user_id: user_id.to_owned(),
            qos,
            lives: 0,
            anew: 0,
            child: None,
        }
    }

    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// How often it was started.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// How often it was started without a session to go on with.
    pub fn anew(&self) -> usize {
        self.anew
    }

    pub fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn state_file(&self) -> PathBuf {
        self.state_folder().join("journal")
    }

    /// Begins its next life.
    pub fn start(&mut self) {
        self.lives += 1;
        let journal = fs::read(self.state_file()).unwrap_or_default();
        // The name under which it remembers its UNIQUE ID.
        let is_in_session = journal.windows(7).any(|name| name == b"session");
        self.anew += usize::from(!is_in_session);
        let file = |output| File::create(self.file(output, self.lives)).unwrap();
        let (port, qos) = (self.port.to_string(), self.qos.level().to_string());
        let connection = ["-h", "127.0.0.1", "-p", &port, "--reconnect-delay", "0.05"];
        let child = mqtt_client(connection)
            .args(["-v", "-q", &qos, "device", &self.user_id])
            .arg("--replies")
            .arg(self.folder.path().join("replies"))
            .arg("--state-dir")
            .arg(self.state_folder())
            .stdin(Stdio::null())
            .stdout(file(Output::Stdout))
            .stderr(file(Output::Stderr))
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn file(&self, output: Output, life: u32) -> PathBuf {
        self.folder.path().join(format!("{output:?}-{life}"))
    }

    /// What it has said in this life.
    pub fn said(&self, output: Output) -> String {
        fs::read_to_string(self.file(output, self.lives)).unwrap()
    }

    /// What it has said on standard error in all of its lives.
    pub fn story(&self) -> String {
        (1..=self.lives)
            .map(|life| {
                let said = fs::read_to_string(self.file(Output::Stderr, life)).unwrap();
                format!("-- life {life}\n{said}")
            })
            .collect()
    }

    /// Waits until it has said `text` in this life.
    pub fn await_words(&self, output: Output, text: &str) {
        self.wait(text, || self.said(output).contains(text).then_some(()));
    }

    fn wait<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> T {
        let guard = Instant::now() + GUARD;
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < guard, "{what}: {}", self.story());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// How it ended by itself, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().unwrap())
    }

    /// Waits for the end of this life.
    pub fn end(&mut self) -> ExitStatus {
        let guard = Instant::now() + GUARD;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < guard, "no end: {}", self.story());
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill();
    }
}
