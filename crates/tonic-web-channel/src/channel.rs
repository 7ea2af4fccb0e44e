//! The channel: one call's way through interceptors, attempts and what may end it, to its response.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::attempt::{Head, Terms};
use crate::body::{Held, ResponseBody};
use crate::builder::Builder;
use crate::cancel;
use crate::compression::{self, Decompressor};
use crate::credentials::Tokens;
use crate::deadline::{self, Deadline, End};
use crate::guard::{self, Guard};
use crate::interceptor::Intercept;
use crate::limits::{OpenCalls, Permit};
use crate::maybe_send::BoxFuture;
use crate::method::{Method, Methods};
use crate::observe::{Listener, OpenCall};
use crate::retry::{self, Retry};
use crate::transport::Transport;
use crate::validate::ResponseRules;

/// A connection to one server, for any number of generated clients.
///
/// Cloning is cheap, and clones share the connection. It connects when it is first used. Dropping
/// the future or the stream of a call cancels the call.
///
/// It is a [`Service`] as `tonic`'s clients take it, so layers of `tower` and `tonic`'s own interceptors go
/// around it; a client is then made of what comes out:
///
/// ```
/// use tonic_web_channel::Channel;
/// use http::{HeaderValue, Request};
/// use tonic::body::Body;
/// use tonic::service::interceptor::InterceptedService;
/// use tower::ServiceBuilder;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let channel = Channel::builder("http://127.0.0.1:50051").build()?;
/// let layered = ServiceBuilder::new()
///     .map_request(|mut request: Request<Body>| {
///         request.headers_mut().insert("x-team", HeaderValue::from_static("red"));
///         request
///     })
///     .service(channel.clone());
/// // `GreeterClient::new(layered)`, and with an interceptor of `tonic`'s:
/// let intercepted = InterceptedService::new(channel, |mut request: tonic::Request<()>| {
///     request.metadata_mut().insert("x-team", tonic::metadata::MetadataValue::from_static("red"));
///     Ok::<_, tonic::Status>(request)
/// });
/// # drop((layered, intercepted));
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
///
/// On native targets it has to be built inside a `tokio` runtime, and by itself speaks HTTP/2 without TLS: for
/// `https` give [`Builder::transport`] a `Native`.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

/// What the clones of a channel share.
pub(crate) struct Inner {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) methods: Methods,
    pub(crate) deadline: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_message: usize,
    pub(crate) max_metadata: usize,
    pub(crate) open_calls: Option<OpenCalls>,
    /// Wraps a request's body so that its messages are compressed.
    pub(crate) compress: Option<fn(Body) -> Body>,
    pub(crate) offer_gzip: bool,
    pub(crate) retry: Retry,
    pub(crate) interceptors: Option<Arc<dyn Intercept>>,
    pub(crate) credentials: Option<Arc<dyn Tokens>>,
    pub(crate) listener: Option<Listener>,
    pub(crate) capture: usize,
}

impl Channel {
    /// A channel to `uri`: scheme and authority, as in `http://127.0.0.1:50051`. In a page that is
    /// usually its own origin. A path is kept as a prefix of every call's path in the browser.
    pub fn builder(uri: impl Into<String>) -> Builder {
        Builder::new(uri.into())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
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
        let inner = self.inner.clone();
        let timeout = deadline::apply(&mut request, inner.deadline);
        let path = request.uri().path();
        let method = inner.methods.get(path);
        let mut call = OpenCall::start(
            inner.listener.clone(),
            inner.capture,
            path,
            method.map(|method| method.kind),
            request.headers(),
        );
        Box::pin(async move {
            let opened = match timeout {
                Ok(timeout) => inner.open(request, method, timeout, &call).await,
                Err(status) => Err(status),
            };
            match opened {
                Ok(Opened { mut head, guard, permit }) => {
                    let token = head.token.zip(inner.credentials.clone());
                    let token = token.map(|(answer, credentials)| PresentedToken { credentials, answer });
                    let held = Held { call, permit, token, request: head.request.take() };
                    Ok(ResponseBody::new(head, guard, held))
                }
                Err(status) => {
                    call.end(status.code(), status.message(), &HeaderMap::new());
                    Err(status)
                }
            }
        })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        f.debug_struct("Channel")
            .field("transport", &inner.transport)
            .field("deadline", &inner.deadline)
            .field("observed", &inner.listener.is_some())
            .finish_non_exhaustive()
    }
}

/// The token that a call was made with.
pub(crate) struct PresentedToken {
    credentials: Arc<dyn Tokens>,
    answer: u64,
}

impl PresentedToken {
    /// It was refused when the call could not be repeated any more; the next call does not begin with it.
    pub(crate) fn was_refused(self) {
        self.credentials.forget(self.answer);
    }
}

/// A call whose response's head has come, with all that goes on over its body.
struct Opened {
    head: Head,
    guard: Guard,
    permit: Option<Permit>,
}

impl Inner {
    /// Takes the call as far as its response's head, unless its token or its deadline ends it before.
    async fn open(
        &self,
        request: Request<Body>,
        method: Option<Method>,
        timeout: Option<Duration>,
        call: &OpenCall,
    ) -> Result<Opened, Status> {
        let permit = self.open_calls.as_ref().map(OpenCalls::enter).transpose()?;
        let mut guard = Guard::new(cancel::of(request.extensions()), timeout.map(Deadline::new));
        let idle_timeout = guard::own_idle_timeout(request.extensions())
            .or(self.idle_timeout.filter(|_| method.is_none_or(|method| method.kind.server_streaming())));
        let end = guard.end();
        let head = {
            let mut head = pin!(self.head(request, method, end, idle_timeout, call));
            poll_fn(|cx| {
                guard.check()?;
                match head.as_mut().poll(cx) {
                    Poll::Pending => guard.poll(cx).map(|error| Err(error.into())),
                    ready => ready,
                }
            })
            .await?
        };
        guard.watch_silence(idle_timeout);
        Ok(Opened { head, guard, permit })
    }

    async fn head(
        &self,
        request: Request<Body>,
        method: Option<Method>,
        end: Option<End>,
        idle_timeout: Option<Duration>,
        call: &OpenCall,
    ) -> Result<Head, Status> {
        let mut request = match self.interceptors.clone() {
            Some(interceptors) => interceptors.intercepted(request, method, end).await?,
            None => request,
        };
        let rules = ResponseRules {
            max_message: self.max_message,
            max_metadata: self.max_metadata,
            single: is_single(method),
            peek: false,
            decompressor: self.prepare(&mut request),
            reporter: call.reporter().clone(),
        };
        let terms = Terms { rules, idle_timeout };
        retry::run(retry::Call { inner: self, method, end, terms }, request).await
    }

    /// Arranges compression.
    fn prepare(&self, request: &mut Request<Body>) -> Decompressor {
        let headers = request.headers_mut();
        let decompressor = compression::accept(headers, self.offer_gzip);
        let compress = self.compress.filter(|_| compression::announce(headers));
        if let Some(compress) = compress {
            let body = std::mem::take(request.body_mut());
            *request.body_mut() = compress(body);
        }
        decompressor
    }
}

/// Whether exactly one message is due.
fn is_single(method: Option<Method>) -> bool {
    method.is_some_and(|method| !method.kind.server_streaming())
}
