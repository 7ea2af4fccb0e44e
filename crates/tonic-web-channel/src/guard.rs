//! What ends a call from this side: its token, its deadline, and silence.
//!
//! The clock is asked whenever the call makes a step, and the timers only wake a call that waits. So nothing is
//! armed or allocated for a message, and a deadline holds although a browser delays the timers of hidden pages.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Extensions;

use crate::cancel::Cancellation;
use crate::deadline::{Deadline, End};
use crate::error::Error;
use crate::timer::{Instant, Sleep};

/// The idle timeout that a request carries to the channel.
#[derive(Clone, Copy, Debug)]
struct IdleTimeout(Duration);

/// Ends the call of `request` with `UNAVAILABLE` when nothing has come from the server for `timeout`: no headers
/// after it was sent, or nothing more of its stream.
///
/// It counts while somebody waits for the stream, so one who takes long over a message does not lose the next. It is
/// apart from the deadline, which limits the whole. Give it two and a bit of the server's heartbeat
/// intervals. It wins over [`Builder::idle_timeout`](crate::Builder::idle_timeout).
///
/// ```
/// let mut request = tonic::Request::new(());
/// tonic_web_channel::idle_timeout(&mut request, std::time::Duration::from_secs(45));
/// ```
pub fn idle_timeout<T>(request: &mut tonic::Request<T>, timeout: Duration) {
    request.extensions_mut().insert(IdleTimeout(timeout));
}

/// The idle timeout that the request with these `extensions` asks for itself.
pub(crate) fn own_idle_timeout(extensions: &Extensions) -> Option<Duration> {
    extensions.get::<IdleTimeout>().map(|timeout| timeout.0)
}

/// Watches one call.
pub(crate) struct Guard {
    cancellation: Option<Box<dyn Cancellation>>,
    deadline: Option<Deadline>,
    idle: Option<Idle>,
}

impl Guard {
    pub(crate) fn new(cancellation: Option<Box<dyn Cancellation>>, deadline: Option<Deadline>) -> Self {
        Self { cancellation, deadline, idle: None }
    }

    /// When the call's time is over, if ever.
    pub(crate) fn end(&self) -> Option<End> {
        self.deadline.as_ref().map(Deadline::end)
    }

    /// Whether the call has to end now. Asked before each step, so that this wins over what others call the
    /// same moment (`tonic` says CANCELLED for a deadline).
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.cancellation.as_ref().is_some_and(|cancellation| cancellation.is_cancelled()) {
            return Err(Error::Cancelled);
        }
        match &self.deadline {
            Some(deadline) if deadline.has_passed() => Err(Error::Deadline { timeout: deadline.timeout() }),
            _ => Ok(()),
        }
    }

    /// Wakes the task of a call that waits when it has to end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.cancellation.as_mut().is_some_and(|cancellation| cancellation.poll(cx).is_ready()) {
            return Poll::Ready(Error::Cancelled);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.poll(cx).is_ready()
        {
            return Poll::Ready(Error::Deadline { timeout: deadline.timeout() });
        }
        match &mut self.idle {
            Some(idle) => idle.poll(cx).map(|()| Error::Idle { timeout: idle.timeout }),
            None => Poll::Pending,
        }
    }

    /// From now on, silence for `timeout` ends the call.
    pub(crate) fn watch_silence(&mut self, timeout: Option<Duration>) {
        self.idle = timeout.map(Idle::new);
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        if let Some(idle) = &mut self.idle {
            idle.waiting = false;
        }
    }
}

#[derive(Debug)]
struct Idle {
    timeout: Duration,
    /// Whether something was asked for that has not come, and since when.
    waiting: bool,
    since: Instant,
    timer: Sleep,
}

impl Idle {
    fn new(timeout: Duration) -> Self {
        Self { timeout, waiting: false, since: Instant::now(), timer: Sleep::new(timeout) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.waiting, true) {
            self.since = Instant::now();
        }
        // The timer runs on over everything that comes, and is set anew for what was left when it ends.
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
