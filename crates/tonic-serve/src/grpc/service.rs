//! The gRPC services of an application as a stack: gRPC-Web translation, termination, policy.

use std::sync::Arc;

use bytes::Bytes;
use grpc_wire::content_type::WireFormat;
use http::Request;
use http_body::Body;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::Service as _;
use tower_layer::Layer as _;

use super::guard::Guard;
use super::observe::CallObserver;
use super::policy::{CallPolicy, EnforcePolicy};
use super::text::BinaryBody;
use crate::body_timeout::BodyTimeouts;
use crate::response::ResponseFuture;

/// gRPC services that accept every wire format.
#[derive(Clone, Debug)]
pub(crate) struct GrpcService(GrpcWebService<Guard<EnforcePolicy<Routes>>>);

impl GrpcService {
    /// Cancelling `shutdown` ends open calls. `observer` is told of calls.
    pub(crate) fn new(
        routes: Routes,
        policy: Arc<CallPolicy>,
        timeouts: BodyTimeouts,
        shutdown: CancellationToken,
        observer: Option<CallObserver>,
    ) -> Self {
        let enforced = EnforcePolicy::new(routes.prepare(), policy, timeouts);
        Self(GrpcWebLayer::new().layer(Guard::new(enforced, shutdown, observer)))
    }

    /// Handles a call whose headers are normalised.
    pub(crate) fn call<B>(&mut self, format: WireFormat, request: Request<B>) -> ResponseFuture
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let request = request.map(|body| match format {
            WireFormat::GrpcWebText => BinaryBody::from_text(body),
            WireFormat::Grpc | WireFormat::GrpcWeb => BinaryBody::from_binary(body),
        });
        Box::pin(self.0.call(request))
    }
}
