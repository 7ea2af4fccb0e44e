//! The idle timeout of a stream.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::timer::{Instant, MAX_DELAY, Sleep};

/// Elapses when a reader has waited for the whole timeout without a message.
///
/// Only waiting counts: the timeout starts with the first poll after a message. A reader that was busy for longer than
/// the timeout still gets the messages that arrived meanwhile.
///
/// The underlying timer is not rearmed for every message. When it fires too early, it is set again for the rest.
#[derive(Debug)]
pub(crate) struct IdleTimer {
    timeout: Duration,
    /// The timeout that is running: shorter after [`IdleTimer::shorten`].
    running: Duration,
    /// Meaningful while `waiting`.
    deadline: Instant,
    timer: Sleep,
    /// Whether a poll found nothing since the last message.
    waiting: bool,
}

impl IdleTimer {
    pub(crate) fn new(timeout: Duration) -> Self {
        let timeout = timeout.min(MAX_DELAY);
        let deadline = Instant::now() + timeout;
        Self { timeout, running: timeout, deadline, timer: Sleep::new(timeout), waiting: false }
    }

    /// A message came.
    pub(crate) fn reset(&mut self) {
        self.waiting = false;
    }

    /// Elapses after `timeout` from now, unless a message comes before. Never extends the running timeout.
    pub(crate) fn shorten(&mut self, timeout: Duration) {
        let timeout = timeout.min(self.timeout);
        let deadline = Instant::now() + timeout;
        if !self.waiting || deadline < self.deadline {
            self.waiting = true;
            self.running = timeout;
            self.deadline = deadline;
            self.timer = Sleep::new(timeout);
        }
    }

    /// The timeout that is running.
    pub(crate) fn running_timeout(&self) -> Duration {
        self.running
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.running = self.timeout;
            self.deadline = Instant::now() + self.timeout;
        }
        while Pin::new(&mut self.timer).poll(cx).is_ready() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.timer = Sleep::new(left);
        }
        Poll::Pending
    }
}
