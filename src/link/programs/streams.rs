//! The streams of a program, all served by one thread: what it reads, what it prints, and lines for the log.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use log::warn;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::mqtt::printable;

/// How much of a program's standard error the log takes, in bytes.
const MAX_LOG: usize = 16 * 1024;
const LONGEST_LINE: usize = 512;

/// A pipe that can be written takes so much without waiting (PIPE_BUF, pipe(7)).
const PIECE: usize = 4096;

/// How many rounds empty pipes that are full.
const FULL_PIPES: usize = 64;

/// The longest wait; after it the pipes are looked at once more.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What was printed.
#[derive(Debug, Default)]
pub struct Printed {
    /// The first part of it.
    pub bytes: Vec<u8>,
    /// How many bytes more there were.
    pub more: u64,
}

/// Lines on their way to the log.
#[derive(Debug)]
struct Log {
    name: String,
    line: Vec<u8>,
    left: usize,
    is_cut: bool,
}

/// This end of the streams. Each is closed when it has come to its end.
#[derive(Debug)]
pub struct Streams {
    stdin: Option<(OwnedFd, Vec<u8>, usize)>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    /// It comes to its end when the program does.
    end: Option<OwnedFd>,
    most: usize,
    printed: Printed,
    log: Log,
}

impl Streams {
    /// `stdin` is a pipe and what goes into it; `most` bytes of `stdout` are kept; `stderr` goes to the log, after `name`.
    pub fn new(
        stdin: Option<(OwnedFd, Vec<u8>)>,
        stdout: OwnedFd,
        stderr: OwnedFd,
        end: OwnedFd,
        most: usize,
        name: &str,
    ) -> Self {
        Self {
            stdin: stdin.map(|(pipe, input)| (pipe, input, 0)),
            stdout: Some(stdout),
            stderr: Some(stderr),
            end: Some(end),
            most,
            printed: Printed::default(),
            log: Log {
                name: name.to_owned(),
                line: Vec::new(),
                left: MAX_LOG,
                is_cut: false,
            },
        }
    }

    /// Whether the program has ended.
    pub fn has_ended(&self) -> bool {
        self.end.is_none()
    }

