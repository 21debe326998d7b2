//! `judge`: where its own options end and the client's command line begins.

use super::*;

#[test]
fn what_stands_after_the_client_is_the_clients() {
    for (line, client, seconds) in [
        ("judge python3 client.py", "python3 client.py", 15),
        ("-W 5 judge client", "client", 5),
        ("--timeout=5 judge client", "client", 5),
        (
            "judge -W 5 client -W 7 --help -h",
            "client -W 7 --help -h",
            5,
        ),
        ("judge -v client -- -v", "client -- -v", 15),
        ("judge client --bogus judge", "client --bogus judge", 15),
        ("judge -- --odd -W 5", "--odd -W 5", 15),
        ("-v -- judge client -v", "client -v", 15),
        ("judge judge", "judge", 15),
        (
            "judge ./mqtt_client --version",
            "./mqtt_client --version",
            15,
        ),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let Invocation::Judge(config) = command(&args) else {
            panic!("{line}");
        };
        assert_eq!(config.client.join(&OsString::from(" ")), client, "{line}");
        assert_eq!(config.time, Duration::from_secs(seconds), "{line}");
        assert!(!config.json);
    }
    let Invocation::Judge(config) = command(&["--json", "judge", "x"]) else {
        panic!();
    };
    assert!(config.json);
}

#[test]
fn a_netid_that_is_called_judge_is_asked_for_by_name() {
    let asked = command(&["request", "judge", "reverse", "x"]);
    assert!(matches!(asked, Invocation::Request { .. }));
    // The value of an option is no command.
    let asked = command(&["-i", "judge", "net", "reverse", "--", "-x"]);
    assert!(matches!(asked, Invocation::Request { .. }));
    for help in [
        &["judge", "--help"][..],
        &["judge", "-h"],
        &["--help", "judge", "x"],
    ] {
        assert!(matches!(command(help), Invocation::Help), "{help:?}");
    }
}
