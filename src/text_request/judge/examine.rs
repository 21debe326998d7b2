//! One run, examined: what of it holds, and what is to be said against the rest.

use super::conversation::topics;
use super::packet::{LEVEL, Packet, Publish};
use super::sentences::{against_output, contains, end, end_and_words, shown};
use super::{Check, Closed, Connection, Door, End, Purpose, Record, Seen, Verdicts};
use crate::Seconds;
use crate::text_request::Action;

impl Verdicts {
    /// What this run shows.
    pub fn examine(&mut self, record: &Record) {
        self.ends(record);
        match record.run.purpose {
            Purpose::NoArguments => self.refuses(Check::NoArguments, record),
            Purpose::UnknownAction => self.refuses(Check::UnknownAction, record),
            Purpose::Help => self.help(record),
            Purpose::NoBroker => self.no_broker(record),
            Purpose::Refused => self.refused(record),
            _ => self.request(record),
        }
    }

    /// After the last run: an error where there is no broker says nothing of a client that never reached one.
    pub fn conclude(&mut self) {
        if self.of(Check::Connect).state() == super::State::NotTried {
            for check in [Check::NoBroker, Check::Refused] {
                self.take_back(check);
            }
            self.none_tried("no run reached a broker");
        }
        self.not_tried(
            Check::PubAck,
            "no response went out with QoS 1: see SUBSCRIBE QoS and PUBLISH QoS",
        );
        self.none_tried("no run came so far");
    }

    fn ends(&mut self, record: &Record) {
        let purpose = purpose(record);
        let against = match record.end {
            End::Exit(_) | End::Signal(_) => None,
            End::Flood => Some(format!(
                "{purpose} it printed on and on and was killed; the output began with {}",
                shown(&record.stdout)
            )),
            End::Late(time) => {
                let had = match responses(record).is_empty() {
                    false => "it had the response and did not end",
                    true => "it did not end",
                };
                let time = Seconds(time);
                Some(format!("{purpose} {had} within {time} s; it was killed"))
            }
        };
        let kind = match record.run.purpose {
            Purpose::NoArguments => "no arguments",
            Purpose::Help => "help",
            Purpose::UnknownAction => "unknown",
            Purpose::NoBroker => "no broker",
            Purpose::Refused => "refused",
            _ if responses(record).is_empty() => "without a response",
            _ => "with a response",
        };
        self.judge(Check::Ends, kind, against);
    }

    /// A command line or a broker that it has to refuse: an error on standard error, nothing on standard output, and an
    /// exit code that says so.
    fn refuses(&mut self, check: Check, record: &Record) {
        let mut is_good = true;
        let mut wrong = |this: &mut Self, kind, text| {
            this.wrong(check, kind, text);
            is_good = false;
        };
        match record.end {
            End::Exit(0) => wrong(
                self,
                "exit code",
                "exit code 0; expected another than 0".to_owned(),
            ),
            End::Exit(_) => {}
            _ => wrong(
                self,
                "end",
                format!("{}; expected an exit code other than 0", end(record)),
            ),
        }
        if !record.stdout.is_empty() {
            let came = shown(&record.stdout);
            wrong(
                self,
                "stdout",
                format!("{came} on standard output, where nothing belongs"),
            );
        }
        if record.stderr.trim_ascii().is_empty() {
            let text = "nothing on standard error; expected what is wrong";
            wrong(self, "stderr", text.to_owned());
        }
        let is_usage = matches!(check, Check::NoArguments | Check::UnknownAction);
        if is_usage && packets(record).any(|packet| matches!(packet, Packet::Publish(_))) {
            let text = "it published something; expected an error before that";
            wrong(self, "published", text.to_owned());
        }
        if is_good {
            self.good(check);
        }
    }

    fn help(&mut self, record: &Record) {
        let mut against = Vec::new();
        if record.end != End::Exit(0) {
            against.push(format!("{}; expected exit code 0", end_and_words(record)));
        }
        if record.stdout.trim_ascii().is_empty() {
            against.push("nothing on standard output; expected the help text".to_owned());
        }
        let against = (!against.is_empty()).then(|| against.join("; "));
        self.judge(Check::Help, "help", against);
    }

    fn no_broker(&mut self, record: &Record) {
        self.refuses(Check::NoBroker, record);
        if !record.connections.is_empty() {
            let text = "it connected to localhost:1883, and -p named another port";
            self.wrong(Check::HostAndPort, "default port", text.to_owned());
        }
    }

