//! The table of requester's transitions, row by row.

use super::*;
use crate::text_request::Action;

const CONNECTED: Event<'static> = Event::Connected {
    session_present: false,
};

fn subscribed(filter: &TopicFilter) -> Event<'_> {
    let granted = QoS::ExactlyOnce;
    Event::Subscribed { filter, granted }
}

fn config() -> RequestConfig {
    RequestConfig::new(Level::new("net").unwrap(), Action::Reverse)
}

fn requester(now: Instant) -> Requester {
    Requester::new(config(), "abc".to_owned(), now)
}

fn message(topic: &str, payload: &str) -> Message {
    Message::new(TopicName::new(topic).unwrap(), payload, QoS::AtLeastOnce)
}

#[test]
fn a_request_from_subscribe_to_answer() {
    let now = Instant::now();
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let answer = message("net/reverse/response", "cba");
    let mut old = answer.clone();
    old.retain = true;
    let request = Effect::Publish(message("net/reverse/request", "abc"));
    let confirmed = message("net/reverse/request", "abc");
    let elsewhere = message("net/shuffle/response", "x");
    let late = Effect::Note("ignored a late answer to an earlier request".to_owned());
    let mut requester = requester(now);
    let subscribe = Effect::Subscribe(filter.clone(), QoS::AtLeastOnce);
    let rows: Vec<(Event<'_>, Vec<Effect<Vec<u8>>>)> = vec![
        (CONNECTED, vec![subscribe, request.clone()]),
        (subscribed(&filter), vec![]),
        (Event::Confirmed(&confirmed), vec![]),
        // The broker had lost the session.
        (subscribed(&filter), vec![request]),
        (Event::Received(&elsewhere), vec![]),
        (
            Event::Received(&answer),
            vec![Effect::Emit(b"cba".to_vec())],
        ),
        // Asked twice, so a second answer may come.
        (Event::Received(&answer), vec![late, Effect::Finish]),
        (Event::Received(&answer), vec![]),
        (Event::Deadline, vec![]),
    ];
    for (row, (event, expected)) in rows.into_iter().enumerate() {
        assert_eq!(requester.handle(now, event), Ok(expected), "row {row}");
    }
}

/// QoS 0 has no PUBACK that tells whether the broker works in order; and before a QoS 2 message it has to be known
/// whether the broker has QoS 2.
#[test]
fn at_qos_0_and_2_the_request_waits_for_the_subscription() {
    let now = Instant::now();
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    for qos in [QoS::AtMostOnce, QoS::ExactlyOnce] {
        for lines in [false, true] {
            let config = RequestConfig { qos, ..config() };
            let mut request = message("net/reverse/request", "abc");
            request.qos = qos;
            let (mut requester, begun) = match lines {
                false => (
                    Requester::new(config, "abc".to_owned(), now),
                    Effect::Publish(request),
                ),
                true => (Requester::of_lines(config, now), Effect::AwaitLine),
            };
            let subscribe = Effect::Subscribe(filter.clone(), qos);
            for (event, expected) in [
                (CONNECTED, vec![subscribe]),
                (CONNECTED, vec![]),
                (
                    Event::Received(&message("net/reverse/response", "cba")),
                    vec![],
                ),
                (subscribed(&filter), vec![begun]),
                (subscribed(&filter), vec![]),
            ] {
                assert_eq!(requester.handle(now, event), Ok(expected), "{qos}");
            }
        }
    }
}

