//! How each broker is set up in a folder of its own, and started: its files, its command, what it needs.

use std::path::Path;
use std::process::Command;

use harness::needed::{
    AEDES, AEDES_0_51, AMQTT, EJABBERD, EPMD, ERLANG, MOSQUITTO, MOSQUITTO_PASSWD, NATS, NODE,
    Needed, PAHO, RABBITMQ, RUMQTTD,
};
use harness::port;
use harness::process::run;

use crate::table::Kind;

/// The login that every broker here wants.
pub const PASSWORD: &str = "right";

impl Kind {
    /// The user of [`PASSWORD`].
    pub fn user(self) -> &'static str {
        match self {
            // Its users belong to a host.
            Self::Ejabberd => "alice@localhost",
            _ => "alice",
        }
    }

    /// What has to be installed.
    pub fn needed(self) -> &'static [Needed] {
        match self {
            Self::Mosquitto => &[MOSQUITTO, MOSQUITTO_PASSWD, PAHO],
            Self::RabbitMq => &[RABBITMQ, EPMD, PAHO],
            Self::Nats => &[NATS, PAHO],
            Self::Aedes => &[NODE, AEDES, PAHO],
            Self::AedesOfNodeRed => &[NODE, AEDES_0_51, PAHO],
            Self::Ejabberd => &[EJABBERD, ERLANG, PAHO],
            Self::Amqtt => &[AMQTT, PAHO],
            Self::Rumqttd => &[RUMQTTD, PAHO],
        }
    }

    /// Whether `.ci/run` installs it, so that it may not be missing there.
    pub fn is_in_ci(self) -> bool {
        !matches!(self, Self::Ejabberd | Self::Amqtt | Self::Rumqttd)
    }

    /// Writes its files below `folder`, and gives the commands that start it and what has to run beside it, that one
    /// first.
    pub fn commands(self, folder: &Path, port: u16) -> Vec<Command> {
        match self {
            Self::Mosquitto => vec![mosquitto(folder, port)],
            Self::RabbitMq => rabbitmq(folder, port),
            Self::Nats => vec![nats(folder, port)],
            Self::Aedes => vec![aedes(AEDES, port)],
            Self::AedesOfNodeRed => vec![aedes(AEDES_0_51, port)],
            Self::Ejabberd => vec![ejabberd(folder, port)],
            Self::Amqtt => vec![amqtt(folder, port)],
            Self::Rumqttd => vec![rumqttd(folder, port)],
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// With its default limits; what it has promised is on its disk at once.
fn mosquitto(folder: &Path, port: u16) -> Command {
    let passwords = folder.join("passwords");
    let mut command = Command::new(MOSQUITTO_PASSWD.path());
    command.args(["-b", "-c"]).arg(&passwords);
    command.args([Kind::Mosquitto.user(), PASSWORD]);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let settings = format!(
        "listener {port} 127.0.0.1\nuser root\nlog_dest stderr\nallow_anonymous false\npassword_file {}\n\
         persistence true\nautosave_on_changes true\nautosave_interval 1\npersistence_location {}/\n",
        passwords.display(),
        folder.display()
    );
    let mut command = Command::new(MOSQUITTO.path());
    command.args(["-c", &write(folder, "mosquitto.conf", &settings)]);
    command
}

fn rabbitmq(folder: &Path, port: u16) -> Vec<Command> {
    let [amqp, nodes, names] = [(); 3].map(|()| port::steady().to_string());
    let user = Kind::RabbitMq.user();
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\n\
         mqtt.allow_anonymous = false\ndefault_user = {user}\ndefault_pass = {PASSWORD}\n\
         log.console = true\nlog.file = false\n"
    );
    let mut epmd = Command::new(EPMD.path());
    epmd.args(["-address", "127.0.0.1", "-port", &names]);
    let mut broker = Command::new(RABBITMQ.path());
    broker
        .env("HOME", folder)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", &names)
        // Then the script becomes the broker, and no shell stands between it and a signal.
        .env("RUNNING_UNDER_SYSTEMD", "1")
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", "mq@localhost")
        .env("RABBITMQ_DIST_PORT", nodes)
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env(
            "RABBITMQ_CONFIG_FILE",
            write(folder, "rabbitmq.conf", &settings),
        )
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            write(folder, "plugins", "[rabbitmq_mqtt]."),
        )
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
    vec![epmd, broker]
}

