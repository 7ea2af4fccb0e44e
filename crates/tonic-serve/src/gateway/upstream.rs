//! A server behind the gateway, and the connections to it.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tower::Service as _;

use super::body::UpstreamBody;
use super::failure::{Failure, classify};
use super::headers;
use super::request_body::{CallerFailure, RequestBody};
use crate::tls::{TlsError, read_certificates};

/// Calls on a connection before another one is opened. Servers commonly allow a hundred or more.
const CALLS_PER_CONNECTION: usize = 100;

/// Connections to one upstream. Above it, calls share the one with the fewest, and wait where the upstream allows no more.
const MAX_CONNECTIONS: usize = 256;

/// Time for connecting and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a response that the upstream may send before the caller takes some. It is HTTP/2's own default.
const STREAM_WINDOW: u32 = 65_535;

/// The same for a connection: all its calls may be full, so that callers that read nothing do not stop the others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * CALLS_PER_CONNECTION as u32;

/// The same idle time, interval and number of tries with which TCP finds that a silent upstream is gone.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(20);
const TCP_KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const TCP_KEEP_ALIVE_TRIES: u32 = 3;

/// Time for the answer to an HTTP/2 ping, where pings are sent.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A gRPC server to which a [`Gateway`](super::Gateway) passes calls: natively, over HTTP/2.
///
/// Connections are opened as calls need them, one for every hundred open calls, and closed when they are no longer needed.
/// One that was lost is opened again by the next call. Cloning shares them.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    /// Goes before the path of every call; empty for none.
    prefix: String,
    connections: Mutex<Vec<Connection>>,
    /// Whether the last attempt to use a connection succeeded: each change is logged once.
    is_reachable: AtomicBool,
}

/// A connection, or one that the next call opens.
struct Connection {
    channel: Channel,
    /// Shared with every open call.
    calls: Arc<()>,
    has_answered: Arc<AtomicBool>,
}

