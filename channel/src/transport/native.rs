//! gRPC over HTTP/2 by `tonic`'s own channel.

use std::future::poll_fn;

use http::{Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service as _;

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    inner: tonic::transport::Channel,
}

impl Transport {
    /// Connects when the first call comes.
    pub(crate) fn new(uri: Uri) -> Self {
        Self { inner: tonic::transport::Endpoint::from(uri).connect_lazy() }
    }

    pub(crate) async fn call(mut self, request: Request<Body>) -> Result<Response<Body>, Status> {
        poll_fn(|cx| self.inner.poll_ready(cx)).await.map_err(from_transport)?;
        self.inner.call(request).await.map_err(from_transport)
    }
}

fn from_transport(error: tonic::transport::Error) -> Status {
    Status::from_error(error.into())
}
