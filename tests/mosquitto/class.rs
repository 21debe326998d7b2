//! A class: our controller with a roster, and what is seen of it.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{CHROMIUM, MOSQUITTO, PAHO, missing};
use harness::outcome::assert_fails;
use harness::peers;
use harness::port;
use harness::process::{Process, mqtt_client, run, through};

/// Writes a file into `folder`; its path.
fn file(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A controller with this roster that waits for logins.
fn controller(broker: &Mosquitto, roster: &str, args: &[&str]) -> Process {
    let usual = ["controller", "-v", "--delay", "1", "--roster", roster];
    let controller = Process::start(broker.client(usual.iter().chain(args).copied()));
    controller.wait_for_stderr("waiting for logins");
    controller
}

/// A table in which one word is wrong.
const WRONG: &str = "CMD1=Ape\nCMD2=Cat\nCMD3=Dog\nCMD4=Rat\nCMD5=Boy\nCMD6=Girl\nCMD7=Toy\n";

#[test]
fn a_class_ends_when_each_has_passed_once() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "\u{feff}# 7b\n\nalice Alice\nbob\n");
    let wrong = file(&folder, "wrong", WRONG);
    let class = controller(&broker, &roster, &[]);
    let device = |args: &[&str]| {
        let args = ["device"].iter().chain(args).copied();
        Process::start(broker.client(args)).end().code
    };
    assert_eq!(device(&["alice"]), Some(0));
    assert_eq!(device(&["bob", "--replies", &wrong, "-W", "2"]), Some(75));
    class.wait_for_stderr("of bob failed");
    assert_eq!(device(&["guest"]), Some(0), "is served like any other");
    assert_eq!(device(&["bob"]), Some(0));
    assert_eq!(class.end().code, Some(0));
}

#[test]
fn a_stop_before_the_end_of_a_class_says_who_has_not_passed_and_a_later_run_goes_on() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\nbob\ncarol\n");
    let wrong = file(&folder, "wrong", WRONG);
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let state = ["--state-dir", state.to_str().unwrap()];
    let class = controller(&broker, &roster, &state);
    let alice = Process::start(broker.client(["device", "alice"]));
    assert_eq!(alice.end().code, Some(0));
    let bob = ["device", "bob", "--replies", &wrong];
    let bob = Process::start(broker.client(bob));
    class.wait_for_stderr("of bob failed");
    drop(bob);
    class.signal("TERM");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        "mqtt_client: 1 of 3 on the roster have passed, and not bob (failed), carol (awaited)"
    );
    let class = controller(&broker, &roster, &state);
    for user_id in ["bob", "carol"] {
        let device = Process::start(broker.client(["device", user_id]));
        assert_eq!(device.end().code, Some(0), "{user_id}");
    }
    let ended = class.end();
    assert_eq!(ended.code, Some(0), "alice has passed before: {ended:?}");
}

#[test]
fn a_class_without_a_broker_is_told_from_one_that_has_passed() {
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice");
    let port = port::free().to_string();
    let args = ["controller", "-v", "-p", &port, "--roster", &roster];
    let class = Process::start(mqtt_client(args));
    class.wait_for_stderr("refused the connection");
    class.signal("INT");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.stderr.contains("not alice (awaited)"), "{ended:?}");
}

#[test]
fn a_bad_roster_is_named_with_its_line() {
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\na/b\n");
    let ended = harness::process::run(mqtt_client(["controller", "--roster", &roster]));
    assert_fails(&ended, 78, &["roster", "line 2", "`a/b`", "it has a `/`"]);
}