    fn refused(&mut self, record: &Record) {
        match record.connections.is_empty() {
            true => self.not_tried(
                Check::Refused,
                "it did not connect in the run for that check",
            ),
            false => self.refuses(Check::Refused, record),
        }
    }

    /// A run in which it is to ask and to print the response.
    fn request(&mut self, record: &Record) {
        self.place(record);
        let responses = responses(record);
        for connection in &record.connections {
            self.connection(record, connection, &responses);
        }
        if self.speaks_another_version() {
            return;
        }
        self.messages(record);
        // Otherwise all is said: where it connects is what such a run is for.
        let is_about_the_place =
            matches!(record.run.purpose, Purpose::Defaults | Purpose::OtherHost);
        if !(is_about_the_place && responses.is_empty()) {
            self.outcome(record, &responses);
        }
    }

    /// Where it connected.
    fn place(&mut self, record: &Record) {
        let is_default = record.run.purpose == Purpose::Defaults;
        let check = match is_default {
            true => Check::Defaults,
            false => Check::HostAndPort,
        };
        let doors = || record.connections.iter().map(|connection| connection.door);
        if doors().any(|door| door == Door::Named) {
            self.good(check);
        } else if is_default {
            let text = format!(
                "nothing came to localhost:1883; {} came",
                end_and_words(record)
            );
            self.wrong(check, "nothing", text);
        }
        if doors().any(|door| door == Door::Localhost) {
            let text = "it connected to localhost, and --host named another address: 127.0.0.2";
            self.wrong(check, "localhost", text.to_owned());
        }
        if doors().any(|door| door == Door::DefaultPort) {
            let text = "it connected to localhost:1883, and --host and -p named another place";
            self.wrong(check, "default port", text.to_owned());
        }
        // Otherwise the run for the defaults may still show that it can connect at all.
        if record.connections.is_empty() && !is_default {
            let text = format!(
                "nothing came to where --host and -p named; {} came",
                end_and_words(record)
            );
            self.wrong(check, "nothing", text);
        }
    }

    fn connection(&mut self, record: &Record, connection: &Connection, responses: &[&[u8]]) {
        let mut packets = connection.seen.iter().filter_map(|seen| match seen {
            Seen::Packet(packet) => Some(packet),
            _ => None,
        });
        let broken = connection.seen.iter().find_map(|seen| match seen {
            Seen::Broken(why) => Some(why),
            _ => None,
        });
        match broken {
            Some(why) => self.wrong(Check::Packets, "broken", why.clone()),
            None if packets.clone().next().is_none() => {
                // To connect and to close again, or to be killed meanwhile, breaks no rule of the packets.
            }
            None => self.good(Check::Packets),
        }
        let Some(Packet::Connect { level, client_id }) = packets.next() else {
            return;
        };
        self.judge(Check::Connect, "level", against_level(*level));
        if *level != LEVEL {
            return;
        }
        let net_id = record.run.net_id;
        let against = (client_id != net_id).then(|| match client_id.is_empty() {
            true => format!("the client id is empty; expected the NETID {net_id}"),
            false => format!(
                "the client id is {}; expected the NETID {net_id}",
                shown(client_id.as_bytes())
            ),
        });
        self.judge(Check::ClientId, "other", against);
        self.acknowledged(connection);
        if broken.is_some() {
            self.not_tried(Check::Disconnect, "see packets");
        } else if matches!(record.end, End::Exit(_) | End::Signal(_)) {
            let disconnected = packets.any(|packet| *packet == Packet::Disconnect);
            let how = match connection.closed {
                Closed::Not => "the connection was open when the client had ended",
                _ => "the connection ended without DISCONNECT",
            };
            // One that gives up because its mistake has kept the response away has another sentence.
            if disconnected || !responses.is_empty() {
                let text = format!("{how}; expected DISCONNECT before that");
                let against = (!disconnected).then_some(text);
                self.judge(Check::Disconnect, "none", against);
            }
        }
    }

