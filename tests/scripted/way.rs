//! A name with two addresses, of which the first swallows every packet.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Command;

use crate::case::{Client, application};
use harness::folder::Folder;
use harness::needed::not_run;
use harness::process::{run, through};
use harness::scripted::ScriptedBroker;
use harness::wire;
use socket2::{Domain, Socket, Type};

/// What a resolver names first, and second: the program's own address is the nearer one (RFC 6724, rule 9).
const FIRST: [u8; 4] = [127, 0, 0, 1];
const SECOND: &str = "127.0.0.2";

/// Takes no connection and refuses none: the queue of its one listener is full, and so Linux drops each SYN.
struct BlackHole {
    _listener: Socket,
    _filling: Socket,
}

impl BlackHole {
    /// `None`: the port is in use.
    fn new(port: u16) -> Option<Self> {
        let address = SocketAddr::from((FIRST, port)).into();
        let tcp = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = tcp();
        match listener.bind(&address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => return None,
            bound => bound.unwrap(),
        }
        listener.listen(0).unwrap();
        let filling = tcp();
        filling.connect(&address).unwrap();
        Some(Self {
            _listener: listener,
            _filling: filling,
        })
    }
}

/// The same command where both addresses have the name `twin`.
fn with_twin(command: &Command, hosts: &Folder) -> Command {
    let file = hosts.path().join("hosts");
    let [a, b, c, d] = FIRST;
    std::fs::write(&file, format!("{a}.{b}.{c}.{d} twin\n{SECOND} twin\n")).unwrap();
    let script = "mount --bind \"$HOSTS\" /etc/hosts && exec \"$@\"";
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
    shell.env("HOSTS", file);
    through(shell, command)
}

#[test]
fn an_address_that_swallows_packets_does_not_keep_from_the_one_that_works() {
    let hosts = Folder::new();
    let may_mount = run(with_twin(&Command::new("true"), &hosts));
    if may_mount.code != Some(0) {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "no mounts here: {may_mount:?}");
        return not_run(&format!("no mounts here: {}", may_mount.stderr));
    }
    let (broker, _black_hole) = loop {
        let broker = ScriptedBroker::start_on(SECOND, |peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(application);
        });
        if let Some(black_hole) = BlackHole::new(broker.port().parse().unwrap()) {
            break (broker, black_hole);
        }
    };
    let request = Client::Request.command(&broker, &["-h", "twin", "-v"]);
    let ended = run(with_twin(&request, &hosts));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, Client::Request.prints());
    assert!(ended.stderr.contains("127.0.0.2"), "{ended:?}");
    assert_eq!(broker.connections().len(), 1, "{ended:?}");
}
