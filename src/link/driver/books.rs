//! rumqttc's own books of a session, and the repairs that they need. No socket: the simulation runs them,
//! too.

use rumqttc::mqttbytes::QoS;
use rumqttc::{Event, MqttState, Outgoing, Packet, Publish, StateError};

use super::wire;
use crate::link::engine::{self, IDENTIFIERS, Input};

/// Takes a packet through rumqttc's books: as it goes to the broker, with its packet identifier.
///
/// rumqttc counts identifiers upwards and begins again, and where the next one still belongs to an
/// unconfirmed packet it keeps the new one back. Then this takes the next identifier that is free.
///
/// # Errors
/// Those of rumqttc.
pub fn enter(state: &mut MqttState, outgoing: engine::Outgoing<'_>) -> Result<Packet, StateError> {
    let request = wire::to_request(outgoing);
    for _ in 0..IDENTIFIERS {
        let packet = state.handle_outgoing_packet(request.clone())?;
        // What it says of that is known here already.
        let echo = state.events.pop_back();
        if let Some(packet) = packet {
            log::debug!("{echo:?}");
            return Ok(packet);
        }
        state.collision = None;
    }
    Err(StateError::InvalidState)
}

/// rumqttc forgets which QoS 2 identifiers it has received, and then takes the broker's PUBREL for
/// an error, for ever. Whatever the identifier, PUBCOMP is the right answer (MQTT 3.1.1, section
/// 4.3.3), so every one of `pkids` counts as received.
pub fn expect_releases(state: &mut MqttState, pkids: impl IntoIterator<Item = u16>) {
    let mut publish = Publish::new(String::new(), QoS::ExactlyOnce, Vec::new());
    for pkid in pkids {
        publish.pkid = pkid;
        let _ = state.handle_incoming_packet(Packet::Publish(publish.clone()));
        state.events.pop_back();
    }
}

/// What the engine is to hear of an event of rumqttc's, if anything.
pub fn take(state: &mut MqttState, event: Event) -> Option<Input> {
    match event {
        Event::Incoming(packet) => {
            if let Packet::PubRel(pubrel) = &packet {
                // It may come again: the broker repeats it until it has heard PUBCOMP.
                expect_releases(state, [pubrel.pkid]);
            }
            if !matches!(packet, Packet::PingResp) {
                // The broker lives, though its PINGRESP may be behind a long transfer.
                state.await_pingresp = false;
            }
            wire::to_incoming(packet).map(Input::Packet)
        }
        Event::Outgoing(Outgoing::PingReq) => Some(Input::PingSent),
        Event::Outgoing(_) => None,
    }
}

/// The packet identifier of a packet for the broker; 0 where it has none.
pub fn pkid(packet: &Packet) -> u16 {
    match packet {
        Packet::Publish(publish) => publish.pkid,
        Packet::Subscribe(subscribe) => subscribe.pkid,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.pkid,
        _ => 0,
    }
}

/// How many bytes a packet takes at most.
pub fn size(packet: &Packet) -> usize {
    /// Beyond its topic and its payload.
    const HEAD: usize = 16;
    HEAD + match packet {
        Packet::Publish(publish) => publish.topic.len() + publish.payload.len(),
        Packet::Subscribe(subscribe) => subscribe.filters.iter().map(|f| f.path.len()).sum(),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.topics.iter().map(String::len).sum(),
        _ => 0,
    }
}
