//! The limit of the calls that are open on a connection, and the order of those that wait.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// Calls that may be open, are open, and wait. Each call that waits is held by its caller, so the channel's own limits
/// bound their number.
#[derive(Debug)]
pub(super) struct Turns {
    limit: usize,
    used: usize,
    /// Whether no turn is given before the connection has sent what it has.
    is_held: bool,
    is_closed: bool,
    waiting: VecDeque<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    waker: Waker,
}

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0, is_held: false, is_closed: false, waiting: VecDeque::new(), next: 0 }
    }

    /// Takes a turn, or a place among those that wait, which `ticket` names from then on. `false` when there are no
    /// more turns.
    pub(super) fn poll(&mut self, ticket: &mut Option<u64>, waker: &Waker) -> Poll<bool> {
        if self.is_closed {
            return Poll::Ready(false);
        }
        let place = self.waiting.iter().position(|waiting| Some(waiting.ticket) == *ticket);
        if place.unwrap_or(self.waiting.len()) < self.free() {
            place.and_then(|place| self.waiting.remove(place));
            *ticket = None;
            self.used += 1;
            return Poll::Ready(true);
        }
        match place {
            Some(place) => self.waiting[place].waker.clone_from(waker),
            None => {
                *ticket = Some(self.next);
                self.waiting.push_back(Waiting { ticket: self.next, waker: waker.clone() });
                self.next += 1;
            }
        }
        Poll::Pending
    }

    /// Gives up a place among those that wait.
    pub(super) fn cancel(&mut self, ticket: u64) {
        self.waiting.retain(|waiting| waiting.ticket != ticket);
        self.wake();
    }

    /// Gives a turn back.
    pub(super) fn release(&mut self) {
        self.used -= 1;
        self.wake();
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.wake();
    }

    /// Gives no turns while `is_held`.
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
        self.wake();
    }

    /// Gives no more turns.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        for waiting in self.waiting.drain(..) {
            waiting.waker.wake();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether no call is open, or about to be.
    pub(super) fn is_unused(&self) -> bool {
        self.used == 0
    }

    fn free(&self) -> usize {
        if self.is_held { 0 } else { self.limit.saturating_sub(self.used) }
    }

    fn wake(&self) {
        for waiting in self.waiting.iter().take(self.free()) {
            waiting.waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use super::*;

    fn poll(turns: &mut Turns, ticket: &mut Option<u64>) -> Poll<bool> {
        turns.poll(ticket, Waker::noop())
    }

    #[test]
    fn calls_get_their_turns_in_order() {
        let mut turns = Turns::new(1);
        let (mut first, mut second, mut third) = (None, None, None);
        assert_eq!(poll(&mut turns, &mut None), Poll::Ready(true));
        for ticket in [&mut first, &mut second, &mut third] {
            assert!(poll(&mut turns, ticket).is_pending());
        }
        turns.release();
        assert!(poll(&mut turns, &mut second).is_pending());
        assert!(poll(&mut turns, &mut None).is_pending());
        assert_eq!(poll(&mut turns, &mut first), Poll::Ready(true));

        turns.cancel(second.unwrap());
        turns.release();
        assert_eq!(poll(&mut turns, &mut third), Poll::Ready(true));
    }

    #[test]
    fn limit_may_fall_below_the_open_calls() {
        let mut turns = Turns::new(2);
        assert_eq!(poll(&mut turns, &mut None), Poll::Ready(true));
        assert_eq!(poll(&mut turns, &mut None), Poll::Ready(true));
        turns.set_limit(1);
        let mut ticket = None;
        turns.release();
        assert!(poll(&mut turns, &mut ticket).is_pending());
        turns.release();
        turns.hold(true);
        assert!(poll(&mut turns, &mut ticket).is_pending());
        turns.hold(false);
        assert_eq!(poll(&mut turns, &mut ticket), Poll::Ready(true));
        turns.close();
        assert_eq!(poll(&mut turns, &mut None), Poll::Ready(false));
    }
}
