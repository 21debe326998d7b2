//! One task after the other, against a broker that each test plays.

use super::*;

fn topic() -> TopicName {
    TopicName::new("mine/doctor-1").unwrap()
}

fn filter() -> TopicFilter {
    TopicFilter::exactly(&topic())
}

const CONNECTED: Event<'static> = Event::Connected {
    session_present: false,
};

/// One with these tasks, connected: what the first of them wants.
fn begun(tasks: Vec<Task>, now: Instant) -> (Examination, Vec<Effect<Finding>>) {
    let mut role = Examination::new(tasks, now);
    let mut effects = role.handle(now, CONNECTED).unwrap();
    let connected = Finding::Connected {
        session_present: false,
    };
    assert_eq!(effects.remove(0), Effect::Emit(connected));
    (role, effects)
}

fn subscribed(role: &mut Examination, now: Instant, granted: QoS) -> Vec<Effect<Finding>> {
    let filter = &filter();
    role.handle(now, Event::Subscribed { filter, granted })
        .unwrap()
}

fn published(effects: &[Effect<Finding>]) -> Message {
    match effects.last() {
        Some(Effect::Publish(message)) => message.clone(),
        other => panic!("{other:?}"),
    }
}

fn echoes() -> Vec<Task> {
    let echo = |qos, size| Task::Echo(topic(), qos, size);
    vec![
        Task::Subscribe(filter(), QoS::ExactlyOnce),
        echo(QoS::AtMostOnce, 0),
        echo(QoS::ExactlyOnce, 0),
        echo(QoS::AtLeastOnce, 100),
        echo(QoS::AtLeastOnce, 1000),
    ]
}

#[test]
fn what_comes_back_is_timed_and_what_is_not_granted_is_not_tried() {
    let now = Instant::now();
    let (mut role, effects) = begun(echoes(), now);
    let asked = Effect::Subscribe(filter(), QoS::ExactlyOnce);
    assert_eq!(effects, [asked]);
    let effects = subscribed(&mut role, now, QoS::AtLeastOnce);
    let granted = Finding::Granted(filter(), QoS::AtLeastOnce);
    assert_eq!(effects[0], Effect::Emit(granted));
    let message = published(&effects);
    let later = now + Duration::from_millis(7);
    // Another's message on the topic is no echo.
    let mut other = message.clone();
    other.payload = b"else".to_vec();
    assert_eq!(role.handle(now, Event::Received(&other)), Ok(vec![]));
    let effects = role.handle(later, Event::Received(&message)).unwrap();
    let echo = Finding::Echo(QoS::AtMostOnce, 0, Ok(Duration::from_millis(7)));
    assert_eq!(effects[0], Effect::Emit(echo));
    let above = Err(Silence::Above(QoS::AtLeastOnce));
    let echo = Finding::Echo(QoS::ExactlyOnce, 0, above);
    assert_eq!(effects[1], Effect::Emit(echo));
    let message = published(&effects);
    assert_eq!(
        (message.qos, message.payload.len()),
        (QoS::AtLeastOnce, 100)
    );
    // What the broker closes the connection at is the largest that is tried.
    let rejected = Event::Undeliverable(&message, Undeliverable::Rejected);
    let effects = role.handle(later, rejected).unwrap();
    let echo = Finding::Echo(QoS::AtLeastOnce, 100, Err(Silence::Rejected));
    assert_eq!(effects, [Effect::Emit(echo), Effect::Finish]);
    assert!(role.is_done());
    assert_eq!(role.deadline(), None);
}

#[test]
fn where_nothing_comes_back_nothing_more_is_tried() {
    let now = Instant::now();
    let (mut role, _) = begun(echoes(), now);
    subscribed(&mut role, now, QoS::ExactlyOnce);
    let at = role.deadline().unwrap();
    let effects = role.handle(at, Event::Deadline).unwrap();
    let echo = Finding::Echo(QoS::AtMostOnce, 0, Err(Silence::Late));
    assert_eq!(effects, [Effect::Emit(echo), Effect::Finish]);
}

#[test]
fn a_subscribe_at_which_the_connection_ends_again_and_again_is_given_up() {
    let now = Instant::now();
    let (mut role, _) = begun(echoes(), now);
    for _ in 1..MAX_ENDS {
        assert_eq!(role.handle(now, CONNECTED), Ok(vec![]));
    }
    let effects = role.handle(now, CONNECTED).unwrap();
    let unanswered = Finding::Unanswered(filter(), Silence::Rejected);
    assert_eq!(effects[0], Effect::Emit(unanswered));
}

#[test]
fn what_is_retained_is_forgotten_whatever_was_found() {
    let now = Instant::now();
    for recalled in [true, false] {
        let tasks = vec![
            Task::Retain(topic()),
            Task::Recall(topic()),
            Task::Forget(topic()),
        ];
        let (mut role, effects) = begun(tasks, now);
        let message = published(&effects);
        assert!(message.retain && !message.payload.is_empty());
        let effects = role.handle(now, Event::Confirmed(&message)).unwrap();
        assert!(
            matches!(effects[..], [Effect::Subscribe(..)]),
            "{effects:?}"
        );
        let event = match recalled {
            true => Event::Received(&message),
            false => Event::Deadline,
        };
        let effects = role.handle(now, event).unwrap();
        assert_eq!(effects[0], Effect::Emit(Finding::Retains(recalled)));
        let message = published(&effects);
        assert!(message.retain && message.payload.is_empty());
        let effects = role.handle(now, Event::Confirmed(&message));
        assert_eq!(effects, Ok(vec![Effect::Finish]));
    }
}

#[test]
fn a_broker_that_never_answers_ends_it() {
    let now = Instant::now();
    let (mut role, _) = begun(echoes(), now);
    let failure = role.handle(now + ALL, Event::Deadline).unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
}
