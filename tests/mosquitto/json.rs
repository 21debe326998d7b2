//! JSON (RFC 8259), read strictly: what peers and `--report` write is to be JSON, not just like it.

use std::iter::Peekable;
use std::str::Chars;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text.
    ///
    /// # Panics
    /// Where it is not JSON.
    pub fn read(text: &str) -> Self {
        let mut reader = Reader(text.chars().peekable());
        let value = reader.value();
        match value.filter(|_| reader.next_token().is_none()) {
            Some(value) => value,
            None => panic!("not JSON: {text}"),
        }
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> &Json {
        let Self::Object(members) = self else {
            panic!("not an object: {self:?}");
        };
        match members.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => panic!("no {name} in {self:?}"),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    pub fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            other => panic!("not a number: {other:?}"),
        }
    }

    pub fn list(&self) -> &[Json] {
        match self {
            Self::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }

    /// A list of texts.
    pub fn texts(&self) -> Vec<&str> {
        self.list().iter().map(Self::text).collect()
    }
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn next_token(&mut self) -> Option<char> {
        while self.0.next_if(|c| " \t\r\n".contains(*c)).is_some() {}
        self.0.peek().copied()
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.next_token();
        self.0.next_if_eq(&expected).map(|_| ())
    }

    fn value(&mut self) -> Option<Json> {
        match self.next_token()? {
            '{' => self
                .sequence('{', '}', |reader| {
                    let name = reader.string()?;
                    reader.take(':')?;
                    Some((name, reader.value()?))
                })
                .map(Json::Object),
            '[' => self.sequence('[', ']', Self::value).map(Json::List),
            '"' => self.string().map(Json::Text),
            _ => self.word(),
        }
    }

    fn sequence<T>(
        &mut self,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(open)?;
        let mut items = Vec::new();
        if self.take(close).is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(close).is_some() {
                return Some(items);
            }
            self.take(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    /// Surrogate pairs are left out: neither writer makes them here.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'u' => {
                let digits: String = self.0.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            c @ ('"' | '\\' | '/') => c,
            _ => return None,
        })
    }

    fn word(&mut self) -> Option<Json> {
        let mut word = String::new();
        while let Some(c) = self
            .0
            .next_if(|c| c.is_ascii_alphanumeric() || "+-.".contains(*c))
        {
            word.push(c);
        }
        match word.as_str() {
            "null" => Some(Json::Null),
            "true" => Some(Json::Bool(true)),
            "false" => Some(Json::Bool(false)),
            number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                number.parse().ok().map(Json::Number)
            }
            _ => None,
        }
    }
}

#[test]
fn json_is_read_strictly() {
    let read = Json::read(r#" {"a":[1,-2.5,"\"\u0009é"],"b":{},"c":null,"d":true} "#);
    assert_eq!(read.get("a").list()[1].number(), -2.5);
    assert_eq!(read.get("a").list()[2].text(), "\"\té");
    for (name, value) in [("b", Json::Object(vec![])), ("c", Json::Null)] {
        assert_eq!(*read.get(name), value);
    }
    for wrong in [
        "", "{", "[1,]", "{\"a\"}", "\"\t\"", "1 2", "'a'", "[1]]", "nul",
    ] {
        let result = std::panic::catch_unwind(|| Json::read(wrong));
        assert!(result.is_err(), "{wrong}");
    }
}
