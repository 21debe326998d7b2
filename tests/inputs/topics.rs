//! Topic levels, names and filters, against the rules as the standard words them.

use mqtt_client::mqtt::{Invalid, Level, MAX_BYTES, TopicFilter, TopicName, printable};

use crate::source::{bytes, inputs, text};

const WORDS: [&str; 8] = ["a", "alice", "/", "+", "#", "$SYS", "UUID", "é"];

#[test]
fn a_level_is_one_level_and_nothing_else() {
    inputs("levels", |random| {
        let bytes = bytes(random, &WORDS);
        let text = str::from_utf8(&bytes);
        match (Level::from_bytes(&bytes), text) {
            (Ok(level), text) => {
                assert_eq!(text, Ok(level.as_str()));
                assert!(!level.as_str().is_empty());
                let harmful = |c: char| c.is_control() || "+#/".contains(c);
                assert!(!level.as_str().contains(harmful), "{level:?}");
                let topic = TopicName::of(&level).join(&Level::new("response").unwrap());
                assert_eq!(TopicName::new(topic.as_str()), Ok(topic.clone()));
                assert_eq!(topic.levels().count(), 2, "{level:?}");
            }
            (Err(Invalid::NotUtf8), text) => assert!(text.is_err()),
            (Err(Invalid::Empty), _) => assert!(bytes.is_empty()),
            (Err(Invalid::TooLong), _) => assert!(bytes.len() > 65_000),
            (Err(Invalid::Character(c)), text) => assert!(text.unwrap().contains(c)),
        }
    });
}

/// They are neither control characters nor forbidden (section 1.5.3), but mosquitto ends the connection
/// of a client that sends one in a topic.
#[test]
fn a_level_has_no_noncharacter() {
    for c in [
        "\u{fdd0}",
        "\u{fdef}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{1fffe}",
        "\u{10ffff}",
    ] {
        assert!(Level::new(&format!("U{c}")).is_err(), "{c:?}");
    }
}

#[test]
fn a_topic_name_is_what_the_standard_lets_it_be() {
    inputs("topic names", |random| {
        let text = text(random, &WORDS);
        let right = !text.is_empty() && text.len() <= MAX_BYTES && !text.contains(['+', '#', '\0']);
        assert_eq!(TopicName::new(text.as_str()).is_ok(), right, "{text:?}");
    });
}

/// Section 4.7.1, level by level.
fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let (last, others) = levels.split_last().unwrap();
    let plain = |level: &str| level == "+" || !level.contains(['+', '#']);
    let right = others.iter().all(|level| plain(level)) && (*last == "#" || plain(last));
    right && !text.is_empty() && text.len() <= MAX_BYTES && !text.contains('\0')
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([f, filter @ ..], [t, topic @ ..]) => f == t && levels_match(filter, topic),
        _ => false,
    }
}

#[test]
fn a_filter_matches_what_the_standard_says() {
    let mut matching = 0_u32;
    inputs("filters and topics", |random| {
        let [filter, topic] = [(); 2].map(|()| {
            let mut words = || crate::source::choice(random, &["a", "+", "#", "", "$b", "é"]);
            let levels = [words(), words(), words()];
            levels[..random.usize(1..=3)].join("/")
        });
        let topic = topic.replace(['+', '#'], "c");
        assert_eq!(
            TopicFilter::new(filter.as_str()).is_ok(),
            is_filter(&filter),
            "{filter:?}"
        );
        let (Ok(made), Ok(name)) = (TopicFilter::new(filter.as_str()), TopicName::new(&*topic))
        else {
            return;
        };
        let levels: [Vec<&str>; 2] = [&filter, &topic].map(|text| text.split('/').collect());
        let hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
        let expected = !hidden && levels_match(&levels[0], &levels[1]);
        assert_eq!(made.matches(&name), expected, "{filter:?} {topic:?}");
        matching += u32::from(expected);
        assert!(TopicFilter::exactly(&name).matches(&name), "{name}");
    });
    assert!(matching > 0, "no filter matched any topic");
}

#[test]
fn any_text_as_a_filter() {
    inputs("filters", |random| {
        let text = text(random, &WORDS);
        assert_eq!(
            TopicFilter::new(text.as_str()).is_ok(),
            is_filter(&text),
            "{text:?}"
        );
    });
}

#[test]
fn what_a_log_shows_is_one_short_line() {
    inputs("payloads", |random| {
        let bytes = bytes(random, &WORDS);
        let shown = printable(&bytes);
        assert!(!shown.contains(char::is_control), "{bytes:?}");
        // Each of 60 characters, as long as `\u{10ffff}` at the worst, and the ellipsis.
        assert!(shown.chars().count() <= 601, "{bytes:?}");
    });
}
