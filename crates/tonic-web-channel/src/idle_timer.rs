//! The idle timeout of a stream.
//!
//! It counts only while the stream is being read, so a slow reader does not lose its stream.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::timer::{Instant, Sleep};

/// Fires when nothing came for the idle timeout.
///
/// The timer is not moved for every message: when it fires early, it is set again for the time that is left.
#[derive(Debug)]
pub(crate) struct IdleTimer {
    timeout: Duration,
    /// Whether the reader waits, and since when.
    waiting: bool,
    since: Instant,
    timer: Sleep,
}

impl IdleTimer {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, waiting: false, since: Instant::now(), timer: Sleep::new(timeout) }
    }

    /// Something came.
    pub(crate) fn reset(&mut self) {
        self.waiting = false;
    }

    /// Polled while the reader waits. Ready when nothing came for the timeout.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.since = Instant::now();
        }
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let left = self.timeout.saturating_sub(self.since.elapsed());
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.timer = Sleep::new(left);
        }
        Poll::Pending
    }
}
