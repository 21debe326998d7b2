//! The table of controller's transitions, row by row.

use std::time::Duration;

use super::super::class::Roster;
use super::super::{PAUSE, Replies};
use super::*;
use crate::mqtt::TopicName;
use crate::role::Told;

pub const CONNECTED: Event<'static> = Event::Connected {
    session_present: false,
};

pub fn subscribed(filter: &TopicFilter) -> Event<'_> {
    let granted = QoS::ExactlyOnce;
    Event::Subscribed { filter, granted }
}

pub fn message(topic: &str, payload: &str, qos: QoS) -> Message {
    Message::new(TopicName::new(topic).unwrap(), payload, qos)
}

pub fn plan(commands: u32) -> Plan {
    Plan {
        commands: Some(commands..=commands),
        seed: 7,
        sessions: Some(1),
        ..Plan::default()
    }
}

/// A controller whose one session has got its commands, the session's id, and the commands.
pub fn commanding(commands: u32, now: Instant) -> (Controller, Level, Vec<Level>) {
    commanding_at(QoS::ExactlyOnce, [QoS::ExactlyOnce; 2], commands, now)
}

/// The same, where the controller commands at one QoS, the login was delivered at another, and for the replies the
/// broker granted a third.
pub fn commanding_at(
    qos: QoS,
    [login, granted]: [QoS; 2],
    commands: u32,
    now: Instant,
) -> (Controller, Level, Vec<Level>) {
    let mut controller = Controller::new(Plan {
        qos,
        ..plan(commands)
    });
    controller.told(now, CONNECTED).unwrap();
    let login = message("login", "alice", login);
    controller.told(now, Event::Received(&login)).unwrap();
    let id = controller.sessions.keys().next().unwrap().clone();
    let filter = TopicFilter::new(format!("{id}/+")).unwrap();
    let filter = &filter;
    let subscribed = Event::Subscribed { filter, granted };
    controller.told(now, subscribed).unwrap();
    let uuid = message("alice/UUID", id.as_str(), qos);
    controller.told(now, Event::Confirmed(&uuid)).unwrap();
    assert_eq!(controller.deadline(), Some(now + PAUSE));
    controller.told(now + PAUSE, Event::Deadline).unwrap();
    let commands = controller.sessions[&id].commands.clone();
    for command in &commands {
        let command = message(id.as_str(), command.as_str(), qos);
        let confirmed = Event::Confirmed(&command);
        controller.told(now + PAUSE, confirmed).unwrap();
    }
    (controller, id, commands)
}

/// Lets time pass until the session has its end, which is to come by `limit`: all that the controller did.
pub fn ended(controller: &mut Controller, limit: Instant) -> Vec<Effect<Report>> {
    let mut effects = Vec::new();
    while verdict(&effects).is_none() {
        let deadline = controller.deadline().unwrap();
        assert!(deadline <= limit, "{:?} late", deadline - limit);
        effects.extend(controller.told(deadline, Event::Deadline).unwrap());
    }
    effects
}

pub fn verdict(effects: &[Effect<Report>]) -> Option<Result<(), String>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Emit(report) => Some(report.verdict.clone().map_err(|why| why.join("; "))),
        _ => None,
    })
}

fn says_well_done(effects: &[Effect<Report>]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect, Effect::Publish(m) if m.payload == LAST_WORDS.as_bytes()))
}

#[test]
fn the_unique_id_goes_out_only_when_the_replies_can_be_heard() {
    let now = Instant::now();
    let mut controller = Controller::new(plan(3));
    let login = message("login", "alice", QoS::ExactlyOnce);
    let effects = controller.told(now, Event::Received(&login)).unwrap();
    assert!(matches!(
        effects[..],
        [
            Effect::Note(_),
            Effect::Subscribe(..),
            Effect::TrySubscribe(..)
        ]
    ));
    let id = controller.sessions.keys().next().unwrap().clone();
    let filter = TopicFilter::new(format!("{id}/+")).unwrap();
    let effects = controller.told(now, subscribed(&filter)).unwrap();
    let introduction = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
    assert_eq!(effects[0], Effect::Publish(introduction));
    let may_be_refused = |effect: &Effect<_>| matches!(effect, Effect::TrySubscribe(..));
    assert!(effects[1..].iter().all(may_be_refused), "{effects:?}");
    assert_eq!(controller.told(now, subscribed(&filter)), Ok(vec![]));
}

fn tries(filter: &str) -> Effect<Report> {
    Effect::TrySubscribe(TopicFilter::new(filter).unwrap(), QoS::AtMostOnce)
}

