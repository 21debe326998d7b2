//! A payload that ought to be a level, and what it may and may not become.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_client::mqtt::{Level, TopicFilter, TopicName, printable};

fuzz_target!(|bytes: &[u8]| {
    assert!(!printable(bytes).contains(char::is_control));
    if let Ok(level) = Level::from_bytes(bytes) {
        let text = level.as_str();
        assert_eq!(text.as_bytes(), bytes);
        assert!(!text.is_empty() && !text.contains(['+', '#', '/']));
        assert!(!text.contains(char::is_control));
        assert_eq!(TopicName::new(text), Ok(TopicName::of(&level)));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let (filter, topic) = text.split_once('\n').unwrap_or((text, text));
    if let (Ok(filter), Ok(topic)) = (TopicFilter::new(filter), TopicName::new(topic)) {
        let alike = filter.as_str() == topic.as_str();
        let wild = filter.as_str().contains(['+', '#']);
        assert!(alike || wild || !filter.matches(&topic));
        assert!(!alike || filter.matches(&topic));
    }
});
