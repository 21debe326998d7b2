//! A replies file: what is accepted can be given, and written down again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_client::device_session::{LAST_WORDS, Replies, words};

fuzz_target!(|bytes: &[u8]| {
    if let Some(command) = words(bytes) {
        assert_eq!(command, command.trim());
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let replies = match Replies::parse(text) {
        Ok(replies) => replies,
        Err(wrong) => {
            assert!(wrong.line <= text.lines().count());
            return assert!(!wrong.to_string().contains(char::is_control));
        }
    };
    let mut again = String::new();
    for command in replies.commands() {
        assert_ne!(command.as_str(), LAST_WORDS);
        assert_eq!(words(command.as_str().as_bytes()), Some(command.as_str()));
        let (known, word) = replies.answer(command.as_str()).unwrap();
        assert_eq!((known, word), (command, word.trim()));
        again += &format!("{command}={word}\n");
    }
    assert_eq!(Replies::parse(&again), Ok(replies));
});
