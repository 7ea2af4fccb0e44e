//! How slowly a request may come. Knows no protocol: whoever reads a body says what came of it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::options::ServeOptions;

/// How slowly a request, or one message of a stream, may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceLimits {
    /// How long it may take, beyond what its bytes allow.
    pub(crate) time: Duration,
    /// How many bytes allow one second more.
    pub(crate) bytes_per_second: u32,
    /// How long nothing may come.
    pub(crate) pause: Duration,
}

impl PaceLimits {
    pub(crate) fn new(options: &ServeOptions) -> Self {
        Self {
            time: options.body_timeout,
            bytes_per_second: options.min_body_rate,
            pause: options.body_read_timeout,
        }
    }
}

/// A request came too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Late {
    #[error("the request came too slowly: nothing of it came for {0:?}")]
    Paused(Duration),
    #[error("the request came too slowly: it may take {time:?}, and a second more for every {bytes} bytes")]
    Slow { time: Duration, bytes: u32 },
}

/// What a request is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The rest of what has to come whole.
    Rest,
    /// Another message, whenever there is one; but a pause is limited.
    Next,
    /// Another message, whenever there is one.
    Anything,
}

/// Measures a request while it is waited for. A request that is there when it is read costs nothing.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: PaceLimits,
    waited: Option<Waited>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug)]
struct Waited {
    since: Instant,
    last: Instant,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(limits: PaceLimits) -> Self {
        Self { limits, waited: None, timer: None }
    }

    /// So many bytes came.
    pub(crate) fn came(&mut self, bytes: usize) {
        if let Some(waited) = &mut self.waited {
            waited.bytes += bytes as u64;
            waited.last = Instant::now();
        }
    }

    /// What comes next has a time of its own.
    pub(crate) fn restart(&mut self) {
        self.waited = None;
    }

    /// Nothing is there: waits until it is too late for it.
    pub(crate) fn poll_late(&mut self, cx: &mut Context<'_>, awaited: Awaited) -> Poll<Late> {
        let now = Instant::now();
        let waited = *self.waited.get_or_insert(Waited { since: now, last: now, bytes: 0 });
        let PaceLimits { time, bytes_per_second, pause } = self.limits;
        let paused = waited.last.checked_add(pause).map(|at| (at, Late::Paused(pause)));
        let earned = Duration::from_secs(waited.bytes / u64::from(bytes_per_second.max(1)));
        let slow = waited.since.checked_add(time.saturating_add(earned));
        let slow = slow.map(|at| (at, Late::Slow { time, bytes: bytes_per_second }));
        let first = match awaited {
            Awaited::Rest => paused.into_iter().chain(slow).min_by_key(|(at, _)| *at),
            Awaited::Next => paused,
            Awaited::Anything => None,
        };
        let Some((at, late)) = first else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(late)
    }
}
