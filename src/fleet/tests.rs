use super::*;
use crate::presence::Details;

const STATUS: &str = "mqtt_client/alice/status";
const ABOUT_IT: &str = "mqtt_client/alice/status/about";
const UNIX: u64 = 1_000_000;

struct Watch {
    fleet: Fleet,
    now: Instant,
}

fn name(topic: &str) -> TopicName {
    TopicName::new(topic).unwrap()
}

fn ended(next: Option<u64>) -> String {
    let details = Details {
        id: "device-alice".to_owned(),
        at: UNIX,
        doing: "x".to_owned(),
        end: Some("finished".to_owned()),
        next,
        ..Details::default()
    };
    details.to_json()
}

fn there(since: u64) -> String {
    let details = Details {
        id: "device-alice".to_owned(),
        since,
        doing: "waiting".to_owned(),
        ..Details::default()
    };
    details.to_json()
}

impl Watch {
    fn new(is_once: bool) -> Self {
        let config = FleetConfig {
            filter: TopicFilter::new(FleetConfig::FILTER).unwrap(),
            is_once,
            timeout: Some(Duration::from_secs(10)),
        };
        let now = Instant::now();
        Self {
            fleet: Fleet::new(config, name("mqtt_client/me/fleet"), now, UNIX),
            now,
        }
    }

    fn handle(&mut self, event: Event<'_>) -> Effects {
        self.fleet.handle(self.now, event).unwrap()
    }