    /// Whether nobody can print anything any more.
    pub fn are_closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// Serves all of them until this is so, or until `until`. Says whether it is.
    pub fn serve(&mut self, until: Option<Instant>, is_so: impl Fn(&Self) -> bool) -> bool {
        while !is_so(self) {
            let left = until.map_or(LONGEST_WAIT, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            self.serve_once(left.min(LONGEST_WAIT));
        }
        true
    }

    /// Takes what is there already: no more than full pipes hold, since somebody may write on and on.
    pub fn drain(&mut self) {
        for _ in 0..FULL_PIPES {
            if !self.serve_once(Duration::ZERO) {
                return;
            }
        }
    }

    /// What was printed until now.
    pub fn into_printed(mut self) -> Printed {
        self.log.finish();
        self.printed
    }

    /// Waits for one of them and serves those that are ready. Says whether there was one.
    fn serve_once(&mut self, wait: Duration) -> bool {
        let all = [
            self.stdin
                .as_ref()
                .map(|(pipe, ..)| (pipe, PollFlags::POLLOUT)),
            self.stdout.as_ref().map(|pipe| (pipe, PollFlags::POLLIN)),
            self.stderr.as_ref().map(|pipe| (pipe, PollFlags::POLLIN)),
            self.end.as_ref().map(|pipe| (pipe, PollFlags::POLLIN)),
        ];
        let mut ready = [false; 4];
        {
            let mut asked: Vec<PollFd<'_>> = Vec::with_capacity(all.len());
            let open = all.iter().flatten();
            asked.extend(open.map(|(pipe, flags)| PollFd::new(pipe.as_fd(), *flags)));
            // Rounded up, or the last part of a millisecond would be waited for without end.
            let wait = u16::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
            match poll(&mut asked, PollTimeout::from(wait)) {
                Ok(0) => return false,
                Err(Errno::EINTR) => return true,
                Err(_) => return false,
                Ok(_) => {}
            }
            let mut asked = asked.iter();
            for (ready, pipe) in ready.iter_mut().zip(&all) {
                if pipe.is_some() {
                    *ready = asked.next().and_then(PollFd::any).unwrap_or(false);
                }
            }
        }
        let [stdin, stdout, stderr, end] = ready;
        if stdin {
            self.feed();
        }
        let mut buffer = [0; 8192];
        if stdout {
            let size = read(&mut self.stdout, &mut buffer);
            let room = self.most.saturating_sub(self.printed.bytes.len()).min(size);
            self.printed.bytes.extend_from_slice(&buffer[..room]);
            self.printed.more += (size - room) as u64;
        }
        if stderr {
            let size = read(&mut self.stderr, &mut buffer);
            self.log.take(&buffer[..size]);
        }
        if end {
            read(&mut self.end, &mut buffer);
        }
        true
    }

    /// It is over when all has gone in, or where the program does not read any more.
    fn feed(&mut self) {
        if let Some((pipe, input, at)) = &mut self.stdin {
            let piece = &input[*at..input.len().min(*at + PIECE)];
            match nix::unistd::write(&*pipe, piece) {
                Ok(size) => *at += size,
                Err(Errno::EINTR) => {}
                Err(_) => *at = input.len(),
            }
            if *at < input.len() {
                return;
            }
        }
        self.stdin = None;
    }
}

/// Reads from a pipe that is ready, and closes it at its end.
fn read(pipe: &mut Option<OwnedFd>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else {
        return 0;
    };
    match nix::unistd::read(&*open, buffer) {
        Ok(size) if size > 0 => size,
        Err(Errno::EINTR) => 0,
        _ => {
            *pipe = None;
            0
        }
    }
}

impl Log {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.left == 0 {
                self.is_cut = true;
                return;
            }
            self.left -= 1;
            self.line.push(*byte);
            if *byte == b'\n' || self.line.len() == LONGEST_LINE {
                self.write_line();
            }
        }
    }

    fn write_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            warn!("{}: {}", self.name, printable(text));
        }
    }

    fn finish(&mut self) {
        self.write_line();
        if self.is_cut {
            warn!("{}: more on standard error was dropped", self.name);
        }
    }
}

/// Without the last line feed.
#[must_use]
pub fn without_line_feed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_feed_is_no_part_of_an_answer() {
        for (printed, answer) in [
            (&b"21.5\n"[..], &b"21.5"[..]),
            (b"21.5\r\n", b"21.5"),
            (b"a\nb\n\n", b"a\nb\n"),
            (b"21.5", b"21.5"),
            (b"\n", b""),
            (b"", b""),
        ] {
            assert_eq!(without_line_feed(printed.to_vec()), answer);
        }
    }

    #[test]
    fn all_streams_are_served_at_once() {
        let pipe = || nix::unistd::pipe().unwrap();
        let (reader, stdin) = pipe();
        let (stdout, writer) = pipe();
        let (stderr, errors) = pipe();
        let (end, held) = pipe();
        // More than a pipe holds, in both directions.
        let input = vec![b'x'; 300_000];
        let program = std::thread::spawn(move || {
            let mut buffer = [0; 1000];
            loop {
                match nix::unistd::read(&reader, &mut buffer).unwrap() {
                    0 => break,
                    size => {
                        let mut rest = &buffer[..size];
                        while !rest.is_empty() {
                            rest = &rest[nix::unistd::write(&writer, rest).unwrap()..];
                        }
                    }
                }
            }
            drop((writer, errors, held));
        });
        let mut streams = Streams::new(Some((stdin, input)), stdout, stderr, end, 1000, "echo");
        assert!(streams.serve(None, |streams| streams.has_ended() && streams.are_closed()));
        program.join().unwrap();
        let printed = streams.into_printed();
        assert_eq!((printed.bytes.len(), printed.more), (1000, 299_000));
    }
}
