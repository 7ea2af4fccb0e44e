//! Counters of a connection: its first bytes, its open calls, and whether its socket takes bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use super::open_calls::OpenCalls;
use crate::observer::SharedObserver;
use crate::options::ServeOptions;
use crate::proxy::Rewind;
use crate::websocket::{CloseCode, WebSocket};

/// The first bytes of HTTP/2, which tell the version.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a request that are read before the response to the one before it has ended.
const MAX_EARLY: usize = 256;

/// The activity of a connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// Bytes read, counted up to the length of [`PREFACE`].
    first_bytes: AtomicUsize,
    /// The bytes read so far are not those of HTTP/2.
    is_http1: AtomicBool,
    created: Instant,
    /// Milliseconds from `created` to the first byte of an HTTP/1.1 head that is not complete, plus one; 0 without one.
    head_began: AtomicU64,
    /// Bytes wait for the socket.
    is_blocked: AtomicBool,
    /// The socket has taken bytes since the last check.
    has_written: AtomicBool,
    /// The connection ends with a reset.
    resets: AtomicBool,
    /// The server ends the connection in good order.
    goes_away: AtomicBool,
    pub(super) calls: Arc<OpenCalls>,
    /// Is told of bytes.
    observer: Option<SharedObserver>,
}

impl Activity {
    /// `is_proxy`: the connection carries many clients.
    pub(super) fn new(options: &ServeOptions, is_proxy: bool) -> Self {
        Self {
            first_bytes: AtomicUsize::new(0),
            is_http1: AtomicBool::new(false),
            created: Instant::now(),
            head_began: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            has_written: AtomicBool::new(false),
            resets: AtomicBool::new(false),
            goes_away: AtomicBool::new(false),
            calls: Arc::new(OpenCalls::new(options, is_proxy)),
            observer: None,
        }
    }

    /// Tells `observer` of bytes. Not for a socket, whose bytes are those of its connection.
    pub(super) fn count_bytes(self, observer: Option<SharedObserver>) -> Self {
        Self { observer, ..self }
    }

    /// Whether enough bytes have come to tell the HTTP version.
    pub(super) fn speaks_http(&self) -> bool {
        self.first_bytes.load(Ordering::Relaxed) >= PREFACE.len()
    }

    /// Whether no call is open and no byte waits for the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.is_empty() && !self.is_blocked()
    }

    /// Whether bytes wait for the socket.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    /// Lets the connection end with a reset. Otherwise the kernel would keep its bytes for a client that does not read for
    /// as long as the client likes.
    pub(super) fn reset_on_close(&self) {
        self.resets.store(true, Ordering::Relaxed);
    }

    /// Lets a WebSocket end with the code for a server that goes away.
    pub(super) fn go_away(&self) {
        self.goes_away.store(true, Ordering::Relaxed);
    }

    /// Whether the socket has taken nothing since the last call of this although there was something to write.
    pub(super) fn take_stalled(&self) -> bool {
        !self.has_written.swap(false, Ordering::Relaxed) && self.is_blocked()
    }

    /// The begin of an HTTP/1.1 head that is not complete.
    pub(super) fn head_began(&self) -> Option<Instant> {
        let millis = self.head_began.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.created + Duration::from_millis(millis))
    }

    /// Whether the bytes read so far may be those of HTTP/1.1.
    pub(super) fn may_be_http1(&self) -> bool {
        self.is_http1.load(Ordering::Relaxed) || !self.speaks_http()
    }

    /// The head of a request is complete.
    pub(super) fn end_head(&self) {
        self.head_began.store(0, Ordering::Relaxed);
    }

    /// Bytes that have still to come before the version is known.
    fn version_needs(&self) -> usize {
        let seen = self.first_bytes.load(Ordering::Relaxed);
        if self.is_http1.load(Ordering::Relaxed) { 0 } else { PREFACE.len().saturating_sub(seen) }
    }

    fn record_read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let seen = self.first_bytes.load(Ordering::Relaxed);
        if seen < PREFACE.len() {
            let expected = &PREFACE[seen..PREFACE.len().min(seen + bytes.len())];
            if !bytes.starts_with(expected) {
                self.is_http1.store(true, Ordering::Relaxed);
            }
            self.first_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        if self.is_http1.load(Ordering::Relaxed)
            && self.head_began.load(Ordering::Relaxed) == 0
            && self.calls.is_empty()
        {
            let millis = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.head_began.store(millis + 1, Ordering::Relaxed);
        }
        if let Some(observer) = &self.observer {
            observer.bytes_received(bytes.len());
        }
    }

    fn record_written(&self, polled: &Poll<io::Result<usize>>) {
        self.record_write(polled);
        if let (Some(observer), Poll::Ready(Ok(bytes))) = (&self.observer, polled) {
            observer.bytes_sent(*bytes);
        }
    }

    fn record_write<T>(&self, polled: &Poll<io::Result<T>>) {
        // Most writes change nothing, and a load is cheaper than a store to memory that others read.
        let is_blocked = polled.is_pending();
        if self.is_blocked() != is_blocked {
            self.is_blocked.store(is_blocked, Ordering::Relaxed);
        }
        if !is_blocked && !self.has_written.load(Ordering::Relaxed) {
            self.has_written.store(true, Ordering::Relaxed);
        }
    }
}

