//! The fleet as a person reads it: rows that fit the terminal, times of the day, and a table that is drawn over itself.

use super::super::screen::{Cells, Screen, drawn as draw, laid_out};
use crate::fleet::{Board, State};
use crate::mqtt::one_line;
use crate::utc::minute;

const HEAD: [&str; 5] = ["WHO", "STATE", "SINCE (UTC)", "SESSIONS", "DOING"];

/// What draws the table on a terminal, from the top.
pub fn drawn(boards: &[Board]) -> String {
    let (columns, rows) = Screen::Out.size();
    draw(table(boards, Some(columns)), rows)
}

/// A heading, and a line for each; in `columns` columns, where there is such a limit.
pub fn table(boards: &[Board], columns: Option<usize>) -> Vec<String> {
    let mut rows: Vec<Cells> = vec![(HEAD.map(str::to_owned), None)];
    for board in boards {
        rows.push((cells(board), Some(colour(board.state))));
    }
    laid_out(rows, columns, Screen::Out.is_coloured())
}

fn colour(state: State) -> u8 {
    match state {
        State::Online => 32,
        State::Lost | State::Late => 31,
        State::Paused => 33,
        State::Ended | State::Offline => 2,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::TopicName;
    use crate::presence::{Details, Said};
    use std::rc::Rc;

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
