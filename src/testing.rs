//! Roles of one's own in simulated time (feature `testing`): the link's real engine, a broker in memory, and a network
//! that takes time, cuts and falls silent. The tests of this crate use the same.
//!
//! Hours pass in a moment, and nothing waits: the clock jumps from one thing that happens to the next. What happens is
//! decided by a seed alone, so that a failure can be repeated.
//!
//! ```
//! use std::time::Duration;
//!
//! use mqtt_client::link::{End, Options, Session};
//! use mqtt_client::mqtt::QoS;
//! use mqtt_client::testing::{Simulation, Strike, each_seed};
//! use mqtt_client::text_request::responder::{Responder, ResponderConfig};
//!
//! # /*
//! #[test]
//! # */
//! fn an_answer_survives_every_cut() {
//!     each_seed("an_answer_survives_every_cut", 100, |seed| {
//!         let mut simulation = Simulation::new(seed);
//!         let responder = Responder::new(ResponderConfig::default());
//!         let mut options = Options::new("broker", 1883, "responder");
//!         options.session = Session::WHILE_RUNNING;
//!         let responder = simulation.begin(responder, &options);
//!         simulation.wait_for_subscription(&responder, "+/reverse/request");
//!         simulation.strike_after(seed as u32 % 5, Strike::Cut);
//!         simulation.publish("pi/reverse/request", "abc", QoS::AtLeastOnce);
//!         simulation.wait_for("an answer", |s| !s.payloads("pi/reverse/response").is_empty());
//!         simulation.stop(&responder);
//!         assert_eq!(simulation.wait_for_end(&responder), Ok(End::Stopped));
//!     });
//! }
//! # an_answer_survives_every_cut();
//! ```
//!
//! The broker is mosquitto as the standard wants it, without its limits. What other brokers do differently, and what a
//! kernel and a real network do, is not in here: run a role against a real broker, too.

use std::time::{Duration, Instant};

pub use crate::link::simulation::disk::{Crash, Disk};
pub use crate::link::simulation::party::Party;
pub use crate::link::simulation::world::{Seen, Strike};

use crate::link::simulation::{self, world::World};
use crate::link::{End, Inbox, Options};
use crate::mqtt::QoS;
use crate::role::{Failure, Role};

/// More than any test waits for: a hundred days.
const LIMIT: Duration = Duration::from_secs(100 * 24 * 3600);

/// Runs `history` with `count` seeds, any numbers of 64 bits, on every core. `test` is the exact name of the test's function,
/// for what is printed at a failure: the command that repeats it.
///
/// In the environment, `TEST_SEED=<seed>` runs this one alone, with the log that `RUST_LOG` asks for, and
/// `TEST_HISTORIES=<count>` another number of them.
///
/// # Panics
/// Where `history` does.
pub fn each_seed(test: &str, count: u64, history: impl Fn(u64) + Sync) {
    simulation::each_seed_of(count, test, history);
}

/// A broker, a network, and the roles that it carries.
pub struct Simulation {
    world: World,
}

