//! Timeouts of request bodies: the total time, which grows with the bytes received, and the pause between two chunks.
//! Knows no protocol: the reader of a body reports what it received.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::options::ServeOptions;

/// Timeouts of a request body, or of one message of a request stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyTimeouts {
    /// Total time, before the bytes received extend it.
    pub(crate) total: Duration,
    /// Bytes that extend the total by one second.
    pub(crate) bytes_per_second: u32,
    /// Time without a byte.
    pub(crate) pause: Duration,
}

impl BodyTimeouts {
    pub(crate) fn new(options: &ServeOptions) -> Self {
        Self {
            total: options.body_timeout,
            bytes_per_second: options.min_body_rate,
            pause: options.body_read_timeout,
        }
    }
}

/// A request body came too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyTooSlow {
    #[error("the request body was too slow: no byte for {0:?}")]
    Paused(Duration),
    #[error("the request body was too slow: the limit is {total:?} and a second for every {bytes} bytes")]
    Total { total: Duration, bytes: u32 },
}

/// The timeouts that apply to a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applies {
    /// Inside a body or message that has to be complete.
    TotalAndPause,
    /// Between two messages.
    PauseOnly,
    /// Between two messages of a stream that may stay silent.
    Nothing,
}

/// Measures the time that a reader waits for a body. A body that is there when it is read needs no timer.
#[derive(Debug)]
pub(crate) struct BodyTimer {
    timeouts: BodyTimeouts,
    wait: Option<Wait>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Instant,
    last_byte: Instant,
    bytes: u64,
}

impl BodyTimer {
    pub(crate) fn new(timeouts: BodyTimeouts) -> Self {
        Self { timeouts, wait: None, timer: None }
    }

    /// Counts received bytes.
    pub(crate) fn received(&mut self, bytes: usize) {
        if let Some(wait) = &mut self.wait {
            wait.bytes += bytes as u64;
            wait.last_byte = Instant::now();
        }
    }

    /// Starts the timeouts again, for the next message.
    pub(crate) fn restart(&mut self) {
        self.wait = None;
    }

    /// Waits for the first timeout that applies, while no byte is there.
    pub(crate) fn poll_timeout(&mut self, cx: &mut Context<'_>, applies: Applies) -> Poll<BodyTooSlow> {
        let now = Instant::now();
        let wait = *self.wait.get_or_insert(Wait { since: now, last_byte: now, bytes: 0 });
        let BodyTimeouts { total, bytes_per_second, pause } = self.timeouts;
        let paused = wait.last_byte.checked_add(pause).map(|at| (at, BodyTooSlow::Paused(pause)));
        let extension = Duration::from_secs(wait.bytes / u64::from(bytes_per_second.max(1)));
        let slow = wait.since.checked_add(total.saturating_add(extension));
        let slow = slow.map(|at| (at, BodyTooSlow::Total { total, bytes: bytes_per_second }));
        let first = match applies {
            Applies::TotalAndPause => paused.into_iter().chain(slow).min_by_key(|(at, _)| *at),
            Applies::PauseOnly => paused,
            Applies::Nothing => None,
        };
        let Some((at, error)) = first else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(error)
    }
}
