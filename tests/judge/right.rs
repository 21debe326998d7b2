//! Right clients: our own, two on paho, and mosquitto_rr, which has one mistake.

use harness::needed::{MOSQUITTO_RR, PAHO, missing};
use harness::process::run;

use crate::{alone, assert_right, judge, named, no_networks, ourselves, peer, table};

#[test]
fn our_own_client_is_right() {
    if no_networks() {
        return;
    }
    assert_right(&run(alone(&judge(&[], &ourselves()))));
}

/// Also where it comes to the port of the defaults, at which other programs' connections do not count.
#[test]
fn a_client_in_a_process_group_of_its_own_is_right() {
    if no_networks() {
        return;
    }
    let client = [
        &["setsid".to_owned(), "--wait".to_owned()][..],
        &ourselves(),
    ]
    .concat();
    assert_right(&run(alone(&judge(&[], &client))));
}

#[test]
fn a_client_with_pahos_own_thread_is_right() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    assert_right(&run(alone(&judge(&[], &peer("threaded.py")))));
}

#[test]
fn a_client_that_turns_pahos_loop_by_hand_is_right() {
    if missing(&[PAHO]) || no_networks() {
        return;
    }
    assert_right(&run(alone(&judge(&[], &peer("blocking.py")))));
}

/// mosquitto_rr 2.0.11 closes its connection without DISCONNECT; later ones may not.
#[test]
fn mosquitto_rr_in_a_shell_script_is_right_but_for_its_end() {
    if missing(&[MOSQUITTO_RR]) || no_networks() {
        return;
    }
    let ended = run(alone(&judge(&[], &peer("wrapper.sh"))));
    let mut wrong = named(&table(&ended), "WRONG");
    wrong.retain(|name| name != "DISCONNECT");
    assert_eq!(wrong, [""; 0], "{}", ended.stdout);
    assert_eq!(named(&table(&ended), "not tried"), [""; 0]);
}
