//! A mosquitto: its folder, its settings, its port and its log.

use std::process::Command;

use rumqttc::{Client, Event, MqttOptions, Packet};

use crate::folder::Folder;
use crate::needed::{MOSQUITTO, MOSQUITTO_PASSWD, MOSQUITTO_PUB, Needed};
use crate::port;
use crate::process::{GUARD, Process, line_with, mqtt_client, run};

/// A running mosquitto.
pub struct Mosquitto {
    process: Process,
    port: u16,
    _folder: Folder,
}

impl Mosquitto {
    /// One that allows every client everything.
    pub fn open() -> Self {
        Self::with(Folder::new(), "allow_anonymous true\n")
    }

    /// One with these settings, whose files are in `folder`. A file `openssl.cnf` there is its OpenSSL's.
    pub fn with(folder: Folder, settings: &str) -> Self {
        let mosquitto = MOSQUITTO.path();
        let file = folder.path().join("mosquitto.conf");
        let mut why = String::new();
        // Another process may take the port between the choice and mosquitto's start.
        for _ in 0..10 {
            let port = port::free();
            // Of mosquitto's logs only standard error is not buffered. `user` counts only where root
            // starts it: otherwise it could not read root's files. 2,000 commands in a burst exceed the usual queue.
            let settings = format!(
                "listener {port} 127.0.0.1\nuser root\nlog_dest stderr\nlog_type all\nmax_queued_messages 0\n{settings}"
            );
            std::fs::write(&file, settings).unwrap();
            let mut command = Command::new(&mosquitto);
            command.arg("-c").arg(&file).current_dir(folder.path());
            let openssl = folder.path().join("openssl.cnf");
            if openssl.exists() {
                command.env("OPENSSL_CONF", openssl);
            }
            let process = Process::start(command);
            let running = process.wait_in_stderr("the start", |log| {
                let failed = line_with(log, "Error: ").map(|_| false);
                failed.or(line_with(log, " running").map(|_| true))
            });
            if running {
                return Self {
                    process,
                    port,
                    _folder: folder,
                };
            }
            why = process.stderr();
        }
        panic!("mosquitto does not start: {why}");
    }

    /// One that wants this login, and allows nothing without it.
    pub fn with_login(user: &str, password: &str) -> Self {
        let folder = Folder::new();
        let file = folder.path().join("passwords");
        let mut command = Command::new(MOSQUITTO_PASSWD.path());
        command.args(["-b", "-c"]).arg(&file).args([user, password]);
        let ended = run(command);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let file = file.display();
        let settings = format!("allow_anonymous false\npassword_file {file}\n");
        Self::with(folder, &settings)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> String {
        self.port.to_string()
    }

    /// The program under test with these arguments, after those that lead it to this broker.
    pub fn client<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = mqtt_client(["-h", "127.0.0.1", "-p", &self.port()]);
        command.args(args);
        command
    }

    /// One of mosquitto's own clients, with the arguments that lead it to this broker.
    pub fn mosquitto_client<'a>(
        &self,
        program: Needed,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let mut command = Command::new(program.path());
        command.args(["-h", "127.0.0.1", "-p", &self.port()]);
        command.args(args);
        command
    }

    /// A client by another hand publishes a message at this QoS, and the broker has confirmed it.
    pub fn publish(&self, qos: &str, topic: &str, payload: &str) {
        self.publish_with(&["-q", qos, "-t", topic, "-m", payload]);
    }

    /// The same at QoS 1, and the broker keeps the message for later subscribers.
    pub fn retain(&self, topic: &str, payload: &str) {
        self.publish_with(&["-r", "-q", "1", "-t", topic, "-m", payload]);
    }

    fn publish_with(&self, args: &[&str]) {
        let ended = run(self.mosquitto_client(MOSQUITTO_PUB, args.iter().copied()));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Whether it holds a session for `client_id`, as a CONNECT with CleanSession 0 learns. Leaves one.
    pub fn session_present(&self, client_id: &str) -> bool {
        let mut options = MqttOptions::new(client_id, "127.0.0.1", self.port);
        options.set_clean_session(false);
        let (client, mut connection) = Client::new(options, 1);
        let mut present = None;
        loop {
            match connection.recv_timeout(GUARD).unwrap() {
                Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                    present = Some(connack.session_present);
                    client.try_disconnect().unwrap();
                }
                Ok(_) => {}
                // mosquitto's end of the connection, after DISCONNECT.
                Err(error) => return present.unwrap_or_else(|| panic!("{error}")),
            }
        }
    }

    /// Its log, with everything that was over before this call: mosquitto writes it in order, and a
    /// witness comes last.
    pub fn log(&self) -> String {
        let witnessed = |log: &str| {
            let gone =
                |line: &&str| line.contains("Client witness") && line.contains("disconnected");
            log.lines().filter(gone).count()
        };
        let before = witnessed(&self.process.stderr());
        self.session_present("witness");
        self.process
            .wait_in_stderr("the witness in the log", |log| {
                (witnessed(log) > before).then(|| log.to_owned())
            })
    }
}
