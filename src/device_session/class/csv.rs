//! The attempts of a class as comma-separated values (RFC 4180), one a line, for a spreadsheet.

use super::Seat;
use crate::device_session::report::Report;
use crate::mqtt::one_line;

/// The first line of a file, without its end.
pub const HEAD: &str = "time,user_id,name,on_roster,attempt,unique_id,verdict,duration_s,commands,replies,repeats,mistakes,hints";

/// The end of a line (RFC 4180, section 2).
pub const END: &str = "\r\n";

/// The attempt that `report` is about, of the one on `seat`, without the end of the line. `time` is when it was over.
#[must_use]
pub fn line(report: &Report, seat: Option<&Seat>, time: &str) -> String {
    let number = seat.and_then(|seat| {
        let is_it = |attempt: &&super::Attempt| attempt.unique_id == report.unique_id;
        let attempt = seat.attempts.iter().find(is_it);
        attempt.map(|attempt| attempt.number)
    });
    let nothing = Vec::new();
    let (verdict, mistakes) = match &report.verdict {
        Ok(()) => ("passed", &nothing),
        Err(mistakes) => ("failed", mistakes),
    };
    let is_on_roster = seat.is_some_and(|seat| seat.is_on_roster);
    let cells = [
        time.to_owned(),
        text(report.user_id.as_str()),
        text(seat.map_or("", |seat| &seat.name)),
        if is_on_roster { "yes" } else { "no" }.to_owned(),
        number.map_or(String::new(), |number| number.to_string()),
        text(report.unique_id.as_str()),
        verdict.to_owned(),
        format!("{:.3}", crate::Seconds(report.duration)),
        report.commands.len().to_string(),
        report.replies.len().to_string(),
        report.repeats.to_string(),
        text(&mistakes.join("; ")),
        text(&report.hints.join("; ")),
    ];
    cells.join(",")
}

/// A cell with a text that others have chosen. Control characters are escaped, so that it stays on its line. Where it
/// begins like a formula, a spreadsheet would calculate it: an apostrophe before it says that it is text (OWASP, CSV
/// Injection).
fn text(text: &str) -> String {
    let text = one_line(text);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let apostrophe = if is_formula { "'" } else { "" };
    // Spreadsheets in many countries take the semicolon for the end of a cell.
    match text.contains([',', ';', '"']) || text != text.trim() {
        true => format!("\"{apostrophe}{}\"", text.replace('"', "\"\"")),
        false => format!("{apostrophe}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{class, level, report};
    use super::*;

    #[test]
    fn a_line_has_as_many_cells_as_the_head_and_no_formula() {
        for (cell, expected) in [
            ("alice", "alice"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            (" =1", "\"' =1\""),
            ("-2,5", "\"'-2,5\""),
            ("+49", "'+49"),
            ("@x", "'@x"),
            ("a=b", "a=b"),
            ("a;=1", "\"a;=1\""),
            ("a\nb\tc", "a\\nb\\tc"),
            ("", ""),
        ] {
            assert_eq!(text(cell), expected);
        }
        let class = class();
        let alice = class.seat_of(&level("alice"));
        let told = line(
            &report("alice", "U1", Ok(())),
            alice,
            "2026-11-27T10:00:00Z",
        );
        assert_eq!(
            told,
            "2026-11-27T10:00:00Z,alice,Alice A.,yes,1,U1,passed,3.600,1,1,0,,"
        );
        assert_eq!(told.matches(',').count(), HEAD.matches(',').count());
        let told = line(&report("=x", "U9", Err("a, b")), None, "t");
        assert_eq!(told, "t,'=x,,no,,U9,failed,3.600,1,1,0,\"a, b\",");
    }
}
