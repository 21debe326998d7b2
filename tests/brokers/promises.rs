//! Every promise tried on every broker, one broker a test, and one broker for all of its promises.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use harness::needed::{Needed, missing, not_run};
use harness::repeat::Repeat;

use crate::broker::Broker;
use crate::table::{Expected, Kind, PROMISES, Promise, expected};
use crate::{cuts, lives, presence, request, session};

/// So much of a broker's log goes with a failure.
const LOG: usize = 12;

fn name(promise: Promise) -> String {
    match promise {
        Promise::Session(qos) => format!("session-qos{qos}"),
        Promise::Cuts(qos) => format!("cuts-qos{qos}"),
        Promise::Kill(qos) => format!("kill-qos{qos}"),
        _ => format!("{promise:?}").to_lowercase(),
    }
}

fn try_promise(broker: &mut Broker, promise: Promise, expected: Expected) {
    match promise {
        Promise::Session(qos) => session::ends_well(broker, qos, expected),
        Promise::Requests => request::each_action_is_answered(broker),
        Promise::Lines => request::each_line_is_answered(broker),
        Promise::WrongLogin => request::a_wrong_login_ends_every_role(broker, expected),
        Promise::Cuts(qos) => cuts::lose_nothing(broker, qos, expected),
        Promise::Kill(qos) => lives::go_on_after_kill_9(broker, qos, expected),
        Promise::Share => request::two_responders_share(broker, expected),
        Promise::Presence => presence::is_seen(broker, expected),
        Promise::NothingLeft => session::leaves_nothing(broker),
        Promise::Restart => lives::go_on_after_a_restart(broker, expected),
    }
}

/// Tries every promise, although one has failed, and says which.
fn holds_what_the_table_says(kind: Kind) {
    if kind.is_in_ci() && missing(kind.needed()) {
        return;
    }
    let absent = |needed: &&Needed| needed.find().is_none();
    if let Some(absent) = kind.needed().iter().find(absent) {
        not_run(&format!("not installed: {absent:?}"));
        return;
    }
    let repeat = Repeat::seeded();
    let promises = repeat.wanted(PROMISES.to_vec(), |promise| name(*promise));
    let begin = Instant::now();
    let mut broker = Broker::start(kind);
    eprintln!("{kind:?} is up after {:.1?}", begin.elapsed());
    let mut failed = Vec::new();
    for promise in promises {
        let expected = expected(kind, promise);
        let (name, begin) = (name(promise), Instant::now());
        let try_it = || try_promise(&mut broker, promise, expected);
        let holds = catch_unwind(AssertUnwindSafe(try_it)).is_ok();
        let verdict = if holds { "as expected" } else { "FAILED" };
        eprintln!(
            "{kind:?} {name}: {verdict} ({expected:?}), {:.1?}",
            begin.elapsed()
        );
        if !holds {
            let log = broker.log();
            let last = log.lines().rev().take(LOG).collect::<Vec<_>>();
            eprintln!(
                "the broker's last words, the last first:\n{}",
                last.join("\n")
            );
            repeat.case_failed(&name);
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{kind:?} failed in {failed:?}");
}

#[test]
fn mosquitto_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Mosquitto);
}

#[test]
fn rabbitmq_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::RabbitMq);
}

#[test]
fn nats_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Nats);
}

#[test]
fn aedes_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Aedes);
}

#[test]
fn aedes_of_node_red_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::AedesOfNodeRed);
}

#[test]
fn ejabberd_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Ejabberd);
}

#[test]
fn amqtt_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Amqtt);
}

#[test]
fn rumqttd_holds_what_the_table_says() {
    holds_what_the_table_says(Kind::Rumqttd);
}
