//! `--url`: host, port and login in one, against a broker that wants the login.

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PASSWD, missing};
use harness::outcome::{assert_answered, assert_fails, ready};
use harness::process::{mqtt_client, run};

pub const USER: &str = "al@ice";
pub const PASSWORD: &str = "pass:wörd/?#";

/// [`USER`] and [`PASSWORD`], as a URL has them.
pub const LOGIN: &str = "al%40ice:pass%3Aw%C3%B6rd%2F%3F%23";

const REQUEST: [&str; 3] = ["net", "reverse", "abc"];

/// A broker that wants [`USER`] and [`PASSWORD`].
pub fn locked_broker() -> Mosquitto {
    Mosquitto::with_login(USER, PASSWORD)
}

/// A responder that has logged in.
pub fn responder(broker: &Mosquitto) -> harness::process::Process {
    ready(broker.client(["-u", USER, "-P", PASSWORD, "responder", "-v"]))
}

#[test]
fn a_url_logs_in_with_what_it_says() {
    if missing(&[MOSQUITTO, MOSQUITTO_PASSWD]) {
        return;
    }
    let broker = locked_broker();
    let _responder = responder(&broker);
    let url = |login: &str| format!("mqtt://{login}127.0.0.1:{}", broker.port());
    let by_url = url(&format!("{LOGIN}@"));
    let ask = |args: &[&str]| run(mqtt_client(args.iter().copied().chain(REQUEST)));
    assert_answered(&ask(&["-L", &by_url]), "cba");
    assert_answered(&ask(&["--url", &format!("{by_url}/")]), "cba");
    let user_only = url("al%40ice@");
    assert_answered(&ask(&["-L", &user_only, "-P", PASSWORD]), "cba");
    assert_answered(&ask(&["-L", &url(""), "-u", USER, "-P", PASSWORD]), "cba");
    // What is typed wins over what the URL says.
    let wrong = url("al%40ice:wrong@");
    assert_answered(&ask(&["-L", &wrong, "-P", PASSWORD]), "cba");
    let mut by_environment = mqtt_client(REQUEST);
    by_environment.env("MQTT_CLIENT_URL", &by_url);
    assert_answered(&run(by_environment), "cba");
    let refused = ask(&["-L", &wrong]);
    assert_fails(&refused, 77, &[USER, "password", &broker.port()]);
    let refused = ask(&["-L", &url("")]);
    assert_fails(&refused, 77, &["--username", &broker.port()]);
}

#[test]
fn a_url_that_is_none_is_a_wrong_command_line() {
    for (url, words) in [
        ("127.0.0.1", "://"),
        ("http://127.0.0.1", "neither mqtt nor mqtts"),
        ("mqtt://", "no host"),
        ("mqtt://127.0.0.1:0", "port"),
        ("mqtt://127.0.0.1:65536", "port"),
        ("mqtt://127.0.0.1/topic", "after the host and port"),
        ("mqtt:///run/mqtt", "after the host and port"),
        ("mqtt://[127.0.0.1]", "IPv6"),
    ] {
        let ended = run(mqtt_client(["-L", url].into_iter().chain(REQUEST)));
        assert_fails(&ended, 64, &["--url", words]);
        let mut by_environment = mqtt_client(REQUEST);
        by_environment.env("MQTT_CLIENT_URL", url);
        assert_fails(&run(by_environment), 78, &["url", words]);
    }
    let both = ["-L", "mqtt://a", "-h", "b"].into_iter().chain(REQUEST);
    assert_fails(&run(mqtt_client(both)), 64, &["--url", "--host"]);
}
