//! What the judge says of each mistake, when, and of what is none.

use std::time::Duration;

use super::super::session::{PATIENCE, SETTLE};
use super::super::tests::{commanding, commanding_at, ended, message, plan, subscribed, verdict};
use super::super::{Plan, QoS};
use super::*;
use crate::device_session::class::Roster;
use crate::device_session::prefix::Prefix;
use crate::device_session::{PAUSE, Replies};
use crate::mqtt::TopicFilter;
use crate::role::{Event, Role, Told};

const TWO: QoS = QoS::ExactlyOnce;

fn word(command: &Level) -> String {
    Replies::default()
        .answer(command.as_str())
        .unwrap()
        .1
        .to_owned()
}

/// The sentences of a session of seven commands, whose device answers each with these messages (topic, word, QoS). It has
/// its end 3 s after the commands at the latest.
fn judged(answer: impl Fn(&str, &str, &str) -> Vec<Message>) -> Vec<String> {
    let now = Instant::now();
    let (mut controller, id, commands) = commanding(7, now);
    for command in &commands {
        for message in answer(id.as_str(), command.as_str(), &word(command)) {
            controller
                .told(now + PAUSE, Event::Received(&message))
                .unwrap();
        }
    }
    let end = ended(&mut controller, now + PAUSE + PATIENCE);
    let report = end.into_iter().find_map(|effect| match effect {
        Effect::Emit(report) => Some(report),
        _ => None,
    });
    report.unwrap().verdict.err().unwrap_or_default()
}

#[test]
fn a_reply_that_lands_elsewhere_is_named_and_is_not_missed_as_well() {
    for (topic, why) in [
        (
            (|id, _| id.to_owned()) as fn(&str, &str) -> String,
            "the topic of the commands",
        ),
        (
            |id, command| format!("{id}/{}", command.to_lowercase()),
            "topics are case-sensitive",
        ),
        (
            |id, command| format!("{id}/{command}/reply"),
            "a level too deep",
        ),
        (
            |id, command| format!("/{id}/{command}"),
            "begins with a slash",
        ),
        (
            |id, command| format!("replies/{id}/{command}"),
            "a level before",
        ),
        (|_, command| format!("alice/{command}"), "below the USER_ID"),
        (
            |id, command| format!("{}/{command}", id.to_uppercase()),
            "in other letters",
        ),
    ] {
        let said =
            judged(|id, command, word| vec![message(&topic(id, command), word, QoS::AtMostOnce)]);
        let [sentence] = &said[..] else {
            panic!("{said:?}");
        };
        assert!(sentence.contains(why), "{sentence}");
        assert!(
            sentence.ends_with("(and 6 more of this kind)"),
            "{sentence}"
        );
    }
}

#[test]
fn every_mistake_of_a_session_is_told() {
    let said = judged(|id, command, word| {
        let topic = format!("{id}/{command}");
        match command {
            "CMD1" => vec![message(&topic, "Ape", TWO)],
            "CMD2" => vec![message(&topic, word, QoS::AtLeastOnce)],
            "CMD3" => vec![],
            "CMD4" => vec![message(&topic, word, TWO), message(&topic, word, TWO)],
            _ => vec![message(&topic, word, TWO)],
        }
    });
    let parts = [
        "instead of `Apple`",
        "came with QoS 1",
        "one reply too many",
        "none came to CMD3 (sent once)",
    ];
    assert_eq!(said.len(), parts.len(), "{said:?}");
    for part in parts {
        assert!(
            said.iter().any(|sentence| sentence.contains(part)),
            "{part}: {said:?}"
        );
    }
}

