//! The little JSON there is here (RFC 8259): strings to write, and flat objects to read. Not worth the six crates of
//! serde_json.

use std::iter::Peekable;
use std::str::Chars;

/// A value in a flat object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// Whole numbers only.
    Number(u64),
    Null,
}

/// A JSON string (section 7).
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The members of an object that has nothing but strings, whole numbers and null; `None` for any other text.
pub fn members(text: &str) -> Option<Vec<(String, Value)>> {
    let mut rest = Rest(text.chars().peekable());
    let mut members = Vec::new();
    rest.mark('{')?;
    if rest.mark('}').is_none() {
        loop {
            let name = rest.string()?;
            rest.mark(':')?;
            members.push((name, rest.value()?));
            if rest.mark(',').is_none() {
                rest.mark('}')?;
                break;
            }
        }
    }
    rest.skip_blanks();
    rest.0.next().is_none().then_some(members)
}

struct Rest<'a>(Peekable<Chars<'a>>);

impl Rest<'_> {
    fn skip_blanks(&mut self) {
        while self.0.next_if(|c| " \t\r\n".contains(*c)).is_some() {}
    }

    fn mark(&mut self, mark: char) -> Option<()> {
        self.skip_blanks();
        self.0.next_if_eq(&mark).map(|_| ())
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_blanks();
        match self.0.peek()? {
            '"' => self.string().map(Value::Text),
            'n' => "null"
                .chars()
                .all(|c| self.0.next() == Some(c))
                .then_some(Value::Null),
            _ => {
                let mut digits = String::new();
                while let Some(digit) = self.0.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let is_one = digits.len() < 2 || !digits.starts_with('0');
                is_one.then(|| digits.parse().ok())?.map(Value::Number)
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.mark('"')?;
        let mut text = String::new();
        loop {
            text.push(match self.0.next()? {
                '"' => return Some(text),
                '\\' => {
                    match self.0.next()? {
                        c @ ('"' | '\\' | '/') => c,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        // Half of a pair is no character: what is written here has none.
                        'u' => char::from_u32((0..4).try_fold(0, |code, _| {
                            Some(code * 16 + self.0.next()?.to_digit(16)?)
                        })?)?,
                        _ => return None,
                    }
                }
                c if c < ' ' => return None,
                c => c,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "a\"b\\c\n\u{1b}[2Jü😀\u{7f}";
        let object = format!(" {{ {}:\t{}, \"\":7 }}\n", quoted(text), quoted(text));
        let expected = [
            (text.to_owned(), Value::Text(text.to_owned())),
            (String::new(), Value::Number(7)),
        ];
        assert_eq!(members(&object).unwrap(), expected);
        assert_eq!(members("{}").unwrap(), []);
        let escapes = r#"{"a":"\b\f\n\r\t\/\u00e9","n":null,"z":0}"#;
        let read = members(escapes).unwrap();
        assert_eq!(read[0].1, Value::Text("\u{8}\u{c}\n\r\t/é".to_owned()));
        assert_eq!((&read[1].1, &read[2].1), (&Value::Null, &Value::Number(0)));
    }

    #[test]
    fn what_is_no_flat_object_is_none() {
        for text in [
            "",
            "online",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":[1]}",
            "{\"a\":{}}",
            "{\"a\":true}",
            "{\"a\":nul}",
            "{\"a\":-1}",
            "{\"a\":1.5}",
            "{\"a\":01}",
            "{\"a\":99999999999999999999}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\u12",
            "{a:1}",
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }
}
