//! What a class looks like after what happened.

use std::time::{Duration, Instant};

use super::*;

pub fn level(text: &str) -> Level {
    Level::new(text).unwrap()
}

pub fn logged_in(user_id: &str, unique_id: &str) -> Step {
    Step::LoggedIn {
        user_id: level(user_id),
        unique_id: level(unique_id),
    }
}

pub fn commanded(unique_id: &str, commands: &[&str]) -> Step {
    Step::Commanded {
        unique_id: level(unique_id),
        commands: commands.iter().map(|command| level(command)).collect(),
    }
}

pub fn replied(unique_id: &str, command: &str, word: &str, is_right: bool) -> Step {
    Step::Replied {
        unique_id: level(unique_id),
        command: level(command),
        word: word.to_owned(),
        is_right,
    }
}

pub fn report(user_id: &str, unique_id: &str, verdict: Result<(), &str>) -> Report {
    Report {
        user_id: level(user_id),
        unique_id: level(unique_id),
        commands: vec![level("CMD1")],
        replies: vec!["Apple".to_owned()],
        repeats: 0,
        duration: Duration::from_millis(3600),
        hints: Vec::new(),
        verdict: verdict.map_err(|why| vec![why.to_owned()]),
    }
}

/// Alice has passed, Bob has failed, Carol answers, Dave is logged in, Eve has a login on a wrong topic, Frank is awaited;
/// and a guest.
pub fn class() -> Class {
    let roster = "alice Alice A.\nbob\ncarol\ndave\neve\nfrank";
    let mut class = Class::new(&Roster::parse(roster).unwrap());
    let now = Instant::now();
    let at = |ms| now + Duration::from_millis(ms);
    let wrong = "`Ape` came on U2/CMD1 instead of `Apple`, the word for CMD1";
    for (ms, step) in [
        (0, logged_in("alice", "U1")),
        (3000, commanded("U1", &["CMD1", "CMD2"])),
        (3100, replied("U1", "CMD2", "Cat", true)),
        (3250, replied("U1", "CMD1", "Apple", true)),
        (0, logged_in("bob", "U2")),
        (3000, commanded("U2", &["CMD1"])),
        (3100, replied("U2", "CMD1", "Ape", false)),
        (
            3100,
            Step::Mistaken {
                unique_id: level("U2"),
                sentence: wrong.to_owned(),
            },
        ),
        (0, logged_in("carol", "U3")),
        (3000, commanded("U3", &["CMD1", "CMD1", "CMD2"])),
        (3100, replied("U3", "CMD1", "Apple", true)),
        (0, logged_in("dave", "U4")),
        (
            0,
            Step::NotLoggedIn {
                user_id: Some(level("eve")),
                why: "`eve` came on Login instead of login".to_owned(),
            },
        ),
        (0, logged_in("<script>alert(1)<", "U5")),
    ] {
        class.take(at(ms), step);
    }
    class.judged(&report("alice", "U1", Ok(())));
    class.judged(&report("bob", "U2", Err(wrong)));
    class
}

#[test]
fn each_stands_somewhere_and_the_best_attempt_counts() {
    let mut class = class();
    let standings: Vec<String> = class
        .seats()
        .map(|seat| format!("{} {}", seat.user_id, seat.standing().words()))
        .collect();
    assert_eq!(
        standings,
        [
            "alice passed",
            "bob failed",
            "carol 1 of 3 replies",
            "dave logged in",
            "eve failed",
            "frank awaited",
            "<script>alert(1)< logged in",
        ]
    );
    assert_eq!(class.passed(), (1, 6));
    assert!(!class.seats().last().unwrap().is_on_roster);
    assert_eq!(
        class.outstanding().unwrap(),
        "1 of 6 on the roster have passed, and not bob (failed), carol (1 of 3 replies), dave (logged in), eve (no login), frank (awaited)"
    );
    let now = Instant::now();
    class.take(now, logged_in("bob", "U6"));
    let bob = class.seat_of(&level("bob")).unwrap();
    assert_eq!((bob.begun, bob.standing()), (2, Standing::LoggedIn));
    assert!(
        class
            .outstanding()
            .unwrap()
            .contains("bob (logged in, attempt 2)")
    );
    class.judged(&report("bob", "U6", Ok(())));
    class.take(now, logged_in("bob", "U7"));
    class.judged(&report("bob", "U7", Err("no")));
    let bob = class.seat_of(&level("bob")).unwrap();
    assert_eq!(bob.standing(), Standing::Passed);
    assert_eq!(bob.last_words(), "");
    for user_id in ["carol", "dave", "eve", "frank"] {
        class.has_passed_before(&level(user_id));
    }
    assert_eq!(class.outstanding(), None);
}

#[test]
fn a_reply_is_beside_its_command_with_the_time_between() {
    let class = class();
    let alice = class.seat_of(&level("alice")).unwrap();
    let ms = Duration::from_millis;
    let row = |command: &str, word: &str, at| Row {
        command: level(command),
        sent: Some(ms(3000)),
        reply: Some((word.to_owned(), ms(at), true)),
    };
    assert_eq!(
        alice.attempts[0].rows,
        [row("CMD1", "Apple", 3250), row("CMD2", "Cat", 3100)]
    );
    assert_eq!(alice.attempts[0].verdict, Some((ms(3600), true)));
}

#[test]
fn a_class_that_goes_on_for_ever_stays_small() {
    let mut class = Class::new(&Roster::parse("alice").unwrap());
    let now = Instant::now();
    for guest in 0..10_000 {
        class.take(
            now,
            logged_in(&format!("guest{guest}"), &format!("G{guest}")),
        );
    }
    assert_eq!(class.seats().len(), 1 + MOST_GUESTS);
    assert_eq!(class.uncounted(), 10_000 - MOST_GUESTS as u64);
    for session in 0..100 {
        let id = format!("U{session}");
        class.take(now, logged_in("alice", &id));
        class.take(now, commanded(&id, &["CMD1"; 500]));
        for _ in 0..1_000 {
            class.take(now, replied(&id, "CMD2", "x", false));
            let sentence = "wrong".to_owned();
            let unique_id = level(&id);
            let step = Step::Mistaken {
                unique_id,
                sentence,
            };
            class.take(now, step);
        }
        class.judged(&report("alice", &id, Err("wrong")));
    }
    let alice = class.seat_of(&level("alice")).unwrap();
    assert_eq!((alice.begun, alice.failed), (100, 100));
    assert_eq!(alice.attempts.len(), MOST_ATTEMPTS);
    let last = alice.attempts.last().unwrap();
    assert_eq!(
        (last.rows.len(), last.remarks.len()),
        (MOST_LINES, MOST_LINES)
    );
    assert_eq!(last.number, 100);
    assert_eq!(last.left_out, 500 - MOST_LINES + 1_000 + 1_000 - MOST_LINES);
}
