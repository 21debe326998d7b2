//! The byte order mark with which some editors begin a file (U+FEFF, in UTF-8 three bytes). It says how the text is
//! encoded, and is no part of it.

use std::io::{self, Read};

const MARK: &str = "\u{feff}";

/// The text without its mark.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// What `from` reads, without its mark. It reads no further ahead than the mark goes, because a person may be typing.
pub fn skipping_mark<R: Read>(from: R) -> impl Read {
    SkippingMark {
        from,
        begin: Some(Vec::new()),
    }
}

struct SkippingMark<R> {
    from: R,
    /// The bytes of the mark so far; `None` when it is known whether there is one.
    begin: Option<Vec<u8>>,
}

impl<R: Read> Read for SkippingMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(begin) = &mut self.begin else {
            return self.from.read(buffer);
        };
        while begin.len() < MARK.len() && MARK.as_bytes().starts_with(begin) {
            let mut byte = [0];
            match self.from.read(&mut byte)? {
                0 => break,
                _ => begin.extend(byte),
            }
        }
        if begin == MARK.as_bytes() {
            self.begin = None;
            return self.from.read(buffer);
        }
        let length = begin.len().min(buffer.len());
        buffer[..length].copy_from_slice(&begin[..length]);
        begin.drain(..length);
        if begin.is_empty() {
            self.begin = None;
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a time, and panics where it is asked for more than there is.
    struct Typed<'a>(&'a [u8]);

    impl Read for Typed<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (byte, rest) = self.0.split_first().expect("it would wait for a person");
            buffer[0] = *byte;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn a_mark_at_the_beginning_is_skipped_and_nothing_else() {
        for (text, expected) in [
            (&b"\xef\xbb\xbfabc\n"[..], &b"abc\n"[..]),
            (b"abc", b"abc"),
            (b"", b""),
            (b"\xef", b"\xef"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"\xef\xbbx", b"\xef\xbbx"),
            (b"\xef\xbb\xbf", b""),
            (b"\xef\xbb\xbf\xef\xbb\xbf", b"\xef\xbb\xbf"),
            (b"a\xef\xbb\xbf", b"a\xef\xbb\xbf"),
        ] {
            let mut read = Vec::new();
            skipping_mark(text).read_to_end(&mut read).unwrap();
            assert_eq!(read, expected, "{text:?}");
            if let (Ok(text), Ok(expected)) =
                (std::str::from_utf8(text), std::str::from_utf8(expected))
            {
                assert_eq!(without_mark(text), expected);
            }
        }
    }

    #[test]
    fn a_line_is_handed_on_before_the_next_is_typed() {
        let mut reader = skipping_mark(Typed(b"a\n"));
        for expected in *b"a\n" {
            let mut byte = [0; 8];
            assert_eq!(reader.read(&mut byte).unwrap(), 1);
            assert_eq!(byte[0], expected);
        }
    }
}
