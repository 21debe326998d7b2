//! One start of the client, from its beginning to its end: its outputs, its connections and its time, by one thread.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::doors::{DefaultPort, Doors};
use super::whose::is_of_group;
use crate::cli::PORT;
use crate::link::Stop;
use crate::link::programs::{Ended, Process};
use crate::mqtt::printable;
use crate::role::{Failure, Kind};
use crate::text_request::judge::{Closed, Connection, Conversation, Door, End, Record, Run};

/// The most that is read of each of its outputs, in bytes. A client that prints more is killed.
const MOST_OUTPUT: usize = 1024 * 1024;

/// The most connections of one run; further ones are left waiting.
const MOST_CONNECTIONS: usize = 32;

/// How long what it has sent and printed is read after its end, where something it has started holds on to it.
const AFTER_THE_END: Duration = Duration::from_secs(1);

/// The longest wait; after it all is looked at once more.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The client, as it is to be started.
pub struct Client {
    /// The program and its own first arguments.
    pub words: Vec<OsString>,
    /// How long one run may last.
    pub time: Duration,
}

impl Client {
    /// Runs it once; `None` where a stop is requested.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        &self,
        run: Run,
        default_port: Option<&DefaultPort>,
        stop: &Stop,
    ) -> Result<Option<Record>, Failure> {
        let doors = Doors::open(run.purpose)?;
        if let Some(port) = default_port {
            port.clear();
        }
        let arguments = run.arguments(&doors.host, doors.port);
        let arguments = arguments.into_iter().map(OsString::from);
        let words: Vec<OsString> = self.words.iter().cloned().chain(arguments).collect();
        let process = Process::start(&words, stop).map_err(|error| self.cannot(error))?;
        let Some(process) = process else {
            return Ok(None);
        };
        let mut watch = Watch {
            run,
            doors: doors.all(run.purpose, default_port),
            peers: Vec::new(),
            stdout: Output::default(),
            stderr: Output::default(),
            has_ended: false,
            time: self.time,
        };
        let killed = watch.follow(&process, Instant::now() + self.time);
        let ended = process.finish();
        if stop.requested() {
            return Ok(None);
        }
        let end = match (killed, ended) {
            (Some(end), _) => end,
            (None, Ended::Exit(code)) => End::Exit(code),
            (None, Ended::Signal(number)) => End::Signal(number),
        };
        Ok(Some(watch.into_record(end)))
    }

    fn cannot(&self, error: Errno) -> Failure {
        let client = self.words.first().map(OsString::as_os_str);
        let client = client.unwrap_or_default();
        let is_file = Path::new(client).is_file();
        let remedy = match error {
            Errno::ENOENT if is_file => " (its first line names an interpreter that is not there)",
            Errno::ENOENT => " (a path to it, or the name of a program in PATH; is it built?)",
            Errno::EACCES => " (chmod +x, or python3 CLIENT)",
            Errno::ENOEXEC => " (does its first line begin with #! ?)",
            _ => "",
        };
        let client = printable(client.as_encoded_bytes());
        let text = format!("CLIENT `{client}` cannot be run: {}{remedy}", error.desc());
        Failure::new(Kind::Usage, text)
    }
}

/// One of its outputs.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Output {
    /// Reads what is there.
    fn read(&mut self, pipe: &OwnedFd) {
        let mut buffer = [0; 8192];
        match nix::unistd::read(pipe, &mut buffer) {
            Ok(size) if size > 0 => self.bytes.extend_from_slice(&buffer[..size]),
            Err(Errno::EINTR) => {}
            _ => self.is_closed = true,
        }
    }
}

/// A connection of the client.
struct Peer {
    door: Door,
    /// `None` when it is closed.
    stream: Option<TcpStream>,
    conversation: Conversation,
    unsent: Vec<u8>,
    closed: Closed,
}

impl Peer {
    fn flags(&self) -> PollFlags {
        match self.unsent.is_empty() {
            true => PollFlags::POLLIN,
            false => PollFlags::POLLIN | PollFlags::POLLOUT,
        }
    }

    fn serve(&mut self, now: Instant) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let mut buffer = [0; 8192];
        let mut is_closed = false;
        match stream.read(&mut buffer) {
            Ok(0) => is_closed = true,
            Ok(size) => {
                let out = self.conversation.take(now, &buffer[..size]);
                self.unsent.extend(out);
            }
            Err(error) if is_to_be_repeated(error.kind()) => {}
            Err(_) => is_closed = true,
        }
        if !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(size) => drop(self.unsent.drain(..size)),
                Err(error) if is_to_be_repeated(error.kind()) => {}
                // What it has sent before it closed the connection may still be there to read.
                Err(_) => self.unsent.clear(),
            }
        }
        if is_closed {
            self.end(Closed::ByClient);
        } else if self.conversation.is_over() && self.unsent.is_empty() {
            self.end(Closed::ByBroker);
        }
    }

    fn end(&mut self, closed: Closed) {
        self.stream = None;
        self.closed = closed;
    }
}

