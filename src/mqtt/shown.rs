//! How a payload, a topic or an argument is shown to a person: on one line, with nothing that a terminal
//! would obey.

/// A text as it may be shown, whatever somebody else put into it, a topic or an argument: the terminal
/// gets no control character to obey, and the log no second line.
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

/// A payload as a person may read it in a log: short, on one line, nothing a terminal would obey.
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