#[test]
fn a_right_reply_beside_one_elsewhere_is_not_one_too_many() {
    let said = judged(|id, command, word| {
        let elsewhere = message(&format!("/{id}/{command}"), word, QoS::AtMostOnce);
        vec![elsewhere, message(&format!("{id}/{command}"), word, TWO)]
    });
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_reply_before_the_commands_is_named_beside_what_is_missing() {
    let now = Instant::now();
    let mut controller = Controller::new(plan(1));
    let login = message("login", "alice", TWO);
    controller.told(now, Event::Received(&login)).unwrap();
    let id = controller.sessions.keys().next().unwrap().clone();
    let filter = TopicFilter::new(format!("{id}/+")).unwrap();
    controller.told(now, subscribed(&filter)).unwrap();
    let uuid = message("alice/UUID", id.as_str(), TWO);
    controller.told(now, Event::Confirmed(&uuid)).unwrap();
    let reply = message(&format!("{id}/CMD1"), "Apple", TWO);
    controller.told(now, Event::Received(&reply)).unwrap();
    let sent = controller.told(now + PAUSE, Event::Deadline).unwrap();
    for effect in sent {
        if let Effect::Publish(command) = effect {
            controller
                .told(now + PAUSE, Event::Confirmed(&command))
                .unwrap();
        }
    }
    let said = verdict(&ended(&mut controller, now + PAUSE + PATIENCE));
    let said = said.unwrap().unwrap_err();
    assert!(said.contains("before any command was sent"), "{said}");
    assert!(said.contains("none came to"), "{said}");
}

/// The sentences that were said, and the commands that were published, before the verdict.
fn said(effects: &[Effect<Report>]) -> (String, Vec<Message>) {
    let mut texts = String::new();
    let mut messages = Vec::new();
    for effect in effects {
        match effect {
            Effect::Warn(text) => texts.push_str(text),
            Effect::Publish(message) => messages.push(message.clone()),
            _ => {}
        }
    }
    (texts, messages)
}

#[test]
fn silence_is_told_in_seconds_and_fails_at_the_time_limit() {
    let now = Instant::now();
    let sent = now + PAUSE;
    let (mut controller, id, _) = commanding(7, now);
    assert_eq!(controller.deadline(), Some(sent + PATIENCE));
    let effects = controller.told(sent + PATIENCE, Event::Deadline).unwrap();
    let (text, again) = said(&effects);
    assert!(
        text.contains("so far: replies missing: nothing came at all"),
        "{text}"
    );
    assert!(
        text.contains(&format!("7 commands on {id} 3.0 s after the login")),
        "{text}"
    );
    assert_eq!(again.len(), 1, "one command once more");
    let later = sent + PATIENCE;
    controller.told(later, Event::Confirmed(&again[0])).unwrap();
    let effects = controller.told(later + PATIENCE, Event::Deadline).unwrap();
    let (text, again) = said(&effects);
    assert!(text.contains("nothing came at all"), "{text}");
    assert_eq!(again, [], "and no more");
    let end = ended(&mut controller, later + Duration::from_secs(60));
    assert_eq!(controller.deadline(), None);
    let why = verdict(&end).unwrap().unwrap_err();
    assert!(why.contains("6.0 s after the login"), "{why}");
}

#[test]
fn a_client_that_came_late_answers_what_is_sent_once_more() {
    let now = Instant::now();
    let (mut controller, id, _) = commanding(7, now);
    let later = now + PAUSE + PATIENCE;
    let (_, again) = said(&controller.told(later, Event::Deadline).unwrap());
    controller.told(later, Event::Confirmed(&again[0])).unwrap();
    let command = Level::from_bytes(&again[0].payload).unwrap();
    let reply = message(&format!("{id}/{command}"), &word(&command), TWO);
    controller.told(later, Event::Received(&reply)).unwrap();
    let effects = controller.told(later + PATIENCE, Event::Deadline).unwrap();
    let (text, _) = said(&effects);
    assert!(text.contains("the client came late; it answered"), "{text}");
}

#[test]
fn a_device_that_comes_back_or_is_slow_passes() {
    for pause in [2, 7, 50] {
        let now = Instant::now();
        let (mut controller, id, commands) = commanding(7, now);
        let mut commands: std::collections::VecDeque<Level> = commands.into();
        let mut at = now + PAUSE;
        let mut once_more = Vec::new();
        while let Some(command) = commands.pop_front() {
            at += Duration::from_secs(pause);
            while let Some(deadline) = controller.deadline().filter(|deadline| *deadline < at) {
                let effects = controller.told(deadline, Event::Deadline).unwrap();
                assert_eq!(verdict(&effects), None, "{pause} s");
                for message in said(&effects).1 {
                    controller
                        .told(deadline, Event::Confirmed(&message))
                        .unwrap();
                    once_more.push(Level::from_bytes(&message.payload).unwrap());
                }
            }
            commands.extend(once_more.drain(..));
            let reply = message(&format!("{id}/{command}"), &word(&command), TWO);
            controller.told(at, Event::Received(&reply)).unwrap();
        }
        let end = ended(&mut controller, at + SETTLE);
        assert_eq!(verdict(&end), Some(Ok(())), "{pause} s");
    }
}

/// A wrong word, and then silence: it fails after as long as the device's own pace suggests, and not at the time limit.
#[test]
fn a_session_with_a_mistake_ends_when_nothing_more_comes() {
    let now = Instant::now();
    let (mut controller, id, commands) = commanding(7, now);
    let wrong = message(&format!("{id}/{}", commands[0]), "Ape", TWO);
    let at = now + PAUSE + Duration::from_secs(2);
    controller.told(at, Event::Received(&wrong)).unwrap();
    assert_eq!(controller.deadline(), Some(at + Duration::from_secs(4)));
}

#[test]
fn a_repetition_at_qos_1_is_a_hint_and_no_mistake() {
    let now = Instant::now();
    let one = QoS::AtLeastOnce;
    let (mut controller, id, commands) = commanding_at(one, [one, TWO], 3, now);
    for command in &commands {
        let reply = message(&format!("{id}/{command}"), &word(command), one);
        for _ in 0..2 {
            controller
                .told(now + PAUSE, Event::Received(&reply))
                .unwrap();
        }
    }
    let end = ended(&mut controller, now + PAUSE + SETTLE);
    let hints = end.iter().find_map(|effect| match effect {
        Effect::Emit(report) => Some((report.verdict.clone(), report.hints.join(" "))),
        _ => None,
    });
    let (verdict, hints) = hints.unwrap();
    assert_eq!(verdict, Ok(()));
    assert!(hints.contains("publishes each reply twice"), "{hints}");
}

#[test]
fn the_controllers_own_messages_and_those_of_others_are_no_mistakes() {
    let now = Instant::now();
    let (mut controller, id, commands) = commanding(1, now);
    let heard = [
        message(id.as_str(), commands[0].as_str(), QoS::AtMostOnce),
        message("alice/UUID", id.as_str(), QoS::AtMostOnce),
        message("alice/status", "online", QoS::AtMostOnce),
        message("alice/verdict", "passed", QoS::AtMostOnce),
        message(&format!("{id}/{}", commands[0]), &word(&commands[0]), TWO),
        message(id.as_str(), LAST_WORDS, QoS::AtMostOnce),
    ];
    for message in &heard {
        let effects = controller.told(now + PAUSE, Event::Received(message));
        assert_eq!(effects, Ok(vec![]), "{message:?}");
    }
    let end = ended(&mut controller, now + PAUSE + SETTLE);
    assert_eq!(verdict(&end), Some(Ok(())));
}

#[test]
fn a_second_controller_is_told_of() {
    let now = Instant::now();
    let (mut controller, ..) = commanding(1, now);
    let other = message("alice/UUID", "feed", QoS::AtMostOnce);
    let effects = controller.told(now, Event::Received(&other)).unwrap();
    let (text, _) = said(&effects);
    assert!(text.contains("is there a second controller"), "{text}");
    assert_eq!(
        controller.told(now, Event::Received(&other)),
        Ok(vec![]),
        "once"
    );
}

#[test]
fn the_verdict_goes_to_the_user_before_the_last_words() {
    let now = Instant::now();
    let with_verdict = |controller: &mut Controller| controller.plan.verdict = true;
    let (mut controller, id, commands) = commanding(1, now);
    with_verdict(&mut controller);
    let reply = message(&format!("{id}/{}", commands[0]), &word(&commands[0]), TWO);
    controller
        .told(now + PAUSE, Event::Received(&reply))
        .unwrap();
    let (_, messages) = said(&ended(&mut controller, now + PAUSE + SETTLE));
    let [verdict, last] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(verdict.topic.as_str(), "alice/verdict");
    assert_eq!(
        verdict.payload,
        format!("passed: session {id}").into_bytes()
    );
    assert_eq!(last.payload, LAST_WORDS.as_bytes());

    let (mut controller, ..) = commanding(1, now);
    with_verdict(&mut controller);
    let effects = controller
        .told(now + PAUSE + PATIENCE, Event::Deadline)
        .unwrap();
    let (_, messages) = said(&effects);
    assert!(
        messages[0].payload.starts_with(b"waiting: session "),
        "{messages:?}"
    );
    let (_, messages) = said(&ended(
        &mut controller,
        now + PAUSE + Duration::from_secs(60),
    ));
    assert!(
        messages[0].payload.starts_with(b"failed: session "),
        "{messages:?}"
    );
}

#[test]
fn a_login_on_a_wrong_topic_is_answered_at_once() {
    let now = Instant::now();
    let mut controller = Controller::new(Plan {
        verdict: true,
        ..plan(1)
    });
    let login = message("Login", "alice", QoS::AtMostOnce);
    let (text, messages) = said(&controller.told(now, Event::Received(&login)).unwrap());
    assert!(
        text.contains("`alice` came on Login instead of login"),
        "{text}"
    );
    assert_eq!(messages[0].topic.as_str(), "alice/verdict");
    assert!(messages[0].payload.starts_with(b"failed: login\n"));
    assert!(controller.sessions.is_empty());
}

/// Below `$SYS` mosquitto closes the connection of whoever publishes.
#[test]
fn nothing_is_published_to_a_name_that_is_the_brokers_own() {
    let now = Instant::now();
    for (prefix, login, topic, is_served) in [
        ("", "$SYS", "login", false),
        ("", "$SYS", "Login", false),
        ("7b", "$SYS", "7b/login", true),
        ("", "a$", "login", true),
    ] {
        let mut controller = Controller::new(Plan {
            verdict: true,
            sessions: None,
            prefix: Prefix::new(prefix).unwrap_or_default(),
            ..plan(1)
        });
        let login = message(topic, login, QoS::ExactlyOnce);
        let effects = controller.told(now, Event::Received(&login)).unwrap();
        let has_warned = matches!(effects[..], [Effect::Warn(_)]);
        assert_eq!(has_warned, !is_served, "{effects:?}");
        assert_eq!(controller.sessions.len(), usize::from(is_served));
    }
}

#[test]
fn a_device_that_logs_in_on_and_on_gets_its_commands_all_the_same() {
    let now = Instant::now();
    let mut controller = Controller::new(Plan {
        sessions: None,
        ..plan(1)
    });
    let login = message("login", "alice", QoS::ExactlyOnce);
    controller.told(now, Event::Received(&login)).unwrap();
    let id = controller.sessions.keys().next().unwrap().clone();
    let filter = TopicFilter::new(format!("{id}/+")).unwrap();
    let uuid = message("alice/UUID", id.as_str(), QoS::ExactlyOnce);
    controller.told(now, subscribed(&filter)).unwrap();
    let (mut warnings, mut second, mut is_told) = (Vec::new(), now, true);
    while controller.sessions[&id].commands.is_empty() {
        assert!(second < now + Duration::from_secs(60), "{warnings:?}");
        second += Duration::from_secs(1);
        if is_told {
            controller.told(second, Event::Confirmed(&uuid)).unwrap();
        }
        controller.told(second, Event::Deadline).unwrap();
        let effects = controller.told(second, Event::Received(&login)).unwrap();
        is_told = effects.contains(&Effect::Publish(uuid.clone()));
        warnings.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Warn(text) => Some(text),
            _ => None,
        }));
    }
    let [said] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(said.contains("alice has logged in 10 times"), "{said}");
}

#[test]
fn a_flood_of_logins_does_not_keep_the_roster_out() {
    let now = Instant::now();
    let mut controller = Controller::new(Plan {
        sessions: None,
        roster: Roster::parse("alice").unwrap(),
        ..plan(1)
    });
    for guest in 0..500 {
        let login = message("login", &format!("guest{guest}"), QoS::AtMostOnce);
        controller.told(now, Event::Received(&login)).unwrap();
    }
    assert_eq!(controller.sessions.len(), 50);
    let login = message("login", "alice", QoS::ExactlyOnce);
    controller.told(now, Event::Received(&login)).unwrap();
    assert_eq!(controller.sessions.len(), 51);
}
