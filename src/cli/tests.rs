//! What is typed, and what it comes to.

use super::*;

fn parse_with(
    args: &[&str],
    environment: &[(&str, &str)],
) -> Result<(Verbosity, Command), Failure> {
    let environment = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    parse(args.iter().map(OsString::from), &environment)
}

fn command(args: &[&str]) -> Command {
    parse_with(args, &[]).unwrap().1
}

fn options(args: &[&str], environment: &[(&str, &str)]) -> Options {
    match parse_with(args, environment).unwrap().1 {
        Command::Request { options, .. }
        | Command::Device { options, .. }
        | Command::Controller { options, .. }
        | Command::Responder { options, .. } => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_as_the_course_writes_it() {
    let Command::Request {
        options,
        net_id,
        action,
        message,
        qos,
        patience,
    } = command(&["-p", "1884", "abcd01", "title-case", "hello world"])
    else {
        panic!();
    };
    assert_eq!(options.address(), "localhost:1884");
    assert_eq!(
        (options.client_id.as_str(), net_id.as_str()),
        ("abcd01", "abcd01")
    );
    assert_eq!(action, Action::TitleCase);
    assert_eq!(message, Text::Typed("hello world".to_owned()));
    assert_eq!(
        (qos, patience),
        (QoS::AtLeastOnce, Some(Duration::from_secs(10)))
    );
    assert!(options.give_up_at_once);
}

#[test]
fn options_may_stand_anywhere_until_the_double_dash() {
    for args in [
        ["--host", "pi", "net", "reverse", "abc"],
        ["net", "--host", "pi", "reverse", "abc"],
        ["net", "reverse", "abc", "-h", "pi"],
    ] {
        assert_eq!(options(&args, &[]).host, "pi");
    }
    assert_eq!(
        options(&["net", "reverse", "abc", "--host=pi"], &[]).host,
        "pi"
    );
    for text in ["-v", "--bogus", "--", "-"] {
        let Command::Request {
            message, options, ..
        } = command(&["-h", "pi", "--", "net", "reverse", text])
        else {
            panic!();
        };
        let expected = match text {
            "-" => Text::Stdin,
            text => Text::Typed(text.to_owned()),
        };
        assert_eq!((message, options.host.as_str()), (expected, "pi"));
    }
}

#[test]
fn a_net_id_that_is_a_command_goes_after_request() {
    let Command::Request { net_id, .. } = command(&["request", "device", "reverse", "x"]) else {
        panic!();
    };
    assert_eq!(net_id.as_str(), "device");
}

#[test]
fn h_alone_is_help_and_with_a_host_it_is_the_host() {
    for args in [
        &["-h"][..],
        &["--help"],
        &["device", "-h"],
        &["net", "reverse", "x", "--help"],
    ] {
        assert!(matches!(command(args), Command::Help), "{args:?}");
    }
    assert_eq!(options(&["-h", "pi", "responder"], &[]).host, "pi");
    assert!(matches!(command(&["--version"]), Command::Version));
    assert!(matches!(command(&["demo"]), Command::Demo));
}

#[test]
fn the_environment_fills_in_what_is_not_typed() {
    let environment = [
        ("MQTT_CLIENT_HOST", "from-env"),
        ("MQTT_CLIENT_PORT", "1999"),
        ("MQTT_CLIENT_KEEPALIVE", "7"),
        ("MQTT_CLIENT_USERNAME", "u"),
        ("MQTT_CLIENT_PASSWORD", "p"),
        ("MQTT_CLIENT_ID", ""),
    ];
    let found = options(&["-p", "1884", "device", "alice"], &environment);
    assert_eq!(found.address(), "from-env:1884");
    assert_eq!(found.keep_alive, Duration::from_secs(7));
    assert_eq!(found.client_id, "alice");
    let login = found.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.as_str()),
        ("u", "p")
    );
    let failure = parse_with(&["responder"], &[("MQTT_CLIENT_PORT", "x")]).unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
    assert!(failure.text.starts_with("MQTT_CLIENT_PORT"), "{failure}");
}

#[test]
fn the_controllers_plan() {
    let args = [
        "controller",
        "--commands",
        "3-4",
        "--delay",
        "0.5",
        "--seed",
        "9",
        "--sessions",
        "2",
        "-q",
        "1",
        "-W",
        "0",
        "--report",
        "-",
    ];
    let Command::Controller { plan, report, .. } = command(&args) else {
        panic!();
    };
    assert_eq!(plan.commands, 3..=4);
    assert_eq!(plan.delay, Duration::from_millis(500));
    assert_eq!((plan.seed, plan.sessions, plan.timeout), (9, Some(2), None));
    assert_eq!(plan.qos, QoS::AtLeastOnce);
    assert_eq!(report, Some(PathBuf::from("-")));
}

