//! The end of a call's time.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use grpc_wire::timeout::{self, GRPC_TIMEOUT, InvalidTimeout};
use http::{HeaderMap, HeaderValue};

use crate::timer::{Instant, Sleep};

/// The deadline of one call, over all its attempts and the whole of its response.
#[derive(Debug)]
pub(crate) struct Deadline {
    timeout: Duration,
    end: DeadlineEnd,
    timer: Sleep,
}

/// The moment of a deadline, `None` beyond the clock's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadlineEnd(Option<Instant>);

impl Deadline {
    /// Starts now.
    pub(crate) fn new(timeout: Duration) -> Self {
        let end = DeadlineEnd(Instant::now().checked_add(timeout));
        Self { timeout, end, timer: Sleep::new(timeout) }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn end(&self) -> DeadlineEnd {
        self.end
    }

    /// Whether it has passed by the clock: a browser delays the timers of hidden pages.
    pub(crate) fn has_passed(&self) -> bool {
        self.end.remaining().is_zero()
    }

    /// Wakes the task when it passes.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(cx)
    }
}

impl DeadlineEnd {
    pub(crate) fn remaining(self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Puts the remaining time into the headers of an attempt.
    pub(crate) fn write_remaining(self, headers: &mut HeaderMap) {
        if self.0.is_some() {
            write(headers, self.remaining());
        }
    }
}

/// The timeout in `headers`, `None` when they have none.
pub(crate) fn read(headers: &HeaderMap) -> Option<Result<Duration, InvalidTimeout>> {
    headers.get(GRPC_TIMEOUT).map(HeaderValue::as_bytes).map(timeout::parse)
}

/// Sets the timeout in `headers`. Leaves it out when it is too long for the format.
pub(crate) fn write(headers: &mut HeaderMap, timeout: Duration) {
    if let Some(value) = timeout::format(timeout) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}