/// PUBACK before SUBACK: the broker may have routed the request, and its answer, before it subscribed.
#[test]
fn an_answer_that_could_be_missed_is_asked_for_again_and_what_comes_twice_is_printed_once() {
    let now = Instant::now();
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let asked = message("net/reverse/request", "abc");
    let answer = message("net/reverse/response", "cba");
    let printed = Effect::Emit(b"cba".to_vec());
    let late = Effect::Note("ignored a late answer to an earlier request".to_owned());
    let (puback, suback) = (Event::Confirmed(&asked), subscribed(&filter));
    let came = Event::Received(&answer);
    let again = Effect::Publish(asked.clone());
    let out_of_order: &[(Event<'_>, Vec<Effect<Vec<u8>>>)] = &[
        (puback, vec![]),
        (suback, vec![again]),
        (puback, vec![]),
        (came, vec![printed.clone()]),
        (came, vec![late, Effect::Finish]),
    ];
    let answered_before = &[
        (puback, vec![]),
        (came, vec![printed.clone(), Effect::Finish]),
        (suback, vec![]),
    ];
    let in_order = &[
        (suback, vec![]),
        (puback, vec![]),
        (came, vec![printed.clone(), Effect::Finish]),
    ];
    let puback_last = &[
        (suback, vec![]),
        (came, vec![printed, Effect::Finish]),
        (puback, vec![]),
    ];
    for rows in [out_of_order, answered_before, in_order, puback_last] {
        let mut requester = requester(now);
        requester.handle(now, CONNECTED).unwrap();
        for (row, (event, expected)) in rows.iter().enumerate() {
            let reaction = requester.handle(now, *event);
            assert_eq!(reaction.as_ref(), Ok(expected), "row {row} of {rows:?}");
        }
    }
}

#[test]
fn of_lines_the_first_alone_can_be_missed_and_its_second_answer_is_not_the_nexts() {
    let now = Instant::now();
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let texts = ["abc", "de"];
    let asked = texts.map(|text| message("net/reverse/request", text));
    let answers = ["cba", "ed"].map(|text| message("net/reverse/response", text));
    let publish = |line: usize| Effect::Publish(asked[line].clone());
    let printed = |line: usize| {
        let answer = answers[line].payload.clone();
        vec![Effect::Emit(answer), Effect::AwaitLine]
    };
    let mut requester = Requester::of_lines(config(), now);
    requester.handle(now, CONNECTED).unwrap();
    let late = Effect::Note("ignored a late answer to an earlier request".to_owned());
    for (row, (event, expected)) in [
        (Event::Line(Some(texts[0])), vec![publish(0)]),
        (Event::Confirmed(&asked[0]), vec![]),
        (subscribed(&filter), vec![publish(0)]),
        (Event::Received(&answers[0]), printed(0)),
        (Event::Line(Some(texts[1])), vec![publish(1)]),
        (Event::Confirmed(&asked[0]), vec![]),
        (Event::Received(&answers[0]), vec![late]),
        (Event::Received(&answers[1]), printed(1)),
        (Event::Line(None), vec![Effect::Finish]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(requester.handle(now, event), Ok(expected), "row {row}");
    }
}

#[test]
fn lines_are_asked_for_one_after_the_other_as_they_come() {
    let now = Instant::now();
    let mut requester = Requester::of_lines(config(), now);
    assert_eq!(requester.deadline(), Some(now + RequestConfig::TIMEOUT));
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let subscribe = Effect::Subscribe(filter.clone(), QoS::AtLeastOnce);
    let reaction = requester.handle(now, CONNECTED);
    assert_eq!(reaction, Ok(vec![subscribe, Effect::AwaitLine]));
    let late = message("net/reverse/response", "late");
    for (line, answer) in [("abc", "cba"), ("", ""), ("abc", "cba")] {
        assert_eq!(requester.deadline(), None);
        // However long it takes to write a line, and whatever else happens in the meantime.
        let later = now + Duration::from_secs(3600);
        for event in [Event::Deadline, subscribed(&filter), CONNECTED] {
            assert_eq!(requester.handle(later, event), Ok(vec![]));
        }
        assert_eq!(requester.handle(later, Event::Received(&late)), Ok(vec![]));
        let effects = requester.handle(later, Event::Line(Some(line))).unwrap();
        let request = message("net/reverse/request", line);
        assert_eq!(effects, [Effect::Publish(request)]);
        assert_eq!(requester.deadline(), Some(later + RequestConfig::TIMEOUT));
        let answer = message("net/reverse/response", answer);
        let effects = requester.handle(later, Event::Received(&answer)).unwrap();
        assert_eq!(effects, [Effect::Emit(answer.payload), Effect::AwaitLine]);
    }
    let ended = requester.handle(now, Event::Line(None));
    assert_eq!(ended, Ok(vec![Effect::Finish]));
    assert_eq!(requester.deadline(), None);
}

/// A requester whose first text is asked and with the broker, at `now`.
fn asking(mut requester: Requester, now: Instant) -> Requester {
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let asked = message("net/reverse/request", "abc");
    requester.handle(now, CONNECTED).unwrap();
    requester.handle(now, subscribed(&filter)).unwrap();
    requester.handle(now, Event::Confirmed(&asked)).unwrap();
    requester
}

#[test]
fn what_is_not_answered_is_asked_again_at_growing_intervals() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let asked = message("net/reverse/request", "abc");
    let answer = message("net/reverse/response", "cba");
    let mut requester = asking(requester(start), start);
    for seconds in [2, 6] {
        assert_eq!(requester.deadline(), Some(at(seconds)));
        let effects = requester.handle(at(seconds), Event::Deadline).unwrap();
        assert_eq!(effects[1..], [Effect::Publish(asked.clone())]);
        // Not before the broker has it.
        assert_eq!(requester.deadline(), Some(at(10)));
        let confirmed = Event::Confirmed(&asked);
        requester.handle(at(seconds), confirmed).unwrap();
    }
    assert_eq!(requester.deadline(), Some(at(10)));
    assert_eq!(requester.time_limit(), Some(at(10)));
    // The answer is handed out once, and at once; then it stays for the two that are owed.
    let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
    assert_eq!(effects, [Effect::Emit(b"cba".to_vec())]);
    assert_eq!(requester.deadline(), Some(at(8)));
    let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
    assert!(matches!(effects[..], [Effect::Note(_)]), "{effects:?}");
    let effects = requester.handle(at(7), Event::Received(&answer)).unwrap();
    assert!(matches!(effects[..], [Effect::Note(_), Effect::Finish]));
}

#[test]
fn it_does_not_stay_for_late_answers_beyond_a_second_or_the_limit() {
    let start = Instant::now();
    let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
    let answer = message("net/reverse/response", "cba");
    for (answered, left) in [(30, 40), (95, 100)] {
        let mut requester = asking(requester(start), start);
        requester.handle(at(20), Event::Deadline).unwrap();
        requester
            .handle(at(answered), Event::Received(&answer))
            .unwrap();
        assert_eq!(requester.deadline(), Some(at(left)));
        assert!(requester.is_done());
        let effects = requester.handle(at(left), Event::Deadline);
        assert_eq!(effects, Ok(vec![Effect::Finish]));
    }
}

#[test]
fn a_late_answer_to_one_line_is_never_the_answer_to_the_next() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let requester = Requester::of_lines(config(), start);
    let mut lines = ["abc", "de", "abc", "f"].into_iter();
    let mut requester = asking(requester, start);
    let first = Event::Line(lines.next());
    requester.handle(start, first).unwrap();
    let asked = message("net/reverse/request", "abc");
    requester.handle(start, Event::Confirmed(&asked)).unwrap();
    requester.handle(at(2), Event::Deadline).unwrap();
    let mut say = |requester: &mut Requester, text: &str| {
        let answer = message("net/reverse/response", text);
        let effects = requester.handle(at(3), Event::Received(&answer)).unwrap();
        if effects.contains(&Effect::AwaitLine) {
            let next = Event::Line(lines.next());
            requester.handle(at(3), next).unwrap();
        }
        let printed = effects.into_iter().filter_map(|effect| match effect {
            Effect::Emit(answer) => Some(String::from_utf8(answer).unwrap()),
            _ => None,
        });
        printed.collect::<Vec<String>>()
    };
    assert_eq!(say(&mut requester, "cba"), ["cba"]);
    // The second answer to `abc`, before and after that to `de`.
    assert_eq!(say(&mut requester, "cba"), [""; 0]);
    assert_eq!(say(&mut requester, "ed"), ["ed"]);
    assert_eq!(say(&mut requester, "cba"), ["cba"]);
    assert_eq!(say(&mut requester, "f"), ["f"]);
}

