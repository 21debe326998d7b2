//! How many bytes the kernel still holds for the broker. It takes megabytes at once that a slow line carries away in
//! minutes, and the PINGREQ behind them cannot be answered before.

/// The bytes that this process's connections to `port` hold, and that the other end has not acknowledged. No crate here
/// has SIOCOUTQ without `unsafe` of our own, so this reads proc(5), `/proc/pid/net/tcp`. `None` where there is none, and
/// for a Unix socket.
pub fn unsent(port: u16) -> Option<u64> {
    let sockets: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .ok()?
        .filter_map(|file| {
            let link = std::fs::read_link(file.ok()?.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let port = format!(":{port:04X}");
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .filter_map(|table| {
            let held = table.lines().filter_map(|line| held(line, &port, &sockets));
            held.reduce(u64::saturating_add)
        })
        .reduce(u64::saturating_add)
}

/// What this line says, where it is about one of these sockets.
fn held(line: &str, port: &str, sockets: &[String]) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let is_there = fields.nth(2)?.ends_with(port);
    let (sending, _) = fields.nth(1)?.split_once(':')?;
    let inode = fields.nth(4)?;
    let is_ours = is_there && sockets.iter().any(|socket| socket == inode);
    is_ours.then(|| u64::from_str_radix(sending, 16).ok())?
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn what_nobody_takes_is_held() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(unsent(port), None);
        let mut writer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(unsent(port), Some(0));
        writer.set_nonblocking(true).unwrap();
        while writer.write(&[0; 64 * 1024]).is_ok() {}
        let held = unsent(port).unwrap();
        assert!(held > 0);
        let (reader, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            // Reads to the end, which comes with the writer's.
            scope.spawn(|| std::io::copy(&mut &reader, &mut std::io::sink()).unwrap());
            while unsent(port) != Some(0) {
                std::thread::yield_now();
            }
            drop(writer);
        });
    }
}
