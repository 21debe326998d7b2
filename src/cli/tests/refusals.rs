//! What is refused, and what is said of it.

use super::*;

#[test]
fn wrong_usage_names_the_thing_and_the_remedy() {
    for (args, words) in [
        (&[][..], "NETID ACTION MESSAGE"),
        (&["net"], "three arguments, not 1"),
        (
            &["controler"],
            "unknown command `controler`: did you mean controller?",
        ),
        (&["devcie", "alice"], "did you mean device?"),
        (&["responser", "--lines"], "did you mean responder?"),
        (
            &["net", "upercase", "a"],
            "unknown ACTION `upercase`: did you mean uppercase?",
        ),
        (
            &["--hots=x", "responder"],
            "unknown option --hots, did you mean --host?",
        ),
        (
            &["net", "reverse", "a", "b"],
            "three arguments, not 4; quote",
        ),
        (
            &["net", "louder", "a"],
            "unknown ACTION `louder`: uppercase",
        ),
        (
            &["controller", "--prefix", "a/+"],
            "--prefix: `a/+` is not levels of a topic: it has a `+`",
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
        (&["device", ""], "MQTT_CLIENT_USER_ID"),
        (&["device", "pi-%H"], "%H, the machine's name, stands alone"),
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
            &["--delay", "3", "device", "a"],
            "--delay is for controller, not for device",
        ),
        (
            &["--commands", "/x", "controller"],
            "--commands: `/x` is not a number N or a range A-B",
        ),
        (
            &["--commands", "/x", "--at-most-once", "device", "a"],
            "--at-most-once: without --state-dir",
        ),
        (
            &["--program-time", "1", "device", "a"],
            "--program-time: without --commands DIR no program runs",
        ),
        (
            &["--actions", "x", "--program-time", "0", "responder"],
            "`0` is not a number of seconds above 0",
        ),
        (
            &["--actions", "x", "--program-output", "786432", "responder"],
            "`786432` is not a number of bytes, up to 785408",
        ),
        (
            &["net", "louder", "abc"],
            "with --any-action another one of the responder's",
        ),
        (
            &["--state-dir=/x", "net", "reverse", "a"],
            "--state-dir is for device and controller and responder",
        ),
        (&["--sync", "device", "a"], "--sync: nothing is written"),
        (
            &["--share=g", "--state-dir=/x", "responder"],
            "--share and --state-dir",
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
            &["--presence", "a/+", "responder"],
            "--presence: `a/+` is not a topic name: it has a `+`",
        ),
        (&["--presence", "%i/x", "device", "a"], "no other %"),
        (&["--presence", "$SYS/x", "device", "a"], "no $ at the"),
        (&["--presence", "a\u{7}", "device", "a"], "`a\\u{7}`"),
        (
            &["--presence", "x", "net", "reverse", "a"],
            "--presence is for device and controller and responder",
        ),
        (
            &["--presence-end", "clear", "device", "a"],
            "--presence-end: nothing is said without --presence",
        ),
        (
            &["--presence", "x", "--presence-end", "gone", "device", "a"],
            "`gone` is not offline or clear",
        ),
        (&["fleet", "a#"], "FILTER `a#` is no topic filter"),
        (&["fleet", "a", "b"], "one FILTER, not 2"),
        (&["responder", "--once"], "--once is for fleet"),
        (&["judge"], "judge takes CLIENT"),
        (&["judge", ""], "judge takes CLIENT"),
        (&["-h", "pi", "judge", "x"], "--host is not for judge"),
        (&["judge", "--qos=2", "x"], "--qos is not for judge"),
        (&["demo", "--host=pi"], "--host is not for demo"),
        (&["judge", "--lines", "x"], "--lines is for request"),
        (&["judge", "-W", "0", "x"], "seconds above 0"),
        (&["doctor", "judge", "x"], "doctor examines no judge"),
        (
            &["juge", "x"],
            "unknown command `juge`: did you mean judge?",
        ),
        (&["juge", "python3", "x"], "did you mean judge?"),
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
fn variables_that_contradict_each_other_are_named() {
    for (variables, words) in [
        (
            &[("URL", "mqtt://h"), ("HOST", "localhost")][..],
            &["MQTT_CLIENT_URL", "MQTT_CLIENT_HOST"][..],
        ),
        (
            &[("URL", "mqtt://h"), ("PORT", "1883")],
            &["MQTT_CLIENT_URL", "MQTT_CLIENT_PORT"],
        ),
        (
            &[("TLS", "no"), ("CAFILE", "/x")],
            &["MQTT_CLIENT_TLS", "MQTT_CLIENT_CAFILE"],
        ),
        (
            &[("TLS", "0"), ("URL", "mqtts://h")],
            &["MQTT_CLIENT_TLS", "MQTT_CLIENT_URL"],
        ),
        (
            &[
                ("PASSWORD", "x"),
                ("PASSWORD_FILE", "/x"),
                ("USERNAME", "u"),
            ],
            &["MQTT_CLIENT_PASSWORD ", "MQTT_CLIENT_PASSWORD_FILE"],
        ),
        (
            &[("VERBOSE", "1"), ("QUIET", "yes")],
            &["MQTT_CLIENT_VERBOSE", "MQTT_CLIENT_QUIET"],
        ),
        (
            &[("TLS", "maybe")],
            &["MQTT_CLIENT_TLS: `maybe` is not yes or no"],
        ),
        (
            &[("VERBOSE", "3")],
            &["MQTT_CLIENT_VERBOSE: `3` is not 0, 1 or 2"],
        ),
    ] {
        let names = variables
            .iter()
            .map(|(name, _)| format!("MQTT_CLIENT_{name}"));
        let names: Vec<String> = names.collect();
        let values = variables.iter().map(|(_, value)| *value);
        let variables: Vec<(&str, &str)> = names.iter().map(|n| &**n).zip(values).collect();
        let failure = parse_with(&["responder"], &variables).unwrap_err();
        assert_eq!(failure.kind, Kind::Config, "{failure}");
        for word in words {
            assert!(failure.text.contains(word), "{word}: {failure}");
        }
    }
}

#[test]
fn a_message_that_is_too_large_is_bad_input() {
    let largest = "x".repeat(MAX_TEXT);
    assert!(parse_with(&["net", "reverse", &largest], &[]).is_ok());
    let failure = parse_with(&["net", "reverse", &(largest + "x")], &[]).unwrap_err();
    assert_eq!(failure.kind, Kind::Input);
}