#[test]
fn a_group_shares_the_logins_and_nothing_else() {
    let now = Instant::now();
    let mut controller = Controller::new(Plan {
        share: Some(Level::new("west").unwrap()),
        ..plan(3)
    });
    let shared = TopicFilter::new("$share/west/login").unwrap();
    assert_eq!(
        controller.told(now, CONNECTED),
        Ok(vec![
            Effect::Subscribe(shared.clone(), QoS::ExactlyOnce),
            tries("$share/west/Login"),
            tries("$share/west/LOGIN"),
            tries("$share/west//login"),
            tries("$share/west/login/+"),
        ])
    );
    let effects = controller.told(now, subscribed(&shared)).unwrap();
    assert_eq!(effects, [Effect::Note("waiting for logins".to_owned())]);
    let login = message("login", "alice", QoS::ExactlyOnce);
    let effects = controller.told(now, Event::Received(&login)).unwrap();
    let id = controller.sessions.keys().next().unwrap().clone();
    let replies = TopicFilter::new(format!("{id}/+")).unwrap();
    assert_eq!(
        effects[1],
        Effect::Subscribe(replies, QoS::ExactlyOnce),
        "plain"
    );
    // What an earlier run left on the broker is ended at its first sign of life.
    let of_old = format!("{:032x}", 7);
    let foreign = message(&format!("{of_old}/CMD1"), "Apple", QoS::ExactlyOnce);
    let left = TopicFilter::new(format!("{of_old}/+")).unwrap();
    let effects = controller.told(now, Event::Received(&foreign)).unwrap();
    assert_eq!(effects, [Effect::Unsubscribe(left)]);
    let effects = controller.told(now, Event::Received(&foreign)).unwrap();
    assert_eq!(effects, []);
}

#[test]
fn a_device_that_logs_in_again_before_its_first_command_is_in_the_same_session() {
    let now = Instant::now();
    let later = now + Duration::from_secs(2);
    let mut controller = Controller::new(Plan {
        sessions: None,
        ..plan(3)
    });
    let login = message("login", "alice", QoS::ExactlyOnce);
    controller.told(now, Event::Received(&login)).unwrap();
    let effects = controller.told(now, Event::Received(&login)).unwrap();
    assert!(matches!(effects[..], [Effect::Note(_)]), "on its way");
    let id = controller.sessions.keys().next().unwrap().clone();
    let filter = TopicFilter::new(format!("{id}/+")).unwrap();
    let uuid = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
    controller.told(now, subscribed(&filter)).unwrap();
    controller.told(now, Event::Confirmed(&uuid)).unwrap();
    let effects = controller.told(later, Event::Received(&login)).unwrap();
    assert_eq!(effects[1..], [Effect::Publish(uuid.clone())]);
    // The pause begins when it has been told.
    assert_eq!(controller.deadline(), None);
    controller.told(later, Event::Confirmed(&uuid)).unwrap();
    assert_eq!(controller.deadline(), Some(later + PAUSE));
    controller.told(later + PAUSE, Event::Deadline).unwrap();
    // From now on a login is a new session.
    controller.told(later, Event::Received(&login)).unwrap();
    assert_eq!(controller.sessions.len(), 2);
}

#[test]
fn right_replies_in_any_order_pass() {
    let now = Instant::now();
    let (mut controller, id, mut commands) = commanding(9, now);
    commands.reverse();
    for command in &commands {
        let word = Replies::default()
            .answer(command.as_str())
            .unwrap()
            .1
            .to_owned();
        let reply = message(&format!("{id}/{command}"), &word, QoS::ExactlyOnce);
        assert_eq!(controller.told(now, Event::Received(&reply)), Ok(vec![]));
    }
    let end = controller.told(now + SETTLE, Event::Deadline).unwrap();
    assert!(says_well_done(&end));
    assert_eq!(verdict(&end), Some(Ok(())));
    assert_eq!(end.last(), Some(&Effect::Finish));
    assert_eq!(controller.deadline(), None);
}

