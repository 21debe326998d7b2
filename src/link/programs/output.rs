//! What a program prints: its answer, up to a length, and lines for the log.

use std::io::{BufRead, BufReader, Read};

use log::warn;

use crate::mqtt::printable;

/// How much of a program's standard error the log takes, in bytes.
const MAX_LOG: usize = 16 * 1024;
const LONGEST_LINE: u64 = 512;

/// What was printed.
#[derive(Debug, Default)]
pub struct Printed {
    /// The first part of it.
    pub bytes: Vec<u8>,
    /// How many bytes more there were.
    pub more: u64,
}

/// Reads all of it, so that the program never waits, and keeps `most` bytes.
pub fn keep(mut from: impl Read, most: usize) -> Printed {
    let mut printed = Printed::default();
    // What cannot be read was not printed.
    let _ = from
        .by_ref()
        .take(most as u64)
        .read_to_end(&mut printed.bytes);
    printed.more = std::io::copy(&mut from, &mut std::io::sink()).unwrap_or(0);
    printed
}

/// Reads all of it, and writes the first lines to the log, each after `name`.
pub fn log(from: impl Read, name: &str) {
    let mut from = BufReader::new(from);
    let mut left = MAX_LOG;
    let mut line = Vec::new();
    while left > 0 {
        line.clear();
        match from
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return,
            Ok(size) => left = left.saturating_sub(size),
        }
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            warn!("{name}: {}", printable(text));
        }
    }
    if std::io::copy(&mut from, &mut std::io::sink()).is_ok_and(|more| more > 0) {
        warn!("{name}: more on standard error was dropped");
    }
}

/// Without the last line feed.
#[must_use]
pub fn without_line_feed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_length_is_read_and_counted() {
        let printed = keep(&b"0123456789"[..], 4);
        assert_eq!((&printed.bytes[..], printed.more), (&b"0123"[..], 6));
        let printed = keep(&b"0123"[..], 4);
        assert_eq!((&printed.bytes[..], printed.more), (&b"0123"[..], 0));
    }

    #[test]
    fn one_line_feed_is_no_part_of_an_answer() {
        for (printed, answer) in [
            (&b"21.5\n"[..], &b"21.5"[..]),
            (b"21.5\r\n", b"21.5"),
            (b"a\nb\n\n", b"a\nb\n"),
            (b"21.5", b"21.5"),
            (b"\n", b""),
            (b"", b""),
        ] {
            assert_eq!(without_line_feed(printed.to_vec()), answer);
        }
    }
}
