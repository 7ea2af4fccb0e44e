//! The time between two connections.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tonic::Status;

use super::handle::Wishes;
use super::state::{NextAttempt, State};
use crate::timer::{self, Instant, Sleep};

/// No wait is longer, whatever a server or an option asks for.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A wait for the next attempt: for a time to come, and for a network.
pub(super) struct Wait {
    status: Status,
    attempt: u32,
    until: Instant,
    /// None when the time has come.
    timer: Option<Sleep>,
    /// Whether the server named the time, so that waking up does not shorten it.
    asked: bool,
    paused: bool,
}

/// What becomes of a wait.
pub(super) enum Step {
    /// It is over.
    Attempt,
    /// It goes on, but it looks different.
    Changed,
}

impl Wait {
    /// A wait of `delay`, because of `status`, after so many failures.
    pub(super) fn new(delay: Duration, asked: bool, attempt: u32, status: Status, online: bool) -> Self {
        let delay = delay.min(LONGEST);
        let until = Instant::now() + delay;
        Self { status, attempt, until, timer: Some(Sleep::new(delay)), asked, paused: !online }
    }

    pub(super) fn state(&self) -> State {
        let next =
            if self.paused { NextAttempt::WhenOnline } else { NextAttempt::At(timer::public(self.until)) };
        State::TransientFailure { next, attempt: self.attempt, status: self.status.clone() }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, wishes: Wishes) -> Poll<Step> {
        if wishes.retry_now {
            return Poll::Ready(Step::Attempt);
        }
        if let Some(delay) = wishes.reconnect_after {
            *self = Self::new(delay, true, self.attempt, self.status.clone(), wishes.online);
            return Poll::Ready(Step::Changed);
        }
        if self.timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready()) {
            self.timer = None;
        }
        let was_paused = std::mem::replace(&mut self.paused, !wishes.online);
        let due = self.timer.is_none() || ((was_paused || wishes.hurry || wishes.wake) && !self.asked);
        if due && !self.paused {
            return Poll::Ready(Step::Attempt);
        }
        if was_paused != self.paused { Poll::Ready(Step::Changed) } else { Poll::Pending }
    }
}