impl Simulation {
    /// A world in which nothing has happened. The seed decides how long packets take, and whatever the link draws by lot.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
        }
    }

    /// The present time there: for roles that are told it when they are made.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now
    }

    /// Begins to carry a role, as [`Run::carry`](crate::link::Run::carry) does. The host of `options` does not matter.
    pub fn begin<R: Role + 'static>(&mut self, role: R, options: &Options) -> Party<R::Item> {
        Party::begin_with(&mut self.world, role, options, None, None)
    }

    /// The same for a role with inputs. They are sent with the inbox's [`Feed`](crate::link::Feed), between two steps of
    /// the simulation: a feed that waits while it is full would wait for ever.
    pub fn begin_fed<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        inbox: Inbox<R::Input>,
    ) -> Party<R::Item> {
        Party::begin_with(&mut self.world, role, options, None, Some(inbox))
    }

    /// The same as [`Simulation::begin`] with a synced journal on this disk. After [`Simulation::kill`] a role that begins
    /// with the same disk goes on where the other was; with [`Session::Persistent`](crate::link::Session::Persistent)
    /// and `resume: true`. What the role has remembered is in [`Disk::memory`].
    pub fn begin_journaled<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        disk: &Disk,
    ) -> Party<R::Item> {
        self.begin_with(role, options, Some(disk), None)
    }

    /// The same as [`Simulation::begin`] with a journal, or inputs, or both.
    pub fn begin_with<R: Role + 'static>(
        &mut self,
        role: R,
        options: &Options,
        disk: Option<&Disk>,
        inbox: Option<Inbox<R::Input>>,
    ) -> Party<R::Item> {
        let kept = disk.map(|disk| (disk.journal(&options.client_id, true), disk.clone()));
        Party::begin_with(&mut self.world, role, options, kept, inbox)
    }

    /// Publishes as an outside party.
    ///
    /// # Panics
    /// When the topic is not valid.
    pub fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        self.world.publish(topic, payload, qos);
    }

    /// A retained message that the broker has had since before the beginning.
    ///
    /// # Panics
    /// When the topic is not valid.
    pub fn retain(&mut self, topic: &str, payload: &str) {
        self.world.retain(topic, payload);
    }

    /// This happens now, to every connection.
    pub fn strike(&mut self, strike: Strike) {
        self.world.strike_all(strike);
    }

    /// This happens to one connection, when so many more packets have arrived at either end.
    pub fn strike_after(&mut self, packets: u32, strike: Strike) {
        let at = self.world.arrived + packets;
        let strikes = &mut self.world.strikes;
        let place = strikes.partition_point(|(other, _)| *other <= at);
        strikes.insert(place, (at, strike));
    }

    /// The broker's host refuses connections for so long, from now on. The connections that there are go on: strike them.
    pub fn refuse_for(&mut self, time: Duration) {
        let until = self.world.now + time;
        self.world.refuse_until(until);
    }

    /// Asks a role to stop.
    pub fn stop<T>(&mut self, party: &Party<T>) {
        self.world.stop(party.number);
    }

    /// The process of a role is gone, without a word.
    pub fn kill<T>(&mut self, party: &Party<T>) {
        self.world.kill(party.number);
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.world.turn_all();
        self.world.run_for(time);
    }

    /// Lets time pass until this is so.
    ///
    /// # Panics
    /// When it never is; `what` says what was waited for.
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.world.turn_all();
        while !is_so(self) {
            let goes_on = self.world.step(LIMIT) && !self.world.is_endless();
            assert!(goes_on, "never: {what}");
        }
    }

    /// Lets time pass until the broker has this subscription of a role.
    ///
    /// # Panics
    /// When it never has.
    pub fn wait_for_subscription<T>(&mut self, party: &Party<T>, filter: &str) {
        let number = party.number;
        self.wait_for(filter, |simulation| {
            simulation.world.is_subscribed(number, filter)
        });
    }

    /// Lets time pass until a role has ended, and says how.
    ///
    /// # Errors
    /// That of its run.
    ///
    /// # Panics
    /// When it never does.
    pub fn wait_for_end<T>(&mut self, party: &Party<T>) -> Result<End, Failure> {
        self.wait_for("an end", |simulation| {
            simulation.world.end(party.number).is_some()
        });
        match self.world.end(party.number) {
            Some(end) => end.clone(),
            None => unreachable!("it has been waited for"),
        }
    }

    /// Whether a role has ended.
    #[must_use]
    pub fn has_ended<T>(&self, party: &Party<T>) -> bool {
        self.world.end(party.number).is_some()
    }

    /// Every message that the broker has taken over on this topic name, in order.
    #[must_use]
    pub fn published(&self, topic: &str) -> Vec<Seen> {
        self.world.seen_on(topic)
    }

    /// The payloads of those.
    #[must_use]
    pub fn payloads(&self, topic: &str) -> Vec<String> {
        self.world.said_on(topic)
    }
}
