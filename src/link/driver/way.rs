//! The way to a broker: the look-up of its name, and then its addresses, until one of them answers.
//!
//! rumqttc asks one address after the other and gives each as long as the kernel does, two minutes. So an IPv6 address
//! that swallows packets would keep a client from the IPv4 address that works. Here rumqttc gets one address at a time.
//! It does not tell when TCP has connected, only when CONNACK has come, and a busy broker may take long for that. So
//! where an address is silent, TCP alone is tried on all of them, this one first, and the first to accept is the one to
//! wait for: the race of RFC 8305, run only where there is a doubt, since a broker logs each connection without
//! CONNECT.
//!
//! Under TLS the name stays, because rumqttc takes the same string for TCP and for the name in the certificate, and
//! brokers that serve many names want it in the handshake (SNI). There the order of the addresses is the resolver's,
//! and the time for each the kernel's.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use log::{debug, info};
use rumqttc::{ConnectionError, Event, EventLoop, MqttOptions, Packet, StateError};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use crate::link::Address;

/// What a name's look-up may take. A silent first name server alone takes 5 s.
pub const LOOK_UP: Duration = Duration::from_secs(8);

/// The head start of an address over the next one (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Where an attempt leads, and how.
pub struct Target<'a> {
    /// The broker.
    pub broker: &'a Address,
    /// rumqttc's options for an address of the broker, or for its name.
    pub options: &'a dyn Fn(&Address) -> MqttOptions,
    /// What the attempt may take, from TCP to CONNACK.
    pub limit: Duration,
    /// rumqttc needs the broker's name itself.
    pub needs_name: bool,
}

/// Why there is no connection.
pub enum Failed {
    /// The look-up of the name failed.
    Unknown,
    /// The look-up of the name was not answered within [`LOOK_UP`].
    NoLookUp,
    /// None of these addresses accepted a TCP connection within the limit.
    NoTcp(Vec<SocketAddr>),
    /// TCP connected, but no CONNACK came within the limit.
    NoConnAck,
    /// rumqttc's error.
    Rumqttc(ConnectionError),
}

impl From<ConnectionError> for Failed {
    fn from(error: ConnectionError) -> Self {
        Self::Rumqttc(error)
    }
}

impl From<StateError> for Failed {
    fn from(error: StateError) -> Self {
        Self::Rumqttc(error.into())
    }
}

/// The addresses that worked, each the last of its broker.
#[derive(Debug, Default)]
pub struct Ways(Vec<(Address, SocketAddr)>);

impl Ways {
    /// Connects, from the look-up to CONNACK. Says whether the session is present.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn reach(
        &mut self,
        eventloop: &mut EventLoop,
        target: &Target<'_>,
    ) -> Result<bool, Failed> {
        let limit = target.limit.as_secs();
        eventloop.network_options.set_connection_timeout(limit);
        let has_name_only = target.needs_name || target.broker.is_unix_socket();
        let mut left = match has_name_only {
            true => Vec::new(),
            false => self.addresses(target.broker).await?,
        };
        let all = left.clone();
        let mut answered = None;
        let mut refusal: Option<io::Error> = None;
        loop {
            let address = left.first().copied();
            eventloop.mqtt_options = match (address, refusal.take()) {
                (Some(address), kept) => {
                    refusal = kept;
                    (target.options)(&to_address(address))
                }
                (None, Some(refusal)) => return Err(ConnectionError::Io(refusal).into()),
                (None, None) => (target.options)(target.broker),
            };
            match try_first(eventloop, &left, &mut answered, target.limit).await {
                None => {
                    if let (Some(silent), Some(better)) = (address, answered) {
                        info!("{silent} is silent, {better} is not");
                    }
                    left.retain(|other| Some(*other) != answered);
                    left.splice(..0, answered);
                }
                // TCP's alone: what comes later is an error of the MQTT connection's state.
                Some(Err(ConnectionError::Io(error))) if !has_name_only => {
                    left.remove(0);
                    answered = None;
                    // A refusal says more than the lack of a route.
                    if refusal.is_none() || error.kind() == io::ErrorKind::ConnectionRefused {
                        refusal = Some(error);
                    }
                }
                Some(Err(ConnectionError::NetworkTimeout)) if !has_name_only => {
                    return Err(match answered {
                        Some(_) => Failed::NoConnAck,
                        None => Failed::NoTcp(all),
                    });
                }
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(session_present)) => {
                    self.0.retain(|(broker, _)| broker != target.broker);
                    self.0
                        .extend(address.map(|works| (target.broker.clone(), works)));
                    return Ok(session_present);
                }
            }
        }
    }

    /// The broker's addresses, first the one that worked last. That one has to do where the look-up fails.
    async fn addresses(&self, broker: &Address) -> Result<Vec<SocketAddr>, Failed> {
        let last = self.0.iter().find(|(known, _)| known == broker);
        let last = last.map(|(_, address)| *address);
        let failed = match timeout(LOOK_UP, lookup_host(broker.to_string())).await {
            Ok(Ok(found)) => {
                let mut addresses: Vec<_> = found.collect();
                if let Some(at) = addresses.iter().position(|found| Some(*found) == last) {
                    addresses.swap(0, at);
                }
                return Ok(addresses);
            }
            Ok(Err(error)) => {
                debug!("look-up of {}: {error}", broker.host);
                Failed::Unknown
            }
            Err(_) => Failed::NoLookUp,
        };
        last.map(|last| vec![last]).ok_or(failed)
    }
}

