//! The units in `systemd/`, as systemd reads them and rates them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mqtt_client::role::Kind;

use harness::folder::Folder;
use harness::needed::{SYSTEMD_ANALYZE, missing};
use harness::process::{Ended, program, run};

const UNITS: [&str; 4] = [
    "mqtt_client.service",
    "mqtt_client@.service",
    "mqtt_client-controller.service",
    "mqtt_client-responder.service",
];

const DROP_INS: [&str; 3] = [
    "mqtt_client.service.d",
    "mqtt_client@.service.d",
    "mqtt_client-.service.d",
];

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// The units and their drop-ins in a folder of the test's own, with the program that was built.
fn installed_in(folder: &Folder) {
    let from = shipped();
    for unit in UNITS {
        let text = fs::read_to_string(from.join(unit)).unwrap();
        assert!(text.contains("ExecStart=/usr/bin/mqtt_client "), "{text}");
        let text = text.replace("/usr/bin/mqtt_client", program().to_str().unwrap());
        fs::write(folder.path().join(unit), text).unwrap();
    }
    for drop_ins in DROP_INS {
        fs::create_dir(folder.path().join(drop_ins)).unwrap();
        let file = Path::new(drop_ins).join("10-hardening.conf");
        fs::copy(from.join(&file), folder.path().join(&file)).unwrap();
    }
}

fn systemd_analyze(folder: &Folder, args: &[&str], unit: &str) -> Ended {
    let mut command = Command::new(SYSTEMD_ANALYZE.path());
    // Without a pager, and without the man pages, which are not installed by a build.
    command
        .args(args)
        .arg(folder.path().join(unit))
        .env("SYSTEMD_PAGER", "");
    run(command)
}

/// The rating of a unit: 0 is locked in, 10 is open.
fn exposure(folder: &Folder, unit: &str) -> f64 {
    let ended = systemd_analyze(folder, &["security", "--offline=true"], unit);
    let words = ended.stdout.split("Overall exposure level for ").nth(1);
    let level = words.and_then(|words| words.split_whitespace().nth(1)?.parse().ok());
    level.unwrap_or_else(|| panic!("{ended:?}"))
}

#[test]
fn the_units_are_locked_in() {
    if missing(&[SYSTEMD_ANALYZE]) {
        return;
    }
    let folder = Folder::new();
    installed_in(&folder);
    for unit in UNITS {
        let level = exposure(&folder, unit);
        assert!(level <= 1.1, "{unit}: {level}");
    }
    for (drop_in, limit) in [("lan.conf", 1.0), ("hardware.conf", 1.3)] {
        for unit in UNITS {
            let drop_ins = folder.path().join(format!("{unit}.d"));
            fs::create_dir_all(&drop_ins).unwrap();
            let file = drop_ins.join(drop_in);
            fs::copy(shipped().join(drop_in), &file).unwrap();
            let level = exposure(&folder, unit);
            assert!(level <= limit, "{unit} with {drop_in}: {level}");
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn without_its_drop_in_a_unit_is_rated_as_open() {
    if missing(&[SYSTEMD_ANALYZE]) {
        return;
    }
    let folder = Folder::new();
    installed_in(&folder);
    for drop_ins in DROP_INS {
        fs::remove_dir_all(folder.path().join(drop_ins)).unwrap();
    }
    for unit in UNITS {
        let level = exposure(&folder, unit);
        assert!(level > 5.0, "{unit}: {level}");
    }
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    if missing(&[SYSTEMD_ANALYZE]) {
        return;
    }
    let folder = Folder::new();
    installed_in(&folder);
    let assert_silent = |unit: &str| {
        let ended = systemd_analyze(&folder, &["verify", "--man=no"], unit);
        assert_eq!(ended.code, Some(0), "{unit}: {ended:?}");
        assert_eq!((ended.stdout, ended.stderr), Default::default(), "{unit}");
    };
    UNITS.into_iter().for_each(assert_silent);
    for drop_in in ["lan.conf", "hardware.conf"] {
        let to = folder.path().join(DROP_INS[0]).join(drop_in);
        fs::copy(shipped().join(drop_in), to).unwrap();
    }
    assert_silent(UNITS[0]);
    let unit = folder.path().join("mqtt_client.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, format!("{text}\n[Service]\nNoSuchKey=1\n")).unwrap();
    let ended = systemd_analyze(&folder, &["verify", "--man=no"], UNITS[0]);
    assert!(ended.stderr.contains("NoSuchKey"), "{ended:?}");
}

/// Whether a restart can make the difference while no person does anything on this machine.
fn restart_mends(kind: Kind) -> bool {
    match kind {
        Kind::Usage | Kind::Input | Kind::Config => false,
        // Who mends the broker's list of users does not go to the board.
        Kind::Refused => true,
        Kind::Unreachable | Kind::NoAnswer | Kind::Busy | Kind::Protocol | Kind::Output => true,
    }
}

#[test]
fn what_a_restart_cannot_mend_is_not_restarted() {
    let text =
        fs::read_to_string(shipped().join("mqtt_client.service.d/10-hardening.conf")).unwrap();
    let listed = text
        .lines()
        .find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let listed: Vec<u8> = listed
        .expect("no RestartPreventExitStatus")
        .split_whitespace()
        .map(|code| code.parse().unwrap())
        .collect();
    let kinds = [
        Kind::Usage,
        Kind::Input,
        Kind::Unreachable,
        Kind::NoAnswer,
        Kind::Busy,
        Kind::Protocol,
        Kind::Refused,
        Kind::Config,
        Kind::Output,
    ];
    let last: Vec<u8> = kinds
        .into_iter()
        .filter(|kind| !restart_mends(*kind))
        .map(Kind::exit_code)
        .collect();
    assert_eq!(listed, last);
}

/// systemd starts the device with an empty USER_ID where the administrator has not written one.
#[test]
fn the_device_nobody_has_named_ends_with_a_code_that_is_not_restarted() {
    let ended = run(crate::notify::without_broker(["device", ""]));
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.stderr.contains("USER_ID"), "{ended:?}");
}

/// The two units of a device differ in its name, and in what goes by that.
#[test]
fn one_of_several_devices_is_run_as_a_lone_one_is() {
    let settings = |unit: &str| {
        let text = fs::read_to_string(shipped().join(unit)).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains('=') && !line.starts_with('#'));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.retain(|line| line != "EnvironmentFile=-/etc/default/mqtt_client@%i");
        lines
    };
    let lone = settings("mqtt_client.service").join("\n");
    let lone = lone
        .replace("session", "session of %i")
        .replace("${MQTT_CLIENT_USER_ID}", "%i")
        .replace(
            "StateDirectory=mqtt_client",
            "StateDirectory=mqtt_client@%i",
        );
    assert_eq!(settings("mqtt_client@.service").join("\n"), lone);
}
