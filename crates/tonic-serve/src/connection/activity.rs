//! What happens on a connection, counted: whether it has said anything, whether it is idle, and whether its
//! peer takes what is written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};
use tokio_rustls::server::TlsStream;

use super::calls::{Calls, LOOKS};
use crate::budget::Peer;
use crate::options::ServeOptions;
use crate::proxy::Rewind;

/// Length of the first bytes of HTTP/2, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`: with them the version is known.
const PREFACE_LEN: usize = 24;

/// Shortest time between two looks at what a peer takes, for options that leave none.
const SHORTEST_LOOK: Duration = Duration::from_millis(1);

/// At shutdown: how long a connection without a call may take to close by itself. HTTP/2 closes when its peer
/// has answered a ping, HTTP/1.1 when the head that has begun is there; a hostile peer does neither.
const IDLE_GRACE: Duration = Duration::from_millis(500);

/// What a connection has done so far.
#[derive(Debug)]
pub(super) struct Activity {
    /// Bytes read, counted up to [`PREFACE_LEN`].
    first_bytes: AtomicUsize,
    /// Bytes wait for the socket.
    blocked: AtomicBool,
    /// The socket has taken bytes since the last look.
    written: AtomicBool,
    /// The connection ends with a reset.
    given_up: AtomicBool,
    pub(super) calls: Arc<Calls>,
}

impl Activity {
    /// `of_proxy`: its calls are of many clients.
    pub(super) fn new(options: &ServeOptions, of_proxy: bool) -> Self {
        Self {
            first_bytes: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            written: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            calls: Arc::new(Calls::new(options, of_proxy)),
        }
    }

    /// Whether no call is open and no byte waits for the socket.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        self.calls.is_empty() && !self.blocked.load(Ordering::Relaxed)
    }

    /// Lets the connection end with a reset. What the kernel has for a peer that takes nothing would stay there
    /// otherwise, for as long as the peer likes.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether the socket has taken nothing since the last look although there was something to write.
    fn stands_still(&self) -> bool {
        !self.written.swap(false, Ordering::Relaxed) && self.blocked.load(Ordering::Relaxed)
    }

    fn wrote<T>(&self, polled: &Poll<io::Result<T>>) {
        // Most writes change nothing, and a load is cheaper than a store to what others read.
        let blocked = polled.is_pending();
        if self.blocked.load(Ordering::Relaxed) != blocked {
            self.blocked.store(blocked, Ordering::Relaxed);
        }
        if !blocked && !self.written.load(Ordering::Relaxed) {
            self.written.store(true, Ordering::Relaxed);
        }
    }
}

/// Looks from time to time at what the peer takes.
#[derive(Debug)]
pub(super) struct StallWatch {
    pub(super) looks: Interval,
    /// Looks since the socket took something.
    stalled: u32,
}

impl StallWatch {
    pub(super) fn new(options: &ServeOptions) -> Self {
        let period = (options.stall_timeout / LOOKS).max(SHORTEST_LOOK);
        let mut looks = interval_at(Instant::now() + period, period);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { looks, stalled: 0 }
    }

    /// Ends the calls of which the peer takes nothing. `true`: the connection has to be closed.
    pub(super) fn look(&mut self, activity: &Activity) -> bool {
        let looked = activity.calls.look();
        if looked.ended > 0 {
            tracing::debug!(calls.ended = looked.ended, "a client takes nothing of its answers: ended them");
        }
        self.stalled = if activity.stands_still() { self.stalled + 1 } else { 0 };
        looked.stuck || self.stalled >= LOOKS
    }
}

/// At shutdown: looks from time to time whether a connection can be closed that does not close by itself.
#[derive(Debug)]
pub(super) struct LeaveWatch {
    pub(super) looks: Interval,
    /// How many requests had come at the last look, if there was nothing to do then.
    quiet: Option<usize>,
}

impl LeaveWatch {
    /// Two looks take [`IDLE_GRACE`], once the looks are reset.
    pub(super) fn new() -> Self {
        Self { looks: interval(IDLE_GRACE / 2), quiet: None }
    }

    /// Whether there was nothing to do at two looks in a row, and in between. One look is not enough: the last
    /// call may have ended a moment ago, and its status may not be written yet.
    pub(super) fn look(&mut self, activity: &Activity, requests: usize) -> bool {
        let before = std::mem::replace(&mut self.quiet, activity.has_nothing_to_do().then_some(requests));
        before.is_some() && before == self.quiet
    }
}

/// Looks at a connection from time to time, and knows when it has been silent for too long.
#[derive(Debug)]
pub(super) struct IdleWatch {
    pub(super) next: Instant,
    idle_timeout: Duration,
    handshake: bool,
    requests: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Live,
    /// Not enough came to know which HTTP it speaks.
    NeverSpoke,
    /// No call is open and none has been made since the last look.
    Idle,
}

impl IdleWatch {
    /// For a connection that was accepted at `accepted`.
    pub(super) fn new(accepted: Instant, options: &ServeOptions) -> Self {
        Self {
            next: accepted + options.handshake_timeout,
            idle_timeout: options.idle_timeout,
            handshake: true,
            requests: 0,
        }
    }

    pub(super) fn check(&mut self, activity: &Activity, peer: &Peer) -> Verdict {
        let requests = peer.requests();
        let silent = requests == self.requests && activity.calls.is_empty();
        let handshake = std::mem::replace(&mut self.handshake, false);
        self.requests = requests;
        self.next = Instant::now() + self.idle_timeout;
        match (handshake, silent) {
            (_, false) => Verdict::Live,
            (false, true) => Verdict::Idle,
            (true, true) if activity.first_bytes.load(Ordering::Relaxed) < PREFACE_LEN => Verdict::NeverSpoke,
            (true, true) => Verdict::Live,
        }
    }
}

/// What is at the bottom of a connection.
pub(super) trait Socket {
    fn socket(&self) -> &TcpStream;
}

impl Socket for Rewind {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl Socket for TlsStream<Rewind> {
    fn socket(&self) -> &TcpStream {
        &self.get_ref().0.socket
    }
}

/// A connection that counts its first bytes, inside TLS where there is TLS.
#[derive(Debug)]
pub(super) struct Metered<S: Socket> {
    pub(super) stream: S,
    pub(super) activity: Arc<Activity>,
}

impl<S: Socket> Drop for Metered<S> {
    fn drop(&mut self) {
        if self.activity.given_up.load(Ordering::Relaxed)
            && let Err(error) = self.stream.socket().set_zero_linger()
        {
            tracing::debug!(%error, "cannot reset a connection");
        }
    }
}

impl<S: Socket + AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let seen = &self.activity.first_bytes;
        if seen.load(Ordering::Relaxed) < PREFACE_LEN {
            seen.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: Socket + AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.wrote(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        // A flush that had nothing to do has not written; TLS writes what it holds when it is flushed.
        if polled.is_pending() || self.activity.blocked.load(Ordering::Relaxed) {
            self.activity.wrote(&polled);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.wrote(&polled);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_whose_last_call_has_just_ended_is_not_closed_at_a_stop() {
        let activity = Activity::new(&ServeOptions::default(), false);
        let mut leave = LeaveWatch::new();
        let call = activity.calls.begin();
        assert!(!leave.look(&activity, 1));
        drop(call);
        assert!(!leave.look(&activity, 1));
        // Another one has come and gone since then.
        assert!(!leave.look(&activity, 2));
        assert!(leave.look(&activity, 2));
    }
}
