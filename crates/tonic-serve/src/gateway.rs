//! A gateway: calls go on to other gRPC servers over HTTP/2, without being decoded.
//!
//! Knows methods by their paths only.

mod body;
mod failure;
mod headers;
mod health;
mod request_body;
mod upstream;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use crate::grpc::service_of;

pub use self::upstream::{TlsSetupError, Upstream, UpstreamError};

/// gRPC services that other servers implement.
///
/// Every call goes to the upstream of its service: request and response are passed on message by message as they come, with
/// metadata, deadline, compression, trailers and details. A call that is cancelled here is cancelled there. The port around it
/// adds what it has for services of its own: gRPC-Web, sockets, CORS, limits, deadlines, and graceful shutdown.
///
/// ```no_run
/// use tonic_serve::{App, Gateway, ServeOptions, Upstream};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let gateway = Gateway::new(Upstream::new("http://127.0.0.1:50052")?)
///     .route("helloworld.Greeter", Upstream::new("https://greeter.example")?);
/// let listener = tonic_serve::listen("127.0.0.1:50051".parse()?)?;
/// tonic_serve::serve(listener, App::new(gateway.into()), ServeOptions::default(), std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors of calls
///
/// A call that fails between the gateway and the upstream has a status like one that the upstream sent; its message begins with
/// "the upstream". UNAVAILABLE: no connection, or it was lost, or the upstream speaks no HTTP/2. INTERNAL: a response without a
/// status. A reset stream has the code that `PROTOCOL-HTTP2.md` gives to its reason, and a response that is not gRPC has the
/// code of its HTTP status. Addresses of upstreams are in the log and in no status.
#[derive(Clone, Debug, Default)]
pub struct Gateway {
    default: Option<Upstream>,
    /// By the full name of a service.
    routes: HashMap<String, Upstream>,
}

impl Gateway {
    /// Passes every call to `upstream`. [`Gateway::default`] passes on only calls of services with a
    /// [route](Self::route), and ends others with UNIMPLEMENTED.
    #[must_use]
    pub fn new(upstream: Upstream) -> Self {
        Self { default: Some(upstream), routes: HashMap::new() }
    }

    /// Passes the calls of one service, by its full name (`package.Service`), to `upstream`.
    #[must_use]
    pub fn route(mut self, service: impl Into<String>, upstream: Upstream) -> Self {
        self.routes.insert(service.into(), upstream);
        self
    }

    fn upstream(&self, path: &str) -> Option<&Upstream> {
        self.routes.get(service_of(path)).or(self.default.as_ref())
    }
}

impl From<Gateway> for Routes {
    fn from(gateway: Gateway) -> Self {
        // The fallback of a router without services is all of it.
        Self::default().into_axum_router().fallback_service(GatewayService(Arc::new(gateway))).into()
    }
}

/// A [`Gateway`] that handles calls.
#[derive(Clone, Debug)]
struct GatewayService(Arc<Gateway>);

impl<B> Service<Request<B>> for GatewayService
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let upstream = self.0.upstream(request.uri().path()).cloned();
        let request = request.map(Body::new);
        Box::pin(async move {
            let response = match upstream {
                Some(upstream) => upstream.call(request).await,
                // The port adds the name of the method.
                None => Err(tonic::Status::unimplemented("")),
            };
            Ok(response.unwrap_or_else(|status| status.into_http()))
        })
    }
}
