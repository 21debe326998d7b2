//! Messages that no honest peer sends: topics, UNIQUE IDs, commands, logins, requests and answers.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use crate::case::{Client, Expected, all, application, decent, ends};
use harness::process::Process;
use harness::scripted::{Peer, ScriptedBroker, Turn};
use harness::wire;

const KIB_256: usize = 256 * 1024;

/// A broker on which `bytes` come before what the client waits for, once it has subscribed.
fn first(bytes: Vec<u8>) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            let request = packet.kind == wire::PUBLISH && packet.topic() == "net/uppercase/request";
            let session = packet.kind == wire::SUBSCRIBE && packet.filter().0 == "U1";
            if request || session {
                peer.send(&bytes);
            }
            application(peer, packet)
        });
    }
}

fn content(client: Client, says: &str) -> Expected<'_> {
    Expected {
        codes: &[0],
        says,
        prints: client.prints(),
    }
}

#[test]
fn an_answer_is_printed_as_it_is() {
    let answers = [
        vec![b'X'; KIB_256],
        vec![b'X'; 3 * KIB_256],
        b"\0\x1b[2J\r\n".to_vec(),
        b"\xff\xfe".to_vec(),
    ];
    all(answers.to_vec(), |answer| {
        let bytes = wire::publish("net/uppercase/response", 1, 7, &answer);
        let prints = String::from_utf8_lossy(&answer).into_owned() + "\n";
        let expected = Expected {
            prints: &prints,
            ..content(Client::Request, "")
        };
        ends("an answer", Client::Request, first(bytes), expected);
    });
}

#[test]
fn what_is_no_answer_is_not_printed() {
    let messages = [
        ("net/uppercase/response/", "elsewhere"),
        ("net/uppercase/request", "our own request"),
        ("NET/uppercase/response", "another's answer"),
        ("$SYS/broker/version", "the broker's"),
    ];
    let bytes = messages
        .map(|(topic, payload)| wire::publish(topic, 0, 0, payload))
        .concat();
    ends(
        "no answer",
        Client::Request,
        first(bytes),
        content(Client::Request, ""),
    );
    // As it comes when somebody clears a retained answer.
    let empty = wire::publish("net/uppercase/response", 1, 7, "");
    let expected = content(Client::Request, "ignored an empty message");
    ends("empty", Client::Request, first(empty), expected);
    let mut retained = wire::publish("net/uppercase/response", 1, 7, "old");
    retained[0] |= 1;
    let expected = content(Client::Request, "ignored a retained message");
    ends("retained", Client::Request, first(retained), expected);
}

const INVALID_TOPICS: [&str; 7] = ["", "#", "+", "net/+/response", "U1/#", "U1\0", "\0"];

#[test]
fn a_message_on_an_invalid_topic_is_ignored() {
    let cases = INVALID_TOPICS
        .iter()
        .flat_map(|t| Client::MORTAL.map(|client| (*t, client)));
    all(cases.collect(), |(topic, client)| {
        let payload = client.prints().trim_end();
        let bytes = [0, 1, 2].map(|qos| wire::publish(topic, qos, 7 + u16::from(qos), payload));
        let expected = content(client, "ignored a message on an invalid topic name");
        ends(topic, client, first(bytes.concat()), expected);
    });
}

/// Or the broker would bring it again, on every connection.
#[test]
fn a_message_on_an_invalid_topic_is_acknowledged() {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::clone(&acknowledged);
    let script = move |peer: &mut Peer| {
        peer.send(wire::connack(false, 0));
        peer.send(wire::publish("#", 1, 7, "x"));
        peer.send(wire::publish("", 2, 8, "x"));
        peer.serve(|peer, packet| {
            if matches!(packet.kind, 4 | 5 | 7) {
                answers.lock().unwrap().push((packet.kind, packet.pkid()));
            }
            application(peer, packet)
        });
    };
    ends(
        "acknowledged",
        Client::Device,
        script,
        content(Client::Device, ""),
    );
    let acknowledged = acknowledged.lock().unwrap();
    for expected in [(4, 7), (5, 8), (7, 8)] {
        assert!(acknowledged.contains(&expected), "{acknowledged:?}");
    }
}

fn unique_id(unique_id: Vec<u8>) -> impl Fn(&mut Peer) + Send + Sync + 'static {
    move |peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            if packet.kind == wire::PUBLISH && packet.topic() == "login" {
                peer.send(wire::publish("alice/UUID", 1, 7, &unique_id));
            }
            Turn::Answer
        });
    }
}

