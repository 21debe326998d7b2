//! A stop after any packet, and what the next run makes of it; a crash after any packet.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::each_case;
use super::sessions::{PERSISTENT, Sessions, device, length, options};
use super::world::Strike;
use crate::device_session::device::Progress;
use crate::link::{End, Session};
use crate::mqtt::QoS;

const KEPT: Session = Session::Persistent {
    resume: false,
    keep: true,
};

/// From a stop to the end.
const LIMIT: Duration = Duration::from_secs(3);

#[test]
fn a_stop_after_any_packet_ends_in_time_and_leaves_nothing() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let cases = 1..=length(qos);
        each_case(
            "a_stop_after_any_packet_ends_in_time_and_leaves_nothing",
            cases,
            |after| {
                let mut sessions = Sessions::new(1, qos, 4, PERSISTENT);
                sessions.world.strikes = [(after, Strike::Stop)].into();
                sessions.run();
                for number in [sessions.device, sessions.controller] {
                    let client = &sessions.world.clients[number];
                    let Some(stopped) = client.stopped else {
                        continue;
                    };
                    let (at, end) = client.end.clone().expect("it does not end");
                    assert!(at - stopped <= LIMIT, "{:?}", at - stopped);
                    assert!(matches!(end, Ok(End::Stopped | End::Finished)), "{end:?}");
                    let id = client.id.clone();
                    assert!(
                        !sessions.world.broker().has_session(&id),
                        "a session of {id}"
                    );
                }
            },
        );
    }
}

/// The device begins again with what a version without a journal has left.
fn resume(sessions: &mut Sessions) -> Option<usize> {
    let unique_id = sessions
        .progress
        .borrow()
        .iter()
        .find_map(|progress| match progress {
            Progress::LoggedIn(unique_id) => Some(unique_id.to_string()),
            Progress::Verdict(..) | Progress::Done => None,
        })?;
    if sessions.progress.borrow().last() == Some(&Progress::Done) {
        return None;
    }
    let timeout = Some(Duration::from_secs(300));
    let role = device(
        QoS::ExactlyOnce,
        timeout,
        Some(&unique_id),
        sessions.world.now,
    );
    let handed_out = Rc::clone(&sessions.progress);
    let resumed =
        sessions
            .world
            .begin(role, &options("alice", Session::LASTING), move |progress| {
                handed_out.borrow_mut().push(progress);
                Ok(())
            });
    Some(resumed)
}

/// Only what the device can have seen of its session: the login itself may be the packet at which it ends.
fn assert_goes_on(sessions: &mut Sessions, resumed: usize, most: usize) {
    sessions.run();
    let id = sessions.unique_id();
    let verdict = sessions.reports.borrow()[0].verdict.clone();
    let verdict = verdict.map_err(|why| why.join("; "));
    match (&verdict, sessions.world.end(resumed)) {
        (Ok(()), end) => assert_eq!(end, Some(&Ok(End::Finished))),
        // The controller ends a session at a reply that comes again, without the last words.
        (Err(why), _) if most > 0 => assert!(why.contains("too many"), "{why}"),
        (Err(why), _) => panic!("{why}"),
    }
    let sent = sessions.reports.borrow()[0].commands.len();
    let said = sessions.replies(&id).len();
    assert!(
        (sent..=most.max(sent)).contains(&said),
        "{said} replies to {sent} commands"
    );
}

#[test]
fn a_device_that_is_stopped_after_any_packet_goes_on_at_its_next_start() {
    let test = "a_device_that_is_stopped_after_any_packet_goes_on_at_its_next_start";
    let mut resumptions = 0;
    let count = Rc::new(RefCell::new(&mut resumptions));
    each_case(test, 1..=length(QoS::ExactlyOnce), |after| {
        let mut sessions = Sessions::new(1, QoS::ExactlyOnce, 4, KEPT);
        let device = sessions.device;
        sessions.world.run_until_arrived(after);
        sessions.world.stop(device);
        sessions.world.run(Duration::from_secs(300));
        if let Some(resumed) = resume(&mut sessions) {
            **count.borrow_mut() += 1;
            assert_goes_on(&mut sessions, resumed, 0);
        }
    });
    if std::env::var_os("TEST_CASE").is_none() {
        assert!(resumptions > 20, "{resumptions}");
    }
}

/// `kill -9`: a reply that was not confirmed may come again, and none is lost.
#[test]
fn a_device_that_is_killed_after_any_packet_goes_on_at_its_next_start() {
    let test = "a_device_that_is_killed_after_any_packet_goes_on_at_its_next_start";
    each_case(test, 1..=length(QoS::ExactlyOnce), |after| {
        let mut sessions = Sessions::new(1, QoS::ExactlyOnce, 4, KEPT);
        let device = sessions.device;
        sessions.world.run_until_arrived(after);
        sessions.world.kill(device);
        if let Some(resumed) = resume(&mut sessions) {
            assert_goes_on(&mut sessions, resumed, 8);
        }
    });
}