    /// Connects, and has all subscriptions granted: gives the message to itself.
    fn connect(&mut self) -> Message {
        let event = Event::Connected {
            session_present: false,
        };
        self.handle(event);
        let mut effects = Vec::new();
        let granted = QoS::AtLeastOnce;
        for filter in self.fleet.filters().collect::<Vec<_>>() {
            assert_eq!(effects, [], "too early");
            let filter = &filter;
            effects = self.handle(Event::Subscribed { filter, granted });
        }
        match effects.pop() {
            Some(Effect::Publish(echo)) => echo,
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, topic: &str, payload: &str, retain: bool) -> Effects {
        let mut message = Message::new(name(topic), payload, QoS::AtLeastOnce);
        message.retain = retain;
        self.handle(Event::Received(&message))
    }

    /// The messages to itself come back, until that is enough.
    fn echo(&mut self, first: &Message) -> Effects {
        let mut echo = first.clone();
        for _ in 0..=QUIET {
            let mut effects = self.handle(Event::Received(&echo));
            match effects.pop() {
                Some(Effect::Publish(next)) => echo = next,
                last => {
                    effects.extend(last);
                    return effects;
                }
            }
        }
        panic!("never enough");
    }

    fn all(&mut self, echo: &Message) -> Vec<Board> {
        let mut effects = self.echo(echo).into_iter();
        let Some(Effect::Emit(Seen::All { boards, is_certain })) = effects.next() else {
            panic!("not all");
        };
        assert!(is_certain);
        boards
    }

    /// Waits for the next deadline: what it shows then.
    fn wait(&mut self) -> Vec<Seen> {
        self.now = self.fleet.deadline().expect("no deadline");
        let effects = self.handle(Event::Deadline).into_iter();
        effects
            .map(|effect| match effect {
                Effect::Emit(seen) => seen,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn states(&mut self) -> Vec<State> {
        let seen = self.wait().into_iter();
        seen.map(|seen| match seen {
            Seen::Changed(board) => board.state,
            other => panic!("{other:?}"),
        })
        .collect()
    }
}

#[test]
fn each_state_is_told_from_the_others() {
    for (status, about, state) in [
        ("online", there(5), State::Online),
        ("online", String::new(), State::Online),
        ("offline", String::new(), State::Offline),
        ("offline", there(5), State::Lost),
        ("offline", ended(None), State::Ended),
        ("offline", ended(Some(UNIX - GRACE)), State::Paused),
        ("offline", ended(Some(UNIX - GRACE - 1)), State::Late),
    ] {
        let mut watch = Watch::new(true);
        let echo = watch.connect();
        watch.receive(ABOUT_IT, &about, true);
        watch.receive(STATUS, status, true);
        let boards = watch.all(&echo);
        assert_eq!(boards.len(), 1, "{status} {about}");
        assert_eq!(boards[0].state, state, "{status} {about}");
        assert!(watch.fleet.is_done());
        let name = match about.is_empty() {
            true => STATUS,
            false => "device-alice",
        };
        assert_eq!(boards[0].name(), name);
    }
}

#[test]
fn what_is_no_presence_is_passed_over() {
    let mut watch = Watch::new(true);
    let echo = watch.connect();
    for (topic, payload) in [
        (STATUS, "Online"),
        (ABOUT_IT, "{\"id\":[]}"),
        // Details alone.
        ("mqtt_client/bob/status/about", "{}"),
        ("other/alice/status", "online"),
        ("other/alice/status/about", "{}"),
        ("mqtt_client/me/fleet", "7"),
    ] {
        assert_eq!(watch.receive(topic, payload, true), []);
    }
    assert_eq!(watch.all(&echo), []);
}

#[test]
fn what_comes_together_is_one_change_and_what_looks_alike_is_none() {
    let mut watch = Watch::new(false);
    let echo = watch.connect();
    watch.receive(STATUS, "online", true);
    watch.receive(ABOUT_IT, &there(5), true);
    assert_eq!(watch.all(&echo)[0].since, Some(5));
    assert_eq!(watch.fleet.deadline(), None);
    // A new connection of the same client.
    watch.receive(STATUS, "offline", false);
    watch.receive(ABOUT_IT, &there(9), false);
    watch.receive(STATUS, "online", false);
    assert_eq!(watch.states(), [State::Online]);
    watch.receive(STATUS, "online", false);
    assert_eq!(watch.states(), []);
    // Its loss, which has been seen.
    watch.receive(STATUS, "offline", false);
    let seen = watch.wait();
    let [Seen::Changed(board)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((board.state, board.since), (State::Lost, Some(UNIX)));
    // Cleared.
    watch.receive(ABOUT_IT, "", false);
    watch.receive(STATUS, "", false);
    assert_eq!(watch.wait(), [Seen::Gone(name(STATUS))]);
}

#[test]
fn who_does_not_come_back_is_late() {
    let mut watch = Watch::new(false);
    let echo = watch.connect();
    watch.receive(STATUS, "offline", true);
    watch.receive(ABOUT_IT, &ended(Some(UNIX + 300)), true);
    assert_eq!(watch.all(&echo)[0].state, State::Paused);
    assert_eq!(watch.states(), [State::Late]);
    let waited = watch.now - watch.fleet.clock.0;
    assert_eq!(waited, Duration::from_secs(300 + GRACE + 1));
    assert_eq!(watch.fleet.deadline(), None);
}

#[test]
fn what_the_broker_has_forgotten_meanwhile_is_gone() {
    let mut watch = Watch::new(false);
    let echo = watch.connect();
    watch.receive(STATUS, "online", true);
    watch.receive("mqtt_client/bob/status", "online", true);
    assert_eq!(watch.all(&echo).len(), 2);
    let second = watch.connect();
    assert_eq!(watch.handle(Event::Received(&echo)), [], "an old echo");
    watch.receive("mqtt_client/bob/status", "online", true);
    let effects = watch.echo(&second);
    assert_eq!(effects, [Effect::Emit(Seen::Gone(name(STATUS)))]);
}

/// aedes sends what is retained after what came later.
#[test]
fn what_comes_late_is_waited_for() {
    let mut watch = Watch::new(true);
    let mut echo = watch.connect();
    for name in ["a", "b", "c"] {
        for _ in 0..QUIET {
            match watch.handle(Event::Received(&echo)).pop() {
                Some(Effect::Publish(next)) => echo = next,
                other => panic!("{other:?}"),
            }
        }
        let topic = format!("mqtt_client/{name}/status");
        watch.receive(&topic, "online", true);
    }
    assert_eq!(watch.all(&echo).len(), 3);
}

#[test]
fn where_the_message_to_itself_does_not_come_the_limit_ends_the_wait() {
    for is_once in [true, false] {
        let mut watch = Watch::new(is_once);
        watch.connect();
        watch.receive(STATUS, "online", true);
        let waited = watch.fleet.deadline().unwrap() - watch.now;
        let expected = match is_once {
            true => Duration::from_secs(10),
            false => PATIENCE,
        };
        assert_eq!(waited, expected);
        watch.now += expected;
        let effects = watch.handle(Event::Deadline);
        let [Effect::Emit(Seen::All { boards, is_certain }), rest @ ..] = &effects[..] else {
            panic!("{effects:?}");
        };
        assert_eq!((boards.len(), *is_certain), (1, false));
        assert_eq!(rest.len(), usize::from(is_once));
    }
    let mut watch = Watch::new(true);
    watch.now += Duration::from_secs(10);
    let failure = watch.fleet.handle(watch.now, Event::Deadline).unwrap_err();
    assert_eq!(failure.kind, Kind::NoAnswer);
}

#[test]
fn a_board_is_one_line_of_json() {
    let said = Said::read(there(5).as_bytes()).map(Rc::new);
    let board = Board::new(name("a\"b"), true, said, None, UNIX);
    assert_eq!(
        board.to_json(),
        r#"{"who":"device-alice","topic":"a\"b","state":"online","state_since":5,"role":"","id":"device-alice","version":"","started":0,"since":5,"at":0,"doing":"waiting","sessions":null,"end":null,"next":null}"#
    );
    let bare = Board::new(name("x"), false, None, None, UNIX);
    assert_eq!(
        bare.to_json(),
        r#"{"who":"x","topic":"x","state":"offline","state_since":null}"#
    );
    assert_eq!(gone_to_json(&name("x")), r#"{"topic":"x","state":"gone"}"#);
}
