//! A password that a person types at the terminal: it is not shown, and the terminal is as it was before,
//! whatever ends the question.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use crate::link::{Login, Stop};
use crate::role::{Failure, Kind};

/// The login with a password: where it has none, and standard input is a terminal, the user is asked for it.
/// `None` when the answer is a signal, such as Ctrl-C.
///
/// # Errors
/// When the terminal cannot be asked.
pub fn ask_password(login: Login, stop: &Stop) -> Result<Option<Login>, Failure> {
    if !login.password.is_empty() || !io::stdin().is_terminal() {
        return Ok(Some(login));
    }
    let question = format!("password of {} (Enter for none): ", login.username);
    let answer = ask(&question, stop).map_err(|error| {
        let text = format!("cannot ask for a password: {error}; give --password-file");
        Failure::new(Kind::Config, text)
    })?;
    Ok(answer.map(|password| Login { password, ..login }))
}

/// `None` when `stop` comes first.
fn ask(question: &str, stop: &Stop) -> io::Result<Option<String>> {
    // Not on the standard streams: the question is no part of the program's output.
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let at_the_stop = (terminal.try_clone()?, before.clone());
    let wake = stop.add_wake(move || {
        let (terminal, before) = &at_the_stop;
        leave(terminal, before);
    });
    // The echo goes off before the question appears, so that no part of the answer is shown.
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &quiet(&before))?;
    if stop.requested() {
        leave(&terminal, &before);
        return Ok(None);
    }
    stop.set_nothing_to_close(true);
    let answer = read(&terminal, question);
    stop.set_nothing_to_close(false);
    // A stop from here on leaves the terminal alone, because the next line restores it.
    drop(wake);
    let restored = tcsetattr(&terminal, SetArg::TCSANOW, &before);
    let answer = answer?;
    restored?;
    Ok((!stop.requested()).then_some(answer))
}

/// The terminal shows nothing of what is typed but the end of the line, and Ctrl-Z does not suspend the
/// program, because the shell would switch the echo on.
fn quiet(before: &Termios) -> Termios {
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    quiet.local_flags.insert(LocalFlags::ECHONL);
    // _POSIX_VDISABLE (termios(3)).
    quiet.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
    quiet
}

fn read(mut terminal: &File, question: &str) -> io::Result<String> {
    terminal.write_all(question.as_bytes())?;
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

/// Restores the terminal, and discards half a password that was typed: the shell would take it for the
/// beginning of a command.
fn leave(mut terminal: &File, before: &Termios) {
    // The process is about to end, and a failure would have no other consequence.
    let _ = tcsetattr(terminal, SetArg::TCSAFLUSH, before);
    let _ = terminal.write_all(b"\n");
}
