//! The rooms of the architecture, read from the sources: which room may import which, which rooms are pure, and where
//! alone rumqttc is named. `ARCHITECTURE.md` explains the rooms. Code for tests (`#[cfg(test)]`, the simulation, which
//! others can have for their tests, too) and comments are free.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// Each room, and the rooms that it may import. Imports run one way, and the link and the protocols do not know
/// each other.
const ROOMS: [(&str, &[&str]); 13] = [
    ("mqtt", &[]),
    ("role", &["mqtt"]),
    ("device_session", &["mqtt", "role"]),
    ("text_request", &["mqtt", "role"]),
    ("presence", &["mqtt"]),
    ("fleet", &["mqtt", "role", "presence"]),
    ("link", &["mqtt", "role", "presence"]),
    ("signals", &["mqtt", "role", "link"]),
    ("testing", &["mqtt", "role", "link"]),
    (
        "cli",
        &[
            "mqtt",
            "role",
            "presence",
            "device_session",
            "text_request",
            "fleet",
            "link",
        ],
    ),
    (
        "demo",
        &["mqtt", "role", "device_session", "text_request", "link"],
    ),
    (
        "program",
        &[
            "mqtt",
            "role",
            "presence",
            "device_session",
            "text_request",
            "fleet",
            "link",
            "cli",
            "demo",
            "signals",
        ],
    ),
    (
        "main",
        &[
            "mqtt",
            "role",
            "presence",
            "device_session",
            "text_request",
            "fleet",
            "link",
            "cli",
            "demo",
            "program",
        ],
    ),
];

/// Where time and messages only come in as arguments.
const PURE: [&str; 7] = [
    "src/mqtt/",
    "src/role/",
    "src/device_session/",
    "src/text_request/",
    "src/presence/",
    "src/fleet/",
    "src/link/engine/",
];

/// What a pure room must not call.
const IMPURE: [&str; 5] = [
    "Instant::now",
    "SystemTime::now",
    "std::thread",
    "std::net",
    "std::fs",
];

const DRIVER: &str = "src/link/driver/";
const ENGINE: &str = "src/link/engine/";

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    line: usize,
    rule: String,
}

/// The lines that are compiled into the program, each with its number, without comments; and the modules of which
/// the text says that they are for tests.
fn shipped(text: &str) -> (Vec<(usize, &str)>, BTreeSet<&str>) {
    let mut lines = Vec::new();
    let mut test_modules = BTreeSet::new();
    let mut all = text.lines().enumerate();
    while let Some((index, line)) = all.next() {
        let item = line.trim_start();
        let for_tests = ["#[cfg(test)]", "#[cfg(all(test", "#[cfg(any(test"];
        if for_tests.iter().any(|begins| item.starts_with(begins)) {
            // rustfmt closes an item at the column where it began.
            let end = format!("{}}}", &line[..line.len() - item.len()]);
            let first = all.find(|(_, line)| !line.trim_start().starts_with("#["));
            let first = first.map_or("", |(_, line)| line.trim());
            let module = first.split_once("mod ").map(|(_, name)| name);
            test_modules.extend(module.and_then(|name| name.strip_suffix(';')));
            if !first.ends_with([';', '}']) {
                let _ = all.find(|(_, line)| line.trim_end_matches(';') == end);
            }
            continue;
        }
        // Not the `//` of an address.
        let comment = line
            .match_indices("//")
            .find(|(at, _)| !line[..*at].ends_with(':'));
        lines.push((index + 1, &line[..comment.map_or(line.len(), |(at, _)| at)]));
    }
    (lines, test_modules)
}

/// The names that stand directly behind `path` (`crate::`), in braces or not.
fn behind<'a>(path: &str, code: &'a str) -> Vec<(usize, &'a str)> {
    let name = |text: &'a str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(path) {
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push((at, name(rest)));
            continue;
        };
        let mut depth = 0_usize;
        let group = group.split_inclusive(['{', '}', ',']).map_while(|part| {
            let outermost = depth == 0;
            match part.chars().last() {
                Some('{') => depth += 1,
                Some('}') if depth == 0 => depth = usize::MAX,
                Some('}') => depth -= 1,
                _ => {}
            }
            Some((outermost, name(part.trim_start()), depth))
        });
        for (outermost, name, depth) in group {
            if outermost {
                names.push((at, name));
            }
            if depth == usize::MAX {
                break;
            }
        }
    }
    names
}