/// The verdict, the commands and all the rest have the prefix: none of the three hears anything of another's.
#[test]
fn classes_with_prefixes_of_their_own_share_a_broker() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\n");
    let prefixes: [&[&str]; 3] = [&["--prefix", "7b"], &["--prefix", "school/7c"], &[]];
    let classes = prefixes.map(|prefix| {
        let args = [&["--verdict"], prefix].concat();
        controller(&broker, &roster, &args)
    });
    let devices = prefixes.map(|prefix| {
        let args = [&["device", "alice", "--verdict"], prefix].concat();
        Process::start(broker.client(args))
    });
    for device in devices {
        let ended = device.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let passed = "mqtt_client: the controller's verdict: passed\n";
        assert_eq!(ended.stderr, passed, "{ended:?}");
    }
    for class in classes {
        let ended = class.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("failed"), "{ended:?}");
        assert_eq!(ended.stderr.matches("logged in").count(), 1, "{ended:?}");
    }
}

#[test]
fn a_device_that_leaves_the_prefix_out_is_told_so() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\n");
    let class = controller(&broker, &roster, &["--prefix", "7b"]);
    let _alice = Process::start(broker.client(["device", "alice"]));
    class.wait_for_stderr("`alice` came on login instead of 7b/login: the prefix is missing");
    class.signal("TERM");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    assert!(ended.stderr.contains("not alice (no login)"), "{ended:?}");
}

/// Runs a program on a terminal of 50 lines of 120 columns, and ends as it does.
const ON_A_TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(\
    ['sh', '-c', 'stty rows 50 cols 120; exec \"$0\" \"$@\"'] + sys.argv[1:])))";

/// Those of `wrong_device.py`.
const MISTAKES: [&str; 5] = ["wrong-word", "deeper", "command-case", "line-feed", "twice"];

/// What a terminal has shown since it was drawn from the top last.
fn last_drawn(said: &str) -> &str {
    said.rsplit("\x1b[H").next().unwrap()
}

