//! The channel: the stack of its layers as a service for generated clients.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::builder::Builder;
use crate::layer::SharedService;
use crate::maybe_send::BoxFuture;

/// A connection to one server, for any number of generated clients.
///
/// Clones are cheap and share the connection, which is made for the first call. Dropping the future or the stream of a
/// call cancels the call.
///
/// It is a [`Service`] as `tonic`'s clients need one, so layers of `tower` and `tonic`'s interceptors go around it:
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
/// // `GreeterClient::new(layered)`. An interceptor of `tonic`'s, as in `GreeterClient::with_interceptor`:
/// let intercepted = InterceptedService::new(channel, |mut request: tonic::Request<()>| {
///     request.metadata_mut().insert("x-team", tonic::metadata::MetadataValue::from_static("red"));
///     Ok::<_, tonic::Status>(request)
/// });
/// # drop((layered, intercepted));
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
///
/// On native targets it is built inside a `tokio` runtime.
#[derive(Clone)]
pub struct Channel {
    stack: SharedService,
    uri: Arc<str>,
}

impl Channel {
    /// A channel to `uri`: scheme and authority, as in `http://127.0.0.1:50051`. In a page that is usually its own
    /// origin. A path is a prefix of each call's path in the browser.
    pub fn builder(uri: impl Into<String>) -> Builder {
        Builder::new(uri.into())
    }

    pub(crate) fn new(stack: SharedService, uri: Arc<str>) -> Self {
        Self { stack, uri }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<ResponseBody>;
    type Error = Status;
    type Future = BoxFuture<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // The call waits for the transport, where its deadline holds.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.stack.clone().call(request)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("uri", &self.uri).finish_non_exhaustive()
    }
}
