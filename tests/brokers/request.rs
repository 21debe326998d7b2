//! Text requests, wrong logins, and work that is shared.

use harness::outcome::{assert_answered, ready};
use harness::process::{Process, run};

use crate::broker::Broker;
use crate::table::Expected;

/// Each action, and what it makes of a text that one order alone can have.
const ACTIONS: [(&str, &str, &str); 5] = [
    ("uppercase", "straße", "STRASSE"),
    ("lowercase", "ÄRGER", "ärger"),
    ("title-case", "in a word", "In A Word"),
    ("reverse", "abc", "cba"),
    ("shuffle", "aaa", "aaa"),
];

/// A request for each action, one process after the other.
pub fn each_action_is_answered(broker: &Broker) {
    let _responder = ready(broker.client(["responder", "-v"]));
    for (action, text, answer) in ACTIONS {
        assert_answered(&run(broker.client(["net", action, text])), answer);
    }
}

/// More lines than any broker here has messages in flight.
const LINES: usize = 200;

/// One run, and a line of output for each of input, in order.
pub fn each_line_is_answered(broker: &Broker) {
    let _responder = ready(broker.client(["responder", "-v"]));
    let lines = |word: &str| {
        (0..LINES)
            .map(|number| format!("{word}{number}\n"))
            .collect::<String>()
    };
    let mut request = Process::start(broker.client(["--lines", "lines", "uppercase"]));
    request.write(lines("line").as_bytes());
    request.close_stdin();
    let ended = request.end();
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), lines("LINE")),
        "{}",
        ended.stderr
    );
}

/// The way to the broker, a message at each QoS that a device needs, and more. The other end is a controller, which does
/// not show.
pub fn a_doctor_finds_what_is_missing(broker: &Broker, expected: Expected) {
    let ended = run(broker.client(["doctor", "device", "alice"]));
    eprintln!("{}", ended.stdout);
    let first = ended.stdout.lines().find(|line| line.starts_with("FAIL"));
    match (first, expected) {
        (Some(first), Expected::HoldsOrNames(words)) => {
            assert!(first.starts_with(words), "{ended:?}");
            assert_eq!(ended.code, Some(77), "{ended:?}");
        }
        _ => assert_eq!((ended.code, first), (Some(0), None), "{ended:?}"),
    }
    for step in ["name", "tcp", "connect", "subscribe", "qos0", "qos1"] {
        let good = format!("ok    {step} ");
        assert!(ended.stdout.contains(&good), "no {step}: {ended:?}");
    }
}

/// Code 77, and a line that names the user. A broker that only closes the connection leaves it open whether the
/// login is the reason; the line must name it all the same.
pub fn a_wrong_login_ends_every_role(broker: &Broker, expected: Expected) {
    for role in [
        &["net", "reverse", "abc"][..],
        &["device", "alice"],
        &["controller"],
        &["responder"],
    ] {
        let mut command = broker.client(["-W", "10"]);
        command.env("MQTT_CLIENT_PASSWORD", "guess").args(role);
        let process = Process::start(command);
        if let Expected::HoldsOrNames(words) = expected {
            // A service may go on: the broker has not said that the login is wrong.
            process.wait_for_stderr(words);
            continue;
        }
        let ended = process.end();
        assert_eq!((ended.code, &*ended.stdout), (Some(77), ""), "{ended:?}");
        for word in [broker.kind().user(), "password"] {
            assert!(ended.stderr.contains(word), "{ended:?}");
        }
        assert!(!ended.stderr.contains("guess"), "{ended:?}");
    }
}

/// Requests to two responders of one group.
const SHARED: usize = 8;

/// Each request is taken by one of the two, and answered.
pub fn two_responders_share(broker: &Broker, expected: Expected) {
    if let Some(why) = expected.hopeless() {
        eprintln!("{:?}: {why}", broker.kind());
        if let Expected::BrokersFault(_) = expected {
            nobody_shares(broker);
        }
        return;
    }
    let member = |id: &str| {
        let responder =
            Process::start(broker.client(["-v", "--share", "west", "-i", id, "responder"]));
        responder.wait_in_stderr("five subscriptions", |said| {
            (said.matches("subscribed to $share/west/+/").count() == 5).then_some(())
        });
        responder
    };
    let members = [member("one"), member("two")];
    for number in 0..SHARED {
        let text = format!("abc{number}");
        let ended = run(broker.client(["shared", "uppercase", &text]));
        assert_answered(&ended, &text.to_uppercase());
    }
    let taken = members.map(|member| {
        // All that it has said is known only when it has ended.
        member.signal("TERM");
        member.end().stderr.matches(" asked for ").count()
    });
    assert_eq!(taken.iter().sum::<usize>(), SHARED, "{taken:?}");
    assert!(!taken.contains(&0), "{taken:?}");
}

/// Shown with paho: what is published for a group does not come, and what is published after it does. If it comes one
/// day, the table is to say so.
fn nobody_shares(broker: &Broker) {
    let observer = broker.observer(&["$share/west/to/+", "after/+"]);
    observer.publish("to/group", "shared", 1);
    observer.publish("after/group", "plain", 1);
    let heard = observer.hear_until("what is not shared", |heard| heard.payload == "plain");
    assert!(
        heard.iter().all(|heard| heard.payload != "shared"),
        "it shares now: {heard:?}"
    );
    let responder = Process::start(broker.client(["--share", "west", "responder"]));
    responder.wait_for_stderr("delivers nothing on $share/west/…: it has no shared subscriptions");
}
