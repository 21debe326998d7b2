//! Acknowledgements that are wrong, and that never come.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::case::{Client, Expected, all, application, ends, ends_at_its_limit};
use harness::scripted::{Peer, Turn};
use harness::wire;

/// A broker that answers SUBSCRIBE its own way, and is right otherwise.
fn subscriptions(
    answer: impl Fn(u16) -> Vec<u8> + Send + Sync + 'static,
) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            let turn = application(peer, packet);
            if packet.kind != wire::SUBSCRIBE {
                return turn;
            }
            peer.send(answer(packet.pkid()));
            Turn::Swallow
        });
    }
}

/// A broker that answers PUBLISH its own way, and brings no answer from another client.
fn publications(
    answer: impl Fn(u16) -> Vec<u8> + Send + Sync + 'static,
) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            if packet.kind != wire::PUBLISH {
                return Turn::Answer;
            }
            peer.send(answer(packet.pkid()));
            Turn::Swallow
        });
    }
}

#[test]
fn a_refused_subscription_ends_every_client() {
    all(Client::ALL.to_vec(), |client| {
        let expected = Expected {
            codes: &[77],
            says: "refused the subscription to ",
            prints: "",
        };
        ends(
            "SUBACK 0x80",
            client,
            subscriptions(|id| wire::suback(id, &[0x80])),
            expected,
        );
    });
}

#[test]
fn return_codes_beyond_the_first_are_passed_over() {
    all(Client::MORTAL.to_vec(), |client| {
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: client.prints(),
        };
        let script = subscriptions(|id| wire::suback(id, &[2, 0x80, 1]));
        ends("SUBACK 2 0x80 1", client, script, expected);
    });
}

const LATE: Expected = Expected {
    codes: &[75],
    says: "-W sets the limit",
    prints: "",
};

/// A device asks for its UNIQUE ID only once it can hear it. A request goes out with its SUBSCRIBE, and its answer
/// counts, whatever became of the SUBACK.
#[test]
fn a_subscription_that_is_never_confirmed_ends_at_the_limit() {
    all(vec![true, false], |silent| {
        let script = subscriptions(move |id| no_sub_ack(silent, id));
        let name = "no SUBACK of its own";
        let connections = ends_at_its_limit(name, Client::Device, script, LATE);
        assert_eq!(
            connections[0].published,
            [],
            "it asked before it could hear"
        );
    });
    all(vec![true, false], |silent| {
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|peer, packet| match packet.kind {
                wire::SUBSCRIBE => {
                    peer.send(no_sub_ack(silent, packet.pkid()));
                    Turn::Swallow
                }
                _ => Turn::Answer,
            });
        };
        ends_at_its_limit("neither SUBACK nor answer", Client::Request, script, LATE);
        let answered = Expected {
            codes: &[0],
            says: "",
            prints: "X\n",
        };
        let script = subscriptions(move |id| no_sub_ack(silent, id));
        ends(
            "an answer without SUBACK",
            Client::Request,
            script,
            answered,
        );
    });
}

/// Nothing at all, or one for another identifier.
fn no_sub_ack(silent: bool, id: u16) -> Vec<u8> {
    match silent {
        true => Vec::new(),
        false => wire::suback(id + 1, &[1]),
    }
}

/// The broker works out of order: it takes the request over, and only then subscribes. The answer to it comes as often
/// as `answers` says.
fn overtaking(answers: usize) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        let mut subscription = None;
        peer.serve(|peer, packet| match packet.kind {
            wire::SUBSCRIBE => {
                subscription = Some(packet.pkid());
                Turn::Swallow
            }
            wire::PUBLISH => {
                peer.send(wire::ack(0x40, packet.pkid()));
                match subscription.take() {
                    Some(id) => peer.send(wire::suback(id, &[1])),
                    None => {
                        for id in 901..901 + u16::try_from(answers).unwrap() {
                            peer.send(wire::publish("net/uppercase/response", 1, id, "X"));
                        }
                    }
                }
                Turn::Swallow
            }
            _ => Turn::Answer,
        });
    }
}

#[test]
fn a_request_that_overtook_its_subscription_is_sent_again_and_printed_once() {
    all(vec![1, 2], |answers| {
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: "X\n",
        };
        let name = "PUBACK before SUBACK";
        let connections = ends(name, Client::Request, overtaking(answers), expected);
        let asked = ("net/uppercase/request".to_owned(), b"x".to_vec());
        assert_eq!(connections[0].published, [asked.clone(), asked]);
        assert!(connections[0].disconnected);
    });
}

#[test]
fn a_publish_that_is_never_confirmed_ends_at_the_limit() {
    all(Client::MORTAL.to_vec(), |client| {
        let script = publications(|_| Vec::new());
        let connections = ends_at_its_limit("no PUBACK", client, script, LATE);
        assert_eq!(connections[0].published.len(), 1, "it asked again");
    });
}

/// PUBCOMP instead of PUBREC, PUBACK for another identifier: nothing that a client may take for the end of its own
/// publishing.
#[test]
fn a_wrong_confirmation_is_none() {
    let wrong = [
        ("PUBCOMP", 0x70, 0),
        ("PUBACK for another", 0x40, 1),
        ("PUBREL", 0x62, 0),
    ];
    let cases = wrong
        .iter()
        .flat_map(|w| Client::MORTAL.map(|client| (*w, client)));
    all(cases.collect(), |((name, first, more), client)| {
        let script = publications(move |id| wire::ack(first, id + more));
        let connections = ends_at_its_limit(name, client, script, LATE);
        assert_eq!(connections[0].published.len(), 1, "{name}: it asked again");
    });
}

