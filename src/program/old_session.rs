//! The file of versions up to 0.1.0, which knew no journal: which session a device is in. It is read once, and removed
//! when the journal takes its place.

use std::path::Path;

use crate::link::state::{OLD_SESSION, read_regular};
use crate::mqtt::Level;

/// Longer than any such file: two levels and a few words.
const MAX_BYTES: u64 = 2 * crate::mqtt::MAX_BYTES as u64 + 1024;

/// The UNIQUE ID that `user_id` was given in a session that has not ended.
#[must_use]
pub fn unique_id(folder: &Path, user_id: &Level) -> Option<Level> {
    let bytes = read_regular(&folder.join(OLD_SESSION), MAX_BYTES).ok()??;
    let (owner, unique_id) = parse(&bytes)?;
    (owner == *user_id).then_some(unique_id)
}

/// The two ids in a file's bytes, where they are exactly what those versions wrote.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(Level, Level)> {
    let text = std::str::from_utf8(bytes).ok()?;
    // Not `lines`, which would take CRLF for LF.
    let mut lines = text.split('\n');
    let begins = lines.next() == Some("mqtt_client session 1");
    let user_id = Level::new(lines.next()?.strip_prefix("user-id ")?).ok()?;
    let unique_id = Level::new(lines.next()?.strip_prefix("unique-id ")?).ok()?;
    let whole = begins && lines.eq(["end", ""]);
    whole.then_some((user_id, unique_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> Level {
        Level::new(text).unwrap()
    }

    const WHOLE: &str = "mqtt_client session 1\nuser-id alice\nunique-id U1\nend\n";

    #[test]
    fn a_damaged_file_is_told_from_a_good_one() {
        for length in 0..WHOLE.len() {
            assert_eq!(parse(&WHOLE.as_bytes()[..length]), None, "{length}");
        }
        for foreign in [
            "{}",
            "\0",
            "\u{feff}mqtt_client session 1\nuser-id a\nunique-id b\nend\n",
            "mqtt_client session 1\nuser-id a\nunique-id #\nend\n",
            "mqtt_client session 2\nuser-id a\nunique-id b\nend\n",
            "mqtt_client session 1\nuser-id a\nunique-id b\nend\nmore\n",
        ] {
            assert_eq!(parse(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(parse(WHOLE.as_bytes()), Some((level("alice"), level("U1"))));
    }

    #[test]
    fn another_devices_session_is_not_taken() {
        let folder = std::env::temp_dir().join(format!("mqtt_client-old-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(unique_id(&folder, &level("alice")), None);
        std::fs::write(folder.join(OLD_SESSION), WHOLE).unwrap();
        assert_eq!(unique_id(&folder, &level("alice")), Some(level("U1")));
        assert_eq!(unique_id(&folder, &level("bob")), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