fn is_to_be_repeated(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What is watched during a run.
struct Watch<'a> {
    run: Run,
    doors: Vec<(Door, &'a TcpListener)>,
    peers: Vec<Peer>,
    stdout: Output,
    stderr: Output,
    has_ended: bool,
    /// How long the run may last.
    time: Duration,
}

/// One of the files that are waited for.
#[derive(Clone, Copy)]
enum Source {
    Stdout,
    Stderr,
    End,
    Door(usize),
    Peer(usize),
}

impl Watch<'_> {
    /// Serves the client until it has ended and all that it left is read. Says why it has to be killed, if it has.
    fn follow(&mut self, process: &Process, until: Instant) -> Option<End> {
        let mut until = until;
        loop {
            if self.has_ended && self.is_all_read() && !self.serve_once(process, Duration::ZERO) {
                return None;
            }
            if [&self.stdout, &self.stderr]
                .iter()
                .any(|output| output.bytes.len() > MOST_OUTPUT)
            {
                return Some(End::Flood);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return (!self.has_ended).then_some(End::Late(self.time));
            }
            let had_ended = self.has_ended;
            self.serve_once(process, left.min(LONGEST_WAIT));
            if self.has_ended && !had_ended {
                until = Instant::now() + AFTER_THE_END;
            }
        }
    }

    fn is_all_read(&self) -> bool {
        let is_open = |peer: &Peer| peer.stream.is_some();
        self.stdout.is_closed && self.stderr.is_closed && !self.peers.iter().any(is_open)
    }

    /// Waits for one of the files and serves those that are ready. Says whether there was one.
    fn serve_once(&mut self, process: &Process, wait: Duration) -> bool {
        let ready = self.wait(process, wait);
        let now = Instant::now();
        for source in &ready {
            match *source {
                Source::Stdout => self.stdout.read(&process.stdout),
                Source::Stderr => self.stderr.read(&process.stderr),
                Source::End => self.has_ended = true,
                Source::Door(at) => self.accept(at, process.group()),
                Source::Peer(at) => {
                    if let Some(peer) = self.peers.get_mut(at) {
                        peer.serve(now);
                    }
                }
            }
        }
        !ready.is_empty()
    }

    fn wait(&self, process: &Process, wait: Duration) -> Vec<Source> {
        let mut files: Vec<(Source, BorrowedFd<'_>, PollFlags)> = Vec::new();
        let mut add = |source, file, flags| files.push((source, file, flags));
        if !self.stdout.is_closed {
            add(Source::Stdout, process.stdout.as_fd(), PollFlags::POLLIN);
        }
        if !self.stderr.is_closed {
            add(Source::Stderr, process.stderr.as_fd(), PollFlags::POLLIN);
        }
        if !self.has_ended {
            add(Source::End, process.end.as_fd(), PollFlags::POLLIN);
        }
        if self.peers.len() < MOST_CONNECTIONS {
            for (at, (_, listener)) in self.doors.iter().enumerate() {
                add(Source::Door(at), listener.as_fd(), PollFlags::POLLIN);
            }
        }
        for (at, peer) in self.peers.iter().enumerate() {
            if let Some(stream) = &peer.stream {
                add(Source::Peer(at), stream.as_fd(), peer.flags());
            }
        }
        let mut asked: Vec<PollFd<'_>> = files
            .iter()
            .map(|(_, file, flags)| PollFd::new(*file, *flags))
            .collect();
        // Rounded up, or the last part of a millisecond would be waited for without end.
        let wait = u16::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
        if poll(&mut asked, PollTimeout::from(wait)).is_err() {
            // A signal. Whoever waits looks again.
            return Vec::new();
        }
        let is_ready = |file: &PollFd<'_>| file.any().unwrap_or(false);
        let ready = files.iter().zip(&asked).filter(|(_, file)| is_ready(file));
        ready.map(|((source, ..), _)| *source).collect()
    }

    fn accept(&mut self, at: usize, group: i32) {
        let Some((door, listener)) = self.doors.get(at) else {
            return;
        };
        // It may have gone again.
        let Ok((stream, peer)) = listener.accept() else {
            return;
        };
        let is_default = listener.local_addr().is_ok_and(|own| own.port() == PORT);
        if is_default && !is_of_group(peer, PORT, group) {
            return;
        }
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        // Without it a broker's small packets wait for each other.
        let _ = stream.set_nodelay(true);
        self.peers.push(Peer {
            door: *door,
            stream: Some(stream),
            conversation: Conversation::new(self.run, fastrand::u64(..)),
            unsent: Vec::new(),
            closed: Closed::Not,
        });
    }

    fn into_record(self, end: End) -> Record {
        let connections = self.peers.into_iter().map(|peer| Connection {
            door: peer.door,
            seen: peer.conversation.into_seen(),
            closed: peer.closed,
        });
        Record {
            run: self.run,
            connections: connections.collect(),
            end,
            stdout: self.stdout.bytes,
            stderr: self.stderr.bytes,
        }
    }
}
