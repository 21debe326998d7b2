//! The verdicts as a table, a line a check, or as an object of JSON each.

use crate::json::quoted;
use crate::mqtt::one_line;
use crate::program::output;
use crate::role::Failure;
use crate::text_request::judge::{Check, State, Verdict, Verdicts};

/// Prints all of them, and how many hold.
///
/// # Errors
/// Standard output does not take it.
pub fn print(verdicts: &Verdicts, json: bool) -> Result<(), Failure> {
    for check in Check::ALL {
        let verdict = verdicts.of(check);
        let line = match json {
            true => object(check, verdict),
            false => line(check, verdict),
        };
        // Whether anybody still reads does not matter: the exit code tells, too.
        output::print(one_line(&line).as_bytes())?;
    }
    Ok(())
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Wrong => "WRONG",
        State::NotTried => "not tried",
    }
}

fn line(check: Check, verdict: &Verdict) -> String {
    let (word, name) = (word(verdict.state()), check.name());
    let sentences = verdict.sentences().join("; also: ");
    format!("{word:<9}  {name:<15}  {sentences}")
        .trim_end()
        .to_owned()
}

fn object(check: Check, verdict: &Verdict) -> String {
    let sentences: Vec<String> = verdict
        .sentences()
        .iter()
        .map(|text| quoted(text))
        .collect();
    let (state, name) = (quoted(word(verdict.state())), quoted(check.name()));
    let sentences = sentences.join(",");
    format!("{{\"check\":{name},\"state\":{state},\"text\":[{sentences}]}}")
}
