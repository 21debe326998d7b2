//! The way to a broker before MQTT: name, TCP, TLS.

use std::net::TcpStream;

use super::report::Report;
use crate::link::{Options, stages};

/// Goes it, and says each step. Says whether it leads to the broker.
pub fn to_broker(options: &Options, report: &mut Report) -> bool {
    report.begin();
    if options.is_unix_socket() {
        let dialled = stages::dial_socket(options);
        match &dialled {
            Ok(()) => report.good("socket", &options.host),
            Err(failure) => report.bad("socket", failure),
        }
        return dialled.is_ok();
    }
    let addresses = match stages::look_up(options) {
        Ok(addresses) => addresses,
        Err(failure) => {
            report.bad("name", &failure);
            return false;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
    match shown.contains(&options.host) {
        true => report.fact("name", &format!("{} is an address", options.host)),
        false => report.good("name", &format!("{}: {}", options.host, shown.join(", "))),
    }
    report.begin();
    let mut open: Option<TcpStream> = None;
    let mut said = Vec::new();
    let mut first_failure = None;
    for address in addresses {
        let before = report.taken();
        match stages::dial(options, address) {
            Ok(stream) => {
                let taken = (report.taken() - before).as_millis();
                said.push(format!("{address} accepts after {taken} ms"));
                open.get_or_insert(stream);
            }
            Err(failure) => {
                said.push(format!("{address} does not accept"));
                first_failure.get_or_insert(failure);
            }
        }
    }
    let stream = match (open, first_failure) {
        (Some(stream), None) => {
            report.fact("tcp", &said.join(", "));
            stream
        }
        (Some(stream), Some(_)) => {
            let remedy = "a run goes on to the next address, after a while";
            report.note("tcp", &said.join(", "), remedy);
            stream
        }
        (None, Some(failure)) => {
            report.bad("tcp", &failure);
            return false;
        }
        (None, None) => return false,
    };
    report.begin();
    let shaken = stages::shake_hands(options, stream);
    match &shaken {
        Ok(None) => {}
        Ok(Some(shown)) => match shown.ends_soon {
            None => report.good("tls", &shown.text),
            Some(_) => report.note("tls", &shown.text, "renew the certificate soon"),
        },
        Err(failure) => report.bad("tls", failure),
    }
    shaken.is_ok()
}
