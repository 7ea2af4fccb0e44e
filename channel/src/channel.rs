//! The channel: one call's way through deadline, observer and transport.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{HeaderMap, Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::body::{CountedBody, ResponseBody};
use crate::maybe_send::{BoxFuture, MaybeSend, MaybeSync};
use crate::method::{Method, Methods};
use crate::observe::{CallEvent, Observer, OpenCall};
use crate::timer::Sleep;
use crate::transport::{self, Transport};
use crate::{deadline, status};

/// A connection to one server, for any number of generated clients.
///
/// Cloning is cheap, and clones share the connection. It connects when it is first used. Dropping
/// the future or the stream of a call cancels the call.
///
/// On native targets it has to be built inside a `tokio` runtime.
#[derive(Clone)]
pub struct Channel {
    transport: Arc<dyn Transport>,
    deadline: Option<Duration>,
    observer: Option<Observer>,
}

impl Channel {
    /// A channel to `uri`: scheme and authority, as in `http://127.0.0.1:50051`. In a page that is
    /// usually its own origin. A path is kept as a prefix of every call's path in the browser.
    pub fn builder(uri: impl Into<String>) -> Builder {
        Builder {
            uri: uri.into(),
            transport: None,
            methods: Methods::default(),
            deadline: None,
            observer: None,
            capture: 0,
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<ResponseBody>;
    type Error = Status;
    type Future = BoxFuture<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // The transport is awaited inside the call, where the deadline holds.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let timeout = deadline::apply(&mut request, self.deadline);
        let mut call = OpenCall::start(self.observer.clone(), request.uri().path(), request.headers());
        let transport = self.transport.clone();
        Box::pin(async move {
            let result = match timeout {
                Ok(timeout) => send(transport, request, timeout, &call).await,
                Err(status) => Err(status),
            };
            match result {
                Ok((response, deadline)) => Ok(opened(response, deadline, call)),
                Err(status) => {
                    call.end(status.code(), status.message(), HeaderMap::new());
                    Err(status)
                }
            }
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("transport", &self.transport)
            .field("deadline", &self.deadline)
            .field("observed", &self.observer.is_some())
            .finish()
    }
}

/// Waits for the response's head, and gives back what is left of the deadline for its body.
async fn send(
    transport: Arc<dyn Transport>,
    request: Request<Body>,
    timeout: Option<Duration>,
    call: &OpenCall,
) -> Result<(Response<Body>, Option<Sleep>), Status> {
    let reporter = call.reporter();
    let request = request.map(|body| Body::new(CountedBody::new(body, reporter)));
    let response = pin!(transport.call(request));
    let Some(timeout) = timeout else { return Ok((response.await?, None)) };
    // The deadline is asked first: when others notice it in the same moment, what they call it
    // (`tonic` says CANCELLED) does not win.
    match select(Sleep::new(timeout), response).await {
        Either::Left(((), _)) => Err(status::deadline_exceeded()),
        Either::Right((response, deadline)) => Ok((response?, Some(deadline))),
    }
}

fn opened(response: Response<Body>, deadline: Option<Sleep>, mut call: OpenCall) -> Response<ResponseBody> {
    call.headers(response.headers());
    // A response without a body has its status here, and nobody may read its body.
    if let Some(status) = status::of_headers(response.headers()) {
        call.end(status.code(), status.message(), HeaderMap::new());
    }
    let http_status = response.status();
    response.map(|body| ResponseBody::new(body, http_status, deadline, call))
}

/// Makes a [`Channel`].
#[must_use]
pub struct Builder {
    uri: String,
    transport: Option<Arc<dyn Transport>>,
    methods: Methods,
    deadline: Option<Duration>,
    observer: Option<Observer>,
    capture: usize,
}

impl Builder {
    /// How long a call may take that sets no deadline of its own (`tonic::Request::set_timeout`).
    ///
    /// Sent to the server as `grpc-timeout` and enforced here: the call, a stream included, ends with
    /// `DEADLINE_EXCEEDED`. None by default. Exempt a stream that is meant to stay open with
    /// [`no_deadline`](crate::no_deadline).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Tells `observer` what happens to every call. It is called in the course of the call, so it
    /// should return soon.
    pub fn observer(mut self, observer: impl Fn(&CallEvent) + MaybeSend + MaybeSync + 'static) -> Self {
        #[cfg(target_arch = "wasm32")]
        let observer = {
            let observer = send_wrapper::SendWrapper::new(observer);
            move |event: &CallEvent| (*observer)(event)
        };
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Gives observers the first `bytes` of every message, beside its length. 0 by default: keeping
    /// messages for somebody to look at costs a copy of each.
    pub fn capture(mut self, bytes: usize) -> Self {
        self.capture = bytes;
        self
    }

    /// What may be called, so that the channel knows how many messages are due and what may be repeated.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self
    }

    /// Carries the calls by `transport` instead of the target's own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The channel. Nothing is connected yet.
    pub fn build(self) -> Result<Channel, BuildError> {
        let uri: Uri =
            self.uri.parse().map_err(|source| BuildError::Malformed { uri: self.uri.clone(), source })?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(BuildError::NotAbsolute { uri: self.uri });
        }
        let transport = self.transport.unwrap_or_else(|| transport::default_for(uri));
        Ok(Channel { transport, deadline: self.deadline, observer: self.observer })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("uri", &self.uri)
            .field("deadline", &self.deadline)
            .field("observed", &self.observer.is_some())
            .finish()
    }
}

/// Why a channel cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The text is no URI.
    #[error("`{uri}` is no URI")]
    Malformed {
        /// The text.
        uri: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// The URI has no scheme that the channel speaks, or no authority.
    #[error("`{uri}` needs a scheme, http or https, and an authority, as in http://127.0.0.1:50051")]
    NotAbsolute {
        /// The URI.
        uri: String,
    },
}
