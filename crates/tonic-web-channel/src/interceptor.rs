//! Interceptors: what a program does to every call before it is sent, which may take time.

use std::future::Future;
use std::sync::Arc;

use http::{Extensions, Request, request};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;

use crate::deadline::End;
use crate::maybe_send::{BoxFuture, MaybeSend, MaybeSync, SharedFn};
use crate::method::Method;

/// A call on its way out: what an interceptor sees of it, and may change.
#[derive(Debug)]
pub struct Outgoing {
    parts: request::Parts,
    method: Option<Method>,
    metadata: MetadataMap,
}

impl Outgoing {
    pub(crate) fn new(mut parts: request::Parts, method: Option<Method>) -> Self {
        let metadata = MetadataMap::from_headers(std::mem::take(&mut parts.headers));
        Self { parts, method, metadata }
    }

    pub(crate) fn into_parts(mut self) -> request::Parts {
        self.parts.headers = self.metadata.into_headers();
        self.parts
    }

    /// `/package.Service/Method`.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// What the channel was told of the method.
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    /// What is sent with the call; the deadline is among it as `grpc-timeout`.
    pub fn metadata(&self) -> &MetadataMap {
        &self.metadata
    }

    /// As [`metadata`](Self::metadata), for changing it. The deadline is fixed by now.
    pub fn metadata_mut(&mut self) -> &mut MetadataMap {
        &mut self.metadata
    }

    /// What the caller attached to its `tonic::Request`.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }
}

/// Sees every call before it is sent, may change its metadata, and may refuse it.
///
/// A function from [`Outgoing`] to a future is one. Interceptors run in the order in which they were added,
/// once for each call and not for each attempt, and within the call's deadline.
///
/// ```
/// use tonic_web_channel::{Channel, Outgoing};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let _entered = runtime.enter();
/// let channel = Channel::builder("http://127.0.0.1:50051")
///     .interceptor(|mut call: Outgoing| async move {
///         let id = "7f3a".parse().map_err(|_| tonic::Status::internal("no metadata value"))?;
///         call.metadata_mut().insert("x-request-id", id);
///         Ok(call)
///     })
///     .build()?;
/// # Ok::<(), tonic_web_channel::BuildError>(())
/// ```
pub trait Interceptor: MaybeSend + MaybeSync + 'static {
    /// The call as it is to be sent, or the status that it ends with instead.
    fn intercept(&self, call: Outgoing) -> BoxFuture<Result<Outgoing, Status>>;
}

impl<F, R> Interceptor for F
where
    F: Fn(Outgoing) -> R + MaybeSend + MaybeSync + 'static,
    R: Future<Output = Result<Outgoing, Status>> + MaybeSend + 'static,
{
    fn intercept(&self, call: Outgoing) -> BoxFuture<Result<Outgoing, Status>> {
        Box::pin(self(call))
    }
}

pub(crate) type SharedInterceptor = SharedFn<Outgoing, BoxFuture<Result<Outgoing, Status>>>;

/// What a channel asks of its interceptors. Behind a trait object, so that a program without any does not carry
/// their code.
pub(crate) trait Intercept: Send + Sync {
    /// The request as all of them have left it. Where its time ends at `end`, it says so.
    fn intercepted(
        self: Arc<Self>,
        request: Request<Body>,
        method: Option<Method>,
        end: Option<End>,
    ) -> BoxFuture<Result<Request<Body>, Status>>;
}

/// One after the other.
pub(crate) struct Chain(pub(crate) Vec<SharedInterceptor>);

impl Intercept for Chain {
    fn intercepted(
        self: Arc<Self>,
        request: Request<Body>,
        method: Option<Method>,
        end: Option<End>,
    ) -> BoxFuture<Result<Request<Body>, Status>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut outgoing = Outgoing::new(parts, method);
            for interceptor in &self.0 {
                outgoing = interceptor(outgoing).await?;
            }
            let mut parts = outgoing.into_parts();
            if let Some(end) = end {
                end.write_left(&mut parts.headers);
            }
            Ok(Request::from_parts(parts, body))
        })
    }
}
