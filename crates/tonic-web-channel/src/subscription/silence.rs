//! Noticing that nothing was heard for too long.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::wait::LONGEST;
use crate::timer::{Instant, Sleep};

/// Ends when nothing was heard for as long as is allowed, while somebody waited for it: who reads late finds
/// nothing at first, and that is not the server's silence.
///
/// The timer is not moved for every message; when it ends it is set again for what is left.
pub(super) struct Silence {
    allowed: Duration,
    until: Instant,
    timer: Sleep,
    waiting: bool,
}

impl Silence {
    pub(super) fn new(allowed: Duration) -> Self {
        let allowed = allowed.min(LONGEST);
        Self { allowed, until: Instant::now() + allowed, timer: Sleep::new(allowed), waiting: false }
    }

    pub(super) fn heard(&mut self) {
        self.waiting = false;
    }

    /// Ends the silence `within` from now, unless something is heard before.
    pub(super) fn probe(&mut self, within: Duration) {
        let within = within.min(self.allowed);
        let until = Instant::now() + within;
        if !self.waiting || until < self.until {
            self.waiting = true;
            self.until = until;
            self.timer = Sleep::new(within);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.until = Instant::now() + self.allowed;
        }
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.timer = Sleep::new(left);
        }
        Poll::Pending
    }
}
