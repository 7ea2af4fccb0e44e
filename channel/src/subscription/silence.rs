//! Noticing that nothing was heard for too long.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::timer::{Instant, Sleep};

/// Ends when nothing was heard for as long as is allowed.
///
/// The timer is not moved for every message; when it ends it is set again for what is left.
pub(super) struct Silence {
    allowed: Duration,
    until: Instant,
    timer: Sleep,
}

impl Silence {
    pub(super) fn new(allowed: Duration) -> Self {
        Self { allowed, until: Instant::now() + allowed, timer: Sleep::new(allowed) }
    }

    pub(super) fn heard(&mut self) {
        self.until = Instant::now() + self.allowed;
    }

    /// Ends the silence `within` from now, unless something is heard before.
    pub(super) fn probe(&mut self, within: Duration) {
        let until = Instant::now() + within;
        if until < self.until {
            self.until = until;
            self.timer = Sleep::new(within);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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
