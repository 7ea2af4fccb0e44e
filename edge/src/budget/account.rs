//! A count of bytes with a limit, and the queue of those who wait until it is below the limit again.
//!
//! Knows no connection and no call. Who charges an account releases the same number of bytes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The first piece of each answer may use this part of a limit beyond the limit, so that short answers get
/// through beside long ones that nobody reads.
const FIRST_PIECE_RESERVE: usize = 4;

/// Which piece of an answer waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The first one, which may use the reserve.
    First,
    /// Any other.
    Next,
}

/// Bytes that are held, and their limit.
#[derive(Debug)]
pub(super) struct Account {
    held: AtomicUsize,
    first: Gate,
    next: Gate,
}

/// Open while fewer bytes than `limit` are held.
#[derive(Debug)]
struct Gate {
    limit: usize,
    room: Arc<Notify>,
}

impl Gate {
    fn new(limit: usize) -> Self {
        Self { limit, room: Arc::default() }
    }
}

impl Account {
    pub(super) fn new(limit: usize) -> Self {
        let with_reserve = limit.saturating_add(limit / FIRST_PIECE_RESERVE);
        Self { held: AtomicUsize::new(0), first: Gate::new(with_reserve), next: Gate::new(limit) }
    }

    fn gate(&self, piece: Piece) -> &Gate {
        match piece {
            Piece::First => &self.first,
            Piece::Next => &self.next,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self, piece: Piece) -> bool {
        self.held() >= self.gate(piece).limit
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Charges unless the account is full.
    pub(super) fn try_charge(&self, bytes: usize) -> bool {
        let charged = |held| (held < self.next.limit).then(|| held + bytes);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    /// Gives bytes back. Whoever makes an account fall below a limit wakes one that waits; see
    /// [`pass_on`](Self::pass_on) for the others.
    pub(super) fn release(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        for gate in [&self.first, &self.next] {
            if before >= gate.limit && before - bytes < gate.limit {
                gate.room.notify_one();
            }
        }
    }

    /// Resolves when there may be room. A release between a look at the account and the first poll of this
    /// is not lost, because the queue remembers it.
    pub(super) fn room(&self, piece: Piece) -> OwnedNotified {
        Arc::clone(&self.gate(piece).room).notified_owned()
    }

    /// Wakes the next one that waits, if there is still room. Who was woken calls this once it has taken
    /// what it needs: so each release wakes as many as it has room for, and not all of them.
    pub(super) fn pass_on(&self, piece: Piece) {
        if !self.is_full(piece) {
            self.gate(piece).room.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_first_piece_may_use_a_reserve_and_others_may_not() {
        let account = Account::new(100);
        account.charge(99);
        assert!(!account.is_full(Piece::Next));
        account.charge(1);
        assert!(account.is_full(Piece::Next));
        assert!(!account.is_full(Piece::First));
        account.charge(25);
        assert!(account.is_full(Piece::First));
        assert!(!account.try_charge(1));
    }

    #[test]
    fn a_release_before_the_first_poll_is_not_lost() {
        let account = Account::new(100);
        account.charge(100);
        let room = account.room(Piece::Next);
        account.release(1);
        assert!(pin!(room).now_or_never().is_some());
    }

    #[test]
    fn a_release_wakes_one_and_passing_on_wakes_the_next() {
        let account = Account::new(100);
        account.charge(100);
        let mut first = pin!(account.room(Piece::Next));
        let mut second = pin!(account.room(Piece::Next));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());

        account.release(50);
        assert!(first.as_mut().now_or_never().is_some());
        assert!(second.as_mut().now_or_never().is_none());
        account.pass_on(Piece::Next);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[test]
    fn one_that_was_woken_and_left_wakes_the_next() {
        let account = Account::new(100);
        account.charge(100);
        let mut first = Box::pin(account.room(Piece::Next));
        let mut second = pin!(account.room(Piece::Next));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());

        account.release(1);
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }
}
