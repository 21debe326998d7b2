//! The state file of versions up to 0.1.0: what is accepted is what they wrote.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_client::program::old_session::parse;

/// Without it nothing is ever accepted, and chance does not find it.
const FIRST_LINE: &[u8] = b"mqtt_client session 1\n";

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes, &[FIRST_LINE, bytes].concat()] {
        let Some((user_id, unique_id)) = parse(bytes) else {
            continue;
        };
        let whole =
            format!("mqtt_client session 1\nuser-id {user_id}\nunique-id {unique_id}\nend\n");
        // Until lines that end as DOS has them are no longer accepted.
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        assert_eq!(text, whole);
    }
});
