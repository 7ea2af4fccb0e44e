//! Ends every call at its deadline, at shutdown, and after a panic, and tells the observer its code.
//!
//! Runs inside the gRPC-Web translation, so that these statuses are trailers that a browser can read. A body that the client does
//! not read is not polled; at the deadline its handler is dropped all the same, and the client finds the status when it reads on.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpc_wire::timeout::{self, GRPC_TIMEOUT, InvalidTimeout};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};
use tower::Service;

use super::observe::CallObserver;
use crate::observer::ObservedCall;
use crate::response::trailers;
use crate::termination::{Termination, TerminationWait, deadline_exceeded};

/// A service whose calls are guarded.
#[derive(Clone, Debug)]
pub(super) struct Guard<S> {
    inner: S,
    shutdown: CancellationToken,
    observer: Option<CallObserver>,
}

impl<S> Guard<S> {
    /// Cancelling `shutdown` ends the open calls.
    pub(super) fn new(inner: S, shutdown: CancellationToken, observer: Option<CallObserver>) -> Self {
        Self { inner, shutdown, observer }
    }
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
        let timeout = request.headers().get(GRPC_TIMEOUT).map(|value| timeout::parse(value.as_bytes()));
        let observed = self.observer.as_ref().map(|observer| Box::new(observer.begin(&request)));
        match timeout.transpose() {
            Ok(timeout) => {
                let termination = Termination::new(timeout, self.shutdown.clone());
                let termination = Some(termination.into());
                GuardedCall { call: Some(self.inner.call(request)), termination, observed }
            }
            // The future of no call responds that the timeout is invalid.
            Err(InvalidTimeout) => GuardedCall { call: None, termination: None, observed },
        }
    }
}

/// The call as the observer is told of it, until its code is known.
type Observed = Option<Box<ObservedCall>>;

/// Tells the observer the code of a call.
fn end(observed: &mut Observed, code: Code) {
    if let Some(mut observed) = observed.take() {
        observed.set_code(code);
    }
}

/// The code in the head of a response without messages, or in trailers.
fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

fn panicked(_payload: Box<dyn Any + Send>) -> Status {
    // The panic hook has logged the message and the place.
    tracing::error!("a handler panicked");
    Status::internal("the call failed inside the server")
}

pin_project! {
    /// A call until the head of its response.
    pub(super) struct GuardedCall<F> {
        #[pin]
        call: Option<F>,
        termination: Option<TerminationWait>,
        observed: Observed,
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
            end(this.observed, Code::InvalidArgument);
            return Poll::Ready(Ok(Status::invalid_argument(InvalidTimeout.to_string()).into_http()));
        };
        let status = match this.termination.as_ref().and_then(TerminationWait::status) {
            Some(status) => status,
            None => match catch_unwind(AssertUnwindSafe(|| call.poll(cx))) {
                Ok(Poll::Ready(Ok(mut response))) => {
                    let termination = this.termination.take();
                    if let Some(wait) = &termination {
                        response.extensions_mut().insert(wait.termination().clone());
                    }
                    if let Some(code) = code_of(response.headers()) {
                        end(this.observed, code);
                    }
                    let observed = this.observed.take();
                    return Poll::Ready(Ok(
                        response.map(|body| GuardedBody::new(body, termination, observed))
                    ));
                }
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                Ok(Poll::Pending) => match this.termination.as_mut().map(|wait| wait.poll(cx)) {
                    Some(Poll::Ready(status)) => status,
                    Some(Poll::Pending) | None => return Poll::Pending,
                },
                Err(payload) => panicked(payload),
            },
        };
        this.call.set(None);
        end(this.observed, status.code());
        Poll::Ready(Ok(status.into_http()))
    }
}

/// The body of a guarded call's response.
pub(super) struct GuardedBody<B> {
    /// Dropped at the deadline, also while nobody polls.
    body: Arc<Mutex<Option<B>>>,
    termination: Option<TerminationWait>,
    observed: Observed,
    ended: bool,
    /// Drops the body at the deadline.
    _timer: Option<AbortOnDropHandle<()>>,
}

impl<B: Send + 'static> GuardedBody<B> {
    fn new(body: B, termination: Option<TerminationWait>, observed: Observed) -> Self {
        let body = Arc::new(Mutex::new(Some(body)));
        let deadline = termination.as_ref().and_then(|wait| wait.termination().deadline());
        let timer = deadline.map(|deadline| {
            let body = Arc::clone(&body);
            AbortOnDropHandle::new(tokio::spawn(async move {
                sleep_until(deadline).await;
                drop_body(&body);
            }))
        });
        Self { body, termination, observed, ended: false, _timer: timer }
    }
}

impl<B> Default for GuardedBody<B> {
    fn default() -> Self {
        Self { body: Arc::default(), termination: None, observed: None, ended: true, _timer: None }
    }
}

fn lock<B>(body: &Mutex<Option<B>>) -> MutexGuard<'_, Option<B>> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops a body, outside of its lock.
fn drop_body<B>(body: &Mutex<Option<B>>) {
    let body = lock(body).take();
    drop(body);
}

impl<B: Body<Data = Bytes> + Unpin> GuardedBody<B> {
    /// The next frame, or the status of a terminated call.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Polled<B::Error>, Status>> {
        if let Some(status) = self.termination.as_ref().and_then(TerminationWait::status) {
            return Poll::Ready(Err(status));
        }
        let mut slot = lock(&self.body);
        let Some(body) = slot.as_mut() else { return Poll::Ready(Err(deadline_exceeded())) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(Poll::Ready(polled)) => Poll::Ready(Ok(polled)),
            Ok(Poll::Pending) => match self.termination.as_mut() {
                Some(wait) => wait.poll(cx).map(Err),
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
                let trailers = polled.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
                self.ended = polled.is_none() || trailers.is_some();
                if self.ended {
                    end(&mut self.observed, trailers.and_then(code_of).unwrap_or(Code::Unknown));
                }
                Poll::Ready(polled)
            }
            Err(status) => {
                self.ended = true;
                end(&mut self.observed, status.code());
                drop_body(&self.body);
                Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // The status of a body that was dropped has not been read yet.
        self.ended || lock(&self.body).as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The call may be terminated before all bytes.
        if self.ended { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests;
