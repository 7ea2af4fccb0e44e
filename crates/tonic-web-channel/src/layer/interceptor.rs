//! Application code that sees each call before it is sent.

use std::future::Future;
use std::sync::Arc;

use http::{Extensions, Request, request};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;

use super::{Layer, ResponseFuture, Service, SharedService, layer};
use crate::context::CallContext;
use crate::maybe_send::{BoxFuture, MaybeSend, MaybeSync, SharedFn, shared_fn};
use crate::method::Method;

/// A call before it is sent, as an [interceptor](crate::Builder::interceptor) sees it and may change it.
#[derive(Debug)]
pub struct Outgoing {
    parts: request::Parts,
    metadata: MetadataMap,
}

impl Outgoing {
    fn new(mut parts: request::Parts) -> Self {
        let metadata = MetadataMap::from_headers(std::mem::take(&mut parts.headers));
        Self { parts, metadata }
    }

    fn into_parts(mut self) -> request::Parts {
        self.parts.headers = self.metadata.into_headers();
        self.parts
    }

    /// `/package.Service/Method`.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The number of the call, unique in the program. The events of the call have it too
    /// ([`CallEvent::call`](crate::observe::CallEvent::call)).
    pub fn call_number(&self) -> u64 {
        self.context().map_or(0, CallContext::number)
    }

    /// The method, when the channel's method table has it.
    pub fn method(&self) -> Option<Method> {
        self.context().and_then(CallContext::method)
    }

    /// The metadata that is sent with the call. The deadline is in it as `grpc-timeout`.
    pub fn metadata(&self) -> &MetadataMap {
        &self.metadata
    }

    /// As [`metadata`](Self::metadata), to be changed. A changed `grpc-timeout` has no effect.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.metadata
    }

    /// The extensions of the caller's `tonic::Request`.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    fn context(&self) -> Option<&CallContext> {
        self.parts.extensions.get()
    }
}

/// Hands calls to an interceptor.
pub(crate) struct Intercept {
    interceptor: SharedFn<Outgoing, BoxFuture<Result<Outgoing, Status>>>,
    inner: SharedService,
}

impl Intercept {
    pub(crate) fn layer<F, R>(interceptor: F) -> Layer
    where
        F: Fn(Outgoing) -> R + MaybeSend + MaybeSync + 'static,
        R: Future<Output = Result<Outgoing, Status>> + MaybeSend + 'static,
    {
        let interceptor = shared_fn(move |call| Box::pin(interceptor(call)) as BoxFuture<_>);
        layer(move |inner| Self { interceptor, inner })
    }
}

impl Service for Intercept {
    fn call(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut parts = (self.interceptor)(Outgoing::new(parts)).await?.into_parts();
            // The interceptor took some of the time.
            if let Some(deadline) = CallContext::of(&parts.extensions).deadline {
                deadline.write_remaining(&mut parts.headers);
            }
            self.inner.clone().call(Request::from_parts(parts, body)).await
        })
    }
}
