//! A password from whoever sits at the terminal: not shown, and with the terminal as it was before,
//! whatever ends the question.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};

use crate::link::Options;
use crate::link::Stop;
use crate::role::{Failure, Kind};

/// Asks for the password of a user who was named without one, where there is somebody to ask. `false`
/// when the answer is a signal, such as Ctrl-C.
///
/// # Errors
/// When the terminal cannot be asked.
pub fn ask_password(options: &mut Options, stop: &Stop) -> Result<bool, Failure> {
    let Some(login) = &mut options.login else {
        return Ok(true);
    };
    if !login.password.is_empty() || !io::stdin().is_terminal() {
        return Ok(true);
    }
    let question = format!("password of {} (Enter for none): ", login.username);
    let answer = ask(&question, stop).map_err(|error| {
        let text = format!("cannot ask for a password: {error}; give --password-file");
        Failure::new(Kind::Config, text)
    })?;
    match answer {
        Some(password) => login.password = password,
        None => return Ok(false),
    }
    Ok(true)
}

/// `None` when `stop` comes first.
fn ask(question: &str, stop: &Stop) -> io::Result<Option<String>> {
    // Not the standard streams: the answers to the program's own questions are no part of its output.
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let at_the_stop = (terminal.try_clone()?, before.clone());
    stop.set_wake(move || {
        let (terminal, before) = &at_the_stop;
        leave(terminal, before);
    });
    // The echo first, then the question: nothing that is typed in answer to it may be seen.
    tcsetattr(&terminal, SetArg::TCSAFLUSH, &quiet(&before))?;
    if stop.requested() {
        leave(&terminal, &before);
        return Ok(None);
    }
    stop.set_nothing_to_close(true);
    let answer = read(&terminal, question);
    stop.set_nothing_to_close(false);
    stop.set_wake(|| {});
    let restored = tcsetattr(&terminal, SetArg::TCSANOW, &before);
    let answer = answer?;
    restored?;
    Ok((!stop.requested()).then_some(answer))
}

/// Shows nothing of what is typed but the end of the line. Not to be suspended either: the shell would
/// switch the echo on.
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

/// Half a password that was typed goes with it: the shell would take it for the beginning of a command.
fn leave(mut terminal: &File, before: &Termios) {
    // There is nobody to tell that it did not work.
    let _ = tcsetattr(terminal, SetArg::TCSAFLUSH, before);
    let _ = terminal.write_all(b"\n");
}
