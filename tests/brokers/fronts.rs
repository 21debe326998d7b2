//! What operators put in front of a broker: haproxy, nginx and stunnel, each as Debian packages it, with an idle
//! time-out of two seconds.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{HAPROXY, MOSQUITTO, NGINX, NGINX_STREAM, Needed, OPENSSL, STUNNEL, missing};
use harness::outcome::{assert_answered, ready};
use harness::port;
use harness::process::{Process, mqtt_client, run};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A front, and the broker behind it.
struct Front {
    process: Process,
    port: u16,
    /// Where it speaks TLS.
    authority: Option<String>,
    _broker: Mosquitto,
    _folder: Folder,
}

/// Writes the files of a front below a folder, and gives the command that starts it: port, broker's port.
type Recipe = fn(&Path, u16, &str) -> Command;

impl Front {
    fn start(recipe: Recipe) -> Self {
        let (folder, broker) = (Folder::new(), Mosquitto::open());
        let port = port::steady();
        let command = recipe(folder.path(), port, &broker.port());
        let authority = folder.path().join("certificate.pem");
        let front = Self {
            process: Process::start(command),
            port,
            authority: authority
                .exists()
                .then(|| authority.to_str().unwrap().to_owned()),
            _broker: broker,
            _folder: folder,
        };
        let guard = Instant::now() + harness::process::GUARD;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = front.process.stderr();
            assert!(Instant::now() < guard, "it does not start: {said}");
            std::thread::sleep(LOOK_AGAIN);
        }
        front
    }

    fn client<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = mqtt_client(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(authority) = &self.authority {
            command.args(["--cafile", authority]);
        }
        command.args(args);
        command
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn haproxy(folder: &Path, port: u16, broker: &str) -> Command {
    let settings = format!(
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 2s\n  timeout server 2s\n\
         listen mqtt\n  bind 127.0.0.1:{port}\n  server broker 127.0.0.1:{broker}\n"
    );
    let mut command = Command::new(HAPROXY.path());
    command.args(["-db", "-f", &write(folder, "haproxy.cfg", &settings)]);
    command
}

fn nginx(folder: &Path, port: u16, broker: &str) -> Command {
    let module = NGINX_STREAM.path();
    let settings = format!(
        "load_module {};\ndaemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         stream {{\n  server {{\n    listen 127.0.0.1:{port};\n    proxy_pass 127.0.0.1:{broker};\n    \
         proxy_timeout 2s;\n  }}\n}}\n",
        module.display()
    );
    let mut command = Command::new(NGINX.path());
    command.arg("-p").arg(folder);
    command.args([
        "-e",
        "stderr",
        "-c",
        &write(folder, "nginx.conf", &settings),
    ]);
    command
}

fn stunnel(folder: &Path, port: u16, broker: &str) -> Command {
    let request = "[req]\ndistinguished_name=name\nx509_extensions=of\nprompt=no\n[name]\nCN=front\n\
                   [of]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    let request = write(folder, "request.cnf", request);
    let mut openssl = Command::new(OPENSSL.path());
    openssl
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-config", &request])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"]);
    let ended = run(openssl);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let place = folder.display();
    let settings = format!(
        "foreground = yes\npid =\n[mqtt]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{broker}\n\
         cert = {place}/certificate.pem\nkey = {place}/key.pem\nTIMEOUTidle = 2\n"
    );
    let mut command = Command::new(STUNNEL.path());
    command.arg(write(folder, "stunnel.conf", &settings));
    command
}

/// As long as something is said more often than the front gives up, nobody notices it.
fn is_not_noticed_with_a_short_keep_alive(recipe: Recipe) {
    let front = Front::start(recipe);
    let responder = ready(front.client(["-v", "-k", "1", "responder"]));
    let controller = Process::start(front.client([
        "-v",
        "-k",
        "1",
        "--sessions",
        "1",
        "--delay",
        "5",
        "controller",
    ]));
    controller.wait_for_stderr("waiting for logins");
    let device = Process::start(front.client(["-v", "-k", "1", "device", "alice"])).end();
    assert_eq!(device.code, Some(0), "{device:?}");
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    assert_answered(&run(front.client(["net", "reverse", "abc"])), "cba");
    for said in [device.stderr, controller.stderr, responder.stderr()] {
        assert!(!said.contains("warning"), "{said}");
    }
}

/// The session passes all the same; and whoever looks learns what to change.
fn is_named_where_it_gives_up_before_the_keep_alive(recipe: Recipe) {
    let front = Front::start(recipe);
    let usual = ["-v", "-k", "15", "-W", "20"];
    let controller = ["--sessions", "1", "--delay", "6", "controller"];
    let controller = Process::start(front.client(usual.into_iter().chain(controller)));
    controller.wait_for_stderr("waiting for logins");
    let device = front.client(usual.into_iter().chain(["device", "alice"]));
    let device = Process::start(device).end();
    assert_eq!(
        (device.code, &*device.stdout),
        (Some(0), "Well done my IoT!\n"),
        "{device:?}"
    );
    let controller = controller.end();
    assert_eq!(controller.code, Some(0), "{controller:?}");
    let named = |line: &str| line.contains("idle") && line.contains("-k");
    assert!(device.stderr.lines().any(named), "{device:?}");
    let _responder = ready(front.client(["-v", "responder"]));
    assert_answered(&run(front.client(["net", "reverse", "abc"])), "cba");
}

macro_rules! fronts {
    ($($name:ident: $needed:expr;)*) => {
        $(mod $name {
            use super::*;

            const NEEDED: &[Needed] = $needed;

            #[test]
            fn is_not_noticed_with_a_short_keep_alive() {
                if !missing(NEEDED) {
                    super::is_not_noticed_with_a_short_keep_alive(super::$name);
                }
            }

            #[test]
            fn is_named_where_it_gives_up_before_the_keep_alive() {
                if !missing(NEEDED) {
                    super::is_named_where_it_gives_up_before_the_keep_alive(super::$name);
                }
            }
        })*
    };
}

fronts! {
    haproxy: &[MOSQUITTO, HAPROXY];
    nginx: &[MOSQUITTO, NGINX, NGINX_STREAM];
    stunnel: &[MOSQUITTO, STUNNEL, OPENSSL];
}
