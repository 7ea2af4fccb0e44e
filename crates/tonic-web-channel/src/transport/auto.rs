//! Chooses between `fetch` and a socket for each call.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;

use super::{Socket, Transport};
use crate::context::CallContext;
use crate::error::Error;
use crate::maybe_send::BoxFuture;
use crate::method::MethodKind;

/// Carries each call by `Fetch` or by a [`Socket`], as suits its kind.
///
/// | kind, by the channel's method table | transport |
/// |---|---|
/// | unary | `fetch`, which alone can set cookies; see [`unary_by_socket`](Self::unary_by_socket) |
/// | server streaming | the socket while it is open, else `fetch` |
/// | client streaming | the socket; `fetch` where no socket can be opened: it sends the requests when the last has come |
/// | bidirectional | the socket; [`Error::NeedsSocket`] where none can be opened |
/// | not in the table | `fetch` |
///
/// The response of a call tells its [`Route`].
///
/// ```no_run
/// # #[cfg(target_arch = "wasm32")]
/// # fn build() -> Result<tonic_web_channel::Channel, Box<dyn std::error::Error>> {
/// use tonic_web_channel::{Auto, Channel, Fetch, Socket};
///
/// let uri: http::Uri = "https://example.com".parse()?;
/// let socket = Socket::new(uri.clone());
/// let channel = Channel::with_transport(Auto::new(Fetch::new(uri), socket))
///     .methods([/* the table of your contract */])
///     .build()?;
/// # Ok(channel)
/// # }
/// ```
#[derive(Clone)]
pub struct Auto {
    fetch: Arc<dyn Transport>,
    socket: Socket,
    /// The unary methods that stay with `fetch`; `None` for all.
    unary_by_fetch: Option<Arc<[Cow<'static, str>]>>,
}

/// The transport that carried a call, and the reason: an extension of its response
/// (`tonic::Response::extensions`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// By `fetch`, as unary calls are.
    Fetch,
    /// By `fetch`, because no socket is open.
    FetchWithoutSocket,
    /// By `fetch`, because no socket could be opened.
    FetchAfterSocket,
    /// By the socket, because it is open.
    Socket,
    /// By the socket, because `fetch` cannot send and receive at once.
    SocketForStream,
}

impl Auto {
    /// Carries calls by `fetch` and `socket`. Keep a clone of the socket to open it early.
    pub fn new(fetch: impl Transport, socket: Socket) -> Self {
        Self { fetch: Arc::new(fetch), socket, unary_by_fetch: None }
    }

    /// Sends unary calls by the socket too while it is open, except the methods in `setting_cookies`
    /// (`/package.Service/Method`): a browser ignores cookies that responses inside a socket set.
    #[must_use]
    pub fn unary_by_socket<P: Into<Cow<'static, str>>>(
        mut self,
        setting_cookies: impl IntoIterator<Item = P>,
    ) -> Self {
        self.unary_by_fetch = Some(setting_cookies.into_iter().map(Into::into).collect());
        self
    }

    fn route(&self, request: &Request<Body>) -> Route {
        match kind(request) {
            Some(MethodKind::ClientStreaming | MethodKind::Bidirectional) => Route::SocketForStream,
            Some(MethodKind::ServerStreaming) if self.socket.is_open() => Route::Socket,
            Some(MethodKind::ServerStreaming) => Route::FetchWithoutSocket,
            Some(MethodKind::Unary) if self.may_leave_fetch(request.uri().path()) => {
                if self.socket.is_open() { Route::Socket } else { Route::FetchWithoutSocket }
            }
            _ => Route::Fetch,
        }
    }

    fn may_leave_fetch(&self, path: &str) -> bool {
        self.unary_by_fetch.as_ref().is_some_and(|by_fetch| by_fetch.iter().all(|stays| stays != path))
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let mut route = request.extensions_mut().remove().unwrap_or(Route::Fetch);
        if route.is_socket()
            && let Err(error) = self.socket.open().await
        {
            if kind(&request) == Some(MethodKind::Bidirectional) {
                return Err(Error::NeedsSocket { reason: error.to_string() }.into());
            }
            route = Route::FetchAfterSocket;
            self.fetch.prepare(&mut request);
        }
        let call = if route.is_socket() { self.socket.call(request) } else { self.fetch.call(request) };
        let mut response = call.await?;
        response.extensions_mut().insert(route);
        Ok(response)
    }
}

impl Transport for Auto {
    fn prepare(&self, request: &mut Request<Body>) {
        let route = self.route(request);
        if route.is_socket() {
            self.socket.prepare(request)
        } else {
            self.fetch.prepare(request)
        }
        request.extensions_mut().insert(route);
    }

    fn needs_methods(&self) -> bool {
        true
    }

    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        Box::pin(self.clone().send(request))
    }
}

impl Route {
    fn is_socket(self) -> bool {
        matches!(self, Self::Socket | Self::SocketForStream)
    }
}

impl fmt::Debug for Auto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auto").field("fetch", &self.fetch).field("socket", &self.socket).finish()
    }
}

/// The kind of the method, when the channel's method table has it.
fn kind(request: &Request<Body>) -> Option<MethodKind> {
    Some(request.extensions().get::<CallContext>()?.method()?.kind)
}
