//! What holds for every call, whatever it does: it ends at its deadline, it ends when the server has to
//! stop, and a panic in it is its own end and nobody else's.
//!
//! Stands inside the gRPC-Web translation, so that a browser can read each of these endings: they are
//! trailers like any other. A body that the client does not read is not polled; at the deadline its
//! handler is dropped all the same, and the client finds the status when it reads again.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
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
    ResBody: Body<Data = Bytes> + Unpin + Send + 'static,
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

/// What ends a call from outside. It is among the extensions of the call's response, for those who hold back the
/// answer: they have to ask for the rest of it when the end has come, whatever they wait for.
#[derive(Clone)]
pub(crate) struct End(Arc<Causes>);

struct Causes {
    deadline: Option<Instant>,
    stop: CancellationToken,
    /// Somebody has seen one of them come.
    has_come: AtomicBool,
}

/// Waits for the end of a call from outside.
pub(crate) struct Ends {
    end: End,
    /// Waits for either; made when the call first has to wait for something.
    wait: Option<BoxFuture<'static, Status>>,
}

impl Ends {
    fn new(timeout: Option<std::time::Duration>, stop: CancellationToken) -> Self {
        // A deadline beyond the clock's end is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self::from(End(Arc::new(Causes { deadline, stop, has_come: AtomicBool::new(false) })))
    }

    /// For calls that never have to wait: whether the deadline has passed, or the end was seen by somebody else.
    fn passed(&self) -> Option<Status> {
        let Causes { deadline, has_come, .. } = &*self.end.0;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Some(deadline_exceeded());
        }
        has_come.load(Ordering::Relaxed).then(stopping)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let causes = &self.end.0;
        let wait = self.wait.get_or_insert_with(|| {
            let (deadline, stop) = (causes.deadline, causes.stop.clone());
            Box::pin(async move {
                match deadline {
                    None => stop.cancelled_owned().await,
                    Some(deadline) => tokio::select! {
                        () = stop.cancelled_owned() => {}
                        () = sleep_until(deadline) => return deadline_exceeded(),
                    },
                }
                stopping()
            })
        });
        let status = ready!(wait.as_mut().poll(cx));
        causes.has_come.store(true, Ordering::Relaxed);
        Poll::Ready(status)
    }
}

impl From<End> for Ends {
    fn from(end: End) -> Self {
        Self { end, wait: None }
    }
}

fn stopping() -> Status {
    Status::unavailable("the server is stopping")
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
    B: Body<Data = Bytes> + Send + 'static,
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
                Ok(Poll::Ready(Ok(mut response))) => {
                    let ends = this.ends.take();
                    if let Some(ends) = &ends {
                        response.extensions_mut().insert(ends.end.clone());
                    }
                    return Poll::Ready(Ok(response.map(|body| GuardedBody::new(body, ends))));
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

/// The body of a guarded call's response.
pub(crate) struct GuardedBody<B> {
    /// Taken at the deadline, also while nobody polls.
    body: Arc<Mutex<Option<B>>>,
    ends: Option<Ends>,
    /// Everything has been said.
    ended: bool,
    /// Takes the body at the deadline.
    _watch: Option<AbortOnDropHandle<()>>,
}

impl<B: Send + 'static> GuardedBody<B> {
    fn new(body: B, ends: Option<Ends>) -> Self {
        let body = Arc::new(Mutex::new(Some(body)));
        let watch = ends.as_ref().and_then(|ends| ends.end.0.deadline).map(|deadline| {
            let body = Arc::clone(&body);
            AbortOnDropHandle::new(tokio::spawn(async move {
                sleep_until(deadline).await;
                take(&body);
            }))
        });
        Self { body, ends, ended: false, _watch: watch }
    }
}

impl<B> Default for GuardedBody<B> {
    fn default() -> Self {
        Self { body: Arc::default(), ends: None, ended: true, _watch: None }
    }
}

fn lock<B>(body: &Mutex<Option<B>>) -> MutexGuard<'_, Option<B>> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops a body, outside of its lock.
fn take<B>(body: &Mutex<Option<B>>) {
    let taken = lock(body).take();
    drop(taken);
}

impl<B: Body<Data = Bytes> + Unpin> GuardedBody<B> {
    /// The next frame, or how the call ends from outside.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Polled<B::Error>, Status>> {
        if let Some(status) = self.ends.as_ref().and_then(Ends::passed) {
            return Poll::Ready(Err(status));
        }
        let mut slot = lock(&self.body);
        let Some(body) = slot.as_mut() else { return Poll::Ready(Err(deadline_exceeded())) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(Poll::Ready(polled)) => Poll::Ready(Ok(polled)),
            Ok(Poll::Pending) => match self.ends.as_mut() {
                Some(ends) => ends.poll(cx).map(Err),
                None => Poll::Pending,
            },
            Err(payload) => Poll::Ready(Err(panicked(payload))),
        }
    }
}

type Polled<E> = Option<Result<Frame<Bytes>, E>>;

impl<B: Body<Data = Bytes> + Unpin> Body for GuardedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.poll_body(cx)) {
            Ok(polled) => {
                self.ended = polled.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
                Poll::Ready(polled)
            }
            Err(status) => {
                self.ended = true;
                take(&self.body);
                Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Of a body that was taken, the status has not been read yet.
        self.ended || lock(&self.body).as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The call may end early: nothing is promised.
        if self.ended { SizeHint::with_exact(0) } else { SizeHint::default() }
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