#[test]
fn a_bad_reply_fails_the_session_without_the_last_words() {
    let now = Instant::now();
    let replies = Replies::default();
    for (word, command, qos, times, why) in [
        (None, "CMD9", QoS::ExactlyOnce, 1, "no command"),
        (Some("Ape"), "", QoS::ExactlyOnce, 1, "instead of"),
        (None, "", QoS::AtLeastOnce, 1, "came with QoS 1"),
        (None, "", QoS::ExactlyOnce, 2, "one reply too many"),
    ] {
        let (mut controller, id, commands) = commanding(1, now);
        let asked = commands[0].as_str();
        let right = replies.answer(asked).unwrap().1;
        let topic = format!("{id}/{}", if command.is_empty() { asked } else { command });
        let reply = message(&topic, word.unwrap_or(right), qos);
        for _ in 0..times {
            controller.told(now, Event::Received(&reply)).unwrap();
        }
        let end = ended(&mut controller, now + PAUSE + PATIENCE);
        let said = verdict(&end).unwrap().unwrap_err();
        assert!(said.contains(why), "{said}");
        assert!(!says_well_done(&end));
    }
}

/// The verdict on a session of one command, and its report, when these replies have come.
fn judged(qos: QoS, login: QoS, replies: &[QoS]) -> Report {
    judged_where(qos, [login, QoS::ExactlyOnce], replies)
}

/// The same, where the broker granted the second QoS of `known` for the replies.
fn judged_where(qos: QoS, known: [QoS; 2], replies: &[QoS]) -> Report {
    let now = Instant::now();
    let (mut controller, id, commands) = commanding_at(qos, known, 1, now);
    let asked = commands[0].as_str();
    let word = Replies::default().answer(asked).unwrap().1.to_owned();
    let mut effects = Vec::new();
    for qos in replies {
        let reply = message(&format!("{id}/{asked}"), &word, *qos);
        effects.extend(controller.told(now, Event::Received(&reply)).unwrap());
    }
    if let Some(deadline) = controller.deadline() {
        effects.extend(controller.told(deadline, Event::Deadline).unwrap());
    }
    let report = effects.into_iter().find_map(|effect| match effect {
        Effect::Emit(report) => Some(report),
        _ => None,
    });
    report.unwrap()
}

/// MQTT 3.1.1, section 4.3.2: at QoS 1 what was not acknowledged in time comes again.
#[test]
fn a_repeated_reply_passes_at_qos_1_alone_and_is_counted() {
    use QoS::{AtLeastOnce as One, AtMostOnce as Zero, ExactlyOnce as Two};
    for (qos, login, replies, repeats) in [
        (One, One, &[One, One, One][..], Some(2)),
        (One, Two, &[One, One], Some(1)),
        // The broker raised it on its way here.
        (One, One, &[Two, Two], Some(1)),
        // The device subscribes at QoS 1, or this controller was granted no more.
        (Two, One, &[One, One], Some(1)),
        (Two, Two, &[Two, Two], None),
        (Zero, Zero, &[Zero, Zero], None),
    ] {
        let report = judged(qos, login, replies);
        let row = format!("{qos} {login} {replies:?} {report:?}");
        assert_eq!(report.verdict.is_ok(), repeats.is_some(), "{row}");
        if let Some(repeats) = repeats {
            assert_eq!(
                (report.repeats, report.replies.len()),
                (repeats, 1),
                "{row}"
            );
        }
    }
}

#[test]
fn a_command_that_was_never_sent_is_not_repeated() {
    let now = Instant::now();
    let one = QoS::AtLeastOnce;
    let (mut controller, id, commands) = commanding_at(one, [one, one], 1, now);
    let table = Replies::default();
    let other = table.commands().find(|other| **other != commands[0]);
    let other = other.unwrap().as_str();
    let word = table.answer(other).unwrap().1;
    let reply = message(&format!("{id}/{other}"), word, one);
    controller.told(now, Event::Received(&reply)).unwrap();
    let why = verdict(&ended(&mut controller, now + PAUSE + PATIENCE));
    let why = why.unwrap().unwrap_err();
    assert!(why.contains("was not sent in this session"), "{why}");
}

/// Section 3.8.4: the broker lowers what it delivers to the QoS of the subscription, and some raise it.
#[test]
fn a_reply_may_come_at_the_qos_that_its_command_reached_the_device_with_or_above() {
    use QoS::{AtLeastOnce as One, AtMostOnce as Zero, ExactlyOnce as Two};
    for (qos, login, reply, passes) in [
        (Two, Two, Two, true),
        (Two, Two, One, false),
        (Two, Two, Zero, false),
        (Two, One, One, true),
        (Two, One, Zero, false),
        (Two, Zero, Zero, true),
        (One, Two, One, true),
        (One, Two, Two, true),
        (One, Two, Zero, false),
        (Zero, Two, Zero, true),
        (Zero, Two, Two, true),
    ] {
        let verdict = judged(qos, login, &[reply]).verdict;
        assert_eq!(verdict.is_ok(), passes, "{qos} {login} {reply} {verdict:?}");
    }
    for (granted, reply, passes) in [(One, One, true), (One, Zero, false), (Zero, Zero, true)] {
        let verdict = judged_where(Two, [Two, granted], &[reply]).verdict;
        assert_eq!(verdict.is_ok(), passes, "{granted} {reply} {verdict:?}");
    }
}

