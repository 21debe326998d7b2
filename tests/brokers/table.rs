//! What holds for which broker, in one place: the table in docs/brokers.md says the same.

use Expected::{AtLeastOnce, BrokersFault, Holds, HoldsOrNames, Impossible};

/// A broker that people run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// mosquitto 2, as Debian packages it.
    Mosquitto,
    /// RabbitMQ 3.10 with its MQTT plugin, as Debian packages it.
    RabbitMq,
    /// NATS 2.9 with JetStream, as Debian packages it.
    Nats,
    /// aedes 1.2.0.
    Aedes,
    /// aedes 0.51.3, the broker in Node-RED.
    AedesOfNodeRed,
    /// ejabberd 23.01 with mod_mqtt, as Debian packages it.
    Ejabberd,
    /// amqtt 0.12.
    Amqtt,
    /// rumqttd 0.20.
    Rumqttd,
}

/// What is tried on each broker, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Our device and our controller with the defaults of both, but for the QoS; 2 is the default itself.
    Session(u8),
    /// A text request for each action.
    Requests,
    /// Many lines in one run.
    Lines,
    /// Every role ends at once, and says that the login is wrong.
    WrongLogin,
    /// Each of many sessions has its connection cut once, as an observer by another hand sees it.
    Cuts(u8),
    /// A device is killed amid its replies, and goes on from its state folder.
    Kill(u8),
    /// `doctor` finds nothing wrong for a device, and says what the broker lacks.
    Doctor,
    /// Two responders of a group share the requests.
    Share,
    /// A fleet tells who is there, who was killed and who was stopped.
    Presence,
    /// No role leaves a session on the broker.
    NothingLeft,
    /// The broker is stopped in mid-session, and started again. Last, as it takes the broker down.
    Restart,
}

/// All of them.
pub const PROMISES: [Promise; 15] = [
    Promise::Session(0),
    Promise::Session(1),
    Promise::Session(2),
    Promise::Requests,
    Promise::Lines,
    Promise::WrongLogin,
    Promise::Doctor,
    Promise::Cuts(1),
    Promise::Cuts(2),
    Promise::Kill(1),
    Promise::Kill(2),
    Promise::Share,
    Promise::Presence,
    Promise::NothingLeft,
    Promise::Restart,
];

/// What is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// All of it.
    Holds,
    /// Nothing is lost, and something may come twice, because the broker delivers at QoS 1 at most.
    AtLeastOnce,
    /// All of it; or the program ends by itself, with a code that is not 0, and with these words.
    HoldsOrNames(&'static str),
    /// Not by any client, for this reason. Ours must end all the same. Where it can be shown every time, the test
    /// shows it with paho.
    BrokersFault(&'static str),
    /// There is nothing to try, for this reason.
    Impossible(&'static str),
}

const NO_QOS_2: &str = "this broker has no QoS 2";

/// The table.
pub fn expected(kind: Kind, promise: Promise) -> Expected {
    match (kind, promise) {
        // It closes the connection at a publish at QoS 2, and grants 1 to a subscription.
        (Kind::Nats, Promise::Session(2)) => HoldsOrNames("-q 1"),
        // A device works at QoS 2, unless it is told otherwise.
        (Kind::Nats | Kind::RabbitMq, Promise::Doctor) => HoldsOrNames("FAIL  qos2"),
        (Kind::Nats, Promise::Cuts(2) | Promise::Kill(2)) => Impossible(NO_QOS_2),
        // It answers a publish at QoS 2 with PUBACK and delivers it at QoS 1.
        (Kind::RabbitMq, Promise::Cuts(2) | Promise::Kill(2)) => AtLeastOnce,
        // aedes 0.51 publishes a message again when its PUBREL comes again, because it has not removed what it could not
        // confirm.
        (Kind::AedesOfNodeRed, Promise::Cuts(2)) => {
            BrokersFault("it publishes again at a PUBREL that is repeated")
        }
        // aedes 1.2 lets messages of one read overtake each other, and drops what was overtaken on its way to a
        // subscriber.
        (Kind::Aedes, Promise::Cuts(2) | Promise::Kill(2)) => {
            BrokersFault("it drops QoS 2 messages of a burst that overtake each other")
        }
        // Under the same cuts paho loses and repeats, too.
        (Kind::Amqtt | Kind::Rumqttd, Promise::Cuts(_)) => {
            BrokersFault("it loses and repeats messages when a connection is cut")
        }
        (Kind::Amqtt, Promise::Kill(_) | Promise::Restart) => {
            BrokersFault("it loses sessions and messages when a connection ends")
        }
        // It renumbers what it delivers again, and loses what it had released.
        (Kind::Rumqttd, Promise::Kill(2)) => {
            BrokersFault("it forgets PUBREL for a client that is back")
        }
        (Kind::Rumqttd, Promise::WrongLogin) => HoldsOrNames("password"),
        // Its documentation says so; a fleet that is there before them sees all.
        (Kind::RabbitMq, Promise::Presence) => {
            BrokersFault("it keeps what is retained from filters with wildcards")
        }
        // Paho's SUBSCRIBE to a shared filter is not answered either.
        (Kind::Ejabberd, Promise::Share) => Impossible("it answers no SUBSCRIBE with $share"),
        (
            Kind::RabbitMq
            | Kind::Nats
            | Kind::Aedes
            | Kind::AedesOfNodeRed
            | Kind::Amqtt
            | Kind::Rumqttd,
            Promise::Share,
        ) => BrokersFault("it grants $share and delivers nothing"),
        _ => Holds,
    }
}

impl Kind {
    /// The best QoS at which it takes messages, and by itself loses none.
    pub fn best_qos(self) -> u8 {
        match self {
            Self::Nats | Self::Aedes => 1,
            _ => 2,
        }
    }

    /// How long the controller waits, in seconds, between a UNIQUE ID and the first command, which is lost to a device
    /// that has not heard of the UNIQUE ID: longer than the broker waits before it delivers again what was cut off.
    pub fn delay(self) -> &'static str {
        match self {
            Self::Nats => "8",
            _ => "2",
        }
    }
}

impl Expected {
    /// Why it is not tried, where it is not.
    pub fn hopeless(self) -> Option<&'static str> {
        match self {
            Impossible(why) | BrokersFault(why) => Some(why),
            _ => None,
        }
    }
}