/// Tries the first of `addresses`, or the broker's name where there are none. `None`: another address `answered` sooner.
async fn try_first(
    eventloop: &mut EventLoop,
    addresses: &[SocketAddr],
    answered: &mut Option<SocketAddr>,
    limit: Duration,
) -> Option<Result<bool, ConnectionError>> {
    let mut is_decided = addresses.is_empty() || answered.is_some();
    let mut attempt = pin!(eventloop.poll());
    let mut race = pin!(race(addresses, limit));
    poll_fn(|context| {
        if let Poll::Ready(event) = attempt.as_mut().poll(context) {
            return Poll::Ready(Some(match event {
                Ok(Event::Incoming(Packet::ConnAck(connack))) => Ok(connack.session_present),
                // rumqttc has nothing else to tell before that.
                Ok(_) => Err(StateError::WrongPacket.into()),
                Err(error) => Err(error),
            }));
        }
        if !is_decided {
            let first = ready!(race.as_mut().poll(context));
            *answered = Some(first);
            is_decided = true;
            if addresses.first() != Some(&first) {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}

/// The address that accepts a TCP connection first, where the first of them has been silent for a while; each has a
/// head start over the next, which grows from round to round. An only address has nothing to lose to: it is asked late,
/// and only for the sake of the error's text.
async fn race(addresses: &[SocketAddr], limit: Duration) -> SocketAddr {
    let mut patience = match addresses.len() {
        1 => limit / 2,
        _ => HEAD_START,
    };
    loop {
        sleep(patience).await;
        for address in addresses {
            if let Ok(Ok(_)) = timeout(patience, TcpStream::connect(*address)).await {
                return *address;
            }
        }
        patience *= 2;
    }
}

/// The address in the form that rumqttc needs no look-up for: IPv6 in brackets, with its interface.
fn to_address(address: SocketAddr) -> Address {
    let text = address.to_string();
    let host = text.rsplit_once(':').map_or("", |(host, _)| host);
    Address::new(host, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_worked_comes_first_and_outlives_the_look_up() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let works = |address: &str| -> SocketAddr { address.parse().unwrap() };
        // RFC 6761: no name server knows a name in `invalid`.
        let gone = Address::new("gone.invalid", 1883);
        let mut ways = Ways(vec![(gone.clone(), works("192.0.2.7:1883"))]);
        let found = runtime.block_on(ways.addresses(&gone)).ok();
        assert_eq!(found, Some(vec![works("192.0.2.7:1883")]));
        let never = Address::new("never.invalid", 1883);
        let found = runtime.block_on(ways.addresses(&never));
        assert!(matches!(found, Err(Failed::Unknown | Failed::NoLookUp)));
        let local = Address::new("localhost", 1883);
        let found = runtime.block_on(ways.addresses(&local)).ok().unwrap();
        let last = *found.last().unwrap();
        ways.0.push((local.clone(), last));
        let again = runtime.block_on(ways.addresses(&local)).ok().unwrap();
        assert_eq!(again.first(), Some(&last));
        assert_eq!(again.len(), found.len());
    }

    #[test]
    fn an_address_needs_no_look_up_any_more() {
        for (address, host) in [
            ("192.0.2.7:1883", "192.0.2.7"),
            ("[2001:db8::7]:1883", "[2001:db8::7]"),
            ("[fe80::7%2]:1883", "[fe80::7%2]"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(to_address(address), Address::new(host, 1883));
        }
    }
}