#[test]
fn a_class_of_30_is_seen_on_a_page_in_a_table_and_in_a_spreadsheet() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let right: Vec<String> = (1..=25).map(|number| format!("pi{number:02}")).collect();
    let mut roster: String = right
        .iter()
        .map(|pi| format!("{pi} Name of {pi}\n"))
        .collect();
    MISTAKES
        .iter()
        .for_each(|mistake| roster += &format!("{mistake}\n"));
    let roster = file(&folder, "roster", &roster);
    let [page, csv] = ["class.html", "class.csv"].map(|name| {
        let path = folder.path().join(name);
        path.to_str().unwrap().to_owned()
    });
    let args = [
        "controller",
        "--roster",
        &roster,
        "--page",
        &page,
        "--report",
        &csv,
    ];
    let mut terminal = std::process::Command::new(PAHO.path());
    terminal.args(["-c", ON_A_TERMINAL]).env("TERM", "xterm");
    let mut class = Process::start(through(terminal, &broker.client(args)));
    class.wait_in_stdout("30 awaited", |said| {
        last_drawn(said)
            .contains("0 of 30 passed, 30 awaited")
            .then_some(())
    });
    let begun = std::fs::read_to_string(&page).unwrap();
    assert_eq!(begun.matches("○ awaited").count(), 30);
    let ready = std::time::Instant::now();
    let wrong = MISTAKES.map(|m| peers::start("wrong_device.py", &broker.port(), [m, m]));
    let devices: Vec<Process> = right
        .iter()
        .map(|pi| Process::start(broker.client(["device", pi])))
        .collect();
    for device in devices {
        let ended = device.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    class.wait_in_stdout("5 failed", |said| {
        last_drawn(said)
            .contains("25 of 30 passed, 5 failed")
            .then_some(())
    });
    println!(
        "30 devices were judged and shown within {:?}",
        ready.elapsed()
    );
    drop(wrong);
    class.write(b"\x03");
    let ended = class.end();
    assert_eq!(ended.code, Some(76), "{ended:?}");
    let line = "25 of 30 on the roster have passed, and not wrong-word (failed), deeper (failed)";
    assert!(ended.stdout.contains(line), "{ended:?}");

    let table = last_drawn(&ended.stdout);
    let html = std::fs::read_to_string(&page).unwrap();
    let csv = std::fs::read_to_string(&csv).unwrap();
    assert!(html.contains("<title>25 of 30 passed</title>"), "{html}");
    assert!(html.contains("The controller has ended."), "{html}");
    assert_eq!(html.matches("✓ passed</span>").count(), 25);
    assert_eq!(html.matches("✗ failed</span>").count(), 5);
    assert!(html.contains("✓ Apple</td>"), "the timeline: {html}");
    assert_eq!(csv.matches("\r\n").count(), 31, "{csv}");
    assert!(csv.starts_with("time,user_id,name,"), "{csv}");
    let has = |text: &str, words: &[&str]| {
        let mut lines = text.lines();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    };
    for pi in &right {
        let name = format!("Name of {pi}");
        assert!(has(table, &[&name, "✓ passed", pi]), "{table}");
        assert!(
            has(&csv, &[&format!(",{pi},{name},yes,1,"), ",passed,"]),
            "{csv}"
        );
        assert!(html.contains(&format!(">{name}</span>")), "{html}");
    }
    for mistake in MISTAKES {
        assert!(has(table, &[mistake, "✗ failed"]), "{table}");
        assert!(
            has(&csv, &[&format!(",{mistake},,yes,1,"), ",failed,"]),
            "{csv}"
        );
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains(".new"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn in_a_browser_the_page_shows_names_and_runs_no_script_but_its_own() {
    if missing(&[MOSQUITTO, CHROMIUM]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let owns = "document.documentElement.dataset.owned=1";
    let roster = format!("alice Alice <script>{owns}\nbob <svg onload={owns}>\n");
    let roster = file(&folder, "roster", &roster);
    let page = folder.path().join("a class.html");
    let page = page.to_str().unwrap();
    let class = controller(&broker, &roster, &["--page", page]);
    for user_id in ["alice".to_owned(), format!("<img src=x onerror={owns}>")] {
        let device = Process::start(broker.client(["device", &user_id]));
        assert_eq!(device.end().code, Some(0), "{user_id}");
    }
    class.signal("TERM");
    assert_eq!(class.end().code, Some(76));
    let mut browser = std::process::Command::new(CHROMIUM.path());
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    browser.arg(format!(
        "--user-data-dir={}",
        folder.path().join("browser").display()
    ));
    browser.arg(format!("file://{}", page.replace(' ', "%20")));
    let shown = run(browser).stdout;
    for part in [
        &format!(">Alice &lt;script&gt;{owns}</span>"),
        &format!(">&lt;svg onload={owns}&gt;</span>"),
        &format!(">&lt;img src=x onerror={owns}&gt;</span>"),
        "✓ passed",
        "not on the roster",
        "○ awaited",
        // The page's own script has run: its hash is right.
        "data-live=\"\"",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("data-owned"), "{shown}");
}

#[test]
fn a_page_that_cannot_be_written_ends_no_class() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = Folder::new();
    let roster = file(&folder, "roster", "alice\n");
    let ended = run(broker.client(["controller", "--page", "/nonexistent/x.html"]));
    assert_fails(&ended, 78, &["page /nonexistent/x.html", "No such file"]);
    let page = folder.path().join("x.html");
    let class = controller(&broker, &roster, &["--page", page.to_str().unwrap()]);
    // A folder in its place, which nothing can be renamed to.
    std::fs::remove_file(&page).unwrap();
    std::fs::create_dir(&page).unwrap();
    std::fs::write(page.join("x"), "").unwrap();
    let device = Process::start(broker.client(["device", "alice"]));
    assert_eq!(device.end().code, Some(0));
    let ended = class.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warnings = ended.stderr.matches("x.html stays as it is: ");
    assert_eq!(warnings.count(), 1, "{ended:?}");
    assert!(!folder.path().join(".x.html.new").exists());
}