#[test]
fn without_a_limit_it_asks_again_after_2_s_and_then_more_and_more_rarely() {
    let start = Instant::now();
    let unlimited = RequestConfig {
        timeout: None,
        ..config()
    };
    let asked = message("net/reverse/request", "abc");
    let requester = Requester::new(unlimited, "abc".to_owned(), start);
    let mut requester = asking(requester, start);
    let mut now = start;
    for interval in [2, 4, 8, 16, 32, 60, 60] {
        now += Duration::from_secs(interval);
        assert_eq!(requester.deadline(), Some(now));
        requester.handle(now, Event::Deadline).unwrap();
        requester.handle(now, Event::Confirmed(&asked)).unwrap();
    }
}

#[test]
fn a_retained_answer_is_an_old_one() {
    let now = Instant::now();
    let filter = TopicFilter::new("net/reverse/response").unwrap();
    let mut requester = requester(now);
    requester.handle(now, CONNECTED).unwrap();
    requester.handle(now, subscribed(&filter)).unwrap();
    let mut old = message("net/reverse/response", "old");
    old.retain = true;
    let effects = requester.handle(now, Event::Received(&old)).unwrap();
    assert!(matches!(effects[..], [Effect::Warn(_)]));
}

/// Somebody clears a retained answer while the request waits.
#[test]
fn nothing_is_the_answer_to_nothing_alone() {
    let now = Instant::now();
    let empty = message("net/reverse/response", "");
    let mut asking_abc = asking(requester(now), now);
    let effects = asking_abc.handle(now, Event::Received(&empty)).unwrap();
    assert!(matches!(effects[..], [Effect::Warn(_)]), "{effects:?}");
    let answer = message("net/reverse/response", "cba");
    let effects = asking_abc.handle(now, Event::Received(&answer)).unwrap();
    assert_eq!(effects, [Effect::Emit(b"cba".to_vec()), Effect::Finish]);

    let mut asking_nothing = asking(Requester::new(config(), String::new(), now), now);
    let effects = asking_nothing.handle(now, Event::Received(&empty)).unwrap();
    assert_eq!(effects, [Effect::Emit(Vec::new()), Effect::Finish]);
}

#[test]
fn no_answer_in_time() {
    let now = Instant::now();
    let mut requester = requester(now);
    let limit = now + Duration::from_secs(10);
    assert_eq!(requester.deadline(), Some(limit));
    assert_eq!(requester.handle(now, Event::Deadline), Ok(vec![]));
    let failure = requester.handle(limit, Event::Deadline).unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
}
