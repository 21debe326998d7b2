//! The command `fleet`: who is up, as a table, as lines, or in JSON.

mod table;

use std::time::Instant;

use log::warn;

use super::connection::Connection;
use super::screen::Screen;
use super::{DONE, INTERRUPTED, output, until_signal};
use crate::cli::ConnectionConfig;
use crate::fleet::{Board, Fleet, FleetConfig, Seen, gone_to_json};
use crate::link::{End, Run, Session};
use crate::mqtt::{TopicName, one_line};
use crate::role::{Failure, Kind};
use crate::utc;
use table::{drawn, line, table};

/// Runs it: until it has shown all, or for as long as nobody interrupts it.
///
/// # Errors
/// Why there is nothing to see.
pub fn run(connection: ConnectionConfig, config: FleetConfig, json: bool) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    // Who watches has seen enough; who waits for the one table has not.
    let stopped = match config.is_once {
        true => INTERRUPTED,
        false => DONE,
    };
    until_signal(stopped, move |stop| {
        let echo = format!("mqtt_client/{}/fleet", connection.client_id());
        let echo = TopicName::new(echo).map_err(|why| {
            let text = format!("--id: the client id is part of a topic name here: {why}");
            Failure::new(Kind::Config, text)
        })?;
        let Some(options) = connection.for_person(Session::Clean, stop)? else {
            return Ok(End::Stopped);
        };
        let mut view = View::new(&config, json);
        let unix = utc::since_1970().as_secs();
        let role = Fleet::new(config, echo, Instant::now(), unix);
        let end = Run::new(&options, stop).carry(role, |seen| {
            if !view.show(seen)? {
                stop.request();
            }
            Ok(())
        })?;
        Ok(match view.has_reader {
            true => end,
            false => End::Finished,
        })
    })
}

/// How it is shown.
enum Form {
    /// One object a line.
    Json,
    /// One line for each change.
    Lines,
    /// The table, once.
    Table,
    /// The table, again and again in the same place.
    Screen,
}

struct View {
    filter: String,
    form: Form,
    /// Sorted by name.
    boards: Vec<Board>,
    has_reader: bool,
}

impl View {
    fn new(config: &FleetConfig, json: bool) -> Self {
        Self {
            filter: config.filter.to_string(),
            form: match (json, config.is_once) {
                (true, _) => Form::Json,
                (false, true) => Form::Table,
                (false, false) if Screen::Out.can_draw() => Form::Screen,
                (false, false) => Form::Lines,
            },
            boards: Vec::new(),
            has_reader: true,
        }
    }

    /// Shows it. Whether there is still a reader.
    fn show(&mut self, seen: Seen) -> Result<bool, Failure> {
        let mut lines = Vec::new();
        match seen {
            Seen::All { boards, is_certain } => {
                if !is_certain {
                    warn!(
                        "not all may be shown of {0} and {0}/about: no message to oneself came back on mqtt_client/CLIENT_ID/fleet, which would tell that the broker has sent everything; may the user publish and read there, does the broker drop what it queues (mosquitto: max_queued_messages), or is a retained message too large?",
                        self.filter
                    );
                }
                if boards.is_empty() {
                    warn!("nobody has left a presence on {}", self.filter);
                }
                for board in boards {
                    lines.push(self.line(&board));
                    self.put(board);
                }
            }
            Seen::Changed(board) => {
                lines.push(self.line(&board));
                self.remove(&board.topic);
                self.put(board);
            }
            Seen::Gone(topic) => {
                let known = self.remove(&topic);
                let name = known.as_ref().map_or(topic.as_str(), Board::name);
                lines.push(match self.form {
                    Form::Json => gone_to_json(&topic),
                    _ => format!("{} gone", one_line(name)),
                });
            }
        }
        match self.form {
            Form::Json | Form::Lines if lines.is_empty() => {}
            Form::Table if self.boards.is_empty() => {}
            Form::Json | Form::Lines => self.write(lines.join("\n") + "\n")?,
            Form::Table => self.write(table(&self.boards, None).join("\n") + "\n")?,
            Form::Screen => self.write(drawn(&self.boards))?,
        }
        Ok(self.has_reader)
    }

    /// What others have chosen in it has no control characters any more.
    fn write(&mut self, text: String) -> Result<(), Failure> {
        self.has_reader = self.has_reader && output::write_to_reader(text.as_bytes())?;
        Ok(())
    }

    /// Sorted as it comes: a sort would be some kB of the binary.
    fn put(&mut self, board: Board) {
        let at = self
            .boards
            .partition_point(|other| (other.name(), &other.topic) < (board.name(), &board.topic));
        self.boards.insert(at, board);
    }

    fn remove(&mut self, topic: &TopicName) -> Option<Board> {
        let at = self.boards.iter().position(|board| board.topic == *topic)?;
        Some(self.boards.remove(at))
    }

    fn line(&self, board: &Board) -> String {
        match self.form {
            Form::Json => board.to_json(),
            _ => line(board),
        }
    }
}
