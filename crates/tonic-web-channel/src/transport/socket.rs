//! gRPC over HTTP/2 inside one WebSocket: all four kinds of call, from a page too.
//!
//! Owns the connection: when it is opened, given up and tried again. A single connection is in `connection`, HTTP/2 in
//! `engine`, the WebSocket of each target in `web` and `native`.
//!
//! The subprotocol is `h2ts`: binary messages whose boundaries mean nothing carry HTTP/2 with prior knowledge.

mod body;
mod connection;
mod engine;
#[cfg_attr(target_arch = "wasm32", path = "socket/web.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "socket/native.rs")]
mod web_socket;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, Shared, select};
use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;

use self::connection::Connection;
use super::{Transport, at_own_origin};
use crate::backoff::{Backoff, Delays};
use crate::error::Error;
use crate::maybe_send::{BoxFuture, Confined, MaybeSend};
use crate::timer::{Instant, Sleep};
use crate::web::OUR_USER_AGENT;

/// The name of the subprotocol.
const PROTOCOL: &str = "h2ts";

/// Delays between attempts to open a connection.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(60) };

/// Carries all four kinds of call over one WebSocket, in a browser and natively.
///
/// - The server has to accept WebSockets with the subprotocol `h2ts`: HTTP/2 in binary messages, as the crate
///   `tonic-serve` does.
/// - The WebSocket is opened for the first call, or early by [`open`](Self::open). All calls share it. When it is lost,
///   the next call opens another; after a failure only once a delay has passed, of up to a minute. Calls until then fail
///   at once, with [`Error::Connect`].
/// - Both directions have flow control: a reader that is slow stops its server within [`Windows`], and its stream alone.
/// - A connection that is silent while a call is open is pinged, and given up when no answer comes in 5 s.
/// - A browser sends cookies with the WebSocket's handshake, and ignores `set-cookie` in the responses of calls. Make
///   calls that set cookies by `Fetch`, then [`reopen`](Self::reopen) the socket.
/// - A browser closes the WebSocket when the page is left. A page that comes back from the back/forward cache opens
///   another for its next call.
///
/// Clones share the connection.
#[derive(Clone)]
pub struct Socket {
    inner: Arc<Inner>,
}

/// The bytes that a connection accepts before they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// For each call; 1 MiB by default. At a round trip of 100 ms that is 10 MB/s.
    pub stream: u32,
    /// For all calls together; 4 MiB by default. As many bytes of unread responses stop all calls.
    pub connection: u32,
}

impl Default for Windows {
    fn default() -> Self {
        Self { stream: 1 << 20, connection: 4 << 20 }
    }
}

struct Inner {
    /// The address of the WebSocket.
    url: String,
    /// The server as errors name it, and the authority of calls.
    origin: String,
    options: Options,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct Options {
    open_timeout: Duration,
    windows: Windows,
    max_headers: u32,
}

type Opening = Confined<Shared<BoxFuture<Result<Arc<Connection>, String>>>>;

struct State {
    /// The last attempt, with its connection while that is open.
    opening: Option<Opening>,
    delays: Delays,
    /// The time before which no attempt is made, and the reason of the last failure.
    wait: Option<(Instant, String)>,
}

impl Socket {
    /// Calls go to `uri`: scheme `http` or `https`, authority, and optionally the path where the server accepts
    /// WebSockets.
    pub fn new(uri: Uri) -> Self {
        let scheme = uri.scheme_str().unwrap_or("https");
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        Self::of(Inner {
            url: format!("{}://{authority}{}", if scheme == "https" { "wss" } else { "ws" }, uri.path()),
            origin: format!("{scheme}://{authority}"),
            options: Options {
                open_timeout: Duration::from_secs(5),
                windows: Windows::default(),
                max_headers: 128 * 1024,
            },
            state: Mutex::new(State { opening: None, delays: BACKOFF.delays(), wait: None }),
        })
    }

    /// Calls go to the origin that this page or worker was loaded from; its WebSocket is opened at `path`, such as `/socket`. `None`
    /// where that is no address: in a page from a file, and outside a browser.
    pub fn same_origin(path: &str) -> Option<Self> {
        at_own_origin(path).map(Self::new)
    }

