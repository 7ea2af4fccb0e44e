//! A count of bytes with a limit, and the queue of those who wait until it is below the limit again.
//!
//! Knows no connection and no call. Who charges an account releases the same number of bytes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// An answer of which everything is taken may use this part of a limit beyond the limit, so that short answers
/// get through beside long ones that nobody reads.
const RESERVE: usize = 4;

/// A connection that holds fewer bytes than this takes what it gets: the limit of its address does not hold it up,
/// whatever others of the same address do. So an address holds up to this and a piece more for each connection.
const SMALL: usize = 16 * 1024;

/// How far an account may be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Less than [`SMALL`].
    Small,
    /// Less than the limit.
    Limit,
    /// Less than the limit and the reserve.
    Reserve,
}

/// Bytes that are held, and their limit.
#[derive(Debug)]
pub(super) struct Account {
    held: AtomicUsize,
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
            small: Gate::new(SMALL),
            limit: Gate::new(limit),
            reserve: Gate::new(limit.saturating_add(limit / RESERVE)),
        }
    }

    fn gate(&self, level: Level) -> &Gate {
        match level {
            Level::Small => &self.small,
            Level::Limit => &self.limit,
            Level::Reserve => &self.reserve,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self, level: Level) -> bool {
        self.held() >= self.gate(level).level
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Charges unless the limit is reached.
    pub(super) fn try_charge(&self, bytes: usize) -> bool {
        let charged = |held| (held < self.limit.level).then(|| held + bytes);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    /// Gives bytes back. Whoever makes an account fall below a level wakes one that waits for it; see
    /// [`pass_on`](Self::pass_on) for the others.
    pub(super) fn release(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        for gate in [&self.small, &self.limit, &self.reserve] {
            if before >= gate.level && before - bytes < gate.level {
                gate.room.notify_one();
            }
        }
    }

    /// Resolves when there may be room below `level`. A release between a look at the account and the first poll
    /// of this is not lost, because the queue remembers it.
    pub(super) fn room(&self, level: Level) -> OwnedNotified {
        Arc::clone(&self.gate(level).room).notified_owned()
    }

    /// Wakes the next one that waits, if there is still room. Who was woken calls this once it has taken
    /// what it needs: so each release wakes as many as it has room for, and not all of them.
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
    fn a_release_wakes_one_and_passing_on_wakes_the_next() {
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
    fn one_that_was_woken_and_left_wakes_the_next() {
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
