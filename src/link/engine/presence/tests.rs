use super::*;
use crate::link::Address;
use crate::mqtt::Message;
use crate::presence::Said;

fn presence(now: Instant) -> Presence {
    let topic = TopicName::new("who/alice/status").unwrap();
    let wanted = Wanted::new(topic, "device alice", now);
    Presence::new(&wanted, &Options::new("a", 1883, "alice"), now)
}

fn unanswered() -> Trouble {
    Trouble {
        is_unanswered: true,
        ..Trouble::new("closed".to_owned())
    }
}

#[test]
fn a_last_will_is_given_up_where_the_broker_accepts_the_same_without_it_alone() {
    let now = Instant::now();
    for failed in [
        unanswered(),
        Trouble::fatal(Kind::Refused, "login".to_owned()),
    ] {
        let mut presence = presence(now);
        assert!(presence.will(now).is_some());
        assert_eq!(presence.attempt_failed(now, &failed), Attempt::Again);
        assert_eq!(presence.will(now), None);
        assert!(presence.is_trial());
        assert!(presence.will(now).is_some());
        assert_eq!(presence.attempt_failed(now, &failed), Attempt::AgainWithout);
        assert_eq!(presence.will(now), None);
        assert!(!presence.is_trial());
        presence.begin();
        presence.connected(now, "x".to_owned());
        assert_eq!(presence.next(false), None);
        // Nothing that another broker does makes it worse, and a day later it is tried again.
        assert_eq!(presence.attempt_failed(now, &failed), Attempt::Counts);
        assert!(presence.will(now + HOLDS).is_some());
    }
}

#[test]
fn what_fails_without_a_last_will_too_is_no_fault_of_it() {
    let now = Instant::now();
    let mut presence = presence(now);
    let refused = Trouble::fatal(Kind::Refused, "login".to_owned());
    for _ in 0..3 {
        assert_eq!(presence.attempt_failed(now, &refused), Attempt::Again);
        assert_eq!(presence.attempt_failed(now, &refused), Attempt::Counts);
        assert!(presence.will(now).is_some());
    }
    // A broker that is not there says nothing of last wills.
    let down = Trouble::new("no TCP".to_owned());
    assert_eq!(presence.attempt_failed(now, &down), Attempt::Counts);
    // A proxy whose broker was not there, and then was.
    assert_eq!(presence.attempt_failed(now, &unanswered()), Attempt::Again);
    assert!(presence.is_trial());
    assert!(!presence.is_trial());
    presence.begin();
    presence.connected(now, "x".to_owned());
    assert!(presence.next(false).is_some());
}

#[test]
fn in_a_cluster_it_is_said_again_once_no_older_will_can_come_any_more() {
    let now = Instant::now();
    let mut options = Options::new("a", 1883, "alice");
    options.others = vec![Address::new("b", 1883)];
    let wanted = presence(now).wanted;
    let mut presence = Presence::new(&wanted, &options, now);
    presence.begin();
    presence.connected(now, "x".to_owned());
    assert_eq!(payloads(&mut presence, false).len(), 2);
    for (pings, said) in [(1, &[][..]), (2, &[ONLINE]), (3, &[])] {
        presence.on_ping(now + options.keep_alive * pings);
        assert_eq!(payloads(&mut presence, false), said, "{pings}");
    }
}

fn payloads(presence: &mut Presence, others_are_suspect: bool) -> Vec<String> {
    let mut payloads = Vec::new();
    while let Some((pkid, message)) = presence.next(others_are_suspect) {
        let Message { topic, retain, .. } = message;
        assert!(retain, "{topic}");
        payloads.push(String::from_utf8(message.payload.clone()).unwrap());
        presence.sent(pkid);
    }
    payloads
}

#[test]
fn what_was_said_on_one_connection_is_said_anew_on_the_next() {
    let start = Instant::now();
    let mut presence = presence(start);
    presence.set_clock(start, 1_000);
    presence.begin();
    presence.connected(start, "logging in".to_owned());
    assert_eq!(payloads(&mut presence, true), [""; 0], "a trial of others");
    let said = payloads(&mut presence, false);
    assert_eq!(said.len(), 2);
    assert_eq!(said[1], ONLINE);
    assert!(!presence.is_settled());
    // Not before those are confirmed.
    assert!(!presence.is_look_due(start + DETAILS_EVERY));
    let later = start + Duration::from_secs(7);
    presence.begin();
    presence.connected(later, "serving".to_owned());
    let said = payloads(&mut presence, false);
    let details = Said::read(said[0].as_bytes()).unwrap();
    assert_eq!(details.number("started"), Some(1_000));
    assert_eq!(details.number("since"), Some(1_007));
    assert_eq!(said[1], ONLINE);
    for pkid in IDENTIFIERS + 1..=IDENTIFIERS + 2 {
        assert!(presence.acknowledged(pkid));
    }
    assert!(!presence.acknowledged(IDENTIFIERS));
    assert!(presence.is_look_due(later));
    presence.look(later, "serving".to_owned());
    assert_eq!(payloads(&mut presence, false), [""; 0], "no news");
    let failure = Failure::new(Kind::NoAnswer, "no answer");
    assert!(presence.ended(later, &Err(failure.clone()), "x".to_owned()));
    assert!(!presence.ended(later, &Err(failure), "x".to_owned()));
    // At the end nothing waits for the suspects of others.
    let said = payloads(&mut presence, true);
    let details = Said::read(said[0].as_bytes()).unwrap();
    assert_eq!(details.text("end"), Some("failed: no answer"));
    assert_eq!(said[1], OFFLINE);
}
