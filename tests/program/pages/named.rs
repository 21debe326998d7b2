//! Whether what a command names is there: the program's own command lines, cargo's, scripts, units.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::shell::Command;
use super::sources::texts;
use super::{read, root};

/// Folders of the repository that commands name files in.
const FOLDERS: [&str; 7] = [
    "packaging/",
    "benches/",
    "tests/",
    "docs/",
    "systemd/",
    ".ci/",
    "src/",
];

/// Programs of others, of which nothing is checked: a slip in the name of one of ours is none of them.
const FOREIGN: [&str; 29] = [
    "apt",
    "apt-get",
    "awk",
    "cat",
    "cd",
    "chmod",
    "chown",
    "cp",
    "cross",
    "echo",
    "getent",
    "hostnamectl",
    "ip",
    "ls",
    "mkdir",
    "mosquitto_passwd",
    "mosquitto_sub",
    "nano",
    "nc",
    "npm",
    "perf",
    "ping",
    "pip",
    "rustup",
    "scp",
    "systemd-analyze",
    "tail",
    "tee",
    "timedatectl",
];

/// cargo's own commands, as far as the pages name them; aliases are in .cargo/config.toml.
const CARGO: [&str; 10] = [
    "bench", "build", "check", "clippy", "doc", "fmt", "install", "publish", "run", "test",
];

/// Commands that others have added to cargo, of which nothing more is checked.
const PLUGINS: [&str; 2] = ["deny", "semver-checks"];

/// Whether a span of code in the text is a whole command, and not a word of one.
pub fn is_command(span: &str) -> bool {
    let without_variables = span.split(' ').find(|word| {
        !word
            .split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    });
    let first = without_variables.unwrap_or_default();
    let is_script = FOLDERS.iter().any(|folder| first.starts_with(folder)) && !is_pattern(first);
    let with_more = [
        "mqtt_client",
        "cargo",
        "sudo",
        "python3",
        "systemctl",
        "journalctl",
    ];
    is_script || with_more.contains(&first) && span.contains(' ') && !span.contains('…')
}

/// Whether it stands for many words: `packaging/*`, `src/<name>/mod.rs`.
fn is_pattern(word: &str) -> bool {
    word.contains(['*', '…', '<'])
}

/// Says what is not there.
pub fn check(command: &Command) -> Result<(), String> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["sudo", rest @ ..] => rest,
        all => all,
    };
    check_variables(&command.variables)?;
    for word in words {
        check_word(word)?;
    }
    match words {
        ["mqtt_client", arguments @ ..] => parse(arguments),
        ["cargo", arguments @ ..] => cargo(arguments),
        ["python3", "-m", ..] => Ok(()),
        ["python3", script, ..] if Path::new(script).is_relative() => exists(script),
        ["systemctl" | "journalctl", arguments @ ..] => {
            arguments.iter().try_for_each(|word| unit(word))
        }
        [script, ..] if script.contains('/') => match is_executable(script) {
            // A span that names a file of the sources is no command.
            false if words.len() == 1 && root().join(script).exists() => Ok(()),
            false => Err(format!("{script} is no executable file")),
            true => Ok(()),
        },
        [name, ..] if FOREIGN.contains(name) => Ok(()),
        [name, ..] => Err(format!("what is {name}?")),
        [] => Ok(()),
    }
}

fn parse(arguments: &[&str]) -> Result<(), String> {
    let arguments = arguments.iter().map(OsString::from);
    let parsed = mqtt_client::cli::parse(arguments, &|_| None);
    parsed.map(|_| ()).map_err(|failure| failure.text)
}

fn exists(path: &str) -> Result<(), String> {
    match root().join(path).exists() {
        true => Ok(()),
        false => Err(format!("there is no {path}")),
    }
}

