//! Subscriptions that the broker refuses (SUBACK with 0x80).
//!
//! Not by `acl_file`: mosquitto 2.0.11 grants every SUBSCRIBE under one and then delivers nothing. Its
//! plugin for dynamic security refuses.

use harness::folder::Folder;
use harness::mosquitto::Mosquitto;
use harness::needed::{DYNAMIC_SECURITY, MOSQUITTO, missing};
use harness::process::run;

/// A broker where no client may subscribe to `filter`.
pub fn broker_that_refuses(filter: &str) -> Mosquitto {
    let folder = Folder::new();
    let file = folder.path().join("dynamic-security.json");
    let settings = format!(
        r#"{{
            "defaultACLAccess": {{
                "publishClientSend": true, "publishClientReceive": true,
                "subscribe": true, "unsubscribe": true
            }},
            "anonymousGroup": "everybody",
            "groups": [{{ "groupname": "everybody", "roles": [{{ "rolename": "deaf" }}] }}],
            "roles": [{{
                "rolename": "deaf",
                "acls": [{{ "acltype": "subscribeLiteral", "topic": "{filter}", "allow": false }}]
            }}]
        }}"#
    );
    std::fs::write(&file, settings).unwrap();
    let plugin = DYNAMIC_SECURITY.path();
    let settings = format!(
        "allow_anonymous true\nplugin {}\nplugin_opt_config_file {}\n",
        plugin.display(),
        file.display()
    );
    Mosquitto::with(folder, &settings)
}

fn assert_refused(filter: &str, args: &[&str]) {
    let broker = broker_that_refuses(filter);
    let ended = run(broker.client(args.iter().copied()));
    assert_eq!(ended.code, Some(77), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains(filter), "{ended:?}");
}

#[test]
fn a_request_that_may_not_hear_the_answer_says_so() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    assert_refused("net/reverse/response", &["net", "reverse", "abc"]);
}

#[test]
fn a_device_that_may_not_hear_its_unique_id_says_so() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    assert_refused("alice/UUID", &["device", "alice"]);
}

#[test]
fn a_controller_that_may_not_hear_logins_says_so() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    assert_refused("login", &["controller"]);
}

#[test]
fn a_responder_that_may_not_hear_one_kind_of_requests_says_so() {
    if missing(&[MOSQUITTO, DYNAMIC_SECURITY]) {
        return;
    }
    assert_refused("+/shuffle/request", &["responder"]);
}