/// A stream over a TCP socket.
pub(super) trait Socket {
    fn socket(&self) -> &TcpStream;

    /// The server ends the connection: called before its shutdown.
    fn go_away(&mut self) {}
}

impl<S: Socket> Socket for MeteredStream<S> {
    fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }
}

impl<S: Socket> Socket for WebSocket<S> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().socket()
    }

    fn go_away(&mut self) {
        self.set_close_code(CloseCode::GOING_AWAY);
    }
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

/// A stream that records its activity, inside TLS where there is TLS.
#[derive(Debug)]
pub(super) struct MeteredStream<S: Socket> {
    stream: S,
    pub(super) activity: Arc<Activity>,
    /// Bytes that were read, and are read again.
    first: Bytes,
}

impl<S: Socket> MeteredStream<S> {
    pub(super) fn new(stream: S, activity: &Arc<Activity>) -> Self {
        Self { stream, activity: Arc::clone(activity), first: Bytes::new() }
    }
}

impl<S: Socket + AsyncRead + Unpin> MeteredStream<S> {
    /// Ready when the bytes that have come tell the HTTP version. They are read again.
    pub(super) fn poll_version(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let missing = self.activity.version_needs();
            let mut bytes = [0; PREFACE.len()];
            if missing == 0 || ready!(self.poll_socket(&mut bytes[..missing], cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// An error when the client has left. Its next request, if that comes early, is read again.
    pub(super) fn poll_client(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut bytes = [0; MAX_EARLY];
        if self.first.is_empty()
            && let Poll::Ready(read) = self.poll_socket(&mut bytes, cx)
            && read? == 0
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Lets these bytes be read again, before those of the socket.
    pub(super) fn read_again(&mut self, bytes: &[u8]) {
        // A copy, because they may be the rest of a large buffer, which would stay even for none.
        self.first = [bytes, &self.first[..]].concat().into();
    }

    /// Reads bytes of the socket that are read again; returns their number.
    fn poll_socket(&mut self, bytes: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        self.activity.record_read(buf.filled());
        self.first = [&self.first[..], buf.filled()].concat().into();
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: Socket> Drop for MeteredStream<S> {
    fn drop(&mut self) {
        if self.activity.resets.load(Ordering::Relaxed)
            && let Err(error) = self.stream.socket().set_zero_linger()
        {
            tracing::debug!(%error, "cannot reset a connection");
        }
    }
}

impl<S: Socket + AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let length = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.activity.record_read(&buf.filled()[before..]);
        polled
    }
}

impl<S: Socket + AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.record_written(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        // A flush without anything to do has not written; TLS writes its buffer when it is flushed.
        if polled.is_pending() || self.activity.is_blocked() {
            self.activity.record_write(&polled);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.goes_away.load(Ordering::Relaxed) {
            self.stream.go_away();
        }
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
        self.activity.record_written(&polled);
        polled
    }
}