#[test]
fn several_brokers_may_be_named_with_ports_of_their_own() {
    let shown = |args: &[&str], environment: &[(&str, &str)]| {
        let options = options(args, environment);
        let mut shown = vec![options.address()];
        for other in &options.others {
            let other = Options::new(&other.host, other.port, "x");
            shown.push(other.address());
        }
        shown.join(" ")
    };
    for (args, expected) in [
        (
            &["-h", "a,b:1884,[::1]:1885"][..],
            "a:1883 b:1884 [::1]:1885",
        ),
        (&["-h", "a", "--host", "b", "-h=c:1"], "a:1883 b:1883 c:1"),
        (&["-h", "a,b:1,a:1884", "-p", "1884"], "a:1884 b:1"),
        (&["-L", "mqtt://u@a:1,b"], "a:1 b:1883"),
        (&["-h", "/run/mqtt,x"], "/run/mqtt,x"),
        (&[], "localhost:1883"),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["responder"]).collect();
        assert_eq!(shown(&args, &[]), expected, "{args:?}");
    }
    let environment = [("MQTT_CLIENT_HOST", "a,b:1"), ("MQTT_CLIENT_PORT", "9")];
    assert_eq!(shown(&["responder"], &environment), "a:9 b:1");
    assert_eq!(shown(&["-h", "c", "responder"], &environment), "c:9");
}

#[test]
fn each_of_a_group_has_a_client_id_of_its_own_and_of_its_machine() {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let machine = machine.trim();
    for (role, session) in [
        ("responder", Session::Clean),
        (
            "controller",
            Session::Persistent {
                resume: true,
                keep: false,
            },
        ),
    ] {
        let found = options(&["--share", "west", role], &[]);
        assert_eq!(found.client_id, format!("mqtt_client-{role}-{machine}"));
        assert_eq!(found.session, session);
        let found = options(&["--share", "west", "-i", "mine", role], &[]);
        assert_eq!(found.client_id, "mine");
        let found = options(&[role], &[]);
        assert_eq!(found.client_id, format!("mqtt_client-{role}"));
    }
    let by_environment = parse_with(&["responder"], &[("MQTT_CLIENT_SHARE", "east")]);
    let Command::Responder { share, .. } = by_environment.unwrap().1 else {
        panic!();
    };
    assert_eq!(share.unwrap().as_str(), "east");
}

#[test]
fn verbosity_counts() {
    for (args, expected) in [
        (&["responder"][..], Verbosity::Normal),
        (&["-v", "responder"], Verbosity::Verbose),
        (&["responder", "--verbose"], Verbosity::Verbose),
        (&["-v", "responder", "-v"], Verbosity::Packets),
        (&["-vv", "responder"], Verbosity::Packets),
        (&["--quiet", "responder"], Verbosity::Quiet),
    ] {
        assert_eq!(parse_with(args, &[]).unwrap().0, expected, "{args:?}");
    }
    let by_environment = parse_with(&["responder"], &[("MQTT_CLIENT_VERBOSE", "2")]).unwrap();
    assert_eq!(by_environment.0, Verbosity::Packets);
}

#[test]
fn wrong_usage_names_the_thing_and_the_remedy() {
    for (args, words) in [
        (&[][..], "NETID ACTION MESSAGE"),
        (&["net"], "three arguments, not 1"),
        (
            &["net", "reverse", "a", "b"],
            "three arguments, not 4; quote",
        ),
        (
            &["net", "louder", "a"],
            "unknown ACTION `louder`: uppercase",
        ),
        (&["net", "Reverse", "a"], "unknown ACTION"),
        (
            &["--bogus", "net", "reverse", "a"],
            "unknown option --bogus",
        ),
        (&["net", "reverse", "-5"], "goes after --"),
        (
            &["-p", "99999", "net", "reverse", "a"],
            "-p: `99999` is not a port",
        ),
        (&["--port", "0", "net", "reverse", "a"], "--port: `0`"),
        (&["-p", "1", "--port", "2", "responder"], "same option"),
        (&["-p", "1", "-p", "2", "responder"], "twice"),
        (&["responder", "-p"], "-p needs a value"),
        (
            &["a/b", "reverse", "a"],
            "NETID `a/b` cannot be a topic level: it has a `/`",
        ),
        (&["a+", "reverse", "a"], "NETID"),
        (&["#", "reverse", "a"], "NETID"),
        (&["", "reverse", "a"], "it is empty"),
        (&["device"], "one USER_ID, not 0"),
        (&["device", "a", "b"], "one USER_ID, not 2"),
        (&["device", "a/b"], "USER_ID"),
        (&["responder", "x"], "takes no argument `x`"),
        (&["-P", "x", "responder"], "a password without a user name"),
        (
            &["-P", "x", "--password-file", "y", "-u", "z", "responder"],
            "more than one of",
        ),
        (&["-q", "3", "responder"], "-q: `3` is not a QoS level"),
        (&["-v", "--quiet", "responder"], "at once"),
        (&["-i", "", "responder"], "client id"),
        (&["-h", "a,b:0", "responder"], "`a,b:0` is not a host"),
        (
            &["-h", "a,/run/x", "responder"],
            "a Unix socket stands alone",
        ),
        (
            &["-h", "/run/x", "-h", "a", "responder"],
            "/run/x stands alone",
        ),
        (
            &["--commands", "3", "device", "a"],
            "--commands is for controller, not for device",
        ),
        (
            &["--state-dir=/x", "net", "reverse", "a"],
            "--state-dir is for device",
        ),
        (
            &["--lines", "net", "reverse", "a"],
            "--lines takes NETID ACTION",
        ),
        (
            &["-L", "mqtt://h", "-p", "1", "responder"],
            "--url names host and port",
        ),
        (
            &["-L", "http://u:secret@h", "responder"],
            "--url is not mqtt[s]://",
        ),
        (&["--cert", "x", "responder"], "--cert without --key"),
        (
            &["--share", "a/b", "responder"],
            "--share: `a/b` is not a share name: it has a `/`",
        ),
        (&["--share", "#", "responder"], "a share name: it has a `#`"),
        (&["--share", "", "responder"], "a share name: it is empty"),
        (
            &["--share", "x", "device", "a"],
            "--share is for controller and responder, not for device",
        ),
        (
            &["--tls", "-h", "/run/x", "responder"],
            "over a Unix socket",
        ),
    ] {
        let failure = parse_with(args, &[]).unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{args:?}");
        assert!(failure.text.contains(words), "{args:?}: {failure}");
        assert!(!failure.text.contains('\n'), "{failure}");
    }
}

