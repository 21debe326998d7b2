//! What is typed, and what it comes to.

mod help;
mod judge;
mod presence;
mod refusals;

use std::time::Duration;

use super::*;
use crate::link::{Address, Login, Options};
use crate::mqtt::QoS;
use crate::text_request::Action;

fn parse_with(
    args: &[&str],
    environment: &[(&str, &str)],
) -> Result<(Verbosity, Invocation), Failure> {
    let environment = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    parse(args.iter().map(OsString::from), &environment)
}

fn command(args: &[&str]) -> Invocation {
    parse_with(args, &[]).unwrap().1
}

fn connection(args: &[&str], environment: &[(&str, &str)]) -> ConnectionConfig {
    match parse_with(args, environment).unwrap().1 {
        Invocation::Request { connection, .. }
        | Invocation::Device { connection, .. }
        | Invocation::Controller { connection, .. }
        | Invocation::Responder { connection, .. } => connection,
        other => panic!("{other:?}"),
    }
}

/// As messages name it.
fn shown(broker: &Address) -> String {
    Options::new(&broker.host, broker.port, "x").address()
}

/// Where the password is at hand.
fn login(connection: &ConnectionConfig) -> Option<Login> {
    let password = match &connection.login.password {
        PasswordSource::Typed(password) => Some(password.clone()),
        _ => None,
    };
    connection.login.with_password(password).unwrap()
}

#[test]
fn a_request_as_the_course_writes_it() {
    let Invocation::Request {
        connection,
        config,
        message,
    } = command(&["-p", "1884", "abcd01", "title-case", "hello world"])
    else {
        panic!();
    };
    assert_eq!(shown(&connection.broker), "localhost:1884");
    assert_eq!(connection.client_id, ClientId::Is("abcd01".to_owned()));
    assert_eq!(config.net_id.as_str(), "abcd01");
    assert_eq!(config.action, Action::TitleCase.into());
    assert_eq!(message, Text::Typed("hello world".to_owned()));
    assert_eq!(
        (config.qos, config.timeout),
        (QoS::AtLeastOnce, Some(Duration::from_secs(10)))
    );
}

#[test]
fn options_may_stand_anywhere_until_the_double_dash() {
    for args in [
        ["--host", "pi", "net", "reverse", "abc"],
        ["net", "--host", "pi", "reverse", "abc"],
        ["net", "reverse", "abc", "-h", "pi"],
    ] {
        assert_eq!(connection(&args, &[]).broker.host, "pi");
    }
    assert_eq!(
        connection(&["net", "reverse", "abc", "--host=pi"], &[])
            .broker
            .host,
        "pi"
    );
    for text in ["-v", "--bogus", "--", "-"] {
        let Invocation::Request {
            message,
            connection,
            ..
        } = command(&["-h", "pi", "--", "net", "reverse", text])
        else {
            panic!();
        };
        let expected = match text {
            "-" => Text::Stdin,
            text => Text::Typed(text.to_owned()),
        };
        assert_eq!((message, connection.broker.host.as_str()), (expected, "pi"));
    }
}

#[test]
fn a_net_id_that_is_a_command_goes_after_request() {
    let Invocation::Request { config, .. } = command(&["request", "device", "reverse", "x"]) else {
        panic!();
    };
    assert_eq!(config.net_id.as_str(), "device");
}

#[test]
fn h_alone_is_help_and_with_a_host_it_is_the_host() {
    for args in [
        &["-h"][..],
        &["--help"],
        &["device", "-h"],
        &["net", "reverse", "x", "--help"],
    ] {
        assert!(matches!(command(args), Invocation::Help), "{args:?}");
    }
    assert_eq!(
        connection(&["-h", "pi", "responder"], &[]).broker.host,
        "pi"
    );
    assert!(matches!(command(&["--version"]), Invocation::Version));
    assert!(matches!(command(&["demo"]), Invocation::Demo));
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
    let found = connection(&["-p", "1884", "device", "alice"], &environment);
    assert_eq!(shown(&found.broker), "from-env:1884");
    assert_eq!(found.keep_alive, Duration::from_secs(7));
    assert_eq!(found.client_id, ClientId::Is("device-alice".to_owned()));
    let login = login(&found).unwrap();
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
    let Invocation::Controller { plan, report, .. } = command(&args) else {
        panic!();
    };
    assert_eq!(plan.commands, Some(3..=4));
    assert_eq!(plan.delay, Duration::from_millis(500));
    assert_eq!((plan.seed, plan.sessions, plan.timeout), (9, Some(2), None));
    assert_eq!(plan.qos, QoS::AtLeastOnce);
    assert_eq!(report, Some(PathBuf::from("-")));
}

