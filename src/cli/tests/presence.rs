//! `--presence` and `fleet`, as typed and as units set them.

use super::*;
use crate::link::AtEnd;

fn device(args: &[&str], environment: &[(&str, &str)]) -> Option<PresenceConfig> {
    let args: Vec<&str> = ["device", "a"].iter().chain(args).copied().collect();
    connection(&args, environment).presence
}

#[test]
fn the_client_id_stands_in_the_topic_and_an_empty_variable_is_off() {
    let by_unit = ("MQTT_CLIENT_PRESENCE", "mqtt_client/%c/status");
    assert_eq!(device(&[], &[]), None);
    assert_eq!(device(&[], &[("MQTT_CLIENT_PRESENCE", "")]), None);
    let presence = device(&[], &[by_unit]).unwrap();
    assert_eq!(presence.at_end, AtEnd::Offline);
    let topic = |id| presence.topic(id).map(|topic| topic.to_string());
    assert_eq!(topic("device-a").unwrap(), "mqtt_client/device-a/status");
    let failure = topic("a+b").unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
    assert!(failure.text.contains("--id"), "{failure}");
    let typed = device(&["--presence", "x/%c/%c"], &[by_unit]).unwrap();
    assert_eq!(typed.topic("i").unwrap().as_str(), "x/i/i");
    let clear = ("MQTT_CLIENT_PRESENCE_END", "clear");
    assert_eq!(device(&[], &[by_unit, clear]).unwrap().at_end, AtEnd::Clear);
    // The unit's topic is off, and what stood beside it means nothing then.
    assert_eq!(device(&[], &[clear]), None);
    let longest = "x".repeat(crate::mqtt::MAX_BYTES - "/about".len());
    assert!(device(&["--presence", &longest], &[]).is_some());
    assert!(parse_with(&["device", "a", "--presence", &(longest + "x")], &[]).is_err());
}

#[test]
fn a_fleet_watches_the_topics_of_the_units_unless_told_others() {
    let fleet = |args: &[&str]| match parse_with(args, &[]).unwrap().1 {
        Invocation::Fleet {
            connection,
            config,
            json,
        } => (connection, config, json),
        other => panic!("{other:?}"),
    };
    let (first, config, json) = fleet(&["fleet"]);
    assert_eq!(config.filter.as_str(), FleetConfig::FILTER);
    assert!(!config.is_once && !json);
    assert_eq!(config.timeout, Some(FleetConfig::TIMEOUT));
    // Two may watch at the same time.
    assert_ne!(first.client_id, fleet(&["fleet"]).0.client_id);
    let (named, config, json) = fleet(&["-i", "me", "--once", "--json", "-W", "0", "fleet", "#"]);
    assert_eq!(named.client_id, ClientId::Is("me".to_owned()));
    assert_eq!(config.filter.as_str(), "#");
    assert!(config.is_once && json);
    assert_eq!(config.timeout, None);
}
