//! A class as a table for a terminal: cells of text, which have neither widths nor colours yet.

use super::{Class, Standing};
use crate::mqtt::one_line;

/// The heads of the columns.
pub const HEAD: [&str; 5] = ["WHO", "STATE", "ATTEMPTS", "USER_ID", "LAST VERDICT"];

/// How far the class is, in a line.
#[must_use]
pub fn summary(class: &Class) -> String {
    let (passed, all) = class.passed();
    let mut line = match class.has_roster() {
        true => format!("{passed} of {all} passed"),
        false => format!("{passed} of {all} passed that have come"),
    };
    let failed = |standing| matches!(standing, Standing::Failed);
    let awaited = |standing| matches!(standing, Standing::Awaited);
    let busy = |standing| matches!(standing, Standing::LoggedIn | Standing::Commanded { .. });
    let kinds: [(&str, &dyn Fn(Standing) -> bool); 3] = [
        ("failed", &failed),
        ("under way", &busy),
        ("awaited", &awaited),
    ];
    for (word, is_it) in kinds {
        let seats = class.seats().filter(|seat| seat.is_on_roster);
        match seats.filter(|seat| is_it(seat.standing())).count() {
            0 => {}
            count => line.push_str(&format!(", {count} {word}")),
        }
    }
    let guests = class.seats().filter(|seat| !seat.is_on_roster).count();
    if guests > 0 {
        line.push_str(&format!("; {guests} not on the roster"));
    }
    match class.uncounted() {
        0 => line,
        more => line + &format!(", and {more} more logins that are not shown"),
    }
}

/// A row for each, with where it stands.
pub fn rows(class: &Class) -> impl Iterator<Item = ([String; 5], Standing)> {
    class.seats().map(|seat| {
        let standing = seat.standing();
        let last = match (seat.is_on_roster, seat.last_words()) {
            (true, last) => last,
            (false, last) => format!("(not on the roster) {last}").trim_end().to_owned(),
        };
        let cells = [
            seat.title().to_owned(),
            format!("{} {}", standing.symbol(), standing.words()),
            seat.begun.to_string(),
            seat.user_id.to_string(),
            last,
        ];
        (cells.map(|cell| one_line(&cell)), standing)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::class;
    use super::*;

    #[test]
    fn a_table_says_of_each_where_it_stands() {
        let class = class();
        assert_eq!(
            summary(&class),
            "1 of 6 passed, 2 failed, 2 under way, 1 awaited; 1 not on the roster"
        );
        let lines: Vec<String> = rows(&class).map(|(cells, _)| cells.join("|")).collect();
        assert_eq!(
            lines,
            [
                "Alice A.|✓ passed|1|alice|",
                "bob|✗ failed|1|bob|`Ape` came on UNIQUE_ID/CMD1 instead of `Apple`, the word for CMD1",
                "carol|… 1 of 3 replies|1|carol|",
                "dave|→ logged in|1|dave|",
                "eve|✗ failed|0|eve|`eve` came on Login instead of login",
                "frank|○ awaited|0|frank|",
                "<script>alert(1)<|→ logged in|1|<script>alert(1)<|(not on the roster)",
            ]
        );
    }
}
