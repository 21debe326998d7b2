//! Text requests: a real requester and a real responder.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::broker::Oddities;
use super::sessions::{PERSISTENT, options};
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS};
use crate::role::Kind;
use crate::text_request::Action;
use crate::text_request::requester::{RequestConfig, Requester};
use crate::text_request::responder::{Responder, ResponderConfig};

/// A responder and a requester in a world, and the answers.
struct Requests {
    world: World,
    requester: usize,
    responder: usize,
    answers: Rc<RefCell<Vec<String>>>,
}

impl Requests {
    /// One request, or one for each of `lines`.
    fn new(seed: u64, qos: QoS, lines: &[&str]) -> Self {
        Self::with_oddities(seed, qos, lines, Oddities::default())
    }

    fn with_oddities(seed: u64, qos: QoS, lines: &[&str], oddities: Oddities) -> Self {
        let mut world = World::new(seed);
        let config = ResponderConfig {
            qos,
            ..ResponderConfig::default()
        };
        let responder = options("responder", PERSISTENT);
        let responder = world.begin(Responder::new(config), &responder, |()| Ok(()));
        world.run(Duration::from_secs(2));
        world.broker().oddities = oddities;
        let config = RequestConfig {
            qos,
            timeout: Some(Duration::from_secs(300)),
            ..RequestConfig::new(Level::new("net").unwrap(), Action::Reverse)
        };
        let role = match lines {
            [text] => Requester::new(config, (*text).to_owned(), world.now),
            _ => Requester::of_lines(config, world.now),
        };
        let answers = Rc::new(RefCell::new(Vec::new()));
        let handed_out = Rc::clone(&answers);
        let emit = move |answer: Vec<u8>| {
            handed_out
                .borrow_mut()
                .push(String::from_utf8(answer).unwrap());
            Ok(())
        };
        let options = options("net", Session::Clean);
        let requester = match lines {
            [_] => world.begin(role, &options, emit),
            _ => {
                let lines = lines.iter().map(|line| (*line).to_owned());
                world.begin_with_lines(role, &options, lines.collect(), emit)
            }
        };
        Self {
            world,
            requester,
            responder,
            answers,
        }
    }

    fn strike_from_now_on(&mut self, random: &mut fastrand::Rng) {
        let arrived = self.world.arrived;
        let strikes = random_strikes(random, 60).into_iter();
        let strikes = strikes.map(|(after, strike)| (arrived + after, strike));
        self.world.strikes = strikes.collect();
    }

    fn assert_answered(&mut self, expected: &[&str]) {
        let limit = Duration::from_secs(1000);
        let requester = self.requester;
        self.world
            .run_while(limit, |world| world.clients[requester].end.is_none());
        assert_eq!(self.world.end(requester), Some(&Ok(End::Finished)));
        assert_eq!(*self.answers.borrow(), expected);
        // A client that is offline, or does not know yet that it is, leaves its session on the broker: two pings.
        let responder = self.responder;
        self.world.strikes.clear();
        let later = self.world.now + Duration::from_secs(60);
        self.world.run_while(limit, |world| {
            world.now < later || !world.clients[responder].is_connected
        });
        self.world.stop(responder);
        assert!(self.world.run(limit + limit), "the responder does not end");
        if !self.world.struck_while_closing {
            assert!(!self.world.broker().has_session("responder"));
        }
    }
}

fn random_strikes(random: &mut fastrand::Rng, most: u32) -> Vec<(u32, Strike)> {
    let all = [
        Strike::Cut,
        Strike::Silence,
        Strike::Restart,
        Strike::Forget,
    ];
    let strikes = 0..random.u32(0..=3);
    let mut strikes: Vec<_> = strikes
        .map(|_| (random.u32(1..most), all[random.usize(0..4)]))
        .collect();
    strikes.sort_by_key(|(after, _)| *after);
    strikes
}

#[test]
fn a_request_is_answered_once_whatever_happens_after_any_packet() {
    let test = "a_request_is_answered_once_whatever_happens_after_any_packet";
    let strikes = [
        Strike::Cut,
        Strike::Silence,
        Strike::Restart,
        Strike::Forget,
    ];
    let cases = (11..40).flat_map(|after| strikes.map(|strike| (after, strike)));
    each_case(test, cases, |case| {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for milliseconds in [0, 100, 1000] {
                let mut requests = Requests::with_oddities(1, qos, &["abc"], late(milliseconds));
                requests.world.strikes = [case].into();
                requests.assert_answered(&["cba"]);
            }
        }
    });
}

/// A broker that works out of order: it takes up to so long over a SUBSCRIBE, and meanwhile over what comes after it.
fn late(milliseconds: u64) -> Oddities {
    Oddities {
        subscribes_late: (milliseconds > 0).then(|| Duration::from_millis(milliseconds)),
        ..Oddities::default()
    }
}

