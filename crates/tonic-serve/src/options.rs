//! The options of a listening port: TLS, trusted proxies, and every limit with the effect of reaching it.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;

use crate::observer::Observer;
use crate::proxy::{Network, TrustedProxies};
use crate::tls::Tls;
use crate::tracer::CallTracer;

/// Calls that a client may open and cancel before the server has handled any of them; h2 itself allows 20. A browser that
/// leaves a page cancels all its calls in one write, and may have as many as HTTP/2 allows it.
const MAX_PENDING_RESETS: usize = 256;

/// Largest window of HTTP/2, in bytes (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Options of one listening port. The defaults suit a server that faces the internet, or a proxy that does.
///
/// Every field has a setter of the same name.
///
/// ```
/// use std::time::Duration;
/// use tonic_serve::ServeOptions;
///
/// let options = ServeOptions::default().max_connections(20_000).idle_timeout(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// With a certificate the port speaks TLS and nothing else. Default: none. The port then speaks cleartext, for use
    /// behind a proxy or on one machine: browsers use HTTP/1.1, and HTTP/2 needs prior knowledge.
    pub tls: Option<Tls>,
    /// Proxies that may name the client of a connection or a request. Default: none, and what peers say about their
    /// clients is ignored.
    ///
    /// A connection that begins with a PROXY header counts as its client's and has the limits of one client. Every other
    /// connection of a trusted proxy carries many clients, so it is exempt from
    /// [`max_connections_per_address`](field@Self::max_connections_per_address) and
    /// [`max_buffered_bytes_per_connection`](field@Self::max_buffered_bytes_per_connection).
    pub trusted_proxies: TrustedProxies,
    /// Is told of calls, connections, bytes and reached limits, for metrics. Default: none.
    pub observer: Option<Arc<dyn Observer>>,
    /// Follows each call from its head to its status, for traces. Default: none.
    pub tracer: Option<Arc<dyn CallTracer>>,
    /// Open connections in all. At the limit the least useful connection is evicted for a new one. Candidates, in this
    /// order, and of each kind the one without activity for the longest time: connections that have sent no request;
    /// connections without an open call; connections whose open calls carry neither `authorization` nor `cookie`. Then
    /// connections with sessions, of the network with the most connections (an IPv4 address, or an IPv6 network of 48 bits), if
    /// it has more than a sixteenth of all and more than the network of the new one. An evicted connection that has sent no request is closed at once. Others are
    /// asked to finish (GOAWAY, or the end of an HTTP/1.1 connection) and closed after a second. Without a candidate the
    /// new connection is refused: 503 with `retry-after` over HTTP/1.1, GOAWAY with ENHANCE_YOUR_CALM over HTTP/2; with
    /// TLS it is closed. Default 6,000.
    ///
    /// The defaults suit a server with 2 GB of memory. A connection holds up to 128 KiB of unread requests
    /// ([`max_http1_buffer`](field@Self::max_http1_buffer), [`connection_window`](field@Self::connection_window)), with
    /// TLS 16 KiB of unsent ciphertext, and about 40 KiB of state, or 10 while a response over HTTP/1.1
    /// waits for its next message: 1.1 GB for 6,000. Buffered bytes are 256 MiB. An open
    /// HTTP/2 call costs some KiB and up to 16 KiB for its head
    /// ([`max_header_list_size`](field@Self::max_header_list_size)): for 20,000 calls less than 200 MB and up to 330 MB.
    /// If every client does its worst at once, that is 1.9 GB. For more memory, multiply all limits of connections, calls
    /// and buffered bytes by the same factor.
    pub max_connections: usize,
    /// Open connections of one address: an IPv4 address, or an IPv6 network of 64 bits. An IPv6 network of 48 bits may have
    /// four times as many. At the limit the least useful connection of the same address is evicted, as with
    /// [`max_connections`](field@Self::max_connections). Default 1,000: many people may share an address. All clients of a
    /// proxy that is not trusted share its address.
    pub max_connections_per_address: usize,
    /// Open calls in all (gRPC, and every other request), from the request's head until the response has ended or was
    /// given up. More are refused: gRPC with RESOURCE_EXHAUSTED and a time to retry, others with 503 and `retry-after`. A
    /// quarter is reserved for requests that carry `authorization` or `cookie`, the signs of a session; the session is not
    /// validated here. Default 20,000.
    pub max_calls: usize,
    /// Open calls of one address, with the same reserve. An IPv6 network of 48 bits may have four times as many.
    /// Default 2,000.
    pub max_calls_per_address: usize,
    /// Bytes in memory for all clients together: responses that clients have not taken, and requests that have no response
    /// yet. Above the limit the connection that holds the most is closed. Reservations for long responses
    /// ([`App::long_responses`](crate::App::long_responses)) close no connection: at the limit such calls wait.
    /// Default 256 MiB.
    pub max_buffered_bytes: usize,
    /// Such bytes of one address. At the limit the responses to this address pause until some bytes are taken, except on
    /// connections that hold less than 16 KiB. Default 64 MiB.
    pub max_buffered_bytes_per_address: usize,
    /// Such bytes of one connection. At the limit its responses pause until some bytes are taken. A response whose bytes
    /// are all taken may exceed the limit by a quarter; above that, requests are refused with RESOURCE_EXHAUSTED, so it is at
    /// least [`App::max_message_size`](crate::App::max_message_size). Default 4 MiB.
    pub max_buffered_bytes_per_connection: usize,
    /// Whether pages may open sockets: HTTP/2 inside a WebSocket with the subprotocol `h2ts`, which carries all four kinds of
    /// calls. Every limit of a connection applies to a socket, and every limit of HTTP/2 inside it. Default: yes.
    pub web_sockets: bool,
    /// Open calls of one HTTP/2 connection; the client queues the rest, as HTTP/2 requires. Default 256.
    pub max_concurrent_streams: u32,
    /// Time for a proxy's PROXY header, the TLS handshake and the first bytes that tell the HTTP version; then the
    /// connection is closed. Default 10 s.
    pub handshake_timeout: Duration,
    /// Time for the head of an HTTP/1.1 request from its first byte; then the connection is closed. Default 30 s.
    pub header_read_timeout: Duration,
    /// Time that an HTTP/1.1 connection may stay open between two requests; then it is closed. A proxy in front has to close
    /// first, or it may send a request on a connection that is just being closed. Default 75 s, because proxies keep theirs for
    /// 60 s.
    pub http1_keep_alive: Duration,
    /// Time that an HTTP/2 connection may stay open without a call; then it is sent GOAWAY. Default 5 min.
    pub idle_timeout: Duration,
    /// Time in which a client must take some bytes of a response that has bytes to send; then the call is ended: its
    /// handler is dropped and its stream reset, or, where that is not possible (HTTP/1.1, a socket that takes nothing),
    /// the connection is closed. Noticed at most a quarter later. A stream without anything to send may stay silent.
    /// Default 60 s.
    pub stall_timeout: Duration,
    /// Calls that a client may cancel at once on one HTTP/2 connection; then the connection is closed. A trusted proxy is
    /// exempt, because it carries many clients. Default 1,000.
    pub cancel_burst: u32,
    /// Further calls that it may cancel after each second. Default 33.
    pub cancel_rate: u32,
    /// Interval between pings on an HTTP/2 connection, which find peers that vanished. Default 20 s.
    pub keep_alive_interval: Duration,
    /// Time for the answer to such a ping; then the connection is closed. Default 20 s.
    pub keep_alive_timeout: Duration,
    /// Time that sent data may stay unacknowledged before the kernel gives the connection up (where the system offers it).
    /// Default 60 s.
    pub unacknowledged_timeout: Duration,
    /// Bytes of request headers, as HTTP/2 counts them (name, value and 32 for each); more is refused with 431.
    /// Default 16 KiB.
    pub max_header_list_size: u32,
    /// Bytes that HTTP/1.1 buffers to find the end of a request's head, and of a response that the socket does not take, until
    /// its first pause; from then on it holds one chunk. A longer head is refused with 431. Default 64 KiB.
    pub max_http1_buffer: usize,
    /// Bytes of a response that HTTP/2 buffers per stream until the socket takes them. Above it the handler is not polled,
    /// so a slow reader pauses its own stream and costs at most this and one chunk. Small chunks that are ready together are
    /// joined to one, of 32 KiB and of a quarter of what the client has taken of the response at most. Default 1 KiB, which
    /// takes no more CPU time than larger values, because all streams of a connection are written together.
    pub max_send_buffer: usize,
    /// Bytes that the kernel buffers for a connection beyond what the client has room for (where the system offers it);
    /// without the limit, some megabytes for each client that does not read. A ping waits behind them, so a client that
    /// takes fewer bytes than these in `keep_alive_timeout` is given up. Default 16 KiB.
    pub max_unsent: u32,
    /// Request bytes that a client may send on one HTTP/2 stream before a handler has read any. An upload is at most this
    /// fast per round trip. Default 32 KiB.
    pub stream_window: u32,
    /// The same for all streams of a connection together. At least 512 bytes for each of
    /// [`max_concurrent_streams`](field@Self::max_concurrent_streams), and 64 KiB - 1, the initial window of HTTP/2. Every
    /// connection can hold as much. Default 128 KiB.
    pub connection_window: u32,
    /// Read timeout between two chunks of a request body. Then the read fails, which ends a call with DEADLINE_EXCEEDED;
    /// over HTTP/1.1 the connection is closed. A bidirectional stream over HTTP/2 may pause between two messages for any
    /// time, because pings show that its client is there. Default 60 s.
    pub body_read_timeout: Duration,
    /// Total time for a request body, plus one second for every `min_body_rate` bytes received; then the read fails as
    /// above. The time begins with the first read that has to wait. For request streams it applies to each message, from
    /// its first byte. Default 30 s.
    pub body_timeout: Duration,
    /// Bytes of a request body that extend `body_timeout` by one second. Default 1,024: a body of 64 KiB may take 94 s.
    pub min_body_rate: u32,
    /// Bytes of an HTTP/1.1 request that are read and discarded after an early response, so that the client sees the
    /// response. If more follow, the connection is closed. Default 16 MiB.
    pub max_unread_body: u64,
    /// Time for reading and discarding them; then the connection is closed. Default 10 s.
    pub unread_body_timeout: Duration,
    /// At shutdown: time for open calls before they are ended with UNAVAILABLE. Default 2 s.
    pub call_grace: Duration,
    /// At shutdown: time for the whole drain before the remaining connections are closed. A connection without a call is
    /// closed after half a second, in which a new one may still make its first. Default 2.7 s, which keeps a stop below three
    /// seconds.
    pub drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            observer: None,
            tracer: None,
            max_connections: 6_000,
            max_connections_per_address: 1_000,
            max_calls: 20_000,
            max_calls_per_address: 2_000,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_buffered_bytes_per_address: 64 * 1024 * 1024,
            max_buffered_bytes_per_connection: 4 * 1024 * 1024,
            web_sockets: true,
            max_concurrent_streams: 256,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(30),
            http1_keep_alive: Duration::from_secs(75),
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