    /// Whether what went out with QoS 1 was acknowledged.
    fn acknowledged(&mut self, connection: &Connection) {
        let mut seen = connection.seen.iter();
        while let Some(event) = seen.next() {
            let Seen::Response(1, pkid, _) = event else {
                continue;
            };
            let is_ack = |seen: &Seen| *seen == Seen::Packet(Packet::PubAck(*pkid));
            let is_end = |seen: &Seen| *seen == Seen::Packet(Packet::Disconnect);
            let against = match seen.clone().any(is_ack) {
                true => None,
                false if seen.clone().any(is_end) => Some(
                    "the response came with QoS 1, and DISCONNECT followed without PUBACK; with paho: not disconnect() in on_message, since PUBACK goes out after it",
                ),
                false => Some("the response came with QoS 1 and was not acknowledged with PUBACK"),
            };
            self.judge(Check::PubAck, "none", against.map(str::to_owned));
        }
    }

    /// What it subscribed to and published, on all its connections together.
    fn messages(&mut self, record: &Record) {
        let Some((request, response)) = topics(&record.run) else {
            return;
        };
        if !packets(record).any(|packet| matches!(packet, Packet::Connect { .. })) {
            return;
        }
        let filters: Vec<(&String, u8)> = packets(record)
            .filter_map(|packet| match packet {
                Packet::Subscribe(_, filters) => Some(filters),
                _ => None,
            })
            .flatten()
            .map(|(filter, qos)| (filter, *qos))
            .collect();
        let published: Vec<&Publish> = packets(record)
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            })
            .collect();
        let other = filters.iter().find(|(filter, _)| **filter != response);
        let text = match (filters.is_empty(), other) {
            (true, _) => Some(format!("it subscribed to nothing; expected {response}")),
            (false, Some((filter, _))) => Some(format!(
                "it subscribed to {}; expected {response}",
                shown(filter.as_bytes())
            )),
            (false, None) => None,
        };
        let kind = if filters.is_empty() { "none" } else { "other" };
        self.judge(Check::Subscribe, kind, text);
        if let Some((_, first)) = filters.first() {
            let other = filters.iter().find(|(_, qos)| *qos != 1);
            let qos = other.map_or(*first, |(_, qos)| *qos);
            let text = format!("SUBSCRIBE asked for QoS {qos}; expected QoS 1");
            self.judge(
                Check::SubscribeQos,
                "other",
                other.is_some().then_some(text),
            );
        }
        let other = published.iter().find(|publish| publish.topic != request);
        let text = match (published.is_empty(), other) {
            (true, _) => Some(format!("it published nothing; expected {request}")),
            (false, Some(publish)) => Some(format!(
                "it published on {}; expected {request}",
                shown(publish.topic.as_bytes())
            )),
            (false, None) => None,
        };
        let kind = if published.is_empty() { "none" } else { "other" };
        self.judge(Check::Publish, kind, text);
        if published.is_empty() {
            return;
        }
        let other = published.iter().find(|publish| publish.qos != 1);
        let text = other.map(|publish| format!("PUBLISH had QoS {}; expected QoS 1", publish.qos));
        self.judge(Check::PublishQos, "other", text);
        let is_retained = published.iter().any(|publish| publish.retain);
        let text = "the request was retained: whoever subscribes later would be given it again; expected retain 0";
        let text = is_retained.then(|| text.to_owned());
        self.judge(Check::NotRetained, "retained", text);
        if !filters.is_empty() {
            let first = packets(record)
                .find(|packet| matches!(packet, Packet::Publish(_) | Packet::Subscribe(..)));
            let is_early = matches!(first, Some(Packet::Publish(_)));
            let text = "PUBLISH came before SUBSCRIBE: a response that is quick is lost; expected SUBSCRIBE first";
            let text = is_early.then(|| text.to_owned());
            self.judge(Check::Order, "early", text);
        }
    }

    /// What it printed, and its exit code.
    fn outcome(&mut self, record: &Record, responses: &[&[u8]]) {
        let check = check(record);
        let message = record.run.message.as_bytes();
        let published = packets(record).filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(&publish.payload),
            _ => None,
        });
        let published: Vec<&Vec<u8>> = published.collect();
        let is_asked = published.iter().any(|payload| *payload == message);
        if let (false, Some(payload)) = (is_asked, published.first()) {
            let came = shown(payload);
            let utf8 = match std::str::from_utf8(payload) {
                Ok(_) => "",
                Err(_) => ", which is not UTF-8",
            };
            let expected = shown(message);
            let text = format!("{came} was published{utf8}; expected the MESSAGE {expected}");
            self.wrong(check, "payload", text);
        }
        let Some(first) = responses.first() else {
            let why = match record.connections.is_empty() {
                true => "it did not connect",
                false => "it got no response, because it did not subscribe and publish",
            };
            let text = format!("{why}; {} came", end_and_words(record));
            self.wrong(check, "no response", text);
            return;
        };
        if !matches!(record.end, End::Late(_)) {
            let against =
                (record.end != End::Exit(0)).then(|| format!("{} came", end_and_words(record)));
            let text = against.map(|text| {
                format!(
                    "{text} after the response had come{}; expected exit code 0",
                    purpose_after(record)
                )
            });
            self.judge(Check::ExitCode, "other", text);
        }
        // Nothing and a line feed are hard to tell from nothing.
        let is_nothing = first.is_empty() && record.stdout.is_empty();
        let against = against_output(&record.stdout, responses).filter(|_| !is_nothing);
        let is_there = is_nothing
            || responses
                .iter()
                .any(|response| contains(&record.stdout, response));
        match (is_there, &against) {
            (false, Some((kind, text))) => self.wrong(check, kind, text.clone()),
            _ if is_asked => self.good(check),
            _ => {}
        }
        let output = match record.run.purpose {
            Purpose::Verbose => Check::Verbose,
            _ => Check::Stdout,
        };
        match against {
            None => self.good(output),
            // The same sentence stands at the action already.
            Some(("nothing" | "other", _)) if !is_there => {}
            Some((kind, text)) => self.wrong(output, kind, text),
        }
        let is_on_stderr = |response: &&[u8]| {
            !response.is_empty()
                && !contains(&record.stdout, response)
                && contains(&record.stderr, response)
        };
        let text = responses.iter().find(|response| is_on_stderr(response));
        let text = text.map(|response| {
            let response = shown(response);
            format!("the response {response} came on standard error; it belongs on standard output")
        });
        self.judge(Check::Stderr, "response", text);
    }
}