#[test]
fn bad_logins_and_logins_beyond_the_plan_are_refused() {
    let now = Instant::now();
    let mut controller = Controller::new(plan(1));
    for payload in ["", "#", "a/b", "bob\n"] {
        let login = message("login", payload, QoS::AtLeastOnce);
        let effects = controller.told(now, Event::Received(&login)).unwrap();
        assert!(matches!(effects[..], [Effect::Warn(_)]), "{payload:?}");
    }
    let longest = "x".repeat(MAX_USER_ID);
    let too_long = message("login", &(longest.clone() + "x"), QoS::AtLeastOnce);
    let effects = controller.told(now, Event::Received(&too_long)).unwrap();
    let [Effect::Warn(said)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert!(said.contains("257 bytes, more than 256"), "{said}");
    let mut login = message("login", "alice", QoS::AtLeastOnce);
    login.retain = true;
    let effects = controller.told(now, Event::Received(&login)).unwrap();
    assert!(matches!(effects[..], [Effect::Warn(_)]), "retained");
    login.retain = false;
    controller.told(now, Event::Received(&login)).unwrap();
    let other = message("login", "bob", QoS::AtLeastOnce);
    let effects = controller.told(now, Event::Received(&other)).unwrap();
    assert!(
        matches!(effects[..], [Effect::Warn(_)]),
        "one session was asked for"
    );
}

#[test]
fn a_flood_of_refused_logins_does_not_fill_the_log() {
    let now = Instant::now();
    let mut controller = Controller::new(plan(1));
    let login = message("login", "#", QoS::AtLeastOnce);
    let mut told = |now| {
        let all = (0..1_000).map(|_| controller.told(now, Event::Received(&login)).unwrap().len());
        all.sum::<usize>()
    };
    assert_eq!(told(now), 61);
    assert_eq!(told(now + Duration::from_secs(59)), 0);
    assert_eq!(told(now + Duration::from_secs(60)), 61);
}

#[test]
fn a_roster_ends_the_run_when_the_best_attempt_of_each_has_passed() {
    let now = Instant::now();
    let mut controller = Controller::new(Plan {
        roster: Roster::parse("alice Alice\nbob").unwrap(),
        sessions: None,
        watched: true,
        ..plan(1)
    });
    controller.told(now, CONNECTED).unwrap();
    for (user_id, word, passes, ends) in [
        ("alice", "Ape", false, false),
        ("alice", "", true, false),
        ("alice", "", true, false),
        ("guest", "", true, false),
        ("bob", "Ape", false, false),
        ("bob", "", true, true),
    ] {
        let login = message("login", user_id, QoS::ExactlyOnce);
        controller.told(now, Event::Received(&login)).unwrap();
        let id = controller.sessions.keys().next().unwrap().clone();
        let filter = TopicFilter::new(format!("{id}/+")).unwrap();
        controller.told(now, subscribed(&filter)).unwrap();
        let uuid = message(&format!("{user_id}/UUID"), id.as_str(), QoS::ExactlyOnce);
        controller.told(now, Event::Confirmed(&uuid)).unwrap();
        controller.told(now + PAUSE, Event::Deadline).unwrap();
        let command = controller.sessions[&id].commands[0].clone();
        let right = Replies::default();
        let right = right.answer(command.as_str()).unwrap().1;
        let wrong = if word.is_empty() { right } else { word };
        let reply = message(&format!("{id}/{command}"), wrong, QoS::ExactlyOnce);
        controller.told(now, Event::Received(&reply)).unwrap();
        let end = ended(&mut controller, now + PAUSE + PATIENCE);
        assert_eq!(verdict(&end).unwrap().is_ok(), passes, "{user_id}");
        assert_eq!(end.contains(&Effect::Finish), ends, "{user_id}");
        let mut steps = controller.take_steps().into_iter();
        assert!(matches!(steps.next(), Some(Step::LoggedIn { .. })));
        assert!(matches!(steps.next(), Some(Step::Commanded { .. })));
        let replied =
            matches!(steps.next(), Some(Step::Replied { is_right, .. }) if is_right == passes);
        assert!(replied);
        let mistaken = matches!(steps.next(), Some(Step::Mistaken { .. }));
        assert_eq!((mistaken, steps.count()), (!passes, 0));
    }
}