/// Setters named like the fields, because a non-exhaustive struct cannot be written as an expression elsewhere.
macro_rules! setters {
    ($($field:ident: $type:ty,)*) => {
        impl ServeOptions {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

setters! {
    max_connections: usize,
    max_connections_per_address: usize,
    max_calls: usize,
    max_calls_per_address: usize,
    max_buffered_bytes: usize,
    max_buffered_bytes_per_address: usize,
    max_buffered_bytes_per_connection: usize,
    web_sockets: bool,
    max_concurrent_streams: u32,
    handshake_timeout: Duration,
    header_read_timeout: Duration,
    http1_keep_alive: Duration,
    idle_timeout: Duration,
    stall_timeout: Duration,
    cancel_burst: u32,
    cancel_rate: u32,
    keep_alive_interval: Duration,
    keep_alive_timeout: Duration,
    unacknowledged_timeout: Duration,
    max_header_list_size: u32,
    max_http1_buffer: usize,
    max_send_buffer: usize,
    max_unsent: u32,
    stream_window: u32,
    connection_window: u32,
    body_read_timeout: Duration,
    body_timeout: Duration,
    min_body_rate: u32,
    max_unread_body: u64,
    unread_body_timeout: Duration,
    call_grace: Duration,
    drain_timeout: Duration,
}

impl ServeOptions {
    /// Sets [`tls`](field@Self::tls).
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets [`tracer`](field@Self::tracer).
    #[must_use]
    pub fn tracer(mut self, tracer: Arc<dyn CallTracer>) -> Self {
        self.tracer = Some(tracer);
        self
    }

    /// Sets [`observer`](field@Self::observer).
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Sets [`trusted_proxies`](field@Self::trusted_proxies).
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.trusted_proxies = networks.into_iter().collect();
        self
    }

    /// h2 ends a connection with ENHANCE_YOUR_CALM when small DATA frames wait whose missing bytes (each less than 256) add
    /// up to more than half of this window. A request of a few bytes is such a frame, so a client may have as many of them
    /// in flight as it may have calls.
    fn min_connection_window(&self) -> u32 {
        self.max_concurrent_streams.saturating_mul(512).min(MAX_WINDOW)
    }

    /// A builder of HTTP/1.1 connections with these limits.
    pub(crate) fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // A backstop: each of the two has a watch of its own, and HTTP counts both as one.
            .header_read_timeout(self.http1_keep_alive.saturating_add(self.header_read_timeout))
            .max_buf_size(self.max_http1_buffer);
        builder
    }

    /// A builder of HTTP/2 connections with these limits, which runs its tasks on `executor`.
    pub(crate) fn http2<E>(&self, executor: E) -> http2::Builder<E> {
        let mut builder = http2::Builder::new(executor);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS.max(self.max_concurrent_streams as usize))
            .keep_alive_interval(self.keep_alive_interval)
            .keep_alive_timeout(self.keep_alive_timeout)
            .max_header_list_size(self.max_header_list_size)
            .max_send_buf_size(self.max_send_buffer)
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window.max(self.min_connection_window()));
        builder
    }
}
