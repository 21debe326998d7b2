//! A table on a terminal that is drawn over itself: columns that fit, and no flicker.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// What is drawn where a terminal does not say how large it is.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The narrowest that the first column becomes.
const NARROW: usize = 12;

/// A row, with the colour of its second cell (ECMA-48, SGR).
pub type Cells = ([String; 5], Option<u8>);

/// A terminal that a table is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Screen {
    /// Whether this is a terminal that can move its cursor.
    #[must_use]
    pub fn can_draw(self) -> bool {
        let is_terminal = match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        };
        is_terminal && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
    }

    /// Whether the table may have colours here.
    #[must_use]
    pub fn is_coloured(self) -> bool {
        self.can_draw() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Writes this there. Where that fails, nobody looks any more.
    pub fn draw(self, text: &str) {
        let _ = match self {
            Self::Out => io::stdout().lock().write_all(text.as_bytes()),
            Self::Err => io::stderr().lock().write_all(text.as_bytes()),
        };
        let _ = io::stdout().flush();
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(self) -> (usize, usize) {
        #[cfg(target_os = "linux")]
        {
            let size = match self {
                Self::Out => rustix::termios::tcgetwinsize(io::stdout()),
                Self::Err => rustix::termios::tcgetwinsize(io::stderr()),
            };
            if let Ok(size) = size {
                if size.ws_col > 0 && size.ws_row > 0 {
                    return (size.ws_col.into(), size.ws_row.into());
                }
            }
        }
        USUAL_SIZE
    }
}

/// What draws these lines from the top of a terminal with so many rows: in one piece, line over line, so that nothing
/// flickers, and so that a warning that came in between is drawn over, too.
#[must_use]
pub fn drawn(mut lines: Vec<String>, rows: usize) -> String {
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

/// A line for each row; in `columns` columns, where there is such a limit. What is too wide for that is cut in the first
/// column, in the fourth, which others may have chosen, and in the last; and where that is not enough, at its end.
#[must_use]
pub fn laid_out(rows: Vec<Cells>, columns: Option<usize>, is_coloured: bool) -> Vec<String> {
    let width = |column: usize| {
        let widths = rows.iter().map(|(cells, _)| cells[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let mut widths = [0, 1, 2, 3, 4].map(width);
    if let Some(columns) = columns {
        widths[3] = widths[3].min((columns / 4).max(NARROW));
        let others: usize = widths[1..4].iter().sum::<usize>() + 2 * 4;
        let left = columns.saturating_sub(others);
        widths[0] = widths[0].min((left / 2).max(NARROW));
        widths[4] = widths[4].min(left.saturating_sub(widths[0]));
    }
    let mut lines = Vec::new();
    for (cells, colour) in rows {
        let mut line = String::new();
        let mut room = columns.unwrap_or(usize::MAX);
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let cell = shortened(cell, width.min(room));
            let length = cell.chars().count();
            let blanks = match column {
                4 => 0,
                _ => (width - length + 2).min(room - length),
            };
            room -= length + blanks;
            match colour.filter(|_| column == 1 && is_coloured) {
                Some(colour) => {
                    let _ = write!(line, "\x1b[{colour}m{cell}\x1b[0m");
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

/// The text in so many columns at most.
#[must_use]
pub fn shortened(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.to_owned(),
        false => {
            let kept = text.chars().take(width.saturating_sub(1));
            kept.chain((width > 0).then_some('…')).collect()
        }
    }
}
