//! The command `NETID ACTION MESSAGE`: asks for one text, or for each line of standard input.

use std::io::Read;
use std::time::Instant;

use super::byte_order_mark::{skipping_mark, without_mark};
use super::connection::Connection;
use super::{INTERRUPTED, output, until_signal};
use crate::cli::{self, ConnectionConfig, Text};
use crate::link::{End, Lines, Options, Run, Session, Stop};
use crate::role::{Failure, Kind};
use crate::text_request::MAX_TEXT;
use crate::text_request::requester::{RequestConfig, Requester};

/// Runs it.
///
/// # Errors
/// Why there is no answer.
pub fn run(
    connection: ConnectionConfig,
    config: RequestConfig,
    message: Text,
) -> Result<u8, Failure> {
    let connection = Connection::load(connection)?;
    let text = match message {
        Text::Typed(text) => Some(text),
        Text::Stdin => Some(read_stdin()?),
        Text::Lines => None,
    };
    until_signal(INTERRUPTED, move |stop| {
        let Some(options) = connection.for_person(Session::Clean, stop)? else {
            return Ok(End::Stopped);
        };
        let now = Instant::now();
        match text {
            Some(text) => {
                let role = Requester::new(config, text, now);
                Run::new(&options, stop).carry(role, |answer| output::print(&answer))
            }
            None => ask_for_lines(Requester::of_lines(config, now), &options, stop),
        }
    })
}

fn read_stdin() -> Result<String, Failure> {
    let wrong = |why: &str| Failure::new(Kind::Input, format!("MESSAGE on standard input {why}"));
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_TEXT as u64 + 5)
        .read_to_end(&mut text)
        .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    let text = String::from_utf8(text).map_err(|_| wrong("is not UTF-8"))?;
    cli::sized(without_mark(&text).to_owned())
}

/// Each line of standard input is a request. A failure says which of them was not answered.
fn ask_for_lines(role: Requester, options: &Options, stop: &Stop) -> Result<End, Failure> {
    let lines = Lines::read(skipping_mark(std::io::stdin()), MAX_TEXT).map_err(|error| {
        let text = format!("cannot start a thread: {error}");
        Failure::new(Kind::Config, text)
    })?;
    let mut answered = 0;
    let mut reader_is_there = true;
    let run = Run::new(options, stop).on_lines(&lines);
    let end = run.carry(role, |answer| {
        answered += 1;
        reader_is_there = reader_is_there && output::print_to_reader(&answer)?;
        if !reader_is_there {
            stop.request();
        }
        Ok(())
    });
    let number = lines.taken();
    match end {
        Ok(End::Stopped) if !reader_is_there => Ok(End::Finished),
        Err(failure) if answered < number => Err(Failure::new(
            failure.kind,
            format!("line {number}: {}", failure.text),
        )),
        end => end,
    }
}
