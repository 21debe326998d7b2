//! Our controller as a judge, of clients in Python that make one mistake each, and of some that make none.

use crate::json::Json;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, PAHO, missing};
use harness::peers;
use harness::process::{Process, through};

/// A mistake of `wrong_device.py`, and what its student is told: the word of the verdict, and parts of the sentence.
const MISTAKES: [(&str, &str, &[&str]); 18] = [
    (
        "deeper",
        "failed",
        &["/reply, a level too deep; the reply to CMD"],
    ),
    (
        "command-topic",
        "failed",
        &["the topic of the commands; the reply to CMD"],
    ),
    (
        "user-id",
        "failed",
        &[
            "came on user-id/CMD",
            "below the USER_ID instead of the UNIQUE ID",
        ],
    ),
    (
        "command-case",
        "failed",
        &["/cmd", "topics are case-sensitive; the reply to CMD"],
    ),
    ("id-case", "failed", &["the UNIQUE ID in other letters"]),
    (
        "slash",
        "failed",
        &["came on /", "which begins with a slash"],
    ),
    (
        "wrong-word",
        "failed",
        &["`Ape` came on", "instead of `Apple`, the word for CMD1"],
    ),
    (
        "other-word",
        "failed",
        &[
            "`Cat` came on",
            "that is the word for CMD2, and not for CMD1",
        ],
    ),
    (
        "word-case",
        "failed",
        &["`: capital and small letters differ"],
    ),
    (
        "line-feed",
        "failed",
        &["\\n` came on", "no blank, no line feed"],
    ),
    (
        "wrong-qos",
        "failed",
        &["came with QoS 1, and its command with QoS 2"],
    ),
    (
        "twice",
        "failed",
        &[
            "one reply too many came on",
            "each command is answered once",
        ],
    ),
    ("before", "failed", &["/CMD1 before any command was sent"]),
    (
        "login-case",
        "failed",
        &["`login-case` came on Login instead of login: topics are case-sensitive"],
    ),
    (
        "login-slash",
        "failed",
        &["came on /login instead of login", "begins with a slash"],
    ),
    (
        "never-subscribed",
        "waiting",
        &[
            "nothing came at all",
            "never-subscribed/UUID",
            "s after the login",
        ],
    ),
    (
        "late",
        "waiting",
        &["the client came late; it answered CMD"],
    ),
    (
        "one-missing",
        "waiting",
        &["none came to CMD3 (sent", "s after the login"],
    ),
];

/// More than the table has, so that some come again.
const TWELVE: [&str; 2] = ["--commands", "12"];

/// A controller that publishes its verdicts.
fn judge(broker: &Mosquitto, args: &[&str]) -> Process {
    let usual = ["controller", "-v", "--verdict"];
    let controller = Process::start(broker.client(usual.iter().chain(args).copied()));
    controller.wait_for_stderr("waiting for logins");
    controller
}

/// The verdict with this text, as a witness of `device` saw it: the sentences, and the seconds after the last command.
fn verdict(device: &Process, word: &str, part: &str) -> (Vec<String>, f64) {
    device.wait_in_stdout(part, |said| {
        let verdicts = said.lines().map(Json::read);
        let mut told = verdicts.map(|verdict| {
            let text = verdict.get("verdict").text().to_owned();
            (text, verdict.get("after").number())
        });
        let (text, after) = told.find(|(text, _)| text.starts_with(word) && text.contains(part))?;
        let sentences = text.lines().skip(1).map(str::to_owned);
        Some((sentences.collect(), after))
    })
}

#[test]
fn each_mistake_is_told_in_its_own_sentence_within_5_s_of_the_last_command() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let controller = judge(&broker, &TWELVE);
    let devices = MISTAKES
        .map(|(mistake, ..)| peers::start("wrong_device.py", &broker.port(), [mistake, mistake]));
    let mut told = Vec::new();
    for ((mistake, word, parts), device) in MISTAKES.iter().zip(&devices) {
        let (sentences, after) = verdict(device, word, parts[0]);
        let about: Vec<&String> = sentences
            .iter()
            .filter(|said| said.contains(parts[0]))
            .collect();
        let [sentence] = about[..] else {
            panic!("{mistake}: {sentences:?}");
        };
        for part in *parts {
            assert!(sentence.contains(part), "{mistake}: {sentence}");
        }
        assert!(after < 5.0, "{mistake}: {after} s");
        controller.wait_for_stderr(sentence);
        println!("{mistake}: {sentence}");
        told.push(sentence.clone());
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), MISTAKES.len(), "{told:#?}");
}

