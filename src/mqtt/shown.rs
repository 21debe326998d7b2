//! How a payload, a topic or an argument is shown to a person: on one line, with nothing that a terminal would obey.
//! The other end of a connection chooses these texts, and must not choose what a terminal does or how many lines a log
//! has.

/// The text with each control character escaped: `\n` for a line feed, `\u{1b}` for an escape.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// A payload for a log: at most 60 characters of it, control characters escaped, and `U+FFFD` for what is not UTF-8.
#[must_use]
pub fn printable(payload: &[u8]) -> String {
    const MOST: usize = 60;
    let text = String::from_utf8_lossy(payload);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => one_line(&text[..end]) + "…",
        None => one_line(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_shows_is_short_and_harmless() {
        assert_eq!(printable(b"CMD1"), "CMD1");
        assert_eq!(printable(b"\x1b[2J\n"), "\\u{1b}[2J\\n");
        assert_eq!(printable(&[0xff]), "\u{fffd}");
        assert_eq!(printable(&[b'x'; 1000]).chars().count(), 61);
    }
}
