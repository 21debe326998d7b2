//! Text requests, against our responder and against none.

use std::time::{Duration, Instant};

use mqtt_client::demo::Broker;
use mqtt_client::link::{End, Options, Session};
use mqtt_client::mqtt::QoS;
use mqtt_client::role::{Failure, Kind};
use mqtt_client::text_request::Action;
use mqtt_client::text_request::requester::{RequestConfig, Requester};
use mqtt_client::text_request::responder::{Responder, ResponderConfig};

use crate::peer::Peer;
use crate::running::{PATIENCE, PERSISTENT, Running, level, options};

/// Ready for requests.
pub fn responder(options: Options) -> Running<()> {
    let role = Responder::new(ResponderConfig {
        seed: 1,
        ..ResponderConfig::default()
    });
    Running::start(role, options).subscribed(Action::ALL.len())
}

fn requester(
    action: Action,
    text: &str,
    qos: QoS,
    patience: Duration,
    options: Options,
) -> Running<Vec<u8>> {
    let config = RequestConfig {
        net_id: level(&options.client_id),
        action: action.into(),
        qos,
        timeout: Some(patience),
    };
    let role = Requester::new(config, text.to_owned(), Instant::now());
    Running::start(role, options)
}

/// A request at QoS 1, from first to last; the client id is the NETID, as in the program.
pub fn ask(action: Action, text: &str, options: Options) -> Result<String, Failure> {
    let (end, answers) = requester(action, text, QoS::AtLeastOnce, PATIENCE, options).end();
    assert_eq!(end?, End::Finished);
    assert_eq!(answers.len(), 1, "one request, one answer");
    Ok(String::from_utf8(answers.concat()).unwrap())
}

/// What nobody answers.
fn silence(action: Action, broker: &Broker) -> (Failure, Vec<Vec<u8>>) {
    let (patience, options) = (
        Duration::from_secs(1),
        options(broker, "net", Session::Clean),
    );
    let (end, answers) = requester(action, "abc", QoS::AtLeastOnce, patience, options).end();
    (end.unwrap_err(), answers)
}

#[test]
fn all_five_actions_are_answered() {
    let broker = Broker::start().unwrap();
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    for (action, text, answer) in [
        (Action::Uppercase, "straße", "STRASSE"),
        (Action::Lowercase, "ΟΔΟΣ Å", "οδος å"),
        (Action::TitleCase, "one tWO  élan", "One Two  Élan"),
        (Action::Reverse, "e\u{301}a👩‍👩‍👧🇩🇪", "🇩🇪👩‍👩‍👧ae\u{301}"),
        (Action::Reverse, "", ""),
    ] {
        let options = options(&broker, "net", Session::Clean);
        assert_eq!(
            ask(action, text, options).as_deref(),
            Ok(answer),
            "{action}"
        );
    }
    let text = "abcdefghijklmnopqrstuvwxyz";
    let options = options(&broker, "net", Session::Clean);
    let shuffled = ask(Action::Shuffle, text, options).unwrap();
    assert_ne!(shuffled, text);
    let mut letters: Vec<char> = shuffled.chars().collect();
    letters.sort_unstable();
    assert_eq!(String::from_iter(letters), text);
}

#[test]
fn an_answer_comes_at_every_qos() {
    let broker = Broker::start().unwrap();
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let options = options(&broker, "net", Session::Clean);
        let (end, answers) = requester(Action::Reverse, "abc", qos, PATIENCE, options).end();
        assert_eq!(end, Ok(End::Finished), "{qos}");
        assert_eq!(answers, [b"cba"], "{qos}");
    }
}

#[test]
fn a_message_of_60_000_bytes_arrives_whole() {
    let broker = Broker::start().unwrap();
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    let options = |id| options(&broker, id, Session::Clean);
    let text = "0123456789".repeat(6_000);
    let reversed: String = text.chars().rev().collect();
    assert_eq!(ask(Action::Reverse, &text, options("net")), Ok(reversed));
    // Grows from 40,000 to 120,000 bytes: U+0390 in upper case is three code points.
    let text = "\u{390}".repeat(20_000);
    let upper = "\u{399}\u{308}\u{301}".repeat(20_000);
    assert_eq!(ask(Action::Uppercase, &text, options("net")), Ok(upper));
}

#[test]
fn everybody_gets_the_answer_to_their_own_request() {
    let broker = Broker::start().unwrap();
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    let net_ids = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op"];
    let asking = net_ids.map(|net_id| {
        let options = options(&broker, net_id, Session::Clean);
        requester(
            Action::Uppercase,
            net_id,
            QoS::AtLeastOnce,
            PATIENCE,
            options,
        )
    });
    for (net_id, requester) in net_ids.into_iter().zip(asking) {
        let (end, answers) = requester.end();
        assert_eq!(end, Ok(End::Finished));
        assert_eq!(answers, [net_id.to_uppercase().into_bytes()]);
    }
}

#[test]
fn a_retained_answer_of_earlier_is_never_the_answer() {
    let broker = Broker::start().unwrap();
    let mut earlier = Peer::connect(&broker, "earlier");
    earlier.publish_retained("net/reverse/response", "OLD");
    let (failure, answers) = silence(Action::Reverse, &broker);
    assert_eq!(failure.kind, Kind::NoAnswer);
    assert_eq!(answers, Vec::<Vec<u8>>::new());
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    let options = options(&broker, "net", Session::Clean);
    assert_eq!(ask(Action::Reverse, "abc", options).as_deref(), Ok("cba"));
}

#[test]
fn a_retained_request_of_earlier_gets_no_answer() {
    let broker = Broker::start().unwrap();
    let mut earlier = Peer::connect(&broker, "earlier");
    earlier.publish_retained("net/reverse/request", "OLD");
    earlier.subscribe("net/reverse/response");
    let _responder = responder(options(&broker, "responder", PERSISTENT));
    earlier.publish("net/reverse/request", "new");
    let first = earlier.receive();
    assert_eq!(first.1, "wen");
}

#[test]
fn without_a_responder_there_is_no_answer() {
    let broker = Broker::start().unwrap();
    let (failure, _) = silence(Action::Shuffle, &broker);
    assert_eq!(failure.kind, Kind::NoAnswer);
    assert!(failure.text.contains("net/shuffle/response"), "{failure}");
}
