//! Command lines that make no sense.

use harness::process::{mqtt_client, run};

#[test]
fn a_wrong_command_line_is_explained_in_a_few_lines_on_standard_error() {
    for (args, named) in [
        ([].as_slice(), "--help"),
        (&["net", "louder", "abc"], "louder"),
        (&["net", "Uppercase", "abc"], "Uppercase"),
        (&["net", "reverse", "abc", "--bogus"], "--bogus"),
        (&["--bogus", "net", "reverse", "abc"], "--bogus"),
        (&["-x", "net", "reverse", "abc"], "-x"),
        (&["-p", "99999", "net", "reverse", "abc"], "99999"),
        (&["-p", "0", "net", "reverse", "abc"], "-p"),
        (&["-p", "net", "reverse", "abc"], "-p"),
        (&["net", "reverse", "abc", "-p"], "-p"),
        (&["a/b", "reverse", "abc"], "a/b"),
        (&["a+", "reverse", "abc"], "a+"),
        (&["#", "reverse", "abc"], "#"),
        (&["", "reverse", "abc"], "NETID"),
        (&["net", "reverse", "abc", "more"], "not 4; quote"),
        (&["net", "reverse"], "not 2"),
        (&["net"], "not 1"),
        (&["device"], "USER_ID"),
        (&["device", "alice", "bob"], "USER_ID"),
        (&["device", "a/b"], "a/b"),
        (&["controller", "alice"], "alice"),
        (&["responder", "alice"], "alice"),
        (&["-q", "3", "device", "alice"], "-q"),
    ] {
        let ended = run(mqtt_client(args.iter().copied()));
        assert_eq!(ended.code, Some(64), "{args:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{args:?}");
        let lines = ended.stderr.lines().count();
        assert!((1..=4).contains(&lines), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(named), "{args:?}: {ended:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let help = run(mqtt_client(["--help"]));
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.starts_with("Usage: mqtt_client "), "{help:?}");
    let version = run(mqtt_client(["--version"]));
    assert_eq!((version.code, version.stderr.as_str()), (Some(0), ""));
    let expected = concat!("mqtt_client ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version.stdout, expected);
}