/// Where the source at `path` (`src/link/stop.rs`) breaks the rules.
fn violations(path: &str, text: &str) -> Vec<Violation> {
    let (lines, _) = shipped(text);
    let mut found = Vec::new();
    for &(line, code) in &lines {
        let mut breaks = |rule: String| found.push(Violation { line, rule });
        let names_rumqttc = code.contains("rumqttc::") || code.contains("use rumqttc");
        if names_rumqttc && !path.starts_with(DRIVER) {
            breaks(format!("rumqttc may be named only in {DRIVER}"));
        }
        if path.starts_with(ENGINE) && code.contains("driver::") {
            breaks("the engine may not name the driver, which knows rumqttc".to_owned());
        }
        if PURE.iter().any(|room| path.starts_with(room)) {
            for call in IMPURE.iter().filter(|call| code.contains(**call)) {
                breaks(format!(
                    "{call} is not pure: here time and messages come in as arguments"
                ));
            }
        }
    }
    let depth = path.split('/').filter(|part| *part != "mod.rs").count() - 1;
    let room = path.trim_start_matches("src/").split(['/', '.']).next();
    let Some((room, may)) = ROOMS.iter().find(|(name, _)| Some(*name) == room) else {
        return found;
    };
    // As one text, since a `use` may have several lines.
    let code: String = lines.iter().flat_map(|(_, code)| [code, "\n"]).collect();
    for root in ["crate::", "mqtt_client::", &"super::".repeat(depth)] {
        for (at, name) in behind(root, &code) {
            let known = ROOMS.iter().any(|(room, _)| *room == name);
            if known && name != *room && !may.contains(&name) {
                found.push(Violation {
                    line: lines[code[..at].matches('\n').count()].0,
                    rule: format!("{room} may not import {name}, because imports run one way"),
                });
            }
        }
    }
    found
}

/// Every file below `folder`, its path as from the root of the repository, and its text.
fn files(folder: &str, found: &mut Vec<(String, String)>) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder))? {
        let path = format!("{folder}/{}", entry?.file_name().to_string_lossy());
        match root.join(&path).is_dir() {
            true => files(&path, found)?,
            false => found.push((path.clone(), fs::read_to_string(root.join(&path))?)),
        }
    }
    Ok(())
}

/// The sources of the program, without the files that are for tests alone.
fn sources() -> io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    files("src", &mut all)?;
    let mut tests = Vec::new();
    for (path, text) in &all {
        let inside = match path.rsplit_once('/') {
            Some((folder, "lib.rs" | "mod.rs")) => folder,
            _ => path.trim_end_matches(".rs"),
        };
        let (_, modules) = shipped(text);
        let modules = modules.iter().map(|module| format!("{inside}/{module}"));
        tests.extend(modules.flat_map(|module| [format!("{module}.rs"), format!("{module}/")]));
    }
    all.retain(|(path, _)| !tests.iter().any(|test| path.starts_with(test)));
    all.sort();
    Ok(all)
}

#[test]
fn every_room_keeps_to_its_imports() {
    let all = sources().unwrap();
    assert!(all.len() > 30, "{} sources", all.len());
    let mut wrong = Vec::new();
    for (path, text) in &all {
        let found = violations(path, text).into_iter();
        wrong.extend(found.map(|Violation { line, rule }| format!("{path}:{line}: {rule}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_rule_finds_what_breaks_it() {
    for (path, text, wanted) in [
        ("src/link/mod.rs", "\nuse rumqttc::Client;", Some(2)),
        (
            "src/link/mod.rs",
            "// rumqttc::Client\n//! use rumqttc",
            None,
        ),
        ("src/link/driver/wire.rs", "use rumqttc::Client;", None),
        (
            "src/link/engine/mod.rs",
            "let now = Instant::now();",
            Some(1),
        ),
        (
            "src/link/engine/mod.rs",
            "use super::driver::wire;",
            Some(1),
        ),
        ("src/link/driver/mod.rs", "let now = Instant::now();", None),
        (
            "src/role/mod.rs",
            "use std::{\n    io,\n};\nuse crate::link::Stop;",
            Some(4),
        ),
        ("src/role/mod.rs", "use crate::mqtt::QoS;", None),
        (
            "src/link/mod.rs",
            "use crate::{\n    role::{Role, link},\n    device_session,\n};",
            Some(1),
        ),
        (
            "src/link/mod.rs",
            "use crate::{role::{Role, cli}, mqtt};\nuse x::{demo};",
            None,
        ),
        (
            "src/text_request/late.rs",
            "use super::super::link::Stop;",
            Some(1),
        ),
        ("src/text_request/late.rs", "use super::Action;", None),
        (
            "src/device_session/mod.rs",
            "x(crate::text_request::MAX)",
            Some(1),
        ),
        ("src/cli/mod.rs", "use crate::program::run;", Some(1)),
        ("src/demo/mod.rs", "use crate::program::run;", Some(1)),
        ("src/main.rs", "use mqtt_client::{cli, program};", None),
        (
            "src/mqtt/topic.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::role::Role;\n}\nuse crate::role::Role;",
            Some(5),
        ),
        (
            "src/mqtt/mod.rs",
            "#[cfg(test)]\nmod tests;\nuse crate::role::Role;",
            Some(3),
        ),
    ] {
        let found: Vec<usize> = violations(path, text).iter().map(|v| v.line).collect();
        assert_eq!(found, Vec::from_iter(wanted), "{path}: {text}");
    }
}
