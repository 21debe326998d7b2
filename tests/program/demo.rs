//! `mqtt_client demo`, as a user types it. Only where the feature `demo` is built in, as in a plain
//! `cargo test` at the root.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The demo, in an empty directory and an empty environment.
fn start(directory: &str) -> (Child, PathBuf) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_mqtt_client"))
        .arg("demo")
        .current_dir(&directory)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, directory)
}

#[test]
fn the_demo_tells_its_story_and_ends_well() {
    let (child, directory) = start("demo-story");
    let output = child.wait_with_output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{story}");
    assert_eq!(output.status.code(), Some(0), "{story}");
    let said = |who: &str| story.lines().filter(|line| line.contains(who)).count();
    let commands = said("controller → device") - 2;
    assert_eq!(said("device → controller"), 1 + commands, "{story}");
    assert_eq!(said("requester → responder"), 5, "{story}");
    assert_eq!(said("responder → requester"), 5, "{story}");
    assert_eq!(said("Well done my IoT!"), 1, "{story}");
    let last = format!("demo: 1 device session passed ({commands} commands), 5 requests answered");
    assert_eq!(story.lines().last(), Some(&*last), "{story}");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0, "no file left");
    // The picture in README.md shows this story.
    let picture = include_str!("../../docs/terminal.svg");
    let chapters: Vec<&str> = story
        .lines()
        .filter(|line| line.starts_with(char::is_numeric))
        .collect();
    assert_eq!(chapters.len(), 3, "{story}");
    for chapter in chapters {
        let is_shown = picture.contains(chapter);
        assert!(is_shown, "docs/record draws it anew: {chapter}");
    }
}

#[test]
fn ctrl_c_ends_the_demo() {
    let (mut child, directory) = start("demo-interrupted");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("The controller waits") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it ended before");
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{rest}");
    assert_eq!(output.status.code(), Some(0));
    assert!(!rest.contains("CMD"), "{rest}");
    assert!(!rest.contains("demo:"), "{rest}");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0, "no file left");
}
