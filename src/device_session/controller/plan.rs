//! What a controller is asked to do, and what it does unless it is asked otherwise.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::class::Roster;
use super::super::prefix::Prefix;
use super::super::{PAUSE, Replies, login_topic};
use crate::mqtt::{Level, QoS, TopicFilter};

/// What a controller is asked to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The expected reply to each command.
    pub replies: Replies,
    /// How many commands a session gets; `None`: as many as the table has at least, and so each of them.
    pub commands: Option<RangeInclusive<u32>>,
    /// From the UNIQUE ID to the first command.
    pub delay: Duration,
    /// How long to wait for the next reply; `None`: for ever.
    pub timeout: Option<Duration>,
    /// The levels before every topic.
    pub prefix: Prefix,
    /// How commands are published.
    pub qos: QoS,
    /// Where the UNIQUE IDs and the choice of commands come from.
    pub seed: u64,
    /// Finish after so many sessions.
    pub sessions: Option<u64>,
    /// Share the logins with the other controllers of this group. A session stays with the one that
    /// took its login.
    pub share: Option<Level>,
    /// Listen where mistakes land, beside the topics of the protocol.
    pub near_misses: bool,
    /// Publish each verdict to `<USER_ID>/verdict`.
    pub verdict: bool,
    /// Finish when each of them has passed once; where nobody is on it, it ends nothing.
    pub roster: Roster,
    /// Collect each [`Step`](super::Step) for [`Controller::take_steps`](super::Controller::take_steps).
    pub watched: bool,
}

impl Plan {
    /// The QoS of the original program.
    pub const QOS: QoS = QoS::ExactlyOnce;
    /// How many commands a session gets by default: any number of these that is not smaller than the table.
    pub const COMMANDS: RangeInclusive<u32> = 5..=15;
    /// Long enough for a device whose connection is lost and comes back.
    pub const TIMEOUT: Duration = Duration::from_secs(60);
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            replies: Replies::default(),
            commands: None,
            delay: PAUSE,
            timeout: Some(Self::TIMEOUT),
            prefix: Prefix::NONE,
            qos: Self::QOS,
            seed: 0,
            sessions: None,
            share: None,
            near_misses: true,
            verdict: false,
            roster: Roster::default(),
            watched: false,
        }
    }
}

impl Plan {
    /// The filter that brings the logins: to this controller, or to its group.
    pub(super) fn logins(&self) -> TopicFilter {
        self.of_the_group(TopicFilter::exactly(&login_topic()))
    }

    /// The filters for logins on a wrong topic. In a group one of them hears of each, and not all.
    pub(super) fn stray_logins(&self) -> impl Iterator<Item = TopicFilter> {
        let filters = ["Login", "LOGIN", "/login", "login/+"].map(TopicFilter::new);
        filters
            .into_iter()
            .flatten()
            .map(|filter| self.of_the_group(filter))
    }

    fn of_the_group(&self, filter: TopicFilter) -> TopicFilter {
        match &self.share {
            Some(group) => filter.shared(group),
            None => filter,
        }
    }

    /// From this range each session's number of commands is drawn.
    #[must_use]
    pub fn range(&self) -> RangeInclusive<u32> {
        let all = u32::try_from(self.replies.commands().len()).unwrap_or(u32::MAX);
        self.commands.clone().unwrap_or_else(|| {
            let (least, most) = Self::COMMANDS.into_inner();
            least.max(all)..=most.max(all)
        })
    }

    /// The commands of a session: each of the table at least once, if there are to be that many, and in any order.
    pub(super) fn draw(&self, random: &mut fastrand::Rng) -> Vec<Level> {
        let mut commands: Vec<Level> = self.replies.commands().cloned().collect();
        let count = random.u32(self.range()) as usize;
        random.shuffle(&mut commands);
        let more = count.saturating_sub(commands.len());
        let repeated: Vec<Level> = (0..more)
            .filter_map(|_| random.choice(&commands).cloned())
            .collect();
        commands.truncate(count);
        commands.extend(repeated);
        random.shuffle(&mut commands);
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of sessions, and the fewest different commands in one, over many seeds.
    fn drawn(plan: &Plan) -> (RangeInclusive<usize>, usize) {
        let draw = |seed| plan.draw(&mut fastrand::Rng::with_seed(seed));
        let sessions: Vec<Vec<Level>> = (0..500).map(draw).collect();
        let lengths = sessions.iter().map(Vec::len);
        let fewest = sessions.iter().map(|commands| {
            let mut commands = commands.clone();
            commands.sort();
            commands.dedup();
            commands.len()
        });
        let (least, most) = (lengths.clone().min().unwrap(), lengths.max().unwrap());
        (least..=most, fewest.min().unwrap())
    }

    #[test]
    fn each_command_comes_at_least_once_unless_fewer_are_asked_for() {
        let usual = Plan::default();
        assert_eq!(drawn(&usual), (7..=15, 7));
        let lines: String = (0..20).map(|n| format!("C{n}=word\n")).collect();
        let large = Plan {
            replies: Replies::parse(&lines).unwrap(),
            ..Plan::default()
        };
        assert_eq!(drawn(&large), (20..=20, 20));
        for (asked, lengths, fewest) in
            [(3..=3, 3..=3, 3), (0..=9, 0..=9, 0), (40..=40, 40..=40, 7)]
        {
            let plan = Plan {
                commands: Some(asked),
                ..Plan::default()
            };
            assert_eq!(drawn(&plan), (lengths, fewest));
        }
    }

    #[test]
    fn a_seed_repeats_the_commands_and_their_order() {
        let draw = |seed| Plan::default().draw(&mut fastrand::Rng::with_seed(seed));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let repeats = |seed| draw(seed).len() > 7;
        assert!((0..50).any(repeats));
    }
}