/// What is wrong with a protocol level.
fn against_level(level: u8) -> Option<String> {
    let version = match level {
        LEVEL => return None,
        5 => "it speaks MQTT 5".to_owned(),
        3 => "it speaks MQTT 3.1".to_owned(),
        _ => format!("its CONNECT has the protocol level {level}"),
    };
    Some(format!("{version}; the course asks for 3.1.1, level 4"))
}

/// The check that a run for a request is made for.
fn check(record: &Record) -> Check {
    match (record.run.purpose, record.run.action) {
        (Purpose::Spaces, _) => Check::Spaces,
        (Purpose::Unicode, _) => Check::Unicode,
        (Purpose::Empty, _) => Check::Empty,
        (Purpose::Verbose, _) => Check::Verbose,
        (_, Action::Uppercase) => Check::Uppercase,
        (_, Action::Lowercase) => Check::Lowercase,
        (_, Action::TitleCase) => Check::TitleCase,
        (_, Action::Reverse) => Check::Reverse,
        (_, Action::Shuffle) => Check::Shuffle,
    }
}

/// For a sentence about a run: which run it was.
fn purpose(record: &Record) -> String {
    match record.run.purpose {
        Purpose::NoArguments => "without arguments".to_owned(),
        Purpose::Help => "with --help".to_owned(),
        Purpose::UnknownAction => "for an unknown action".to_owned(),
        Purpose::NoBroker => "where no broker listens".to_owned(),
        Purpose::Refused => "where the broker refuses the connection".to_owned(),
        _ => format!(
            "for {} of {}",
            record.run.action,
            shown(record.run.message.as_bytes())
        ),
    }
}

fn purpose_after(record: &Record) -> String {
    format!(" ({})", purpose(record))
}

fn packets(record: &Record) -> impl Iterator<Item = &Packet> {
    let seen = record
        .connections
        .iter()
        .flat_map(|connection| &connection.seen);
    seen.filter_map(|seen| match seen {
        Seen::Packet(packet) => Some(packet),
        _ => None,
    })
}

fn responses(record: &Record) -> Vec<&[u8]> {
    let seen = record
        .connections
        .iter()
        .flat_map(|connection| &connection.seen);
    seen.filter_map(|seen| match seen {
        Seen::Response(_, _, payload) => Some(&payload[..]),
        _ => None,
    })
    .collect()
}