    /// Sets the time for the WebSocket to open; 5 s by default.
    #[must_use]
    pub fn open_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.open_timeout = timeout)
    }

    /// Sets the bytes that are accepted before they are read.
    #[must_use]
    pub fn windows(self, windows: Windows) -> Self {
        self.with(|options| options.windows = windows)
    }

    /// Sets the most bytes of headers and trailers of a response, each with 32 bytes for every header; 128 KiB by
    /// default. More end the call with `INTERNAL`. The channel's own limit is
    /// [`Builder::max_metadata_size`](crate::Builder::max_metadata_size).
    #[must_use]
    pub fn max_header_list_size(self, bytes: u32) -> Self {
        self.with(|options| options.max_headers = bytes)
    }

    /// Opens the WebSocket now, unless it is open. Resolves when it is open.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`].
    pub async fn open(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        inner.connection().await.map(drop)
    }

    /// Whether the WebSocket is open.
    pub fn is_open(&self) -> bool {
        self.inner.state().open_connection().is_some()
    }

    /// Has the next call open another WebSocket, without a delay: after a call that changed the page's cookies, or when
    /// the network has come back. Open calls go on over the old one, which closes with the last of them.
    pub fn reopen(&self) {
        let mut state = self.inner.state();
        state.opening = None;
        state.wait = None;
        state.delays.reset();
    }

    fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    fn with(self, set: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.inner.options;
        set(&mut options);
        Self::of(Inner {
            url: self.inner.url.clone(),
            origin: self.inner.origin.clone(),
            options,
            state: Mutex::new(State { opening: None, delays: BACKOFF.delays(), wait: None }),
        })
    }
}

impl Transport for Socket {
    fn prepare(&self, request: &mut Request<Body>) {
        request.headers_mut().entry(USER_AGENT).or_insert(OUR_USER_AGENT);
    }

    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.call(request).await })
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("url", &self.inner.url).field("open", &self.is_open()).finish()
    }
}

impl Inner {
    async fn call(self: Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = [self.origin.as_str(), path]
            .concat()
            .parse()
            .map_err(|error| Status::internal(format!("the address of the call is invalid: {error}")))?;
        let connection = self.connection().await?;
        match connection.ready().await {
            Ok(turn) => connection.call(turn, request).await,
            // The connection ended while nothing used it. A fresh one is worth one attempt.
            Err(_) => {
                self.discard(&connection);
                let connection = self.connection().await?;
                let turn = connection.ready().await?;
                connection.call(turn, request).await
            }
        }
    }

    /// The open connection, after opening it where necessary.
    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Error> {
        let opening = (*self.opening()?).clone();
        opening.await.map_err(|reason| self.not_connected(reason))
    }

    /// The attempt that is under way or has succeeded, or a new one.
    fn opening(self: &Arc<Self>) -> Result<Opening, Error> {
        let mut state = self.state();
        if let Some(opening) = state.current() {
            return Ok(opening.clone());
        }
        if let Some((until, reason)) = &state.wait
            && *until > Instant::now()
        {
            return Err(self.not_connected(reason.clone()));
        }
        let opening = open(Arc::downgrade(self), self.url.clone(), self.options);
        let opening = Confined::new((Box::pin(opening) as BoxFuture<_>).shared());
        state.opening = Some(opening.clone());
        drop(state);
        // It goes on when the call that began it is cancelled: others may wait for it.
        spawn((*opening).clone().map(drop));
        Ok(opening)
    }

    fn opened(&self) {
        let mut state = self.state();
        state.wait = None;
        state.delays.reset();
    }

    fn failed(&self, reason: &str) {
        let mut state = self.state();
        state.opening = None;
        let delay = state.delays.next().unwrap_or(BACKOFF.max);
        state.wait = Instant::now().checked_add(delay).map(|until| (until, reason.to_owned()));
    }

    /// Forgets `connection`, unless another has taken its place.
    fn discard(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        if state.open_connection().is_some_and(|current| Arc::ptr_eq(&current, connection)) {
            state.opening = None;
        }
    }

    fn not_connected(&self, reason: String) -> Error {
        Error::Connect { origin: self.origin.clone(), reason }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The attempt, unless it has failed or its connection is over.
    fn current(&self) -> Option<&Opening> {
        self.opening.as_ref().filter(|opening| match opening.peek() {
            Some(Ok(connection)) => !connection.is_over(),
            Some(Err(_)) => false,
            None => true,
        })
    }

    fn open_connection(&self) -> Option<Arc<Connection>> {
        self.current()?.peek()?.as_ref().ok().cloned()
    }
}

/// Opens a connection in time, and tells the socket how that ended.
async fn open(socket: Weak<Inner>, url: String, options: Options) -> Result<Arc<Connection>, String> {
    let connect = Connection::open(&url, options.windows, options.max_headers);
    let opened = match select(std::pin::pin!(connect), Sleep::new(options.open_timeout)).await {
        Either::Left((opened, _)) => opened.map(Arc::new),
        Either::Right(_) => Err("the WebSocket did not open in time".to_owned()),
    };
    if let Some(socket) = socket.upgrade() {
        match &opened {
            Ok(_) => socket.opened(),
            Err(reason) => socket.failed(reason),
        }
    }
    opened
}

/// Runs `future` in a task.
fn spawn(future: impl Future<Output = ()> + MaybeSend + 'static) {
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_futures::spawn_local(future);
    #[cfg(not(target_arch = "wasm32"))]
    tokio::spawn(future);
}