#[test]
fn a_class_ends_when_all_have_passed_and_not_otherwise() {
    let args = ["controller", "--roster", "7b", "--page", "7b.html"];
    let Invocation::Controller {
        roster, page, plan, ..
    } = command(&args)
    else {
        panic!();
    };
    assert_eq!(roster, Some(PathBuf::from("7b")));
    assert_eq!(page, Some(PathBuf::from("7b.html")));
    assert_eq!(plan.sessions, None);
    for (other, why) in [
        ("--sessions=2", "the one ends when all have passed"),
        ("--share=west", "no controller sees everybody's sessions"),
    ] {
        let failure = parse_with(&["controller", "--roster", "7b", other], &[]).unwrap_err();
        assert_eq!(failure.kind, Kind::Usage);
        assert!(failure.text.contains(why), "{failure}");
    }
}

#[test]
fn several_brokers_may_be_named_with_ports_of_their_own() {
    let shown = |args: &[&str], environment: &[(&str, &str)]| {
        let ConnectionConfig { broker, others, .. } = connection(args, environment);
        let all: Vec<String> = [broker].iter().chain(&others).map(shown).collect();
        all.join(" ")
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
fn a_device_may_go_by_the_name_of_its_machine() {
    let id = |args: &[&str]| connection(args, &[]).client_id;
    let named = id(&["device", "%H"]);
    assert_eq!(named, ClientId::WithMachine("device".to_owned()));
    assert_eq!(named.on_machine("pi"), Some("device-pi".to_owned()));
    let typed = id(&["-i", "mine", "device", "%H"]);
    assert_eq!(typed, ClientId::Is("mine".to_owned()));
}

#[test]
fn each_of_a_group_has_a_client_id_of_its_own_and_of_its_machine() {
    for role in ["responder", "controller"] {
        let id = |args: &[&str]| connection(args, &[]).client_id;
        let name = format!("mqtt_client-{role}");
        let shared = id(&["--share", "west", role]);
        assert_eq!(shared, ClientId::WithMachine(name.clone()));
        assert_eq!(
            shared.clone().on_machine("pi\n"),
            Some(format!("{name}-pi"))
        );
        assert_eq!(shared.on_machine("\n"), None);
        let typed = id(&["--share", "west", "-i", "mine", role]);
        assert_eq!(typed.on_machine(""), Some("mine".to_owned()));
        assert_eq!(id(&[role]), ClientId::Is(name));
    }
    let by_environment = parse_with(&["responder"], &[("MQTT_CLIENT_SHARE", "east")]);
    let Invocation::Responder { config, .. } = by_environment.unwrap().1 else {
        panic!();
    };
    assert_eq!(config.share.unwrap().as_str(), "east");
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
fn a_flags_variable_says_yes_or_no() {
    let is_encrypted = |args: &[&str], environment: &[(&str, &str)]| {
        let args: Vec<&str> = args.iter().copied().chain(["responder"]).collect();
        connection(&args, environment).tls.is_some()
    };
    for (text, expected) in [
        ("1", true),
        ("yes", true),
        ("True", true),
        ("ON", true),
        ("0", false),
        ("no", false),
        ("FALSE", false),
        ("off", false),
        ("", false),
    ] {
        let variable = [("MQTT_CLIENT_TLS", text)];
        assert_eq!(is_encrypted(&[], &variable), expected, "{text}");
        // What is typed wins.
        for typed in [&["--tls"][..], &["--cafile=x"], &["-L", "mqtts://h"]] {
            assert!(is_encrypted(typed, &variable), "{typed:?} {text}");
        }
        let verbose = [("MQTT_CLIENT_VERBOSE", text)];
        let found = parse_with(&["responder"], &verbose).unwrap().0;
        assert_eq!(found == Verbosity::Verbose, expected, "{text}");
    }
    let both = [("MQTT_CLIENT_URL", "mqtt://a"), ("MQTT_CLIENT_HOST", "b")];
    for (typed, expected) in [(["-h", "c"], "c"), (["-L", "mqtt://d"], "d")] {
        let args = typed.into_iter().chain(["responder"]);
        let args: Vec<&str> = args.collect();
        assert_eq!(connection(&args, &both).broker.host, expected);
    }
}

#[test]
fn the_key_of_a_certificate_may_be_a_credential() {
    let key = |args: &[&str], environment: &[(&str, &str)]| {
        let args: Vec<&str> = args.iter().copied().chain(["responder"]).collect();
        let tls = connection(&args, environment).tls;
        tls.and_then(|tls| tls.identity).map(|(_, key)| key)
    };
    let by_systemd = [("CREDENTIALS_DIRECTORY", "/nonexistent")];
    let credential = Some(PathBuf::from("/nonexistent/key"));
    assert_eq!(key(&["--cert", "c"], &by_systemd), credential);
    let typed = ["--cert", "c", "--key", "k"];
    assert_eq!(key(&typed, &by_systemd), Some(PathBuf::from("k")));
    assert_eq!(key(&["--tls"], &by_systemd), None);
    assert_eq!(key(&[], &by_systemd), None);
}

#[test]
fn files_are_named_and_not_read() {
    let password = |args: &[&str], environment: &[(&str, &str)]| {
        let args: Vec<&str> = args.iter().copied().chain(["responder"]).collect();
        connection(&args, environment).login.password
    };
    let by_systemd = [("CREDENTIALS_DIRECTORY", "/nonexistent")];
    let file = PasswordSource::File("/nonexistent/file".into());
    let typed_file = ["-u", "u", "--password-file", "/nonexistent/file"];
    assert_eq!(password(&typed_file, &by_systemd), file);
    let credential = PasswordSource::Credential("/nonexistent/password".into());
    assert_eq!(password(&["-u", "u"], &by_systemd), credential);
    assert_eq!(password(&[], &by_systemd), credential);
    let typed = password(&["-u", "u", "-P", "typed"], &by_systemd);
    assert_eq!(typed, PasswordSource::Typed("typed".to_owned()));
    assert!(!format!("{typed:?}").contains("typed"));
    assert_eq!(password(&[], &[]), PasswordSource::Absent);

    let args = [
        "device",
        "a",
        "--replies",
        "/nonexistent/r",
        "--again",
        "300",
        "--cafile",
        "/nonexistent/ca",
    ];
    let state = [("STATE_DIRECTORY", "/nonexistent/state")];
    let (_, invocation) = parse_with(&args, &state).unwrap();
    let Invocation::Device {
        connection,
        replies,
        again,
        state,
        ..
    } = invocation
    else {
        panic!("{invocation:?}");
    };
    assert_eq!(replies, Some(PathBuf::from("/nonexistent/r")));
    assert_eq!(again, Some(Duration::from_secs(300)));
    let folder = PathBuf::from("/nonexistent/state");
    assert_eq!(
        state,
        Some(StateConfig {
            folder,
            sync: false
        })
    );
    let authorities = connection.tls.unwrap().authorities;
    assert_eq!(authorities, Some(PathBuf::from("/nonexistent/ca")));
    assert_eq!(connection.broker.port, PORT_TLS);
}

#[test]
fn a_device_that_is_not_to_log_in_again_ends_as_it_always_did() {
    let again = |args: &[&str], environment: &[(&str, &str)]| {
        let args: Vec<&str> = ["device", "a"].iter().chain(args).copied().collect();
        match parse_with(&args, environment).unwrap() {
            (_, Invocation::Device { again, .. }) => again,
            (_, other) => panic!("{other:?}"),
        }
    };
    let by_unit = [("MQTT_CLIENT_AGAIN", "300")];
    assert_eq!(again(&[], &[]), None);
    assert_eq!(again(&[], &by_unit), Some(Duration::from_secs(300)));
    assert_eq!(again(&["--again", "0"], &by_unit), None);
    assert_eq!(again(&[], &[("MQTT_CLIENT_AGAIN", "0")]), None);
}
