//! A request: a topic, a line feed, a text; and the five actions on it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_client::mqtt::TopicName;
use mqtt_client::text_request::{Action, GROWTH, parse_request_topic, request_topic};

fn characters(text: &str) -> Vec<char> {
    let mut all: Vec<char> = text.chars().collect();
    all.sort_unstable();
    all
}

fuzz_target!(|text: &str| {
    let (topic, text) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(topic) = TopicName::new(topic)
        && let Some((net_id, action)) = parse_request_topic(&topic)
    {
        assert_eq!(request_topic(&net_id, action), topic);
    }
    let mut random = fastrand::Rng::with_seed(text.len() as u64);
    for action in Action::ALL {
        let result = action.apply(text, &mut random);
        assert!(result.len() <= GROWTH * text.len());
        if matches!(action, Action::Reverse | Action::Shuffle) {
            assert_eq!(characters(&result), characters(text));
        }
    }
});
