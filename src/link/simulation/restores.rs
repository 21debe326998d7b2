//! A broker that is killed, and comes back with its sessions as they were last saved: mosquitto after `kill -9`.

use std::time::Duration;

use super::each_seed;
use super::sessions::{PERSISTENT, device, options};
use super::world::{Strike, World};
use crate::mqtt::QoS;

const QOS: QoS = QoS::ExactlyOnce;

/// So many commands at once: more than the device has replies in flight.
const BURST: usize = 30;

fn publish(world: &mut World, command: &str, count: usize) {
    for _ in 0..count {
        world.publish("U1", command, QOS);
    }
}

/// The broker holds replies that the device has long completed. It must be told so, or it has no room for new ones,
/// which it confirms and drops. And it may lack later subscriptions.
#[test]
fn a_broker_restored_from_an_earlier_state_loses_no_reply() {
    each_seed(
        "a_broker_restored_from_an_earlier_state_loses_no_reply",
        |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut world = World::new(seed);
            let role = device(QOS, None, None, world.now);
            let alice = world.begin(role, &options("alice", PERSISTENT), |_| Ok(()));
            world.wait_for("the login", |world| !world.seen_on("login").is_empty());
            world.publish("alice/UUID", "U1", QOS);
            // Before the subscription to the commands, or amid the replies.
            let is_early = random.u8(..4) == 0;
            if is_early {
                world.broker().save();
            }
            world.wait_for_subscription(alice, "U1");
            publish(&mut world, "CMD1", BURST);
            let most = *world.round_trip().end() * 4;
            world.run_for(most.mul_f64(random.f64()));
            if !is_early {
                world.broker().save();
            }
            world.run_for(most * 10);
            // The broker was seen to be down, or not.
            if random.bool() {
                let until = world.now + Duration::from_secs(3);
                world.down_until.insert("broker".to_owned(), until);
            }
            world.broker().restore();
            world.strike_all(Strike::Restart);
            world.wait_for("a connection", |world| world.clients[alice].is_connected);
            world.wait_for_subscription(alice, "U1");
            publish(&mut world, "CMD7", BURST);
            world.run_for(Duration::from_secs(60));
            assert_eq!(world.seen_on("U1/CMD7").len(), BURST);
        },
    );
}
