//! The commands in a text for a shell. As much of the shell as the pages here use: quotes, comments, variables in front of a
//! command, redirections, here-documents, and what separates one command from the next.

/// A command, with the variables that are set for it alone.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    pub variables: Vec<String>,
    pub words: Vec<String>,
}

/// A word, or what separates commands and streams.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Operator(String),
}

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            ('|' | '&' | ';' | '<' | '>', None) => {
                // `2>` is one operator.
                let number = word.take_if(|word| c == '>' && word.parse::<u8>().is_ok());
                if number.is_none() {
                    tokens.extend(word.take().map(Token::Word));
                }
                let mut operator = c.to_string();
                while let Some(more) = chars.next_if(|next| *next == c || *next == '&') {
                    operator.push(more);
                }
                tokens.push(Token::Operator(operator));
            }
            (_, None) if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open: {line}");
    tokens.extend(word.map(Token::Word));
    tokens
}

/// The commands in these lines.
pub fn commands<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Command> {
    let mut found = Vec::new();
    let mut here: Option<String> = None;
    for line in lines {
        if let Some(end) = &here {
            if line == end {
                here = None;
            }
            continue;
        }
        let mut command = Command {
            variables: Vec::new(),
            words: Vec::new(),
        };
        let mut redirection = None;
        let mut tokens = tokens(line);
        tokens.push(Token::Operator(";".to_owned()));
        for token in tokens {
            match (token, redirection.take()) {
                (Token::Word(end), Some("<<")) => here = Some(end),
                (Token::Word(_), Some(_)) => {}
                (Token::Word(word), None) => {
                    let is_variable = command.words.is_empty()
                        && word.split_once('=').is_some_and(|(name, _)| {
                            name.chars()
                                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                        });
                    match is_variable {
                        true => command.variables.push(word),
                        false => command.words.push(word),
                    }
                }
                (Token::Operator(operator), _) => match operator.as_str() {
                    "<<" => redirection = Some("<<"),
                    "<" | ">" | ">>" => redirection = Some(">"),
                    ">&" => redirection = Some(">"),
                    _ => {
                        let (variables, words) = (Vec::new(), Vec::new());
                        let whole = std::mem::replace(&mut command, Command { variables, words });
                        found.extend((!whole.words.is_empty()).then_some(whole));
                    }
                },
            }
        }
    }
    assert_eq!(here, None, "a here-document is open");
    found
}

#[test]
fn a_text_for_a_shell_falls_into_commands() {
    let text = "a 'b c' \"d\" # e\nA=1 B_2=x f | g -- '' <h >i 2>/dev/null & j; k && l\nm <<'END' >n\no\nEND\n# p";
    let found: Vec<String> = commands(text.lines())
        .iter()
        .map(|command| [command.variables.join(","), command.words.join(",")].join(":"))
        .collect();
    assert_eq!(
        found,
        [":a,b c,d", "A=1,B_2=x:f", ":g,--,", ":j", ":k", ":l", ":m"]
    );
}
