//! Calls of gRPC that the budget has no room for: a call too many is refused in its own protocol, and a call
//! whose answer may be long waits until its connection and its client's address hold less.
//!
//! Stands inside the gRPC-Web translation, and inside what ends a call at its deadline and at shutdown.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use http::{Request, Response};
use tower::Service;
use tower_layer::Layer;

use super::body::Room;
use super::call::CallAccount;

/// Admits the calls of a service.
#[derive(Clone, Debug)]
pub(crate) struct AdmissionLayer(Arc<HashMap<String, usize>>);

impl AdmissionLayer {
    /// `long_answers`: bytes of the longest answer, by path.
    pub(crate) fn new(long_answers: HashMap<String, usize>) -> Self {
        Self(Arc::new(long_answers))
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission { inner, long_answers: Arc::clone(&self.0) }
    }
}

/// A service whose calls are admitted.
#[derive(Clone, Debug)]
pub(crate) struct Admission<S> {
    inner: S,
    long_answers: Arc<HashMap<String, usize>>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Admission<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    ReqBody: Send + 'static,
    ResBody: Default + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let account = request.extensions().get::<CallAccount>();
        if let Some(refusal) = account.and_then(CallAccount::refusal) {
            return Either::Right(Box::pin(async move { Ok(refusal.into_http()) }));
        }
        let (Some(account), Some(bytes)) = (account, self.long_answers.get(request.uri().path())) else {
            return Either::Left(self.inner.call(request));
        };
        let (account, bytes) = (account.clone(), *bytes);
        // The one that was asked whether it is ready is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Either::Right(Box::pin(async move {
            let (call, mut room) = (&account.0, Room::default());
            poll_fn(|cx| room.poll(call, cx, || call.reserve(bytes))).await;
            room.pass_on(call);
            inner.call(request).await
        }))
    }
}