#[test]
fn a_message_that_is_too_large_is_bad_input() {
    let largest = "x".repeat(MAX_TEXT);
    assert!(parse_with(&["net", "reverse", &largest], &[]).is_ok());
    let failure = parse_with(&["net", "reverse", &(largest + "x")], &[]).unwrap_err();
    assert_eq!(failure.kind, Kind::Input);
}

#[test]
fn the_help_fits_a_terminal_and_names_every_variable_and_code() {
    assert!(HELP.lines().all(|line| line.chars().count() <= 80));
    assert!(
        HELP.lines()
            .next()
            .unwrap()
            .starts_with("Usage: mqtt_client")
    );
    for option in [
        "--host",
        "--port",
        "--id",
        "--keepalive",
        "--timeout",
        "--reconnect-delay",
        "--username",
        "--password-file",
        "--password",
        "--qos",
        "--replies",
        "--state-dir",
        "--commands",
        "--delay",
        "--seed",
        "--sessions",
        "--report",
        "--verbose",
        "--quiet",
        "--help",
        "--version",
    ] {
        assert!(HELP.contains(option), "{option}");
    }
    for kind in [
        Kind::Usage,
        Kind::Input,
        Kind::Unreachable,
        Kind::Output,
        Kind::NoAnswer,
        Kind::Protocol,
        Kind::Refused,
        Kind::Config,
    ] {
        assert!(HELP.contains(&kind.exit_code().to_string()), "{kind:?}");
    }
}

#[test]
fn files_are_read_with_care() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("mqtt_client-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("secret");
    let path = file.to_str().unwrap();
    let args = ["-u", "u", "--password-file", path, "responder"];
    for (content, mode, expected) in [
        (&b"p\xc3\xa4ss word\nmore"[..], 0o600, Ok("päss word")),
        (b"", 0o400, Ok("")),
        (b"x", 0o640, Err("others can read it")),
        (b"x", 0o604, Err("chmod 600")),
        (b"\xff", 0o600, Err("not UTF-8")),
    ] {
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        match (parse_with(&args, &[]), expected) {
            (Ok((_, Command::Responder { options, .. })), Ok(password)) => {
                assert_eq!(options.login.unwrap().password, password);
            }
            (Err(failure), Err(words)) => {
                assert_eq!(failure.kind, Kind::Config);
                assert!(
                    failure.text.contains(words) && failure.text.contains(path),
                    "{failure}"
                );
            }
            (other, _) => panic!("{other:?}"),
        }
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let by_systemd = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    for (content, expected) in [("", ""), ("from systemd\n", "from systemd")] {
        std::fs::write(folder.join("password"), content).unwrap();
        // What systemd's ACL looks like.
        let mode = std::fs::Permissions::from_mode(0o440);
        std::fs::set_permissions(folder.join("password"), mode).unwrap();
        let login = options(&["-u", "u", "responder"], &by_systemd)
            .login
            .unwrap();
        assert_eq!(login.password, expected);
        let typed = options(&["-u", "u", "-P", "typed", "responder"], &by_systemd);
        assert_eq!(typed.login.unwrap().password, "typed");
        std::fs::remove_file(folder.join("password")).unwrap();
    }
    assert_eq!(options(&["responder"], &by_systemd).login, None);
    std::fs::write(&file, "CMD1=yes\nCMD1=no").unwrap();
    let failure = parse_with(&["device", "a", "--replies", path], &[]).unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
    assert!(failure.text.contains("line 2"), "{failure}");
    std::fs::remove_dir_all(&folder).unwrap();
    let failure = parse_with(&args, &[]).unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
}
