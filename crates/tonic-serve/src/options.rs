//! How a port is served: TLS, and the limits of its HTTP side, each with what happens when it is reached.

use std::time::Duration;

use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;

use crate::proxy::TrustedProxies;
use crate::tls::Tls;

/// How many calls a client may open and cancel before this side has looked at them; h2 itself allows 20. A
/// browser that leaves a page cancels all its calls in one write, and may have as many as HTTP/2 lets it.
const MAX_CANCELLED_UNSEEN: usize = 256;

/// Largest window that HTTP/2 knows, bytes (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// How one listening port is served. The defaults suit a server that faces the internet, or a proxy that
/// does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// With it, the port speaks TLS and nothing else. Default: cleartext, for use behind a proxy and on
    /// one machine; browsers then speak HTTP/1.1, and HTTP/2 is for those who know beforehand.
    pub tls: Option<Tls>,
    /// The proxies that may say which client a connection or a request comes from. Default: none, and what
    /// peers say of it is not looked at.
    ///
    /// A connection that begins with a PROXY header counts as its client's, with the limits of one: those of
    /// connections and of buffered bytes. Every other connection of a trusted proxy carries many clients, and has
    /// neither [`max_connections_per_address`](Self::max_connections_per_address) nor
    /// [`max_buffered_bytes_per_connection`](Self::max_buffered_bytes_per_connection).
    pub trusted_proxies: TrustedProxies,
    /// How many connections may be open at once. At the limit the least useful one makes room for a new one:
    /// first those that have sent no request, then those without an open call, then those whose open calls
    /// carry neither `authorization` nor `cookie`, of each the one that has been quiet for the longest time. Then
    /// those with sessions of the address that has the most connections, if it has more than a sixteenth of all,
    /// and more than the new one's address. A connection that has sent no request is cut at once; another one is
    /// asked to finish (GOAWAY, or the end of an HTTP/1.1 connection), and cut after a second. When there is none
    /// of these, the new one is refused: 503 with `retry-after` over HTTP/1.1, GOAWAY with
    /// ENHANCE_YOUR_CALM over HTTP/2, and with TLS it is closed. Default 6,000.
    ///
    /// The defaults suit a server with 2 GB of memory. A connection holds up to 128 KiB of requests that nobody has
    /// read ([`max_http1_buffer`](Self::max_http1_buffer), [`connection_window`](Self::connection_window)), with
    /// TLS 16 KiB of what was written and not taken, and about 40 KiB of its own: 1.1 GB for 6,000. Buffered bytes
    /// are 256 MiB. An open HTTP/2 call costs some KiB and its head
    /// ([`max_header_list_size`](Self::max_header_list_size)) up to 16 KiB: for 20,000 calls less than 200 MB and up
    /// to 330 MB. If every client does its worst at once, that is 1.9 GB. A larger
    /// server takes all limits of connections, calls and buffered bytes times its memory by 2 GB.
    pub max_connections: usize,
    /// How many connections one address may have open (an IPv4 address, or an IPv6 network of 64 bits). At the
    /// limit the least useful one of the same address goes, as with
    /// [`max_connections`](Self::max_connections). Default 1,000: many people may share an address. All clients of
    /// a proxy that is not known as one share its address.
    pub max_connections_per_address: usize,
    /// How many calls (gRPC, and every other request) may be open at once, from the request's head until the
    /// answer has ended or was given up. More are refused: gRPC with RESOURCE_EXHAUSTED and a time to come back,
    /// others with 503 and `retry-after`. A quarter is kept for requests that carry `authorization` or `cookie`,
    /// the signs of a session; whether the session is valid is not known here. Default 20,000.
    pub max_calls: usize,
    /// How many of them one address may have open, with the same quarter. Default 2,000.
    pub max_calls_per_address: usize,
    /// Bytes that may wait in memory for all clients together: of answers that were made and not taken, and of
    /// requests that came and were not answered. Above it, the connection that holds the most is closed. What is
    /// reserved for long answers ([`App::long_answers`](crate::App::long_answers)) closes none: at the limit, such
    /// calls wait. Default 256 MiB.
    pub max_buffered_bytes: usize,
    /// How many of them one address may hold. At the limit no answer to this address is asked for more until some
    /// are taken, but for connections that hold less than 16 KiB. Default 64 MiB.
    pub max_buffered_bytes_per_address: usize,
    /// How many of them one connection may hold. At the limit no answer on it is asked for more until some are
    /// taken. An answer of which the client has taken everything may use a quarter beyond the limit; above that,
    /// requests are refused with RESOURCE_EXHAUSTED. Default 4 MiB.
    pub max_buffered_bytes_per_connection: usize,
    /// How many calls one HTTP/2 connection may have open at once; the client holds back the rest, as
    /// HTTP/2 says. Default 256.
    pub max_concurrent_streams: u32,
    /// How long a new connection may take for a proxy's PROXY header, the TLS handshake and to say which HTTP
    /// it speaks; then it is closed. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long an HTTP/1.1 connection may take to send the head of a request, and how long it may stay
    /// open between two requests; then it is closed. Default 30 s.
    pub header_read_timeout: Duration,
    /// How long an HTTP/2 connection may stay open without a call; then it is told to go away. Default
    /// 5 min.
    pub idle_timeout: Duration,
    /// How long a peer may take nothing of an answer while there is something to take; then the call is ended:
    /// its handler is dropped and the peer is told by a reset, or, where that is not possible (HTTP/1.1, a
    /// socket that takes nothing), by the end of the connection. It is noticed at most a quarter later. A
    /// stream that has nothing to send may stay silent. Default 60 s.
    pub stall_timeout: Duration,
    /// How many calls a client may cancel at once on one HTTP/2 connection; then the connection is closed, unless
    /// it is a trusted proxy's, which carries many clients. Default 1,000.
    pub cancel_burst: u32,
    /// How many of these it may cancel again after each second. Default 33.
    pub cancel_rate: u32,
    /// How often an HTTP/2 connection is pinged, so that a peer that vanished is noticed. Default 20 s.
    pub keep_alive_interval: Duration,
    /// How long the answer to such a ping may take; then the connection is closed. Default 20 s.
    pub keep_alive_timeout: Duration,
    /// How long data may stay unacknowledged on a socket before the kernel gives the connection up (where
    /// the system offers it). Default 60 s.
    pub unacknowledged_timeout: Duration,
    /// Bytes of request headers, as HTTP/2 counts them (name, value and 32 for each); more is refused
    /// with 431. Default 16 KiB.
    pub max_header_list_size: u32,
    /// Bytes that HTTP/1.1 buffers to find the end of a request's head, and holds of a response that the
    /// socket does not take; a longer head is refused with 431. Default 64 KiB.
    pub max_http1_buffer: usize,
    /// Bytes of a response that HTTP/2 holds per stream until the socket takes them. Above it the handler is
    /// not asked for more, so a slow reader holds its own stream and costs at most this and one frame more.
    /// Default 1 KiB, which takes no more of the processor than more does: what all streams have is written
    /// together.
    pub max_send_buffer: usize,
    /// Bytes that the kernel takes for a connection beyond what the client has room for (where the system
    /// offers it): without it, some megabytes for each client that does not read. A ping waits behind them, so a
    /// client that takes fewer than these in `keep_alive_timeout` is given up. Default 16 KiB.
    pub max_unsent: u32,
    /// Bytes of request that a client may send on one HTTP/2 stream before a handler has read any. An upload is
    /// at most this fast for each round trip. Default 32 KiB.
    pub stream_window: u32,
    /// The same for all streams of a connection together; at least 512 bytes for each of
    /// [`max_concurrent_streams`](Self::max_concurrent_streams), and 64 KiB - 1, which HTTP/2 begins with. Every
    /// connection can hold as much. Default 128 KiB.
    pub connection_window: u32,
    /// How long nothing of a request's body may come while it is waited for; then reading it is an error, which
    /// ends a call with DEADLINE_EXCEEDED, and over HTTP/1.1 the connection is closed. Where a client streams
    /// and is answered while it does, it may pause between two messages for as long as it likes over HTTP/2,
    /// where pings show that it is there. Default 60 s.
    pub body_read_timeout: Duration,
    /// How long a request's body may take in all, beyond one second for every `min_body_rate` bytes of it that
    /// have come; then reading it is an error as above. The time begins when the body is first waited for.
    /// Where a client streams, this holds for each message from its first byte. Default 30 s.
    pub body_timeout: Duration,
    /// How many bytes of a request's body allow it one second more. Default 1,024: a body of 64 KiB may take
    /// 94 s.
    pub min_body_rate: u32,
    /// Bytes of an HTTP/1.1 request that are read and thrown away after it was answered early, so that the
    /// client gets to the answer. Of what is longer, the connection is closed. Default 16 MiB.
    pub max_unread_body: u64,
    /// How long that may take; then the connection is closed. Default 10 s.
    pub unread_body_timeout: Duration,
    /// At shutdown: how long calls may go on before they are ended with UNAVAILABLE. Default 2 s.
    pub call_grace: Duration,
    /// At shutdown: how long the whole drain may take before the connections that are left are cut. A connection
    /// without a call is not waited for that long, but half a second. Default 2.7 s, so that with the end of
    /// everything else a stop takes less than three.
    pub drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            max_connections: 6_000,
            max_connections_per_address: 1_000,
            max_calls: 20_000,
            max_calls_per_address: 2_000,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_buffered_bytes_per_address: 64 * 1024 * 1024,
            max_buffered_bytes_per_connection: 4 * 1024 * 1024,
            max_concurrent_streams: 256,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(5 * 60),
            stall_timeout: Duration::from_secs(60),
            cancel_burst: 1_000,
            cancel_rate: 33,
            keep_alive_interval: Duration::from_secs(20),
            keep_alive_timeout: Duration::from_secs(20),
            unacknowledged_timeout: Duration::from_secs(60),
            max_header_list_size: 16 * 1024,
            max_http1_buffer: 64 * 1024,
            max_send_buffer: 1024,
            max_unsent: 16 * 1024,
            stream_window: 32 * 1024,
            connection_window: 128 * 1024,
            body_read_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            min_body_rate: 1024,
            max_unread_body: 16 * 1024 * 1024,
            unread_body_timeout: Duration::from_secs(10),
            call_grace: Duration::from_secs(2),
            drain_timeout: Duration::from_millis(2_700),
        }
    }
}

impl ServeOptions {
    /// h2 ends a connection with ENHANCE_YOUR_CALM when small DATA frames wait whose missing bytes (each less than
    /// 256) are more than half of this window together. A request of a few bytes is such a frame, so a client may
    /// have as many of them on the way as it may have calls.
    fn smallest_connection_window(&self) -> u32 {
        self.max_concurrent_streams.saturating_mul(512).min(MAX_WINDOW)
    }

    /// A builder of HTTP connections with these limits, running its tasks on `executor`.
    pub(crate) fn http<E>(&self, executor: E) -> auto::Builder<E> {
        let mut builder = auto::Builder::new(executor);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_read_timeout)
            .max_buf_size(self.max_http1_buffer);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_pending_accept_reset_streams(MAX_CANCELLED_UNSEEN.max(self.max_concurrent_streams as usize))
            .keep_alive_interval(self.keep_alive_interval)
            .keep_alive_timeout(self.keep_alive_timeout)
            .max_header_list_size(self.max_header_list_size)
            .max_send_buf_size(self.max_send_buffer)
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window.max(self.smallest_connection_window()));
        builder
    }
}
