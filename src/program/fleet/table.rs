//! The fleet as a person reads it: rows that fit the terminal, times of the day, and a table that is drawn over itself.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use crate::fleet::{Board, State};
use crate::mqtt::one_line;

const HEAD: [&str; 5] = ["WHO", "STATE", "SINCE (UTC)", "SESSIONS", "DOING"];

/// What is drawn where a terminal does not say how large it is.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The narrowest that the first column becomes.
const NARROW: usize = 12;

/// What draws the table on a terminal, from the top: in one piece, line over line, so that nothing flickers, and so that a
/// warning of the connection that came in between is drawn over, too.
pub fn drawn(boards: &[Board]) -> String {
    let (columns, rows) = size();
    let mut lines = table(boards, Some(columns));
    let most = rows.saturating_sub(1).max(2);
    if lines.len() > most {
        let hidden = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("… and {hidden} more"));
    }
    let mut text = String::from("\x1b[H");
    for line in &lines {
        text.push_str(line);
        text.push_str("\x1b[K\n");
    }
    text.push_str("\x1b[J");
    text
}

/// Columns and rows of the terminal on standard output.
fn size() -> (usize, usize) {
    #[cfg(target_os = "linux")]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stdout()) {
        if size.ws_col > 0 && size.ws_row > 0 {
            return (size.ws_col.into(), size.ws_row.into());
        }
    }
    USUAL_SIZE
}

/// A heading, and a line for each; in `columns` columns, where there is such a limit.
pub fn table(boards: &[Board], columns: Option<usize>) -> Vec<String> {
    let is_coloured = io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    let mut rows: Vec<([String; 5], Option<State>)> = vec![(HEAD.map(str::to_owned), None)];
    for board in boards {
        rows.push((cells(board), Some(board.state)));
    }
    let width = |column: usize| {
        let widths = rows.iter().map(|(cells, _)| cells[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let mut widths = [0, 1, 2, 3, 4].map(width);
    if let Some(columns) = columns {
        let others: usize = widths[1..4].iter().sum::<usize>() + 2 * 4;
        let left = columns.saturating_sub(others);
        widths[0] = widths[0].min((left / 2).max(NARROW));
        widths[4] = widths[4].min(left.saturating_sub(widths[0]));
    }
    let mut lines = Vec::new();
    for (cells, state) in rows {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let cell = shortened(cell, width);
            let blanks = match column {
                4 => 0,
                _ => width - cell.chars().count() + 2,
            };
            match state.filter(|_| column == 1 && is_coloured) {
                Some(state) => {
                    let _ = write!(line, "\x1b[{}m{cell}\x1b[0m", colour(state));
                }
                None => line.push_str(&cell),
            }
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        line.truncate(line.trim_end().len());
        lines.push(line);
    }
    lines
}

fn colour(state: State) -> u8 {
    match state {
        State::Online => 32,
        State::Lost | State::Late => 31,
        State::Paused => 33,
        State::Ended | State::Offline => 2,
    }
}

fn shortened(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.to_owned(),
        false => {
            let kept = text.chars().take(width.saturating_sub(1));
            kept.chain((width > 0).then_some('…')).collect()
        }
    }
}

fn cells(board: &Board) -> [String; 5] {
    let sessions = board.number("sessions");
    let sessions = sessions.map_or("-".to_owned(), |sessions| sessions.to_string());
    let cells = [
        board.name().to_owned(),
        board.state.name().to_owned(),
        since(board),
        sessions,
        doing(board),
    ];
    cells.map(|cell| one_line(&cell))
}

/// Of one that was lost, all that is known may be when it was heard of last.
fn since(board: &Board) -> String {
    match (board.since, board.number("at")) {
        (Some(since), _) => minute(since),
        (None, Some(at)) if board.state == State::Lost => format!("after {}", minute(at)),
        _ => "-".to_owned(),
    }
}

fn doing(board: &Board) -> String {
    match (board.state, board.number("next")) {
        (State::Paused, Some(next)) => format!("back at {}", minute(next)),
        (State::Late, Some(next)) => format!("was to be back at {}", minute(next)),
        _ => board.doing().to_owned(),
    }
}

/// The same in a line of its own.
pub fn line(board: &Board) -> String {
    let [name, state, since, sessions, doing] = cells(board);
    let since = match since.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!(" since {since} UTC"),
        false if since == "-" => String::new(),
        false => format!(" {since} UTC"),
    };
    let sessions = match sessions.as_str() {
        "-" => String::new(),
        "1" => ", 1 session".to_owned(),
        sessions => format!(", {sessions} sessions"),
    };
    let doing = match doing.as_str() {
        "" => String::new(),
        doing => format!(": {doing}"),
    };
    format!("{name} {state}{since}{sessions}{doing}")
}

/// The minute at which it was so many seconds since 1970, in UTC: the days are counted from the first of March of the year
/// 0, so that a leap day is the last of its year.
fn minute(unix: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = unix / 86_400 + DAYS_TO_1970;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month < 10 {
        true => (month + 3, year + era * 400),
        false => (month - 9, year + era * 400 + 1),
    };
    let (hour, minute) = (unix / 3_600 % 24, unix / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::TopicName;
    use crate::presence::{Details, Said};
    use std::rc::Rc;

    #[test]
    fn a_time_is_a_day_and_a_minute() {
        for (unix, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_164_800, "2024-02-29 00:00"),
            (1_735_689_599, "2024-12-31 23:59"),
            (1_795_776_993, "2026-11-27 10:56"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(minute(unix), expected);
        }
    }

    fn board(id: &str, is_online: bool, doing: &str) -> Board {
        let details = Details {
            id: id.to_owned(),
            doing: doing.to_owned(),
            sessions: Some(3),
            ..Details::default()
        };
        let topic = TopicName::new("x").unwrap();
        let said = Said::read(details.to_json().as_bytes()).map(Rc::new);
        Board::new(topic, is_online, said, None, 0)
    }

    #[test]
    fn a_table_has_the_width_of_its_terminal_and_no_orders_for_it() {
        let long = "x".repeat(200);
        let boards = [
            board("device-alice", true, "12 commands answered"),
            board(&long, false, &long),
            board("\x1b[2J", true, "a\nb"),
        ];
        let all = table(&boards, None);
        assert_eq!(all.len(), 4);
        assert!(all[2].contains(&long), "{all:?}");
        for columns in [60, 80, 100] {
            let lines = table(&boards, Some(columns));
            for line in &lines {
                assert!(line.chars().count() <= columns, "{line}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
            assert!(lines[2].contains("x…"), "{lines:?}");
        }
        assert_eq!(
            line(&boards[0]),
            "device-alice online since 1970-01-01 00:00 UTC, 3 sessions: 12 commands answered"
        );
        let lost = line(&boards[1]);
        assert!(lost.contains("x lost after 1970-01-01 00:00 UTC"), "{lost}");
    }
}
