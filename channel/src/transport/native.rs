//! gRPC over HTTP/2 by `tonic`'s own channel.

use std::future::poll_fn;

use http::{Request, Response, Uri};
use tonic::Status;
use tonic::body::Body;
use tower_service::Service as _;

use super::Transport;
use crate::maybe_send::BoxFuture;

#[derive(Debug)]
pub(crate) struct Native {
    inner: tonic::transport::Channel,
}

impl Native {
    /// Connects when the first call comes.
    pub(crate) fn new(uri: Uri) -> Self {
        Self { inner: tonic::transport::Endpoint::from(uri).connect_lazy() }
    }
}

impl Transport for Native {
    fn call(&self, request: Request<Body>) -> BoxFuture<Result<Response<Body>, Status>> {
        let mut inner = self.inner.clone();
        Box::pin(async move {
            poll_fn(|cx| inner.poll_ready(cx)).await.map_err(from_transport)?;
            inner.call(request).await.map_err(from_transport)
        })
    }
}

fn from_transport(error: tonic::transport::Error) -> Status {
    Status::from_error(error.into())
}
