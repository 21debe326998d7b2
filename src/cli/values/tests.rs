//! Values at their edges.

use super::*;

#[test]
fn values_at_their_edges() {
    assert_eq!(port("65535"), Ok(65535));
    for text in ["0", "65536", "99999", "-1", "", "1883x"] {
        assert!(port(text).is_err(), "{text}");
    }
    assert_eq!(range("7"), Ok(7..=7));
    assert_eq!(range("5-15"), Ok(5..=15));
    for text in ["15-5", "-", "1-2-3", "100001", "a"] {
        assert!(range(text).is_err(), "{text}");
    }
    assert_eq!(limit("0"), Ok(None));
    assert_eq!(limit("0.5"), Ok(Some(Duration::from_millis(500))));
    for text in ["-1", "NaN", "inf", "1e300", "soon"] {
        assert!(seconds(text).is_err(), "{text}");
    }
    assert_eq!(host("[::1]"), Ok("::1".to_owned()));
    assert_eq!(host("fe80::1%eth0"), Ok("fe80::1%eth0".to_owned()));
    assert_eq!(host("/run/a:b"), Ok("/run/a:b".to_owned()));
    for text in ["a b", ""] {
        assert!(host(text).is_err(), "{text}");
    }
    for (text, expected) in [
        ("a,b:1884", "a b:1884"),
        ("[::1]:1884,::1,[fe80::1]", "::1:1884 ::1 fe80::1"),
        ("/run/a,b:1", "/run/a,b:1"),
    ] {
        let shown = |host: Host| match host.port {
            Some(port) => format!("{}:{port}", host.name),
            None => host.name,
        };
        let found: Vec<String> = hosts(text).unwrap().into_iter().map(shown).collect();
        assert_eq!(found.join(" "), expected);
    }
    for text in [
        "",
        "a,",
        ",a",
        "a:",
        "a:0",
        "a:x",
        ":1",
        "[::1]:",
        "a,/run/x",
        "a, b",
        "mqtt://pi",
    ] {
        assert!(hosts(text).is_err(), "{text}");
    }
    assert!(reconnect_delay("0").is_err());
    assert!(qos("3").is_err());
    assert!(keep_alive("65536").is_err());
}
