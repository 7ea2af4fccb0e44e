//! Everything outside a connection that ends it: shutdown, eviction, and its own limits of time.
//!
//! All of it is one future, which the task of the connection polls only when something of it has happened. A stream is woken
//! for each chunk, and polling a dozen waits for that would cost more than the chunk.

use tokio::time::{Instant, sleep_until};

use super::ConnectionContext;
use super::activity::Activity;
use super::watches::{DrainWatch, Http1Watch, IdleWatch, StallWatch, Verdict};
use crate::budget::{CLOSE_TIMEOUT, Peer};

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// After its calls.
    Graceful,
    /// At once.
    Close,
    /// At once, with a reset.
    Reset,
}

/// Waits for the reasons to end a connection.
pub(super) struct Watch<'a> {
    context: &'a ConnectionContext,
    activity: &'a Activity,
    peer: &'a Peer,
    /// The connection was asked to finish.
    is_closing: bool,
    /// The time by which an evicted connection has to be closed.
    close_at: Option<Instant>,
    /// Checks at shutdown.
    drain: Option<DrainWatch>,
    idle: IdleWatch,
    http1: Http1Watch,
    stalls: StallWatch,
}

impl<'a> Watch<'a> {
    /// For a connection that was accepted at `accepted`.
    pub(super) fn new(
        context: &'a ConnectionContext,
        activity: &'a Activity,
        peer: &'a Peer,
        accepted: Instant,
    ) -> Self {
        Self {
            context,
            activity,
            peer,
            is_closing: false,
            close_at: None,
            drain: None,
            idle: IdleWatch::new(accepted, peer.requests(), &context.options),
            http1: Http1Watch::new(&context.options),
            stalls: StallWatch::new(&context.options),
        }
    }

    /// The next ending, and the watch for what may follow a graceful one.
    pub(super) async fn next(mut self) -> (Ending, Self) {
        let ending = loop {
            let Self { context, activity, peer, .. } = self;
            tokio::select! {
                () = context.abort.cancelled() => break Ending::Close,
                () = peer.abort.cancelled() => break Ending::Reset,
                () = activity.calls.too_many_cancelled.notified() => {
                    tracing::debug!("closing a connection whose client cancels too many calls");
                    break Ending::Reset;
                }
                () = context.draining.cancelled(), if self.drain.is_none() => {
                    self.drain = Some(DrainWatch::new());
                    self.is_closing = true;
                    break Ending::Graceful;
                }
                () = peer.close.cancelled(), if self.close_at.is_none() => {
                    self.close_at = Some(Instant::now() + CLOSE_TIMEOUT);
                    self.is_closing = true;
                    break Ending::Graceful;
                }
                () = sleep_until(self.next_check()) => if let Some(ending) = self.check(Instant::now()) {
                    break ending;
                }
            }
        };
        (ending, self)
    }

    fn next_check(&self) -> Instant {
        let http1 = self.activity.may_be_http1().then_some(self.http1.next);
        let idle = (!self.is_closing).then_some(self.idle.next);
        let drain = self.drain.as_ref().map(|drain| drain.next);
        [http1, idle, drain, self.close_at].into_iter().flatten().fold(self.stalls.next, Instant::min)
    }

    /// Makes the checks that are due.
    fn check(&mut self, now: Instant) -> Option<Ending> {
        if self.close_at.is_some_and(|close_at| close_at <= now) {
            return Some(Ending::Reset);
        }
        if self.stalls.next <= now && self.stalls.check(self.activity) {
            tracing::debug!("closing a connection whose client takes no bytes");
            return Some(Ending::Reset);
        }
        let drain = self.drain.as_mut().filter(|drain| drain.next <= now);
        if drain.is_some_and(|drain| drain.check(self.activity, self.peer.requests())) {
            return Some(Ending::Close);
        }
        let is_http1 = self.activity.may_be_http1() && self.http1.next <= now;
        if is_http1 && self.http1.check(self.activity, self.peer) {
            tracing::debug!("closing a connection that waits for a request");
            return Some(Ending::Close);
        }
        if self.is_closing || self.idle.next > now {
            return None;
        }
        match self.idle.check(self.activity, self.peer) {
            Verdict::Active => None,
            Verdict::NoHttp => Some(Ending::Close),
            Verdict::Idle => {
                self.is_closing = true;
                Some(Ending::Graceful)
            }
        }
    }
}
