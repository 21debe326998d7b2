//! Where other clients hang, or exit 0 with nothing or with the wrong thing.

use std::net::TcpStream;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use harness::mosquitto::Mosquitto;
use harness::needed::{MOSQUITTO, MOSQUITTO_PUB, missing};
use harness::outcome::{assert_answered, assert_fails, assert_plain, responder};
use harness::process::{Ended, Process, mqtt_client, run};

const ASKED: &str = "published on net/reverse/request, confirmed";

/// A request that has been asked, and waits.
fn asking(broker: &Mosquitto, args: &[&str]) -> Process {
    let usual = ["-v", "-W", "40", "net", "reverse", "abc"];
    let request = broker.client(args.iter().copied().chain(usual));
    let request = Process::start(request);
    request.wait_for_stderr(ASKED);
    request
}

/// An answer, or a failure with its line: never success without an answer.
#[track_caller]
fn assert_honest(ended: &Ended, answer: &str) {
    assert_plain(&ended.stderr);
    match ended.code {
        Some(0) => assert_eq!(ended.stdout, format!("{answer}\n"), "{ended:?}"),
        Some(69 | 75) => assert!(!ended.stderr.is_empty() && ended.stdout.is_empty()),
        _ => panic!("{ended:?}"),
    }
}

/// An answer from a client that nothing has asked.
fn answer(broker: &Mosquitto) {
    broker.publish("1", "net/reverse/response", "cba");
}

#[test]
fn a_request_whose_client_id_is_taken_over_gets_its_answer_all_the_same() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let request = asking(&broker, &["--reconnect-delay", "0.05"]);
    // Connects as `net`, and goes again.
    broker.session_present("net");
    request.wait_in_stderr("a second subscription", |said| {
        let subscribed = said.matches("subscribed to net/reverse/response, QoS 1 granted\n");
        (subscribed.count() == 2).then_some(())
    });
    answer(&broker);
    let ended = request.end();
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "cba\n"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("trying again"), "{ended:?}");
}

#[test]
fn two_requests_with_one_client_id_are_honest_about_what_they_got() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    let start = || Process::start(broker.client(["net", "reverse", "abc"]));
    let rivals: Vec<_> = (0..4).map(|_| start()).collect();
    for rival in rivals {
        assert_honest(&rival.end(), "cba");
    }
}

#[test]
fn two_who_ask_on_one_topic_both_end_with_the_one_answer() {
    if missing(&[MOSQUITTO, MOSQUITTO_PUB]) {
        return;
    }
    let broker = Mosquitto::open();
    let askers = ["first", "second"].map(|id| asking(&broker, &["-i", id]));
    answer(&broker);
    // The protocol has nothing that would tell whose answer it is.
    for asker in askers {
        let ended = asker.end();
        assert_eq!((ended.code, &*ended.stdout), (Some(0), "cba\n"));
    }
}

#[test]
fn a_request_has_a_time_limit_without_being_told_one() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let ended = run(Mosquitto::open().client(["net", "reverse", "abc"]));
    assert_fails(&ended, 75, &["net/reverse/response", "10 s", "-W"]);
}

#[test]
fn a_connection_that_nobody_takes_ends_with_the_time_limit() {
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    full.bind(&any.into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = vec![];
    // As long as the kernel completes connections, none goes unanswered.
    while let Ok(taken) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
        waiting.push(taken);
        assert!(waiting.len() < 100, "the queue has no end");
    }
    let port = address.port().to_string();
    let args = ["-h", "127.0.0.1", "-p", &port, "-W", "2"];
    let ended = run(mqtt_client(
        args.into_iter().chain(["net", "reverse", "abc"]),
    ));
    assert_fails(&ended, 69, &[&address.to_string(), "did not answer"]);
}

#[test]
fn success_is_a_disconnect_and_leaves_no_will() {
    if missing(&[MOSQUITTO]) {
        return;
    }
    let broker = Mosquitto::open();
    let _responder = responder(&broker);
    assert_answered(&run(broker.client(["net", "reverse", "abc"])), "cba");
    let log = broker.log();
    // Where a will is, mosquitto says instead how long it is.
    let connects = log.matches(" New client connected from ").count();
    let wills = log.matches("No will message specified.").count();
    assert_eq!(wills, connects, "{log}");
    assert!(log.contains("Received DISCONNECT from net"), "{log}");
    assert!(log.contains("Client net disconnected."), "{log}");
    assert!(!log.contains("Client net closed its connection"), "{log}");
}
