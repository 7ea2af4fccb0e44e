//! Timers by `tokio`, whose clock tests can pause.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub(crate) use tokio::time::Instant;

use super::GRACE;

/// The same time on the standard clock.
pub(crate) fn public(instant: Instant) -> web_time::Instant {
    instant.into_std()
}

#[derive(Debug)]
pub(crate) struct Sleep(Pin<Box<tokio::time::Sleep>>);

impl Sleep {
    pub(crate) fn new(duration: Duration) -> Self {
        Self(Box::pin(tokio::time::sleep(duration)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// Ends [`GRACE`] after its creation.
#[derive(Debug)]
pub(crate) struct Grace(Sleep);

impl Default for Grace {
    fn default() -> Self {
        Self(Sleep::new(GRACE))
    }
}

impl Future for Grace {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}
