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
use crate::transport::{self, Transport};

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
/// On native targets it is built inside a `tokio` runtime, and needs a feature for TLS to call `https`.
#[derive(Clone)]
pub struct Channel {
    stack: SharedService,
    uri: Arc<str>,
}

impl Channel {
    /// A channel to `uri`: a scheme and an authority, as in `http://127.0.0.1:50051`. A path goes before the path of
    /// every call.
    pub fn builder(uri: impl Into<String>) -> Builder {
        Builder::new(uri.into())
    }

    /// A channel to the origin that this page or worker was loaded from. It compiles natively too, for code that is
    /// shared with a server, but [`Builder::build`] fails there with
    /// [`BuildError::NoAddress`](crate::BuildError::NoAddress).
    pub fn same_origin() -> Builder {
        Builder::new(transport::own_origin())
    }

    /// A channel whose calls are carried by `transport`, which knows the address itself.
    ///
    /// ```
    /// use tonic_web_channel::{Channel, InProcess};
    ///
    /// let (_reporter, service) = tonic_health::server::health_reporter();
    /// let channel = Channel::with_transport(InProcess::new(service)).build()?;
    /// # Ok::<(), tonic_web_channel::BuildError>(())
    /// ```
    pub fn with_transport(transport: impl Transport) -> Builder {
        Builder::new(String::new()).transport(transport)
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
