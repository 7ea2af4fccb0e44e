//! The browser's timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use send_wrapper::SendWrapper;
pub(crate) use web_time::Instant;

/// `setTimeout` takes a signed 32-bit number of milliseconds (24.8 days) and ends at once above it.
const LONGEST_TIMEOUT_MS: u32 = i32::MAX as u32;

/// The same time by the clock that everybody has.
pub(crate) fn public(instant: Instant) -> Instant {
    instant
}

#[derive(Debug)]
pub(crate) struct Sleep {
    until: Option<Instant>,
    // Response bodies have to be `Send`, and they carry their deadline with them.
    piece: SendWrapper<TimeoutFuture>,
}

impl Sleep {
    pub(crate) fn new(duration: Duration) -> Self {
        // A time beyond the clock's end never comes.
        let until = Instant::now().checked_add(duration);
        Self { until, piece: piece(duration) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if Pin::new(&mut self.piece).poll(cx).is_pending() {
                return Poll::Pending;
            }
            let left = match self.until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return Poll::Ready(());
            }
            self.piece = piece(left);
        }
    }
}

/// A timeout for `duration`, rounded up, or for as long as one timeout can be.
fn piece(duration: Duration) -> SendWrapper<TimeoutFuture> {
    let part = u64::from(duration.subsec_micros().div_ceil(1_000));
    let ms = duration.as_secs().saturating_mul(1_000).saturating_add(part);
    let ms = u32::try_from(ms).unwrap_or(u32::MAX);
    SendWrapper::new(TimeoutFuture::new(ms.min(LONGEST_TIMEOUT_MS)))
}