/// `#` would subscribe to every client's messages.
#[test]
fn a_unique_id_that_is_no_topic_level_is_never_subscribed_to() {
    let unusable: [(&[u8], &str); 12] = [
        (b"\n", "it is empty"),
        (b"#", "it has a `#`"),
        (b"+", "it has a `+`"),
        (b"U1/#", "it has a `/`"),
        (b"a/b", "it has a `/`"),
        (b"/", "it has a `/`"),
        (b"U\x001", "U+0000"),
        (b"U\n1", "U+000A"),
        (b"\x1b[2J", "U+001B"),
        (b"\xff", "it is not UTF-8"),
        (&[b'x'; KIB_256], "it is too long for a topic"),
        (&[b'x'; 65_500], "it is too long for a topic"),
    ];
    all(unusable.to_vec(), |(bytes, why)| {
        let expected = Expected {
            codes: &[76],
            says: why,
            prints: "",
        };
        let connections = ends(why, Client::Device, unique_id(bytes.to_vec()), expected);
        assert_eq!(connections[0].filters, ["alice/UUID"]);
    });
}

/// mosquitto ends the connection of a client that subscribes to a noncharacter, each time again.
#[test]
fn a_unique_id_that_brokers_refuse_is_never_subscribed_to() {
    all(vec!["U\u{ffff}", "\u{fdd0}", "\u{1fffe}"], |id| {
        let expected = Expected {
            codes: &[76],
            says: "cannot be a topic level",
            prints: "",
        };
        let connections = ends(id, Client::Device, unique_id(id.into()), expected);
        assert_eq!(connections[0].filters, ["alice/UUID"]);
    });
}

#[test]
fn a_command_that_is_none_is_named_and_not_answered() {
    let commands: [(&[u8], &str); 10] = [
        (b"", "ignored an empty message on U1"),
        (b" ", "ignored the unknown command ` `"),
        (b"CMD8", "ignored the unknown command `CMD8`"),
        (b"cmd1", "ignored the unknown command `cmd1`"),
        (b"CMD\x001", "ignored the unknown command `CMD\\u{0}1`"),
        (b"#", "ignored the unknown command `#`"),
        (b"\xff", "ignored the unknown command"),
        (
            b"\x1b]0;x\x07",
            "ignored the unknown command `\\u{1b}]0;x\\u{7}`",
        ),
        (
            b"Well done my IoT",
            "ignored the unknown command `Well done my IoT`",
        ),
        (&[b'x'; KIB_256], "ignored the unknown command `xxx"),
    ];
    let cases = commands.iter().flat_map(|c| [0, 1, 2].map(|qos| (*c, qos)));
    all(cases.collect(), |((command, says), qos)| {
        let script = first(wire::publish("U1", qos, 7, command));
        let connections = ends(says, Client::Device, script, content(Client::Device, says));
        let published = [("login", "alice"), ("U1/CMD1", "Apple")];
        let published = published.map(|(topic, payload)| (topic.to_owned(), payload.into()));
        assert_eq!(connections[0].published, published);
    });
}

#[test]
fn a_second_unique_id_changes_nothing() {
    let bytes = [&b"U2"[..], b"#", b"", b"U1", &[b'x'; KIB_256]];
    let bytes = bytes
        .map(|id| wire::publish("alice/UUID", 0, 0, id))
        .concat();
    let expected = content(
        Client::Device,
        "ignored a second UNIQUE ID `U2`: this session is U1",
    );
    let connections = ends("a second UNIQUE ID", Client::Device, first(bytes), expected);
    assert_eq!(connections[0].filters, ["alice/UUID", "U1"]);
}

#[test]
fn a_login_that_is_no_topic_level_is_refused_and_the_next_is_served() {
    let users = [
        &b"\n"[..],
        b"#",
        b"+",
        b"a/b",
        b"\0",
        b"\xff",
        &[b'x'; KIB_256],
    ];
    let broker = ScriptedBroker::start(move |peer| {
        peer.send(wire::connack(false, 0));
        peer.serve(|peer, packet| {
            if packet.kind == wire::SUBSCRIBE && packet.filter().0 == "login" {
                for (at, user) in users.iter().enumerate() {
                    peer.send(wire::publish("login", 2, 100 + at as u16, user));
                }
                peer.send(wire::publish("login", 2, 200, "bob"));
            }
            Turn::Answer
        });
    });
    let process = Client::Controller.start(&broker);
    broker.wait_for("bob's UNIQUE ID", |c| {
        c.first().filter(|c| !c.published.is_empty()).map(drop)
    });
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    decent("logins", &ended);
    assert_eq!(
        ended.stderr.matches("refused the login").count(),
        users.len(),
        "{ended:?}"
    );
    let connections = broker.connections();
    assert_eq!(connections[0].published.len(), 1, "{connections:?}");
    assert_eq!(connections[0].published[0].0, "bob/UUID");
    // Each session has one filter for its replies, whatever it listens to beside them.
    let sessions = connections[0].filters.iter();
    let sessions = sessions.filter(|filter| filter.len() == 34 && filter.ends_with("/+"));
    assert_eq!(sessions.count(), 1, "{connections:?}");
}

