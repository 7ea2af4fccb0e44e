//! The body of a response: it lasts as long as the call, and releases what the layers hold for it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::error::Error;
use crate::layer::validate::body::{MessageBody, Step};

/// The body of a response: gRPC messages, then trailers.
///
/// Dropping it cancels the call.
#[derive(Default)]
pub struct ResponseBody {
    /// `None` once the call is over.
    messages: Option<MessageBody>,
    /// The end of a call whose status was in the headers.
    trailers_only: Option<Status>,
    /// In the order in which the layers attached them, the innermost first.
    guards: Vec<Box<dyn CallGuard>>,
}

/// Resource of a layer that is held until its call is over; then [`end`](Self::end) is called and it is dropped. It is
/// only dropped when the caller drops the call.
pub(crate) trait CallGuard: Send {
    /// The error that the call has to end with now. Asked before each step of the body, so that it wins over
    /// what others make of the same moment (`tonic` says CANCELLED at a deadline).
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// As [`check`](Self::check), and wakes the task of a call that waits when it has to end.
    fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<Error> {
        Poll::Pending
    }

    /// The call is over, with `status` and perhaps `trailers`.
    fn end(&mut self, _status: &Status, _trailers: &HeaderMap) {}
}

type PolledFrame = Poll<Option<Result<Frame<Bytes>, Status>>>;

impl ResponseBody {
    pub(crate) fn new(messages: MessageBody) -> Self {
        Self { messages: Some(messages), ..Self::default() }
    }

    /// The body of a response that has its status in the headers.
    pub(crate) fn trailers_only(status: Status) -> Self {
        Self { trailers_only: Some(status), ..Self::default() }
    }

    /// Holds `guard` until the call is over.
    pub(crate) fn attach(&mut self, mut guard: impl CallGuard + 'static) {
        match &self.trailers_only {
            Some(status) => guard.end(status, &HeaderMap::new()),
            None => self.guards.push(Box::new(guard)),
        }
    }

    /// Waits for the first frame, so that [`early_status`] knows whether it is the trailers.
    pub(crate) async fn peek(&mut self) -> Result<(), Status> {
        match &mut self.messages {
            Some(messages) => poll_fn(|cx| messages.poll_first(cx)).await,
            None => Ok(()),
        }
    }

    fn poll_guards(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let mut polled = self.guards.iter_mut().map(|guard| guard.poll(cx));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    fn fail(&mut self, status: Status) -> PolledFrame {
        self.end(&status, &HeaderMap::new());
        Poll::Ready(Some(Err(status)))
    }

    fn end(&mut self, status: &Status, trailers: &HeaderMap) {
        self.messages = None;
        for mut guard in self.guards.drain(..) {
            guard.end(status, trailers);
        }
    }
}

/// The headers or trailers with the status of `response`, when they have come.
pub(crate) fn early_status(response: &Response<ResponseBody>) -> Option<&HeaderMap> {
    match &response.body().messages {
        Some(messages) => messages.early_trailers(),
        None => Some(response.headers()),
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = &mut *self;
        let Some(messages) = &mut this.messages else { return Poll::Ready(None) };
        if let Err(error) = this.guards.iter().try_for_each(|guard| guard.check()) {
            return this.fail(error.into());
        }
        match messages.poll(cx) {
            Poll::Ready(Ok(Step::Messages(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Poll::Ready(Ok(Step::End { status, trailers })) => {
                this.end(&status, &trailers);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Err(status)) => this.fail(status),
            Poll::Pending => match this.poll_guards(cx) {
                Poll::Ready(error) => this.fail(error.into()),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.messages.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.messages.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("ended", &self.messages.is_none()).finish_non_exhaustive()
    }
}
