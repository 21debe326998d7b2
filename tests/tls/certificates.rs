//! A certificate authority of the test's own, and what it signs.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::OPENSSL;
use harness::process::{mqtt_client, run};

/// The names of a broker on this machine.
pub const HERE: &str = "DNS:localhost,IP:127.0.0.1";

const SETTINGS: &str = "\
[ca]
default_ca = this
[this]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
";

/// When a certificate counts.
#[derive(Clone, Copy)]
pub enum Validity {
    Now,
    Past,
    Future,
}

/// Who signs.
pub struct Authority {
    folder: Folder,
}

/// A certificate and its key, both PEM.
pub struct Signed {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

fn openssl<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) {
    let mut command = Command::new(OPENSSL.path());
    command.args(args).current_dir(folder);
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path();
        std::fs::write(path.join("settings"), SETTINGS).unwrap();
        std::fs::write(path.join("index"), "").unwrap();
        std::fs::write(path.join("serial"), "01\n").unwrap();
        let subject = format!("/CN={name}");
        let args = ["req", "-config", "settings", "-x509", "-days", "3650"];
        let rest = ["-extensions", "authority", "-subj", &subject];
        let files = ["-keyout", "authority.key", "-out", "authority.pem"];
        openssl(
            path,
            args.into_iter().chain(rest).chain(files).chain(NEW_KEY),
        );
        Self { folder }
    }

    /// Its own certificate, for `--cafile`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Signs a certificate for `names`, in a file that is called `name`.
    pub fn sign(&self, name: &str, names: &str, validity: Validity) -> Signed {
        self.sign_with(name, &format!("subjectAltName = {names}\n"), validity)
    }

    /// Signs a certificate with these extensions; without any it is one of X.509's version 1.
    pub fn sign_with(&self, name: &str, extensions: &str, validity: Validity) -> Signed {
        let path = self.folder.path();
        let file = |ending: &str| format!("{name}.{ending}");
        let (certificate, key, request) = (file("pem"), file("key"), file("request"));
        let subject = format!("/CN={name}");
        let args = ["req", "-config", "settings", "-new", "-subj", &subject];
        let files = ["-keyout", &key, "-out", &request];
        openssl(path, args.into_iter().chain(files).chain(NEW_KEY));
        let (from, until) = match validity {
            Validity::Now => ("20200101000000Z", "20491231000000Z"),
            Validity::Past => ("20200101000000Z", "20200201000000Z"),
            Validity::Future => ("20491201000000Z", "20491231000000Z"),
        };
        let args = ["ca", "-config", "settings", "-batch", "-notext"];
        let files = ["-in", &request, "-out", &certificate];
        let signer = ["-cert", "authority.pem", "-keyfile", "authority.key"];
        let dates = ["-startdate", from, "-enddate", until];
        let args = args.into_iter().chain(files).chain(signer).chain(dates);
        match extensions {
            "" => openssl(path, args),
            extensions => {
                let file = file("extensions");
                std::fs::write(path.join(&file), extensions).unwrap();
                openssl(path, args.chain(["-extfile", &file]));
            }
        }
        Signed {
            certificate: path.join(certificate),
            key: path.join(key),
        }
    }

    /// A copy of a key that a password locks.
    pub fn locked(&self, key: &Path) -> PathBuf {
        let locked = key.with_extension("locked");
        let files = ["-in", text(key), "-out", text(&locked)];
        let args = ["pkcs8", "-topk8", "-passout", "pass:word"];
        openssl(self.folder.path(), args.into_iter().chain(files));
        locked
    }
}

/// A broker that shows `signed`, asks no client for anything, and takes `more` settings.
pub fn broker(authority: &Authority, signed: &Signed, more: &str) -> Mosquitto {
    broker_in(Folder::new(), authority, signed, more)
}

/// The same, up to this version of TLS: mosquitto's own setting is for the lowest.
pub fn old_broker(authority: &Authority, signed: &Signed, version: &str, more: &str) -> Mosquitto {
    let folder = Folder::new();
    let settings = format!(
        "openssl_conf = any\n[any]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n[old]\n\
         MinProtocol = TLSv1\nMaxProtocol = {version}\nCipherString = ALL:@SECLEVEL=0\n"
    );
    std::fs::write(folder.path().join("openssl.cnf"), settings).unwrap();
    broker_in(folder, authority, signed, more)
}

fn broker_in(folder: Folder, authority: &Authority, signed: &Signed, more: &str) -> Mosquitto {
    let settings = format!(
        "allow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\n{more}",
        authority.certificate().display(),
        signed.certificate.display(),
        signed.key.display()
    );
    Mosquitto::with(folder, &settings)
}

/// The program under test, led to a broker by the name `localhost`, trusting the authorities in `file`.
pub fn client<'a>(
    broker: &Mosquitto,
    file: &Path,
    args: impl IntoIterator<Item = &'a str>,
) -> Command {
    let mut command = mqtt_client(["-h", "localhost", "-p", &broker.port()]);
    command.arg("--cafile").arg(file).args(args);
    command
}

/// A path as text; the folders of these tests have plain names.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
