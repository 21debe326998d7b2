//! The checks, and what has come of each over all runs.

/// What is checked, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table's names say it")]
pub enum Check {
    NoArguments,
    UnknownAction,
    Help,
    Defaults,
    HostAndPort,
    Uppercase,
    Lowercase,
    TitleCase,
    Reverse,
    Shuffle,
    Spaces,
    Unicode,
    Empty,
    Stdout,
    Stderr,
    Verbose,
    ExitCode,
    Ends,
    NoBroker,
    Refused,
    Connect,
    ClientId,
    Subscribe,
    SubscribeQos,
    Order,
    Publish,
    PublishQos,
    NotRetained,
    PubAck,
    Disconnect,
    Packets,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::NoArguments,
        Self::UnknownAction,
        Self::Help,
        Self::Defaults,
        Self::HostAndPort,
        Self::Uppercase,
        Self::Lowercase,
        Self::TitleCase,
        Self::Reverse,
        Self::Shuffle,
        Self::Spaces,
        Self::Unicode,
        Self::Empty,
        Self::Stdout,
        Self::Stderr,
        Self::Verbose,
        Self::ExitCode,
        Self::Ends,
        Self::NoBroker,
        Self::Refused,
        Self::Connect,
        Self::ClientId,
        Self::Subscribe,
        Self::SubscribeQos,
        Self::Order,
        Self::Publish,
        Self::PublishQos,
        Self::NotRetained,
        Self::PubAck,
        Self::Disconnect,
        Self::Packets,
    ];

    /// As the table has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoArguments => "no arguments",
            Self::UnknownAction => "unknown action",
            Self::Help => "--help",
            Self::Defaults => "defaults",
            Self::HostAndPort => "--host and -p",
            Self::Uppercase => "uppercase",
            Self::Lowercase => "lowercase",
            Self::TitleCase => "title-case",
            Self::Reverse => "reverse",
            Self::Shuffle => "shuffle",
            Self::Spaces => "spaces",
            Self::Unicode => "Unicode",
            Self::Empty => "empty message",
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
            Self::Verbose => "-v",
            Self::ExitCode => "exit code",
            Self::Ends => "ends",
            Self::NoBroker => "no broker",
            Self::Refused => "login refused",
            Self::Connect => "MQTT 3.1.1",
            Self::ClientId => "client id",
            Self::Subscribe => "SUBSCRIBE topic",
            Self::SubscribeQos => "SUBSCRIBE QoS",
            Self::Order => "order",
            Self::Publish => "PUBLISH topic",
            Self::PublishQos => "PUBLISH QoS",
            Self::NotRetained => "not retained",
            Self::PubAck => "PUBACK",
            Self::Disconnect => "DISCONNECT",
            Self::Packets => "packets",
        }
    }
}

/// A mistake: those of one kind are told once, with their number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mistake {
    kind: &'static str,
    text: String,
    times: u32,
}

/// What has come of one check so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    good: u32,
    mistakes: Vec<Mistake>,
    why_not: Option<String>,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Ok,
    /// It does not.
    Wrong,
    /// Nothing showed whether it holds.
    NotTried,
}

impl Verdict {
    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.mistakes.is_empty(), self.good) {
            (false, _) => State::Wrong,
            (true, 0) => State::NotTried,
            (true, _) => State::Ok,
        }
    }

    /// What is wrong, a sentence each; or why it was not tried.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let of_this_kind = |mistake: &Mistake| match mistake.times {
            1 => mistake.text.clone(),
            times => format!("{} (and {} more of this kind)", mistake.text, times - 1),
        };
        match self.state() {
            State::Ok => Vec::new(),
            State::Wrong => self.mistakes.iter().map(of_this_kind).collect(),
            State::NotTried => {
                let unknown = || "no run came so far".to_owned();
                vec![self.why_not.clone().unwrap_or_else(unknown)]
            }
        }
    }
}

/// What has come of all checks so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts(Vec<Verdict>);

impl Default for Verdicts {
    fn default() -> Self {
        Self(vec![Verdict::default(); Check::ALL.len()])
    }
}

impl Verdicts {
    /// What has come of this one.
    #[must_use]
    pub fn of(&self, check: Check) -> &Verdict {
        &self.0[check as usize]
    }

    fn change(&mut self, check: Check) -> &mut Verdict {
        &mut self.0[check as usize]
    }

    /// Whether the client speaks another version of MQTT: then there is nothing more to try.
    #[must_use]
    pub fn speaks_another_version(&self) -> bool {
        self.of(Check::Connect).state() == State::Wrong
    }

    /// It held once more.
    pub(super) fn good(&mut self, check: Check) {
        self.change(check).good += 1;
    }

    /// It did not hold. Mistakes of one `kind` are counted, and the first is told.
    pub(super) fn wrong(&mut self, check: Check, kind: &'static str, text: String) {
        let mistakes = &mut self.change(check).mistakes;
        match mistakes.iter_mut().find(|known| known.kind == kind) {
            Some(known) => known.times += 1,
            None => mistakes.push(Mistake {
                kind,
                text,
                times: 1,
            }),
        }
    }

    /// It held, unless there is something to say against it.
    pub(super) fn judge(&mut self, check: Check, kind: &'static str, against: Option<String>) {
        match against {
            None => self.good(check),
            Some(text) => self.wrong(check, kind, text),
        }
    }

    /// Why it cannot be tried, where nothing else has come of it. The first reason counts.
    pub fn not_tried(&mut self, check: Check, why: &str) {
        let verdict = self.change(check);
        verdict.why_not.get_or_insert_with(|| why.to_owned());
    }

    /// The same for every check.
    pub fn none_tried(&mut self, why: &str) {
        for check in Check::ALL {
            self.not_tried(check, why);
        }
    }

    /// It held for a reason that says nothing: it counts as not tried.
    pub(super) fn take_back(&mut self, check: Check) {
        self.change(check).good = 0;
    }
}
