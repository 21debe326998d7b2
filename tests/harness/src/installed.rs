//! What a test needs besides Rust, and whether it is there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Something that Debian's packages mosquitto, mosquitto-clients and faketime, or PyPI's paho-mqtt, bring.
#[derive(Clone, Copy)]
pub enum Needed {
    /// The broker.
    Mosquitto,
    /// Its plugin that can refuse a subscription.
    DynamicSecurity,
    /// The program that writes its password files.
    MosquittoPasswd,
    /// The client that publishes.
    MosquittoPub,
    /// The client that asks and waits for the answer.
    MosquittoRr,
    /// Python 3 with paho.
    Paho,
    /// The library that shows a program another time; Debian's package faketime.
    Faketime,
}

use Needed::{
    DynamicSecurity, Faketime, Mosquitto, MosquittoPasswd, MosquittoPub, MosquittoRr, Paho,
};

impl Needed {
    /// Its file, if it is there.
    pub fn path(self) -> Option<PathBuf> {
        match self {
            Mosquitto => program("mosquitto"),
            MosquittoPasswd => program("mosquitto_passwd"),
            MosquittoPub => program("mosquitto_pub"),
            MosquittoRr => program("mosquitto_rr"),
            DynamicSecurity => library("mosquitto_dynamic_security.so"),
            Paho => python_with_paho(),
            Faketime => library("faketime/libfaketime.so.1"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Mosquitto => "mosquitto",
            MosquittoPasswd => "mosquitto_passwd",
            MosquittoPub => "mosquitto_pub",
            MosquittoRr => "mosquitto_rr",
            DynamicSecurity => "mosquitto's plugin dynamic_security",
            Paho => "paho for python3 (pip install paho-mqtt)",
            Faketime => "libfaketime",
        }
    }
}

/// Whether the calling test cannot be run here. Says so on standard error, past libtest's capture.
///
/// # Panics
/// With `CI=true`, where nothing may be missing.
#[track_caller]
pub fn missing(needed: &[Needed]) -> bool {
    let absent: Vec<_> = needed
        .iter()
        .filter(|needed| needed.path().is_none())
        .map(|needed| needed.name())
        .collect();
    if absent.is_empty() {
        return false;
    }
    let absent = absent.join(", ");
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "not installed: {absent}");
    let thread = std::thread::current();
    // With one test at a time libtest runs them all on the thread `main`.
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => std::panic::Location::caller().to_string(),
    };
    let line = format!("NOT RUN: {test}: not installed: {absent}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    true
}

/// Where the shell would find it; administrators' folders too, for those who are none.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn library(name: &str) -> Option<PathBuf> {
    let mut folders = vec![];
    for library in ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Path::new) {
        folders.push(library.to_owned());
        let below = std::fs::read_dir(library).into_iter().flatten().flatten();
        folders.extend(below.map(|entry| entry.path()));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn python_with_paho() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let python = program("python3")?;
        let imported = Command::new(&python)
            .args(["-c", "import paho.mqtt.client"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        imported.ok()?.success().then_some(python)
    };
    FOUND.get_or_init(find).clone()
}
