//! What a port answers with: gRPC in all its forms, or the page.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::Service;
use tower_layer::Layer as _;

/// What a port answers with.
#[derive(Debug)]
pub struct App {
    grpc: Routes,
}

impl App {
    /// Answers gRPC calls with `grpc` and nothing else yet.
    pub fn new(grpc: Routes) -> Self {
        Self { grpc }
    }

    pub(crate) fn into_service(self, _stop_calls: CancellationToken) -> AppService {
        AppService { grpc: GrpcWebLayer::new().layer(self.grpc.prepare()) }
    }
}

/// An [`App`] that is ready to be called.
#[derive(Clone, Debug)]
pub(crate) struct AppService {
    grpc: GrpcWebService<Routes>,
}

impl Service<Request<Incoming>> for AppService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.grpc.call(request))
    }
}
