//! Whether a connection has said anything, and whether it is idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::budget::Peer;
use crate::options::ServeOptions;

/// Length of the first bytes of HTTP/2, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`: with them the version is known.
const PREFACE_LEN: usize = 24;

/// What a connection has said so far.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Bytes read, counted up to [`PREFACE_LEN`].
    first_bytes: AtomicUsize,
}

/// Looks at a connection from time to time, and knows when it has been silent for too long.
#[derive(Debug)]
pub(super) struct IdleWatch {
    pub(super) next: Instant,
    idle_timeout: std::time::Duration,
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
        let silent = requests == self.requests && peer.is_idle();
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

/// A connection that counts its first bytes, inside TLS where there is TLS.
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