/// `ack_wait`: it delivers again what was not acknowledged so long, and only then; 30 s are its default. [`Kind::delay`] is
/// longer.
fn nats(folder: &Path, port: u16) -> Command {
    let (own, user) = (port::steady(), Kind::Nats.user());
    let store = folder.join("store");
    let settings = format!(
        "server_name: n1\nlisten: \"127.0.0.1:{own}\"\njetstream {{ store_dir: \"{}\" }}\n\
         authorization {{ users: [ {{ user: {user}, password: {PASSWORD} }} ] }}\n\
         mqtt {{ listen: \"127.0.0.1:{port}\", ack_wait: \"5s\" }}\n",
        store.display()
    );
    let mut command = Command::new(NATS.path());
    command.args(["-c", &write(folder, "nats.conf", &settings)]);
    command
}

fn aedes(package: Needed, port: u16) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brokers/aedes/broker.js");
    let mut command = Command::new(NODE.path());
    command.arg(script).arg(package.path());
    command.args([&port.to_string(), Kind::Aedes.user(), PASSWORD]);
    command
}

/// Without the script that would start it as another user, and without a name among Erlang's nodes.
fn ejabberd(folder: &Path, port: u16) -> Command {
    let settings = format!(
        "hosts: [localhost]\nlisten:\n  -\n    port: {port}\n    ip: \"127.0.0.1\"\n    module: mod_mqtt\n\
         auth_method: internal\nmodules:\n  mod_mqtt:\n    session_expiry: 5 minutes\n"
    );
    let begin = format!(
        "{{ok, _}} = application:ensure_all_started(ejabberd), \
         ejabberd_auth:try_register(<<\"alice\">>, <<\"localhost\">>, <<\"{PASSWORD}\">>)."
    );
    let mut command = Command::new(ERLANG.path());
    command
        .env("HOME", folder)
        .env(
            "EJABBERD_CONFIG_PATH",
            write(folder, "ejabberd.yml", &settings),
        )
        .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"))
        .env("ERL_CRASH_DUMP", folder.join("dump"))
        .env("ERL_LIBS", "/usr/lib/x86_64-linux-gnu")
        .args(["-noinput", "-mnesia", "dir"])
        .arg(format!("\"{}\"", folder.join("mnesia").display()))
        .args(["-eval", &begin]);
    command
}

fn amqtt(folder: &Path, port: u16) -> Command {
    // `right`, as pwdlib writes it.
    let hash = "$argon2id$v=19$m=65536,t=3,p=4$Sf7ZAjpF9/oQrrBucZzEcA$jWtW8SIOMEUylQNkhm15RczkQicLWYYVfIvX36wDZtE";
    let user = Kind::Amqtt.user();
    let passwords = write(folder, "passwords", &format!("{user}:{hash}\n"));
    let settings = format!(
        "listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\nplugins:\n  \
         amqtt.plugins.authentication.FileAuthPlugin:\n    password_file: {passwords}\n"
    );
    let mut command = Command::new(AMQTT.path());
    command.args(["-c", &write(folder, "amqtt.yaml", &settings)]);
    command
}

fn rumqttd(folder: &Path, port: u16) -> Command {
    let user = Kind::Rumqttd.user();
    let settings = format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 1000\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"v4\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 1\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n\
         max_inflight_count = 100\ndynamic_filters = true\n\
         [v4.1.connections.auth]\n{user} = \"{PASSWORD}\"\n"
    );
    let mut command = Command::new(RUMQTTD.path());
    command.args(["-c", &write(folder, "rumqttd.toml", &settings)]);
    command
}