/// The request overtakes its subscription. Its answer is missed, or it is not, and then comes twice.
#[test]
fn a_request_that_overtakes_its_subscription_is_answered_once() {
    let (mut missed, mut twice) = (0, 0);
    for seed in 0..300 {
        let mut requests =
            Requests::with_oddities(seed, QoS::AtLeastOnce, &["abc"], late(seed * 5));
        let (requester, begun) = (requests.requester, requests.world.now);
        requests.assert_answered(&["cba"]);
        let (ended, _) = requests.world.clients[requester].end.as_ref().unwrap();
        // Without the second request at the SUBACK, the first repetition would have been after a minute.
        assert!(*ended - begun < Duration::from_secs(10), "seed {seed}");
        let answers = requests.world.seen_on("net/reverse/response").len();
        let heard = requests.world.clients[requester].heard;
        assert!(heard <= answers, "seed {seed}");
        missed += usize::from(heard < answers);
        twice += usize::from(heard > 1);
    }
    assert!(missed > 20, "{missed}");
    assert!(twice > 20, "{twice}");
}

#[test]
fn lines_are_answered_each_once_where_requests_overtake_their_subscription() {
    let test = "lines_are_answered_each_once_where_requests_overtake_their_subscription";
    each_seed(test, |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let oddities = late(random.u64(1..2000));
        let lines = ["abc", "de", "", "fgh"];
        let mut requests = Requests::with_oddities(seed, QoS::AtLeastOnce, &lines, oddities);
        requests.strike_from_now_on(&mut random);
        requests.assert_answered(&["cba", "ed", "", "hgf"]);
    });
}

#[test]
fn a_refused_subscription_ends_a_request_as_refused_whatever_happens_after_any_packet() {
    let test = "a_refused_subscription_ends_a_request_as_refused_whatever_happens_after_any_packet";
    let strikes = [Strike::Cut, Strike::Silence, Strike::Forget];
    let cases = (11..30).flat_map(|after| strikes.map(|strike| (after, strike)));
    each_case(test, cases, |case| {
        for lines in [&["abc"][..], &["abc", "de"]] {
            for milliseconds in [0, 500] {
                let oddities = Oddities {
                    refuses_subscriptions: true,
                    ..late(milliseconds)
                };
                let mut requests = Requests::with_oddities(1, QoS::AtLeastOnce, lines, oddities);
                requests.world.strikes = [case].into();
                let requester = requests.requester;
                let limit = Duration::from_secs(200);
                requests
                    .world
                    .run_while(limit, |world| world.clients[requester].end.is_none());
                let Some(Err(failure)) = requests.world.end(requester) else {
                    panic!("{:?}", requests.world.end(requester));
                };
                assert_eq!(failure.kind, Kind::Refused);
                assert_eq!(*requests.answers.borrow(), [""; 0]);
            }
        }
    });
}

/// Of the broker's limit only its SUBACK tells, and the request is out before that.
#[test]
fn a_request_is_answered_where_the_broker_closes_at_its_qos() {
    for seed in 0..100 {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let oddities = Oddities {
                grants: Some(QoS::try_from(qos.level() - 1).unwrap()),
                closes_at_qos: Some(qos),
                ..Oddities::default()
            };
            let mut requests = Requests::with_oddities(seed, qos, &["abc"], oddities);
            requests.assert_answered(&["cba"]);
        }
    }
}

/// After the answer's way here there is nothing to wait for.
#[test]
fn a_request_is_over_as_soon_as_its_answer_is_there_and_resets_nothing() {
    for seed in 0..300 {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut requests = Requests::new(seed, qos, &["abc"]);
            let (requester, answers) = (requests.requester, Rc::clone(&requests.answers));
            let limit = Duration::from_secs(30);
            requests
                .world
                .run_while(limit, |_| answers.borrow().is_empty());
            let answered = requests.world.now;
            requests.assert_answered(&["cba"]);
            let (ended, _) = requests.world.clients[requester].end.as_ref().unwrap();
            // At QoS 2 the answer has still to be released.
            let rest = match qos {
                QoS::ExactlyOnce => *requests.world.round_trip().end(),
                _ => Duration::ZERO,
            };
            assert!(*ended - answered <= rest, "seed {seed}, {qos}");
            assert_eq!(requests.world.resets, 0, "seed {seed}, {qos}");
        }
    }
}

#[test]
fn lines_are_answered_each_once_and_in_order_over_random_strikes() {
    let test = "lines_are_answered_each_once_and_in_order_over_random_strikes";
    each_seed(test, |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.usize(0..2)];
        let mut requests = Requests::new(seed, qos, &["abc", "de", "", "fgh"]);
        requests.strike_from_now_on(&mut random);
        requests.assert_answered(&["cba", "ed", "", "hgf"]);
    });
}