/// A URL that names no upstream, or certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The URL is not valid.
    #[error("it has to be a URL such as http://127.0.0.1:50052")]
    Url(#[source] http::uri::InvalidUri),
    /// The URL has another scheme, or none.
    #[error("it has to begin with http:// or https://")]
    Scheme,
    /// The URL has a query.
    #[error("it has to end with a host, a port or a path, without a query")]
    Query,
    /// The PEM has no certificate of an authority.
    #[error("it has to have the certificates of authorities in PEM")]
    Authorities(#[source] TlsError),
    /// TLS cannot be set up, for example because the system has no certificate authorities.
    #[error("TLS cannot be set up")]
    Tls(#[source] TlsSetupError),
}

/// The reason why TLS to an upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsSetupError(tonic::transport::Error);

impl Upstream {
    /// The server at `url`: `http://host:port` in cleartext, `https://host:port` by TLS with the certificate authorities of the
    /// system. A path goes before the path of every call.
    ///
    /// # Errors
    ///
    /// Says which part of `url` is wrong. Nothing is connected or looked up.
    pub fn new(url: &str) -> Result<Self, UpstreamError> {
        let tls = ClientTlsConfig::new().with_native_roots();
        Self::with_tls(url, tls)
    }

    /// The same with TLS by the certificate authorities in `pem` only.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and when there is no certificate in `pem`.
    pub fn with_authorities(url: &str, pem: &[u8]) -> Result<Self, UpstreamError> {
        read_certificates(pem).map_err(UpstreamError::Authorities)?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        Self::with_tls(url, tls)
    }

    fn with_tls(url: &str, tls: ClientTlsConfig) -> Result<Self, UpstreamError> {
        let uri: Uri = url.parse().map_err(UpstreamError::Url)?;
        let is_https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(UpstreamError::Scheme),
        };
        if uri.query().is_some() {
            return Err(UpstreamError::Query);
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let endpoint = Endpoint::from(uri)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Some(TCP_KEEP_ALIVE))
            .tcp_keepalive_interval(Some(TCP_KEEP_ALIVE_INTERVAL))
            .tcp_keepalive_retries(Some(TCP_KEEP_ALIVE_TRIES))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let tls = if is_https { endpoint.tls_config(tls) } else { Ok(endpoint) };
        let endpoint = tls.map_err(|error| UpstreamError::Tls(TlsSetupError(error)))?;
        Ok(Self::of(endpoint, prefix))
    }

    fn of(endpoint: Endpoint, prefix: String) -> Self {
        let is_reachable = AtomicBool::new(true);
        Self(Arc::new(Shared { endpoint, prefix, connections: Mutex::default(), is_reachable }))
    }

    /// Also sends an HTTP/2 ping every `interval` while a call is open, and gives a connection up 10 s after an unanswered one.
    ///
    /// Default: no pings. Many servers close connections on which pings come more often than every five minutes, as gRPC's own
    /// libraries do by default. TCP finds an upstream that is gone 35 s after the last byte, unless bytes to it were on the way.
    #[must_use]
    pub fn keep_alive(self, interval: Duration) -> Self {
        let endpoint =
            self.0.endpoint.clone().http2_keep_alive_interval(interval).keep_alive_timeout(PING_TIMEOUT);
        Self::of(endpoint, self.0.prefix.clone())
    }

    /// Passes a call on. Resolves when the head of its response has come.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let caller_failure = CallerFailure::default();
        let request = self.forwarded(request, caller_failure.clone());
        let (mut channel, calls, has_answered) = self.connection();
        let failed = |error: tonic::transport::Error| {
            if let Some(status) = caller_failure.get() {
                return status.clone();
            }
            let failure = classify(&error, has_answered.load(Ordering::Relaxed));
            self.note(&failure);
            failure.into_status()
        };
        poll_fn(|cx| channel.poll_ready(cx)).await.map_err(&failed)?;
        let response = channel.call(request).await.map_err(&failed)?;
        has_answered.store(true, Ordering::Relaxed);
        if !self.0.is_reachable.swap(true, Ordering::Relaxed) {
            tracing::info!(upstream = %self, "the upstream answers again");
        }
        let (head, body) = response.into_parts();
        headers::check(&head)?;
        let body = UpstreamBody::new(body, &head.headers, calls, caller_failure);
        let mut response = Response::new(Body::new(body));
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    /// The request for the upstream's server.
    fn forwarded(&self, request: Request<Body>, failure: CallerFailure) -> Request<Body> {
        let (mut head, body) = request.into_parts();
        headers::forward(&mut head);
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        // Both are valid paths, so their concatenation is. The endpoint adds scheme and authority.
        if let Ok(uri) = format!("{}{path}", self.0.prefix).parse() {
            head.uri = uri;
        }
        head.extensions.clear();
        Request::from_parts(head, Body::new(RequestBody::new(body, failure)))
    }

    /// A connection with room for a call, the call's share in it, and whether the upstream has answered on it.
    fn connection(&self) -> (Channel, Arc<()>, Arc<AtomicBool>) {
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
        // Calls go to the first with room, so the last ones become idle when there are fewer calls. One of them stays.
        while let [.., before, last] = connections.as_slice()
            && before.has_room()
            && last.calls() == 0
        {
            connections.pop();
        }
        let index = match connections.iter().position(Connection::has_room) {
            Some(index) => index,
            None if connections.len() < MAX_CONNECTIONS => {
                connections.push(Connection::new(&self.0.endpoint));
                connections.len() - 1
            }
            None => {
                (0..connections.len()).min_by_key(|index| connections[*index].calls()).unwrap_or_default()
            }
        };
        let connection = &connections[index];
        (connection.channel.clone(), Arc::clone(&connection.calls), Arc::clone(&connection.has_answered))
    }

    /// Logs the first of several failures to reach the upstream.
    fn note(&self, failure: &Failure) {
        if failure.is_unreachable() && self.0.is_reachable.swap(false, Ordering::Relaxed) {
            tracing::warn!(upstream = %self, "{failure}");
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.endpoint.uri().fmt(f)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upstream").field(self.0.endpoint.uri()).finish()
    }
}

impl Connection {
    fn new(endpoint: &Endpoint) -> Self {
        Self { channel: endpoint.connect_lazy(), calls: Arc::default(), has_answered: Arc::default() }
    }

    /// The number of open calls.
    fn calls(&self) -> usize {
        Arc::strong_count(&self.calls) - 1
    }

    fn has_room(&self) -> bool {
        self.calls() < CALLS_PER_CONNECTION
    }
}
