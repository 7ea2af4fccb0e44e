//! What holds for every call, whatever it does: it ends at its deadline, it ends when the server has to
//! stop, and a panic in it is its own end and nobody else's.
//!
//! Stands inside the gRPC-Web translation, so that a browser can read each of these endings: they are
//! trailers like any other. A body that the client does not read is not polled, so such a stream is
//! given up when the client reads again or leaves, not at the deadline itself.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tower::Service;
use tower_layer::Layer;

use crate::deadline;

/// Guards every call of a service.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer {
    /// Cancelled when the calls that still run have to end.
    stop: CancellationToken,
}

impl GuardLayer {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, stop: self.stop.clone() }
    }
}

/// A service whose calls are guarded.
#[derive(Clone, Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    stop: CancellationToken,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guard<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes>,
{
    type Response = Response<GuardedBody<ResBody>>;
    type Error = S::Error;
    type Future = GuardedCall<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let timeout = request.headers().get(deadline::GRPC_TIMEOUT).map(deadline::parse).transpose();
        let (call, ends) = match timeout {
            Ok(timeout) => (Some(self.inner.call(request)), Ends::new(timeout, self.stop.clone())),
            // Without an inner call the future answers that the timeout is malformed.
            Err(deadline::Malformed) => (None, Ends::new(None, self.stop.clone())),
        };
        GuardedCall { call, ends: Some(ends) }
    }
}

/// When a call ends from outside.
struct Ends {
    deadline: Option<Instant>,
    stop: CancellationToken,
    /// Waits for either; made when the call first has to wait for something.
    wait: Option<BoxFuture<'static, Status>>,
}

impl Ends {
    fn new(timeout: Option<std::time::Duration>, stop: CancellationToken) -> Self {
        // A deadline beyond the clock's end is none.
        Self { deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)), stop, wait: None }
    }

    /// For calls that never have to wait: whether the deadline has passed.
    fn passed(&self) -> Option<Status> {
        (self.deadline? <= Instant::now()).then(deadline_exceeded)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let wait = self.wait.get_or_insert_with(|| {
            let (deadline, stop) = (self.deadline, self.stop.clone());
            Box::pin(async move {
                match deadline {
                    None => stop.cancelled_owned().await,
                    Some(deadline) => tokio::select! {
                        () = stop.cancelled_owned() => {}
                        () = sleep_until(deadline) => return deadline_exceeded(),
                    },
                }
                Status::unavailable("the server is stopping")
            })
        });
        wait.as_mut().poll(cx)
    }
}

fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("the deadline passed before the call had ended")
}

fn panicked(_payload: Box<dyn Any + Send>) -> Status {
    // The panic hook has written the message and the place.
    tracing::error!("a call panicked");
    Status::internal("the call failed inside the server")
}

pin_project! {
    /// A call until the head of its response.
    pub(crate) struct GuardedCall<F> {
        #[pin]
        call: Option<F>,
        ends: Option<Ends>,
    }
}

impl<F, B, E> Future for GuardedCall<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<GuardedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(call) = this.call.as_mut().as_pin_mut() else {
            let status = Status::invalid_argument("grpc-timeout has to be one to eight digits and a unit");
            return Poll::Ready(Ok(status.into_http()));
        };
        let passed = this.ends.as_ref().and_then(Ends::passed);
        let status = match passed {
            Some(status) => status,
            None => match catch_unwind(AssertUnwindSafe(|| call.poll(cx))) {
                Ok(Poll::Ready(Ok(response))) => {
                    let ends = this.ends.take();
                    return Poll::Ready(Ok(response.map(|body| GuardedBody { body: Some(body), ends })));
                }
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                Ok(Poll::Pending) => match this.ends.as_mut().map(|ends| ends.poll(cx)) {
                    Some(Poll::Ready(status)) => status,
                    Some(Poll::Pending) | None => return Poll::Pending,
                },
                Err(payload) => panicked(payload),
            },
        };
        this.call.set(None);
        Poll::Ready(Ok(status.into_http()))
    }
}

pin_project! {
    /// The body of a guarded call's response.
    pub(crate) struct GuardedBody<B> {
        #[pin]
        body: Option<B>,
        ends: Option<Ends>,
    }
}

impl<B> Default for GuardedBody<B> {
    fn default() -> Self {
        Self { body: None, ends: None }
    }
}

impl<B: Body<Data = Bytes>> Body for GuardedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let passed = this.ends.as_ref().and_then(Ends::passed);
        let status = match passed {
            Some(status) => status,
            None => match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
                Ok(Poll::Ready(frame)) => return Poll::Ready(frame),
                Ok(Poll::Pending) => match this.ends.as_mut().map(|ends| ends.poll(cx)) {
                    Some(Poll::Ready(status)) => status,
                    Some(Poll::Pending) | None => return Poll::Pending,
                },
                Err(payload) => panicked(payload),
            },
        };
        this.body.set(None);
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The call may end early: nothing is promised.
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |_| SizeHint::default())
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Only a message that no header can hold is refused, and ours are plain sentences.
        tracing::error!("a status cannot be written as trailers");
    }
    trailers
}

#[cfg(test)]
mod tests;