/// A broker that repeats an acknowledgement after a time-out, or says it twice in one segment (aedes 1.2.0), costs
/// nothing: not the connection, not the session (MQTT 3.1.1, section 4.3).
#[test]
fn an_acknowledgement_that_matches_nothing_is_passed_over() {
    let kinds = [
        ("PUBACK", 0x40),
        ("PUBREC", 0x50),
        ("PUBREL", 0x62),
        ("PUBCOMP", 0x70),
    ];
    let cases = kinds.iter().flat_map(|kind| {
        let clients = Client::MORTAL.iter();
        clients.flat_map(move |client| [77, u16::MAX, 0].map(|id| (*kind, *client, id)))
    });
    all(cases.collect(), |((name, first), client, id)| {
        let script = move |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.send(wire::ack(first, id).repeat(2));
            peer.serve(application);
        };
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: client.prints(),
        };
        let connections = ends(name, client, script, expected);
        assert_eq!(connections.len(), client.connections(), "{name} {id}");
    });
}

/// Each acknowledgement of a whole session comes twice, in one segment.
#[test]
fn acknowledgements_that_come_twice_are_taken_once() {
    all(Client::MORTAL.to_vec(), |client| {
        let script = |peer: &mut Peer| {
            peer.send(wire::connack(false, 0));
            peer.serve(|peer, packet| {
                if packet.kind == wire::PUBLISH && packet.qos() > 0 {
                    let first = if packet.qos() == 1 { 0x40 } else { 0x50 };
                    peer.send(wire::ack(first, packet.pkid()));
                }
                if packet.kind == wire::PUBREL {
                    peer.send(wire::ack(0x70, packet.pkid()));
                }
                if packet.kind == wire::PUBREC {
                    peer.send(wire::ack(0x62, packet.pkid()));
                }
                application(peer, packet)
            });
        };
        let expected = Expected {
            codes: &[0],
            says: "",
            prints: client.prints(),
        };
        let connections = ends("twice", client, script, expected);
        assert_eq!(connections.len(), client.connections());
    });
}

/// mosquitto never does it, and others might: the message has arrived, and that is what counts.
#[test]
fn a_qos_2_publish_confirmed_as_if_it_were_qos_1() {
    let script = |peer: &mut Peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            let turn = application(peer, packet);
            if packet.kind != wire::PUBLISH {
                return turn;
            }
            assert_eq!(packet.qos(), 2);
            peer.send(wire::ack(0x40, packet.pkid()));
            Turn::Swallow
        });
    };
    let expected = Expected {
        codes: &[0],
        says: "",
        prints: "Well done my IoT!\n",
    };
    ends("PUBACK at QoS 2", Client::Device, script, expected);
}

/// mosquitto after `kill -9`: of the session it has what it last saved, so messages that the device has
/// long completed wait for their PUBREL there, and leave no room for new ones, which it confirms and drops. It also
/// goes back to the packet identifiers of that time, which is how it is known.
#[test]
fn a_broker_restored_from_an_earlier_state_is_told_what_is_over() {
    /// Below what `application` counts from.
    const EARLIER: u16 = 400;
    let received = Mutex::new(BTreeSet::new());
    let script = move |peer: &mut Peer| {
        let again = peer.number > 0;
        peer.send(wire::connack(again, 0));
        if again {
            peer.send(wire::publish("U1", 2, EARLIER, "CMD2"));
        }
        let mut waiting = received.lock().unwrap().clone();
        let mut answered = None;
        peer.serve(|peer, packet| {
            let topic = match packet.kind {
                wire::PUBLISH => packet.topic(),
                _ => String::new(),
            };
            match (packet.kind, topic.as_str()) {
                (wire::PUBLISH, "U1/CMD1") => answered = Some(packet.pkid()),
                (wire::PUBLISH, "U1/CMD2") if waiting.is_empty() => {
                    peer.send(wire::publish("U1", 2, EARLIER + 1, "Well done my IoT!"));
                }
                (wire::PUBLISH | wire::SUBSCRIBE, _) if !again => {
                    application(peer, packet);
                }
                (wire::PUBREL, _) => {
                    waiting.remove(&packet.pkid());
                    received.lock().unwrap().insert(packet.pkid());
                    if answered == Some(packet.pkid()) && !again {
                        peer.send(wire::ack(0x70, packet.pkid()));
                        peer.close();
                    }
                }
                _ => {}
            }
            Turn::Answer
        });
    };
    let expected = Expected {
        codes: &[0],
        says: "session present",
        prints: "Well done my IoT!\n",
    };
    ends("an earlier state", Client::Device, script, expected);
}

/// What is still unconfirmed then, such as a subscription, is of no consequence any more: systemd must not
/// start a session anew that has ended well.
#[test]
fn a_device_whose_session_has_ended_does_not_fail_any_more() {
    let script = |peer: &mut Peer| {
        if peer.number > 0 {
            peer.send(wire::connack(false, 5));
            return;
        }
        peer.send(wire::connack(false, 0));
        let mut reply = None;
        peer.serve(|peer, packet| {
            let turn = application(peer, packet);
            match packet.kind {
                wire::PUBLISH if packet.topic() == "U1/CMD1" => reply = Some(packet.pkid()),
                wire::PUBREL if reply == Some(packet.pkid()) => {
                    peer.send(wire::ack(0x70, packet.pkid()));
                    peer.close();
                }
                wire::SUBSCRIBE if packet.filter().0 == "U1" => return Turn::Swallow,
                _ => {}
            }
            turn
        });
    };
    let expected = Expected {
        codes: &[0],
        says: "",
        prints: "Well done my IoT!\n",
    };
    ends("refused at the end", Client::Device, script, expected);
}