/// Each on the topic of a session's replies, and each the end of that session alone.
#[test]
fn a_reply_that_is_none_fails_its_session() {
    let replies = [
        ("CMD9", "Apple".into()),
        ("CMD1", Vec::new()),
        ("CMD1", vec![b'x'; KIB_256]),
        ("CMD1", b"\xff".to_vec()),
        ("\u{7}", b"x".to_vec()),
        ("", b"x".to_vec()),
    ];
    all(replies.to_vec(), |(level, payload)| {
        let broker = ScriptedBroker::start(move |peer| {
            peer.send(wire::connack(false, 0));
            let id = AtomicU16::new(0);
            peer.serve(|peer, packet| {
                let mut send = |topic: &str, payload: &[u8]| {
                    let id = 300 + id.fetch_add(1, Ordering::Relaxed);
                    peer.send(wire::publish(topic, 2, id, payload));
                };
                match packet.kind {
                    wire::SUBSCRIBE if packet.filter().0 == "login" => send("login", b"bob"),
                    wire::PUBLISH if packet.topic() == "bob/UUID" => {
                        let unique_id = String::from_utf8_lossy(packet.payload()).into_owned();
                        send(&format!("{unique_id}/{level}"), &payload);
                        send(&format!("{unique_id}/CMD1"), b"Apple");
                    }
                    _ => {}
                }
                Turn::Answer
            });
        });
        // The session goes on to its commands, so that all its mistakes are named.
        let more = ["--sessions", "1", "--delay", "0.2"];
        let ended = Process::start(Client::Controller.command(&broker, &more)).end();
        assert_eq!(ended.code, Some(76), "{ended:?}");
        assert!(ended.stderr.contains("1 of 1 sessions failed"), "{ended:?}");
        decent("a reply", &ended);
    });
}

#[test]
fn a_request_that_cannot_be_answered_is_named() {
    let requests = [
        wire::publish("net/uppercase/request", 1, 1, b"\xff"),
        wire::publish("/uppercase/request", 1, 2, "x"),
        wire::publish("net/louder/request", 1, 3, "x"),
        wire::publish("net/uppercase/request/x", 1, 4, "x"),
        wire::publish("net", 1, 5, "x"),
        wire::publish("/", 1, 6, "x"),
        wire::publish("net/+/request", 1, 7, "x"),
    ];
    let count = requests.len();
    let broker = ScriptedBroker::start(move |peer| {
        peer.send(wire::connack(false, 0));
        peer.send(requests.concat());
        peer.send(wire::publish("net/uppercase/request", 1, 8, "x"));
        peer.serve(|_, _| Turn::Answer);
    });
    let process = Client::Responder.start(&broker);
    broker.wait_for("an answer", |c| {
        c.first().filter(|c| !c.published.is_empty()).map(drop)
    });
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    decent("requests", &ended);
    assert_eq!(
        ended.stderr.matches("warning: ").count(),
        count,
        "{ended:?}"
    );
    let answer = ("net/uppercase/response".to_owned(), b"X".to_vec());
    assert_eq!(broker.connections()[0].published, [answer]);
}

/// What others write into a topic name is not for this terminal to obey either.
#[test]
fn a_topic_is_shown_without_its_control_characters() {
    let bytes = wire::publish(
        "\x1b[2J\nroot: all is well/uppercase/request",
        0,
        0,
        b"\xff",
    );
    let broker = ScriptedBroker::start(move |peer| {
        peer.send(wire::connack(false, 0));
        peer.send(&bytes);
        peer.serve(|_, _| Turn::Answer);
    });
    let process = Client::Responder.start(&broker);
    process.wait_for_stderr("no answer to");
    process.signal("TERM");
    decent("a topic", &process.end());
}
