//! Timers by the browser's `setTimeout`.

mod grace;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use send_wrapper::SendWrapper;
pub(crate) use web_time::Instant;

pub(crate) use self::grace::Grace;

/// The largest delay of `setTimeout`: a signed 32-bit number of milliseconds (24.8 days). A larger one fires at once.
const LONGEST_TIMEOUT_MS: u32 = i32::MAX as u32;

/// The same time on the public clock, which is the one used here.
pub(crate) fn public(instant: Instant) -> Instant {
    instant
}

#[derive(Debug)]
pub(crate) struct Sleep {
    /// None for a time beyond the end of the clock, which never comes.
    until: Option<Instant>,
    // Response bodies hold a timer for their deadline, and have to be `Send`.
    piece: SendWrapper<TimeoutFuture>,
}

impl Sleep {
    pub(crate) fn new(duration: Duration) -> Self {
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

/// One timeout for `duration` in whole milliseconds, rounded up, or for the longest possible delay.
fn piece(duration: Duration) -> SendWrapper<TimeoutFuture> {
    let part = u64::from(duration.subsec_micros().div_ceil(1_000));
    let ms = duration.as_secs().saturating_mul(1_000).saturating_add(part);
    let ms = u32::try_from(ms).unwrap_or(u32::MAX);
    SendWrapper::new(TimeoutFuture::new(ms.min(LONGEST_TIMEOUT_MS)))
}
