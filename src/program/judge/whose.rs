//! Whose connection it is that arrives at port 1883. Other programs on this machine look for a broker there, too, as soon as
//! the judge listens: what they do must not be the client's fault, and they must not take the judge for their broker.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Whether the connection from `peer` to `port` belongs to a process of this process group, or to one that such a process
/// has started: `setsid`, and `timeout` in a script, give their program a group of its own. Where the kernel does not tell it (Linux does,
/// by proc(5)), it does.
pub fn is_of_group(peer: SocketAddr, port: u16, group: i32) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables: Vec<String> = tables.into_iter().flat_map(fs::read_to_string).collect();
    if tables.is_empty() {
        return true;
    }
    let socket = tables
        .iter()
        .find_map(|table| socket_of(table, peer.port(), port));
    let Some(socket) = socket else {
        return false;
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path()).any(|process| {
        let mut files = fs::read_dir(process.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
            .flat_map(|file| fs::read_link(file.path()));
        files.any(|target| target.as_os_str() == &*socket) && descends_from(process, group)
    })
}

/// No chain of parents is longer.
const MOST_PARENTS: usize = 64;

/// Whether this process, as a folder below /proc, or one that it descends from is in the process group.
fn descends_from(mut process: PathBuf, group: i32) -> bool {
    for _ in 0..MOST_PARENTS {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        match parent_and_group_of(&stat) {
            None => return false,
            Some((_, own)) if own == group => return true,
            Some((parent, _)) => process = PathBuf::from(format!("/proc/{parent}")),
        }
    }
    false
}

/// The name of the socket at the client's end, as /proc/PID/fd has it.
fn socket_of(table: &str, from: u16, to: u16) -> Option<String> {
    let is_port = |address: &str, port: u16| address.ends_with(&format!(":{port:04X}"));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = is_port(fields.get(1)?, from) && is_port(fields.get(2)?, to);
        is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    })
}

/// The parent and the process group in /proc/PID/stat: the second field behind the name, which may hold anything, and the
/// third.
fn parent_and_group_of(stat: &str) -> Option<(i32, i32)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_socket_is_found_by_its_ports() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1\n   1: 0100007F:9C40 0100007F:075B 01 00000000:00000000 00:00000000 00000000     0        0 22 1\n   2: 0100007F:075B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 33 1\n";
        assert_eq!(
            socket_of(table, 40000, 1883).as_deref(),
            Some("socket:[22]")
        );
        assert_eq!(socket_of(table, 40001, 1883), None);
        assert_eq!(parent_and_group_of("7 (a) b) S 1 42 42 0"), Some((1, 42)));
        assert_eq!(parent_and_group_of(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_of_this_process_is_its_own_and_no_other_groups() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_, peer) = listener.accept().unwrap();
        let own = nix::unistd::getpgrp().as_raw();
        assert!(is_of_group(peer, port, own));
        assert!(!is_of_group(peer, port, i32::MAX));
    }
}
