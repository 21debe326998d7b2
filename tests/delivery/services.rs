//! A controller and a responder that are killed again and again, each with a state folder: the next process goes on.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mqtt_client::device_session::LAST_WORDS;

use crate::controller::{Controller, GUARD};
use crate::device::LOOK_AGAIN;
use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, missing};
use harness::observer::Heard;
use harness::process::Process;

const DEVICES: usize = 12;

/// How often it is killed.
const KILLS: usize = 8;

/// Everything that has been said on a broker.
struct Ear {
    controller: Controller,
    heard: Vec<Heard>,
}

impl Ear {
    fn new(broker: &Mosquitto) -> Self {
        Self {
            controller: Controller::hearing(broker.port().parse().unwrap(), &["#"]),
            heard: Vec::new(),
        }
    }

    fn listen(&mut self) {
        while let Some(heard) = self.controller.next(LOOK_AGAIN) {
            self.heard.push(heard);
        }
    }

    /// Until so many more have been heard, or nothing comes for a while.
    fn listen_for(&mut self, count: usize) {
        let enough = self.heard.len() + count;
        while self.heard.len() < enough {
            match self.controller.next(Duration::from_secs(1)) {
                Some(heard) => self.heard.push(heard),
                None => return,
            }
        }
    }
}

#[test]
fn a_controller_that_is_killed_goes_on_with_every_session() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let mut ear = Ear::new(&broker);
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let report = folder.path().join("report");
    let begin = || {
        let args = [
            "-v",
            "--state-dir",
            state,
            "--delay",
            "0.3",
            "--commands",
            "30",
        ];
        let report = ["--report", report.to_str().unwrap(), "controller"];
        Process::start(broker.client(args.into_iter().chain(report)))
    };
    let mut controller = begin();
    controller.wait_for_stderr("waiting for logins");
    let devices: Vec<Process> = (0..DEVICES)
        .map(|number| {
            let name = format!("d{number}");
            Process::start(broker.client(["device", &name]))
        })
        .collect();
    let mut random = fastrand::Rng::new();
    for _ in 0..KILLS {
        ear.listen_for(random.usize(1..60));
        controller.signal("KILL");
        controller.end();
        controller = begin();
    }
    for device in devices {
        let ended = device.end();
        assert_eq!(ended.stdout, format!("{LAST_WORDS}\n"), "{ended:?}");
    }
    controller.signal("TERM");
    assert_eq!(controller.end().code, Some(0));
    ear.listen();
    // One session for each device, however often its report was written.
    let report = std::fs::read_to_string(report).unwrap();
    assert!(!report.contains("failed"), "{report}");
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for heard in &ear.heard {
        said.entry(&heard.topic).or_default().push(&heard.payload);
    }
    let sessions: Vec<_> = said
        .iter()
        .filter(|(_, words)| words.contains(&LAST_WORDS))
        .collect();
    assert_eq!(sessions.len(), DEVICES);
    for (id, words) in sessions {
        assert_eq!(
            words.len(),
            30 + 1,
            "{id}: each command once, and the last words"
        );
        let below = format!("{id}/");
        let replies = said.iter().filter(|(topic, _)| topic.starts_with(&below));
        let replies: usize = replies.map(|(_, words)| words.len()).sum();
        assert_eq!(replies, 30, "{id}: each reply once");
    }
}

#[test]
fn a_responder_that_is_killed_answers_each_request_once() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    const REQUESTS: usize = 400;
    let broker = Mosquitto::open();
    let mut ear = Ear::new(&broker);
    let folder = Folder::new();
    let state = folder.path().to_str().unwrap();
    let begin = || {
        let args = ["-v", "-q", "2", "--state-dir", state, "responder"];
        let mut command = broker.client(args);
        command.stdin(Stdio::null());
        Process::start(command)
    };
    let mut responder = begin();
    responder.wait_for_stderr("subscribed to");
    let mut random = fastrand::Rng::new();
    let mut asked = 0;
    while asked < REQUESTS {
        for _ in 0..random.usize(1..=REQUESTS / KILLS) {
            asked += 1;
            let (topic, text) = (format!("n{asked}/reverse/request"), format!("text {asked}"));
            ear.controller
                .publish(&topic, &text, mqtt_client::mqtt::QoS::ExactlyOnce);
        }
        ear.listen_for(random.usize(1..40));
        responder.signal("KILL");
        responder.end();
        responder = begin();
    }
    let answers = |heard: &[Heard]| {
        let answers = heard.iter().filter(|h| h.topic.ends_with("/response"));
        answers.map(|h| h.topic.clone()).collect::<Vec<_>>()
    };
    let guard = Instant::now() + GUARD;
    while answers(&ear.heard).len() < asked {
        ear.listen();
        assert!(
            Instant::now() < guard,
            "{} answers",
            answers(&ear.heard).len()
        );
    }
    responder.signal("TERM");
    assert_eq!(responder.end().code, Some(0));
    ear.listen();
    let mut answers = answers(&ear.heard);
    let all = answers.len();
    answers.sort_unstable();
    answers.dedup();
    assert_eq!((answers.len(), all), (asked, asked), "each once");
}
