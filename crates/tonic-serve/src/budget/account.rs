//! A count of bytes with a limit, and the queues of those who wait until the count is below a level.
//!
//! Knows no connection and no call. Every charge is released by its owner later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// A response whose bytes are all taken may exceed a limit by this part of it, so that short responses get through beside long
/// ones that are not read.
const RESERVE_PART: usize = 4;

/// A connection that holds fewer bytes than this is exempt from the limit of its address. So an address holds up to this and a
/// chunk more for each connection.
const SMALL: usize = 16 * 1024;

/// A level of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Less than [`SMALL`].
    Small,
    /// Less than the limit.
    Limit,
    /// Less than the limit and its reserve.
    Reserve,
}

/// A count of bytes with a limit.
#[derive(Debug)]
pub(super) struct Account {
    held: AtomicUsize,
    /// Bytes of requests whose calls wait for a reservation. They are not in `held`: the calls wait until that falls, and would
    /// wait for their own bytes.
    waiting: AtomicUsize,
    small: Gate,
    limit: Gate,
    reserve: Gate,
}

/// Open while fewer bytes than `level` are held.
#[derive(Debug)]
struct Gate {
    level: usize,
    room: Arc<Notify>,
}

impl Gate {
    fn new(level: usize) -> Self {
        Self { level, room: Arc::default() }
    }
}

impl Account {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            small: Gate::new(SMALL),
            limit: Gate::new(limit),
            reserve: Gate::new(limit.saturating_add(limit / RESERVE_PART)),
        }
    }

    fn gate(&self, level: Level) -> &Gate {
        match level {
            Level::Small => &self.small,
            Level::Limit => &self.limit,
            Level::Reserve => &self.reserve,
        }
    }

    pub(super) fn is_full(&self, level: Level) -> bool {
        self.held.load(Ordering::Relaxed) >= self.gate(level).level
    }

    /// Whether no more request bytes are accepted.
    pub(super) fn is_full_of_requests(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        waiting > 0 && self.held.load(Ordering::Relaxed) + waiting >= self.reserve.level
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Charges unless the limit is reached.
    pub(super) fn try_charge(&self, bytes: usize) -> bool {
        let charged = |held| (held < self.limit.level).then(|| held + bytes);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    /// Releases bytes, and wakes one waiter of each level that the count falls below; [`pass_on`](Self::pass_on) wakes the
    /// others.
    pub(super) fn release(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        for gate in [&self.small, &self.limit, &self.reserve] {
            if before >= gate.level && before - bytes < gate.level {
                gate.room.notify_one();
            }
        }
    }

    /// Counts request bytes of a call that waits for a reservation.
    pub(super) fn add_waiting(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove_waiting(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Resolves when there may be room below `level`. A release between a check of the account and the first poll of this is
    /// not lost, because the queue remembers it.
    pub(super) fn room(&self, level: Level) -> OwnedNotified {
        Arc::clone(&self.gate(level).room).notified_owned()
    }

    /// Wakes the next waiter if there is still room. A woken waiter calls this after it has charged what it needs, so each
    /// release wakes as many as it has room for.
    pub(super) fn pass_on(&self, level: Level) {
        if !self.is_full(level) {
            self.gate(level).room.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_reserve_is_beyond_the_limit() {
        let account = Account::new(100);
        account.charge(99);
        assert!(!account.is_full(Level::Limit));
        account.charge(1);
        assert!(account.is_full(Level::Limit));
        assert!(!account.is_full(Level::Reserve));
        account.charge(25);
        assert!(account.is_full(Level::Reserve));
        assert!(!account.try_charge(1));
    }

    #[test]
    fn a_release_before_the_first_poll_is_not_lost() {
        let account = Account::new(100);
        account.charge(100);
        let room = account.room(Level::Limit);
        account.release(1);
        assert!(pin!(room).now_or_never().is_some());
    }

    #[test]
    fn a_release_wakes_one_waiter_and_passing_on_wakes_the_next() {
        let account = Account::new(100);
        account.charge(100);
        let mut first = pin!(account.room(Level::Limit));
        let mut second = pin!(account.room(Level::Limit));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());

        account.release(50);
        assert!(first.as_mut().now_or_never().is_some());
        assert!(second.as_mut().now_or_never().is_none());
        account.pass_on(Level::Limit);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_woken_waiter_that_is_dropped_wakes_the_next() {
        let account = Account::new(100);
        account.charge(100);
        let mut first = Box::pin(account.room(Level::Limit));
        let mut second = pin!(account.room(Level::Limit));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());

        account.release(1);
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }
}
