//! Lines of standard input for a role: a thread of their own reads them, and the link takes them one by one. When the
//! link asks for a line that has not been read yet, the thread wakes it later.
//!
//! Knows neither MQTT nor what the role does with the lines.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::thread;
use crate::role::{Failure, Kind};

/// How many lines the thread reads ahead. It then waits for the link, because an endless input would need endless
/// memory.
const MAX_AHEAD: usize = 16;

type Wake = Box<dyn Fn() + Send>;

/// A line, or `None` at the end of the input, or why the line cannot be used.
type Next = Result<Option<String>, Failure>;

#[derive(Default)]
struct State {
    read: VecDeque<Next>,
    /// How many lines the link has taken.
    taken: usize,
    /// Whether the link has asked for a line that had not been read yet.
    awaited: bool,
    wake: Option<Wake>,
}

/// Lines on their way from one thread to another. Clones share the same lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<State>, Condvar)>);

impl Lines {
    /// Starts a thread that reads `from`. A line has at most `longest` bytes, without its CR and LF.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn read(from: impl Read + Send + 'static, longest: usize) -> io::Result<Self> {
        let lines = Self::default();
        let reader = lines.clone();
        let read = move || reader.read_all(from, longest);
        thread::spawn("lines", Box::new(read))?;
        Ok(lines)
    }

    fn read_all(&self, from: impl Read, longest: usize) {
        let mut from = io::BufReader::new(from);
        let mut number = 0;
        loop {
            number += 1;
            let next = read_line(&mut from, longest).map_err(|why| {
                let text = format!("line {number} on standard input {why}");
                Failure::new(Kind::Input, text)
            });
            let last = !matches!(next, Ok(Some(_)));
            self.push(next);
            if last {
                break;
            }
        }
    }

    fn push(&self, next: Next) {
        let mut state = self.state();
        while state.read.len() >= MAX_AHEAD {
            let waited = self.0.1.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.read.push_back(next);
        if std::mem::take(&mut state.awaited) {
            if let Some(wake) = &state.wake {
                wake();
            }
        }
    }

    /// Takes the next line; `Ok(None)` is the end. `None` if it has not been read yet: then the wake follows.
    #[must_use]
    #[doc(hidden)]
    pub fn next(&self) -> Option<Next> {
        let mut state = self.state();
        let next = state.read.pop_front();
        match next {
            None => state.awaited = true,
            Some(Ok(Some(_))) => state.taken += 1,
            Some(_) => {}
        }
        self.0.1.notify_all();
        next
    }

    /// How many lines have been taken, which is the number of the last one.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.state().taken
    }

    /// Sets what the reading thread calls when it has read a line that [`Lines::next`] did not have.
    #[doc(hidden)]
    pub fn set_wake(&self, wake: impl Fn() + Send + 'static) {
        self.state().wake = Some(Box::new(wake));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one line; `None` is the end. The error follows the words "line 1 on standard input".
fn read_line(from: &mut impl BufRead, longest: usize) -> Result<Option<String>, String> {
    let mut line = Vec::new();
    // The two more bytes are for CR and LF.
    from.take(longest as u64 + 2)
        .read_until(b'\n', &mut line)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    if line.len() > longest {
        return Err(format!("is longer than {longest} bytes"));
    }
    let line = String::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn all(input: &[u8]) -> Vec<Result<String, String>> {
        let mut input = input;
        let mut lines = Vec::new();
        loop {
            match read_line(&mut input, 3) {
                Ok(Some(line)) => lines.push(Ok(line)),
                Ok(None) => return lines,
                Err(why) => {
                    lines.push(Err(why));
                    return lines;
                }
            }
        }
    }

    #[test]
    fn lines_with_and_without_their_end() {
        let ok = |line: &str| Ok(line.to_owned());
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [ok("")]);
        assert_eq!(all(b"a\r\n\nabc\n"), [ok("a"), ok(""), ok("abc")]);
        assert_eq!(all(b"abc\r\nabc"), [ok("abc"), ok("abc")]);
        assert_eq!(all("ä".as_bytes()), [ok("ä")]);
        let too_long = || Err("is longer than 3 bytes".to_owned());
        assert_eq!(all(b"a\nabcd\n"), [ok("a"), too_long()]);
        assert_eq!(all(b"abcdefgh"), [too_long()]);
        assert_eq!(all(b"\xff\n"), [Err("is not UTF-8".to_owned())]);
    }

    #[test]
    fn a_line_that_was_asked_for_too_early_wakes_when_it_comes() {
        let (reader, mut writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let lines = Lines::read(reader, 100).unwrap();
        let (sender, woken) = mpsc::channel();
        lines.set_wake(move || sender.send(()).unwrap());
        assert_eq!(lines.next(), None);
        io::Write::write_all(&mut writer, b"first\n").unwrap();
        woken.recv().unwrap();
        assert_eq!(lines.next(), Some(Ok(Some("first".to_owned()))));
        assert_eq!(lines.next(), None);
        drop(writer);
        woken.recv().unwrap();
        assert_eq!(lines.next(), Some(Ok(None)));
        assert_eq!(lines.taken(), 1);
    }

    #[test]
    fn no_more_is_read_than_a_few_lines_ahead() {
        let lines = Lines::read(io::repeat(b'\n'), 100).unwrap();
        for _ in 0..100 {
            while lines.next().is_none() {
                std::thread::yield_now();
            }
            assert!(lines.state().read.len() <= MAX_AHEAD);
        }
    }
}
