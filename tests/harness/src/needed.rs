//! What a test needs besides Rust, and whether it is there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Something that a test needs and that a package of the system or of Python brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    name: &'static str,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A program that the shell finds.
    Program(&'static str),
    /// A file below one of the system's folders for libraries.
    Library(&'static str),
    /// The Python that can import paho.
    PythonWithPaho,
    /// A package of npm, below `target/aedes/node_modules`.
    Npm(&'static str),
    /// The script that becomes the broker: the one that the shell finds changes the user.
    RabbitMq,
}

impl Needed {
    const fn program(name: &'static str) -> Self {
        let place = Place::Program(name);
        Self { name, place }
    }
}

/// The broker; Debian's package mosquitto.
pub const MOSQUITTO: Needed = Needed::program("mosquitto");
/// Its plugin that can refuse a subscription.
pub const DYNAMIC_SECURITY: Needed = Needed {
    name: "mosquitto's plugin dynamic_security",
    place: Place::Library("mosquitto_dynamic_security.so"),
};
/// The program that writes its password files.
pub const MOSQUITTO_PASSWD: Needed = Needed::program("mosquitto_passwd");
/// The client that publishes; Debian's package mosquitto-clients.
pub const MOSQUITTO_PUB: Needed = Needed::program("mosquitto_pub");
/// The client that asks and waits for the answer.
pub const MOSQUITTO_RR: Needed = Needed::program("mosquitto_rr");
/// Python 3 with paho.
pub const PAHO: Needed = Needed {
    name: "paho for python3 (pip install paho-mqtt)",
    place: Place::PythonWithPaho,
};
/// Python 3; its standard library is enough.
pub const PYTHON: Needed = Needed::program("python3");
/// The library that shows a program another time; Debian's package faketime.
pub const FAKETIME: Needed = Needed {
    name: "libfaketime",
    place: Place::Library("faketime/libfaketime.so.1"),
};
/// Makes certificates; Debian's package openssl.
pub const OPENSSL: Needed = Needed::program("openssl");
/// The broker of Debian's package rabbitmq-server, which brings the MQTT plugin.
pub const RABBITMQ: Needed = Needed {
    name: "rabbitmq-server",
    place: Place::RabbitMq,
};
/// The broker of Debian's package nats-server.
pub const NATS: Needed = Needed::program("nats-server");
/// Runs aedes.
pub const NODE: Needed = Needed::program("node");
/// The broker aedes of today; `.ci/run` installs it.
pub const AEDES: Needed = Needed {
    name: "aedes (npm)",
    place: Place::Npm("aedes"),
};
/// The aedes that Node-RED's broker is made of.
pub const AEDES_0_51: Needed = Needed {
    name: "aedes 0.51 (npm)",
    place: Place::Npm("aedes-0.51"),
};
/// Starts the broker of Debian's package ejabberd.
pub const EJABBERD: Needed = Needed::program("ejabberdctl");
/// Runs RabbitMQ and ejabberd.
pub const ERLANG: Needed = Needed::program("erl");
/// Where Erlang's nodes find each other; RabbitMQ does not start without.
pub const EPMD: Needed = Needed::program("epmd");
/// The broker amqtt (pip install amqtt).
pub const AMQTT: Needed = Needed::program("amqtt");
/// The broker rumqttd (cargo install rumqttd).
pub const RUMQTTD: Needed = Needed::program("rumqttd");
/// The proxy of Debian's package haproxy.
pub const HAPROXY: Needed = Needed::program("haproxy");
/// The proxy of Debian's package nginx.
pub const NGINX: Needed = Needed::program("nginx");
/// Its part for TCP; Debian's package libnginx-mod-stream.
pub const NGINX_STREAM: Needed = Needed {
    name: "nginx's module stream",
    place: Place::Library("nginx/modules/ngx_stream_module.so"),
};
/// The TLS proxy of Debian's package stunnel4.
pub const STUNNEL: Needed = Needed::program("stunnel4");
/// The browser; Debian's package chromium.
pub const CHROMIUM: Needed = Needed::program("chromium");
/// The shells whose completions are tried; Debian's packages of the same names.
pub const BASH: Needed = Needed::program("bash");
/// See [`BASH`].
pub const FISH: Needed = Needed::program("fish");
/// See [`BASH`].
pub const ZSH: Needed = Needed::program("zsh");
/// Reads and rates units; Debian's package systemd.
pub const SYSTEMD_ANALYZE: Needed = Needed::program("systemd-analyze");

impl Needed {
    /// Its file, if it is there.
    pub fn find(self) -> Option<PathBuf> {
        match self.place {
            Place::Program(name) => program(name),
            Place::Library(name) => library(name),
            Place::PythonWithPaho => python_with_paho(),
            Place::Npm(name) => {
                let modules = "../../target/aedes/node_modules";
                let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join(modules);
                Some(modules.join(name)).filter(|folder| folder.is_dir())
            }
            Place::RabbitMq => rabbitmq(),
        }
    }

    /// Its file.
    ///
    /// # Panics
    /// Where it is missing, which the test was to ask [`missing`] before.
    pub fn path(self) -> PathBuf {
        self.find()
            .unwrap_or_else(|| panic!("not installed: {}", self.name))
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
        .filter(|needed| needed.find().is_none())
        .map(|needed| needed.name)
        .collect();
    if absent.is_empty() {
        return false;
    }
    let absent = absent.join(", ");
    let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci, "not installed: {absent}");
    not_run(&format!("not installed: {absent}"));
    true
}

/// Says on standard error, past libtest's capture, that the calling test is not run, and why.
#[track_caller]
pub fn not_run(why: &str) {
    let test =
        crate::repeat::test_name().unwrap_or_else(|| std::panic::Location::caller().to_string());
    let line = format!("NOT RUN: {test}: {}\n", why.trim_end());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Where the shell would find it. An ordinary user's PATH lacks the administrators' folders.
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

fn rabbitmq() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib").ok()?;
    versions
        .flatten()
        .map(|version| version.path().join("sbin/rabbitmq-server"))
        .find(|file| file.is_file())
}

/// Python is asked once: importing paho takes a while.
fn python_with_paho() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let python = PYTHON.find()?;
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
