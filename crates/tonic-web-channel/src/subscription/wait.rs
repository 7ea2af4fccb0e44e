//! The delay between two attempts.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tonic::Status;

use super::handle::Commands;
use super::state::{NextAttempt, State};
use crate::timer::{self, Instant, MAX_DELAY, Sleep};

/// Waits until the next attempt is due and there is a network.
pub(super) struct Wait {
    status: Status,
    attempt: u32,
    until: Instant,
    /// None once the delay is over.
    timer: Option<Sleep>,
    /// Whether the server asked for this delay. Then waking up does not shorten it.
    by_server: bool,
    /// Whether there is no network.
    paused: bool,
}

/// The outcome of polling a wait.
pub(super) enum Step {
    /// The next attempt is due.
    Attempt,
    /// The wait goes on with a different [`Wait::state`].
    Changed,
}

impl Wait {
    /// A wait of `delay` after `attempt` failures, the last of them `status`.
    pub(super) fn new(delay: Duration, by_server: bool, attempt: u32, status: Status, online: bool) -> Self {
        let delay = delay.min(MAX_DELAY);
        let until = Instant::now() + delay;
        Self { status, attempt, until, timer: Some(Sleep::new(delay)), by_server, paused: !online }
    }

    pub(super) fn state(&self) -> State {
        let next =
            if self.paused { NextAttempt::WhenOnline } else { NextAttempt::At(timer::public(self.until)) };
        State::TransientFailure { next, attempt: self.attempt, status: self.status.clone() }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, commands: Commands) -> Poll<Step> {
        if commands.retry_now {
            return Poll::Ready(Step::Attempt);
        }
        if let Some(delay) = commands.reconnect_after {
            *self = Self::new(delay, true, self.attempt, self.status.clone(), commands.online);
            return Poll::Ready(Step::Changed);
        }
        if self.timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready()) {
            self.timer = None;
        }
        let was_paused = std::mem::replace(&mut self.paused, !commands.online);
        let skips_backoff = was_paused || commands.skip_backoff || commands.wake;
        let due = self.timer.is_none() || (skips_backoff && !self.by_server);
        if due && !self.paused {
            return Poll::Ready(Step::Attempt);
        }
        if was_paused != self.paused { Poll::Ready(Step::Changed) } else { Poll::Pending }
    }
}
