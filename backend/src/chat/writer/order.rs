//! The order of the servers that write at the same time: each of them goes once in a round, so that they do not race for every
//! position.
//!
//! It is derived from the entries that have come, so that the servers agree on it without a message. It is a hint: the wait for
//! another server is bounded by a time of our own, and the log's condition decides. Knows neither log nor database; the time is
//! passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::entry::Writer;
use super::super::log::TURN;

/// Rounds that are remembered.
const ROUNDS: usize = 4;

/// Number of them in which another server has to have written, the last one among them, to be waited for. One that writes now and
/// then is not, and one that missed its turn is not, either.
const ROUNDS_OF_RIVAL: usize = 2;

/// Servers that are told apart in a round; more than a chat has. Nobody waits for further ones.
const MAX_SERVERS: usize = 64;

/// Longest wait for another server, in times of an own group: it applies the newest entry, evaluates its group, and appends it.
/// Never longer than [`TURN`].
const WAIT: u32 = 3;

/// Average time from one entry to the next, in times of an own group, above which the servers seldom race.
const BUSY: u32 = 2;

/// The entries from one of this server until its next one.
#[derive(Debug)]
struct Round {
    begun: Instant,
    /// Their number, with the first.
    entries: u32,
    /// The other servers that wrote them.
    others: Vec<Writer>,
}

/// The newest entries, as this server saw them.
#[derive(Debug)]
pub(super) struct Order {
    own: Writer,
    /// The last one is not over.
    rounds: VecDeque<Round>,
    last: Option<Instant>,
    /// Average time in which an own group is evaluated and stored.
    group_time: Option<Duration>,
}

impl Order {
    pub(super) fn new(own: Writer) -> Self {
        Self { own, rounds: VecDeque::new(), last: None, group_time: None }
    }

    /// This server's mark in its entries.
    pub(super) fn own(&self) -> Writer {
        self.own
    }

    /// The next entry was applied.
    pub(super) fn came(&mut self, writer: Writer, now: Instant) {
        self.last = Some(now);
        if writer == self.own {
            if self.rounds.len() > ROUNDS {
                self.rounds.pop_front();
            }
            self.rounds.push_back(Round { begun: now, entries: 1, others: Vec::new() });
        } else if let Some(round) = self.rounds.back_mut() {
            round.entries = round.entries.saturating_add(1);
            if !round.others.contains(&writer) && round.others.len() < MAX_SERVERS {
                round.others.push(writer);
            }
        }
    }

    /// An own group was evaluated and stored in this time.
    pub(super) fn wrote_in(&mut self, time: Duration) {
        // A group that waited for the log says nothing about the next one.
        let time = time.min(TURN);
        self.group_time = Some(self.group_time.map_or(time, |average| (average * 7 + time) / 8));
    }

    /// The time until which the next position is left to the servers that have waited for longer than this one. `None`: it is this
    /// one's turn.
    pub(super) fn wait_until(&self) -> Option<Instant> {
        let group_time =
            self.group_time.filter(|time| self.interval().is_some_and(|it| it <= *time * BUSY))?;
        let count = u32::try_from(self.servers_before()).ok().filter(|count| *count > 0)?;
        Some(self.last? + (group_time * WAIT * count).min(TURN))
    }

    /// Number of the servers that have waited for longer than this one.
    fn servers_before(&self) -> usize {
        let rounds = || self.rounds.iter().rev();
        let (Some(now), Some(last)) = (rounds().next(), rounds().nth(1)) else { return 0 };
        let is_rival = |other: &&Writer| {
            let wrote = rounds().skip(1).filter(|round| round.others.contains(other));
            wrote.count() >= ROUNDS_OF_RIVAL && !now.others.contains(other)
        };
        last.others.iter().filter(is_rival).count()
    }

    /// Average time from one entry to the next.
    fn interval(&self) -> Option<Duration> {
        let entries = self.rounds.iter().map(|round| round.entries).fold(0, u32::saturating_add);
        let time = self.last?.duration_since(self.rounds.front()?.begun);
        time.checked_div(entries.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests;