#[test]
fn a_client_that_answers_a_repeated_command_once_is_told_so() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _controller = judge(&broker, &TWELVE);
    let device = peers::start("wrong_device.py", &broker.port(), ["bob", "once-each"]);
    let (said, _) = verdict(
        &device,
        "waiting",
        "a command that comes again is answered again",
    );
    assert!(said[0].contains("answered once"), "{said:?}");
}

#[test]
fn a_slow_client_and_one_that_repeats_at_qos_1_pass() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    for (mistake, args) in [("slow", ["--commands", "4"]), ("twice", ["-q", "1"])] {
        let broker = Mosquitto::open();
        let controller = judge(&broker, &[&args[..], &["--sessions", "1"]].concat());
        let device = peers::start("wrong_device.py", &broker.port(), ["carol", mistake]);
        let (said, _) = verdict(&device, "passed", "session");
        assert_eq!(said.len(), usize::from(mistake == "twice"), "{said:?}");
        assert_eq!(controller.end().code, Some(0), "{mistake}");
    }
}

/// What the student has who runs our device: the verdict, and the exit code.
#[test]
fn our_device_shows_the_verdict() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let folder = harness::folder::Folder::new();
    let replies = folder.path().join("replies");
    let words = "CMD1=Ape\nCMD2=Cat\nCMD3=Dog\nCMD4=Rat\nCMD5=Boy\nCMD6=Girl\nCMD7=Toy\n";
    std::fs::write(&replies, words).unwrap();
    let _controller = judge(&broker, &[]);
    let wrong = [
        "device",
        "dave",
        "--verdict",
        "--replies",
        replies.to_str().unwrap(),
    ];
    let right = ["device", "erin", "--verdict"];
    let [wrong, right] =
        [&wrong[..], &right].map(|args| Process::start(broker.client(args.iter().copied())));
    let wrong = wrong.end();
    assert_eq!(wrong.code, Some(76), "{wrong:?}");
    assert_eq!(wrong.stdout, "");
    assert!(
        wrong.stderr.contains("the controller's verdict: failed\n"),
        "{wrong:?}"
    );
    assert!(wrong.stderr.contains("`Ape` came on"), "{wrong:?}");
    let right = right.end();
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(right.stdout, "Well done my IoT!\n");
    assert_eq!(
        right.stderr,
        "mqtt_client: the controller's verdict: passed\n"
    );
}

#[test]
fn two_controllers_on_one_broker_are_told_of_each_other() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let controllers =
        ["one", "two"].map(|id| judge(&broker, &["-i", id, "--sessions", "1", "-W", "1"]));
    let _device = Process::start(broker.client(["device", "frank"]));
    let said = controllers.map(|controller| controller.end().stderr);
    let hint = "frank/UUID was told another UNIQUE ID";
    assert!(said.iter().any(|said| said.contains(hint)), "{said:?}");
}

/// On a terminal a service says that it is ready, and for what; with `-v` the log does, and in a file nobody waits for it.
#[test]
fn a_service_on_a_terminal_says_what_it_waits_for() {
    if missing(&[MOSQUITTO, PAHO]) {
        return;
    }
    let broker = Mosquitto::open();
    for (command, line) in [
        ("controller", "waiting for logins on login at 127.0.0.1:"),
        ("responder", "waiting for requests at 127.0.0.1:"),
    ] {
        let mut terminal = std::process::Command::new(PAHO.path());
        terminal.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]);
        let service = Process::start(through(terminal, &broker.client([command])));
        service.wait_for_stdout(line);
    }
}
