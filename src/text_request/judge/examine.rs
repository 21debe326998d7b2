//! One run, examined: what of it holds, and what is to be said against the rest.

use super::packet::Packet;
use super::sentences::{against_output, contains, end, end_and_words, shown};
use super::{Check, Door, End, Purpose, Record, Seen, Verdicts};
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
        // Whoever refuses -v or an empty message does not connect either.
        let is_plain = matches!(record.run.purpose, Purpose::Action | Purpose::OtherHost);
        if record.connections.is_empty() && is_plain {
            let text = format!(
                "nothing came to where --host and -p named; {} came",
                end_and_words(record)
            );
            self.wrong(check, "nothing", text);
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
            let why = without_response(record);
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
            Some(_) if !is_there => {}
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

/// Why no response went out to it.
fn without_response(record: &Record) -> &'static str {
    let subscribed = packets(record).any(|packet| matches!(packet, Packet::Subscribe(..)));
    let published = packets(record).any(|packet| matches!(packet, Packet::Publish(_)));
    match (subscribed, published, record.connections.len()) {
        (_, _, 0) => "it did not connect",
        (false, false, _) => "no response: it neither subscribed nor published",
        (false, true, _) => "no response: it did not subscribe",
        (true, false, _) => "no response: it did not publish",
        (true, true, 1) => {
            "no response: it did not publish a request, or subscribed to something else"
        }
        (true, true, _) => {
            "no response: it subscribed on one connection and published on another, and the NETID can be the client id of one"
        }
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

/// What it sent, on all its connections together.
pub fn packets(record: &Record) -> impl Iterator<Item = &Packet> {
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