fn is_executable(path: &str) -> bool {
    let metadata = fs::metadata(root().join(path));
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Files of the repository, and those of the package.
fn check_word(word: &str) -> Result<(), String> {
    let word = word.trim_end_matches(['.', ',']);
    if FOLDERS.iter().any(|folder| word.starts_with(folder)) && !is_pattern(word) {
        exists(word)?;
    }
    let manifest = || read("Cargo.toml");
    if let Some(name) = word.strip_prefix("/usr/share/doc/mqtt-client/examples/") {
        let asset = format!("[\"systemd/{name}\", \"usr/share/doc/mqtt-client/examples/\"");
        if !manifest().contains(&asset) {
            return Err(format!("the package has no {word}"));
        }
    }
    if word.ends_with(".deb") {
        let name = format!("./mqtt-client_{}-1_", env!("CARGO_PKG_VERSION"));
        let arch = word
            .strip_prefix(&*name)
            .and_then(|rest| rest.strip_suffix(".deb"));
        if !arch.is_some_and(|arch| read("packaging/deb").contains(&format!("TARGET_OF_{arch}="))) {
            return Err(format!("packaging/deb makes no {word}"));
        }
    }
    Ok(())
}

/// The variables that steer tests are those of tests/README.md.
fn check_variables(variables: &[String]) -> Result<(), String> {
    for variable in variables {
        let (name, _) = variable.split_once('=').unwrap_or((variable, ""));
        let is_test = name.starts_with("TEST_");
        if is_test && !read("tests/README.md").contains(&format!("| `{name}` |")) {
            return Err(format!("tests/README.md does not know {name}"));
        }
    }
    Ok(())
}

/// A unit of ours, or something else.
fn unit(word: &str) -> Result<(), String> {
    let Some(_) = word.strip_prefix("mqtt_client") else {
        return Ok(());
    };
    let (name, _) = word
        .split_once('@')
        .map_or((word, ""), |(name, instance)| (name, instance));
    let template = if word.contains('@') { "@" } else { "" };
    match name.contains('*') {
        true => Ok(()),
        false => exists(&format!("systemd/{name}{template}.service")),
    }
}

fn cargo(arguments: &[&str]) -> Result<(), String> {
    let [subcommand, rest @ ..] = arguments else {
        return Err("cargo what?".to_owned());
    };
    if PLUGINS.contains(subcommand) {
        return Ok(());
    }
    let alias = format!("\n{subcommand} = \"");
    if !CARGO.contains(subcommand) && !read(".cargo/config.toml").contains(&alias) {
        return Err(format!("there is no cargo {subcommand}"));
    }
    let manifest = read("Cargo.toml");
    let mut suites = vec!["src".to_owned()];
    let mut filters = Vec::new();
    let mut words = rest.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word {
            "--test" => {
                let suite = value();
                let folder = format!("tests/{suite}");
                exists(&folder).or_else(|_| exists(&format!("{folder}.rs")))?;
                suites = vec![folder];
            }
            "--example" => {
                let example = format!("examples/{}.rs", value());
                exists(&example)?;
                suites = vec![example];
            }
            "-p" => {
                let package = value();
                let own = format!("\nname = \"{package}\"");
                if !manifest.contains(&own) {
                    exists(&format!("tests/{package}/Cargo.toml"))?;
                }
            }
            "--features" => {
                let feature = value();
                if !manifest.contains(&format!("\n{feature} = [")) {
                    return Err(format!("there is no feature {feature}"));
                }
            }
            "--profile" => {
                let profile = value();
                if !manifest.contains(&format!("\n[profile.{profile}]")) {
                    return Err(format!("there is no profile {profile}"));
                }
            }
            "--manifest-path" => exists(value())?,
            "--path" | "--version" | "--target" | "-D" => {
                value();
            }
            // What follows is for what is run.
            "--" if *subcommand == "run" => break,
            word if word.starts_with('-') => {}
            // A package from elsewhere.
            _ if *subcommand == "install" => {}
            filter => filters.push(filter),
        }
    }
    match *subcommand {
        "test" => filters
            .iter()
            .try_for_each(|filter| has_test(&suites, filter)),
        "clippy" => Ok(()),
        _ => match filters.first() {
            Some(word) => Err(format!("what is {word}?")),
            None => Ok(()),
        },
    }
}

/// Whether there is a test of this name, or of a name that begins so: each part is a module or a function of the suite. `…`
/// stands for a part of a name.
fn has_test(suites: &[String], filter: &str) -> Result<(), String> {
    let texts: String = suites
        .iter()
        .flat_map(|suite| texts(suite))
        .map(|(_, text)| text)
        .collect();
    for part in filter.split("::").filter(|part| !part.is_empty()) {
        let is_module = texts.contains(&format!("mod {part};"))
            || suites.iter().any(|suite| suite.ends_with(part));
        let mut functions = texts
            .split("fn ")
            .skip(1)
            .map(|rest| rest.split(['(', '<']).next().unwrap_or_default());
        let mut pieces = part.split('…');
        let first = pieces.next().unwrap_or_default();
        let pieces: Vec<&str> = pieces.collect();
        let is_function =
            |name: &str| name.starts_with(first) && pieces.iter().all(|piece| name.contains(piece));
        if !is_module && !functions.any(is_function) {
            return Err(format!(
                "there is no test {filter} in {}: {part}",
                suites.join(", ")
            ));
        }
    }
    Ok(())
}

