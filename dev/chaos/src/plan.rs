//! The sequence of faults and attacks, which depends only on the seed.

use std::collections::VecDeque;
use std::time::Duration;

use clap::ValueEnum;
use fastrand::Rng;

/// Time between two steps, milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 50..500;

/// A fault, or an attack by a hostile client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// SIGKILL, and a new start.
    Kill,
    /// Repeated SIGKILL while the server starts.
    KillStart,
    /// SIGKILL during the very first start on an empty folder (a second server).
    FirstStart,
    /// SIGSTOP, and SIGCONT after a while.
    Pause,
    /// SIGTERM, and a new start.
    Terminate,
    /// The server's files cannot grow any more.
    DiskFull,
    /// A disk that is full and gets room again (a second server; takes the right to mount one).
    SmallDisk,
    /// The server gets no more file descriptors.
    Descriptors,
    /// Connections break.
    Cut,
    /// Connections become silent and stay open.
    Silence,
    /// Every byte takes longer.
    Delay,
    /// HTTP/2 clients without any window open subscriptions in bursts.
    ZeroWindow,
    /// Streams of greetings are never read.
    Unread,
    /// HTTP/1.1 heads without an end.
    HalfHeads,
    /// Request bodies of a byte a second.
    SlowBodies,
    /// Connections that never send a byte.
    Connects,
    /// A flood of joins.
    Joins,
    /// Calls that are opened and reset at once.
    Resets,
}

/// All kinds.
pub(crate) const KINDS: [Kind; 18] = [
    Kind::Kill,
    Kind::KillStart,
    Kind::FirstStart,
    Kind::Pause,
    Kind::Terminate,
    Kind::DiskFull,
    Kind::SmallDisk,
    Kind::Descriptors,
    Kind::Cut,
    Kind::Silence,
    Kind::Delay,
    Kind::ZeroWindow,
    Kind::Unread,
    Kind::HalfHeads,
    Kind::SlowBodies,
    Kind::Connects,
    Kind::Joins,
    Kind::Resets,
];

impl Kind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it is an attack by a hostile client.
    pub(crate) fn is_attack(self) -> bool {
        self >= Self::ZeroWindow
    }
}

/// One fault or attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Time before it.
    pub(crate) pause: Duration,
    pub(crate) kind: Kind,
    /// Seed of its own decisions.
    pub(crate) seed: u64,
}

/// An endless sequence of steps: every kind once, then random kinds.
#[derive(Debug)]
pub(crate) struct Plan {
    rng: Rng,
    kinds: Vec<Kind>,
    first: VecDeque<Kind>,
    mostly_kills: bool,
}

impl Plan {
    /// Steps of `kinds`, which is not empty. With `mostly_kills`, half of them are kills.
    pub(crate) fn new(seed: u64, kinds: Vec<Kind>, mostly_kills: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut first = kinds.clone();
        rng.shuffle(&mut first);
        Self { rng, kinds, first: first.into(), mostly_kills }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let pause = Duration::from_millis(self.rng.u64(PAUSE_MS));
        let kind = if self.mostly_kills && self.rng.bool() {
            Kind::Kill
        } else {
            self.first.pop_front().or_else(|| self.rng.choice(&self.kinds).copied())?
        };
        Some(Step { pause, kind, seed: self.rng.u64(..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_depend_only_on_the_seed() {
        let steps = |seed| Plan::new(seed, KINDS.to_vec(), false).take(100).collect::<Vec<_>>();
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
    }

    #[test]
    fn every_kind_occurs_once_before_any_repeats() {
        let mut kinds: Vec<_> =
            Plan::new(1, KINDS.to_vec(), false).take(KINDS.len()).map(|step| step.kind).collect();
        kinds.sort();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn half_of_the_steps_can_be_kills() {
        let kills = Plan::new(1, KINDS.to_vec(), true).take(1_000).filter(|step| step.kind == Kind::Kill);
        assert!((400..650).contains(&kills.count()));
    }
}
