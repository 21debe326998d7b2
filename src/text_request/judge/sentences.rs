//! What is said of a mistake: what came, and what was expected.

use super::{End, Record};
use crate::Seconds;
use crate::mqtt::{one_line, printable};

/// What was printed, in backquotes; `nothing` where it was nothing.
pub fn shown(bytes: &[u8]) -> String {
    match bytes.is_empty() {
        true => "nothing".to_owned(),
        false => format!("`{}`", printable(bytes)),
    }
}

/// How much of the last words on standard error is shown, in characters.
const LONGEST_WORDS: usize = 200;

/// How the process ended.
pub fn end(record: &Record) -> String {
    match record.end {
        End::Exit(code) => format!("exit code {code}"),
        End::Signal(number) => format!("its end by signal {number}"),
        End::Late(time) => format!("no end within {} s", Seconds(time)),
        End::Flood => "output without end".to_owned(),
    }
}

impl Record {
    /// What came of it, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let printed = shown(&self.stdout);
        format!("{}, {printed} on standard output", end_and_words(self))
    }
}

/// How the process ended, and its last words on standard error.
pub fn end_and_words(record: &Record) -> String {
    let words = record.stderr.split(|byte| *byte == b'\n');
    let last = words.map(<[u8]>::trim_ascii).rfind(|line| !line.is_empty());
    let end = end(record);
    match last {
        None => format!("{end} and nothing on standard error"),
        Some(last) => {
            // The reason often stands at the end of the line.
            let last = String::from_utf8_lossy(last);
            let last: String = last.chars().take(LONGEST_WORDS).collect();
            format!("{end} and `{}` on standard error", one_line(&last))
        }
    }
}

/// What is wrong with this output, where the response alone and a line feed belong there; `None` where nothing is.
pub fn against_output(printed: &[u8], responses: &[&[u8]]) -> Option<(&'static str, String)> {
    let is_right = |response: &&[u8]| printed.strip_suffix(b"\n") == Some(*response);
    if responses.iter().any(is_right) {
        return None;
    }
    let [response, ..] = responses else {
        return None;
    };
    let expected = shown(response);
    let came = shown(printed);
    let text = printed.trim_ascii();
    let repr = [&b"b'"[..], response, b"'"].concat();
    Some(if printed.is_empty() {
        (
            "nothing",
            format!("nothing came on standard output; expected the response {expected}"),
        )
    } else if printed == *response {
        (
            "no line feed",
            format!("{came} came without a line feed at its end"),
        )
    } else if text == repr || (text.starts_with(b"b'") || text.starts_with(b"b\"")) {
        (
            "repr",
            format!(
                "{came} came; expected {expected}: the payload is bytes, so decode it before printing"
            ),
        )
    } else if std::str::from_utf8(printed).is_err() && std::str::from_utf8(response).is_ok() {
        (
            "not UTF-8",
            format!("what came is not UTF-8: {came}; expected {expected}"),
        )
    } else if contains(printed, response) {
        (
            "more",
            format!("{came} came; expected {expected} and a line feed, and nothing else"),
        )
    } else {
        (
            "other",
            format!("{came} came; expected the response {expected}"),
        )
    })
}

/// Whether `part` is somewhere in `whole`.
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}