/// What a span of code in the text names, where it looks like a name of the sources: `Driver::wait`, `Event::Received`,
/// `matrix::random_cuts`; or a file.
pub fn check_name(span: &str) -> Result<(), String> {
    if !span.contains(' ') {
        check_word(span)?;
    }
    let Some((path, last)) = span.rsplit_once("::") else {
        return Ok(());
    };
    let is_word = |c: char| c.is_alphanumeric() || "_…:".contains(c);
    if path.is_empty() || last.is_empty() || !span.chars().all(is_word) {
        return Ok(());
    }
    let begins_large = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    if !begins_large(path) {
        let suites = fs::read_dir(root().join("tests")).map_err(|error| error.to_string())?;
        let suites = suites
            .flatten()
            .map(|entry| format!("tests/{}", entry.file_name().to_string_lossy()));
        let suites: Vec<String> = suites
            .filter(|suite| !suite.ends_with("README.md"))
            .collect();
        return has_test(&[suites, vec!["src".to_owned()]].concat(), span);
    }
    let source: String = texts("src").into_iter().map(|(_, text)| text).collect();
    let kinds = ["struct ", "enum ", "trait "];
    let is_there = |word: &str, before: &[&str]| {
        before.iter().any(|before| {
            source
                .match_indices(&format!("{before}{word}"))
                .any(|(at, found)| {
                    !source[at + found.len()..]
                        .starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
        })
    };
    if !is_there(path, &kinds) {
        return Err(format!("there is no type {path}"));
    }
    match is_there(last, &["fn ", "const ", "\n    "]) {
        true => Ok(()),
        false => Err(format!("there is no {last}")),
    }
}

#[test]
fn each_slip_in_a_command_is_found() {
    let wrong_in = |line: &str| {
        let commands = super::shell::commands([line]);
        commands.iter().find_map(|command| check(command).err())
    };
    for (line, slip) in [
        ("mqtt_client -v device alice", None),
        ("sudo mqtt_client doctor --service", None),
        ("mqtt_client device alice --verbos", Some("--verbos")),
        ("mqtt_client device", Some("USER_ID")),
        ("echo a | mqtt_client n louder -", Some("louder")),
        ("cargo demo", None),
        ("cargo demos", Some("cargo demos")),
        ("cargo test --test mosquitos", Some("tests/mosquitos")),
        ("cargo test --test mosquitto stop", None),
        ("cargo test --test mosquitto stops", Some("stops")),
        ("cargo test --lib simulation::crashes", None),
        ("cargo test --lib simulation::crushes", Some("crushes")),
        ("cargo test -p embeded", Some("embeded")),
        ("cargo run --example relay -- localhost 1883 pump", None),
        ("cargo run --example relais", Some("relais")),
        ("cargo build --features demo", None),
        ("cargo build --features tsl", Some("tsl")),
        ("cargo test --profile simulation", None),
        ("cargo test --profile simulations", Some("simulations")),
        ("TEST_SEED=1 cargo test", None),
        ("TEST_SEEDS=1 cargo test", Some("TEST_SEEDS")),
        ("packaging/deb armhf", None),
        ("packaging/debs armhf", Some("packaging/debs")),
        ("packaging/mqtt_client.1", None),
        ("packaging/mqtt_client.1 x", Some("executable")),
        ("python3 tests/clusters.py", Some("tests/clusters.py")),
        ("cp systemd/lan.conf /tmp", None),
        ("cp systemd/lane.conf /tmp", Some("systemd/lane.conf")),
        (
            "systemctl enable --now mqtt_client@alice mqtt_client-responder",
            None,
        ),
        (
            "systemctl start mqtt_client-respond",
            Some("mqtt_client-respond"),
        ),
        ("apt install ./mqtt-client_9.9.9-1_armhf.deb", Some("9.9.9")),
        ("mqtt_clint device alice", Some("mqtt_clint")),
    ] {
        match (wrong_in(line), slip) {
            (None, None) => {}
            (Some(why), Some(slip)) if why.contains(slip) => {}
            (found, _) => panic!("{line}: {found:?}"),
        }
    }
    for (name, is_there) in [
        ("Driver::take_all", true),
        ("Driver::take_nothing", false),
        ("Drivers::take_all", false),
        ("Event::Received", true),
        ("Event::Receive", false),
        ("DeviceConfig::TIMEOUT", true),
        ("matrix::random_cuts_and_…_reconnecting", true),
        ("matrix::random_costs", false),
        ("src/link/engine/mod.rs", true),
        ("src/link/engine/mood.rs", false),
    ] {
        assert_eq!(check_name(name).is_ok(), is_there, "{name}");
    }
}
