//! A running broker of any kind: its folder, its port, its clients, its restart.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::folder::Folder;
use harness::observer::Observer;
use harness::peers;
use harness::port;
use harness::process::{Process, mqtt_client};
use rumqttc::{Client, Event, MqttOptions, Packet};

use crate::recipe::PASSWORD;
use crate::table::Kind;

/// RabbitMQ takes up to 60 s on a busy machine.
const START: Duration = Duration::from_secs(180);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A broker, and what runs beside it.
pub struct Broker {
    kind: Kind,
    port: u16,
    // Before the folder, so that they have ended when it goes.
    processes: Vec<Process>,
    folder: Folder,
}

impl Broker {
    /// Starts one, and waits until it takes logins.
    pub fn start(kind: Kind) -> Self {
        let mut broker = Self {
            kind,
            port: port::steady(),
            processes: Vec::new(),
            folder: Folder::new(),
        };
        broker.run();
        broker
    }

    fn run(&mut self) {
        let commands = self.kind.commands(self.folder.path(), self.port);
        self.processes = commands.into_iter().map(Process::start).collect();
        let guard = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err()
            || self.look_for_session("probe", self.port).is_none()
        {
            let said = self.processes.iter().map(Process::stderr);
            assert!(
                Instant::now() < guard,
                "it does not start: {said:?}",
                said = said.collect::<Vec<_>>()
            );
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Stops it by SIGTERM, and starts it again with the same folder and the same port.
    pub fn restart(&mut self) {
        let broker = self.processes.pop().unwrap();
        broker.signal("TERM");
        broker.end();
        self.processes.clear();
        self.run();
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, where a test may put files of its own.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it has said on standard error.
    pub fn log(&self) -> String {
        self.processes.iter().map(Process::stderr).collect()
    }

    /// The program under test with these arguments, after those that lead it to this broker with the right login.
    pub fn client<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        self.client_by(self.port, args)
    }

    /// The same, by way of a proxy on this port.
    pub fn client_by<'a>(&self, port: u16, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = mqtt_client(["-h", "127.0.0.1", "-p", &port.to_string()]);
        command.env("MQTT_CLIENT_USERNAME", self.kind.user());
        command.env("MQTT_CLIENT_PASSWORD", PASSWORD);
        command.args(args);
        command
    }

    /// An observer by another hand, with these filters.
    pub fn observer(&self, filters: &[&str]) -> Observer {
        Observer::start(self.peer("observer.py", self.port, filters.iter().copied()))
    }

    /// A client by another hand, to be started, by way of this port.
    pub fn peer<'a>(
        &self,
        script: &str,
        port: u16,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut command = peers::command(script, &port.to_string(), args);
        command.env("MQTT_LOGIN", format!("{}:{PASSWORD}", self.kind.user()));
        command
    }

    /// Whether it holds a session for `client_id`, as a CONNECT with CleanSession 0 learns. Leaves none.
    pub fn session_present(&self, client_id: &str) -> bool {
        let present = self.look_for_session(client_id, self.port);
        present.unwrap_or_else(|| panic!("{:?} takes no login", self.kind))
    }

    fn look_for_session(&self, client_id: &str, port: u16) -> Option<bool> {
        let connect = |clean: bool| {
            let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
            options.set_credentials(self.kind.user(), PASSWORD);
            options.set_clean_session(clean);
            let (client, mut connection) = Client::new(options, 1);
            let mut present = None;
            loop {
                match connection.recv_timeout(harness::process::GUARD).ok()? {
                    Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                        present = Some(connack.session_present);
                        client.try_disconnect().ok()?;
                    }
                    Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return present,
                    Ok(_) => {}
                    Err(_) => return present,
                }
            }
        };
        let present = connect(false);
        connect(true);
        present
    }
}
