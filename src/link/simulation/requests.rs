//! Text requests: a real requester and a real responder.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::sessions::{PERSISTENT, options};
use super::world::{Strike, World};
use super::{each_case, each_seed};
use crate::link::{End, Session};
use crate::mqtt::{Level, QoS};
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
        let mut world = World::new(seed);
        let config = ResponderConfig {
            qos,
            ..ResponderConfig::default()
        };
        let responder = options("responder", PERSISTENT);
        let responder = world.begin(Responder::new(config), &responder, |()| Ok(()));
        world.run(Duration::from_secs(2));
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
            let mut requests = Requests::new(1, qos, &["abc"]);
            requests.world.strikes = [case].into();
            requests.assert_answered(&["cba"]);
        }
    });
}

#[test]
fn lines_are_answered_each_once_and_in_order_over_random_strikes() {
    let test = "lines_are_answered_each_once_and_in_order_over_random_strikes";
    each_seed(test, |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][random.usize(0..2)];
        let mut requests = Requests::new(seed, qos, &["abc", "de", "", "fgh"]);
        let arrived = requests.world.arrived;
        let strikes = random_strikes(&mut random, 60);
        let strikes = strikes
            .into_iter()
            .map(|(after, strike)| (arrived + after, strike));
        requests.world.strikes = strikes.collect();
        requests.assert_answered(&["cba", "ed", "", "hgf"]);
    });
}
