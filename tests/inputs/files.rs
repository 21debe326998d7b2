//! What is read from files: the replies, and a device's state.

use fastrand::Rng;
use mqtt_client::device_session::{LAST_WORDS, Replies, words};
use mqtt_client::program::old_session::parse;

use crate::source::{bytes, choice, inputs, mutate, text};

const LINES: [&str; 10] = [
    "CMD1=Apple",
    "CMD2 = Cat",
    "CMD1",
    "=",
    "\n",
    "\r\n",
    "# a remark\n",
    "\nCMD1=Dog",
    "on=\n",
    LAST_WORDS,
];

#[test]
fn replies_that_are_accepted_can_be_given() {
    let mut accepted = 0_u32;
    inputs("replies files", |random| {
        let file = text(random, &LINES);
        let replies = match Replies::parse(&file) {
            Ok(replies) => replies,
            Err(wrong) => {
                assert!(wrong.line <= file.lines().count(), "{file:?}");
                assert!(!wrong.to_string().contains(char::is_control), "{file:?}");
                return;
            }
        };
        accepted += 1;
        let mut again = String::new();
        for command in replies.commands() {
            // As a device hears it, with the white space around it that is not part of it.
            let heard = format!(" {command}\n");
            assert_eq!(words(heard.as_bytes()), Some(command.as_str()), "{file:?}");
            assert_ne!(command.as_str(), LAST_WORDS);
            let (known, word) = replies.answer(command.as_str()).unwrap();
            assert_eq!(known, command, "{file:?}");
            assert_eq!(word.trim(), word, "{file:?}");
            again += &format!("{command}={word}\n");
        }
        assert_eq!(Replies::parse(&again), Ok(replies), "{file:?}");
    });
    assert!(accepted > 0, "no file was accepted");
}

#[test]
fn a_command_loses_white_space_and_nul_around_it_and_nothing_else() {
    let is_around = |c: char| c.is_whitespace() || c == '\0';
    inputs("commands", |random| {
        let payload = bytes(random, &["CMD1", " ", "\n", "\0", LAST_WORDS]);
        match (words(&payload), str::from_utf8(&payload)) {
            (None, text) => assert!(text.is_err(), "{payload:?}"),
            (Some(command), text) => {
                assert!(!command.starts_with(is_around), "{payload:?}");
                assert!(!command.ends_with(is_around), "{payload:?}");
                let (before, after) = text.unwrap().split_once(command).unwrap();
                assert!(before.chars().all(is_around), "{payload:?}");
                assert!(after.chars().all(is_around), "{payload:?}");
            }
        }
    });
}

fn state(random: &mut Rng) -> Vec<u8> {
    let names = ["alice", "U1", "Ü", "a b", "#", "", "x/y", "\u{fffe}"];
    let [user, id] = [(); 2].map(|()| choice(random, &names));
    let file = format!("mqtt_client session 1\nuser-id {user}\nunique-id {id}\nend\n");
    let mut file = file.into_bytes();
    while random.u8(..2) == 0 {
        mutate(random, &mut file);
    }
    // Lines that end as DOS has them: `a_file_of_other_lines_is_damaged`.
    file.retain(|byte| *byte != b'\r');
    file
}

/// What is accepted is what versions up to 0.1.0 wrote, byte for byte.
#[test]
fn a_state_that_is_accepted_is_one_that_was_saved() {
    let mut accepted = 0_u32;
    inputs("state files", |random| {
        let bytes = state(random);
        let Some((user_id, unique_id)) = parse(&bytes) else {
            return;
        };
        accepted += 1;
        let saved =
            format!("mqtt_client session 1\nuser-id {user_id}\nunique-id {unique_id}\nend\n");
        assert_eq!(saved.as_bytes(), bytes);
    });
    assert!(accepted > 0, "no file was accepted");
}

#[test]
fn a_file_of_other_lines_is_damaged() {
    let dos = b"mqtt_client session 1\r\nuser-id alice\r\nunique-id U1\r\nend\r\n";
    assert_eq!(parse(dos), None);
}
