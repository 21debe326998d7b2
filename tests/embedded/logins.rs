//! A broker that asks who is there.

use mqtt_client::demo::Broker;
use mqtt_client::link::{Login, Options, Session};
use mqtt_client::role::Kind;
use mqtt_client::text_request::Action;

use crate::requests::{ask, responder};
use crate::running::{PERSISTENT, options};

fn login(username: &str, password: &str) -> Login {
    Login {
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

fn with(login: Option<Login>, options: Options) -> Options {
    Options { login, ..options }
}

#[test]
fn the_right_login_is_accepted() {
    let right = login("pi", "grüße 🍓");
    let broker = Broker::start_with_login(right.clone()).unwrap();
    let as_pi = |options| with(Some(right.clone()), options);
    let _responder = responder(as_pi(options(&broker, "responder", PERSISTENT)));
    let options = as_pi(options(&broker, "net", Session::Clean));
    assert_eq!(ask(Action::Reverse, "abc", options).as_deref(), Ok("cba"));
}

#[test]
fn any_other_login_is_refused_and_the_user_is_named() {
    let broker = Broker::start_with_login(login("pi", "raspberry")).unwrap();
    for (wrong, named) in [
        (Some(login("pi", "s3cret")), "as user pi"),
        (Some(login("pi", "")), "as user pi"),
        (Some(login("bob", "raspberry")), "as user bob"),
        (None, "without a user name"),
    ] {
        let options = with(wrong, options(&broker, "net", Session::Clean));
        let failure = ask(Action::Reverse, "abc", options).unwrap_err();
        assert_eq!(failure.kind, Kind::Refused, "{failure}");
        assert!(failure.text.contains(named), "{failure}");
        assert!(!failure.text.contains("s3cret"), "{failure}");
    }
}
