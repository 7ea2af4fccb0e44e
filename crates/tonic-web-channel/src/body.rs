//! The body of a response: it lasts as long as the call, and releases what the layers hold for it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tonic::Status;

use crate::error::Error;
use crate::status;
use crate::validate::{First, ValidatedBody};

/// The body of a response: gRPC messages, then trailers.
///
/// Dropping it cancels the call.
#[derive(Default)]
pub struct ResponseBody {
    /// `None` once the call is over.
    source: Option<ValidatedBody>,
    /// The first frame, where it was waited for.
    first: Option<Frame<Bytes>>,
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
    /// The body of a response with `headers`.
    pub(crate) fn new(source: ValidatedBody, first: First, headers: &HeaderMap) -> Self {
        match first {
            First::Unread => Self { source: Some(source), ..Self::default() },
            First::Frame(frame) => Self { source: Some(source), first: Some(frame), ..Self::default() },
            First::None => Self { trailers_only: Some(status_of(headers)), ..Self::default() },
        }
    }

    /// Holds `guard` until the call is over.
    pub(crate) fn attach(&mut self, mut guard: Box<dyn CallGuard>) {
        match &self.trailers_only {
            Some(status) => guard.end(status, &HeaderMap::new()),
            None => self.guards.push(guard),
        }
    }

    /// Waits for the first frame, so that [`early_status`] knows whether it is the trailers.
    pub(crate) async fn peek(&mut self) -> Result<(), Status> {
        if let (Some(source), None) = (&mut self.source, &self.first) {
            self.first = source.frame().await.transpose()?;
        }
        Ok(())
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
        self.source = None;
        for mut guard in self.guards.drain(..) {
            guard.end(status, trailers);
        }
    }
}

/// The headers or trailers with the status of `response`, when they have come.
pub(crate) fn early_status(response: &Response<ResponseBody>) -> Option<&HeaderMap> {
    match response.body() {
        ResponseBody { trailers_only: Some(_), .. } => Some(response.headers()),
        ResponseBody { first, .. } => first.as_ref()?.trailers_ref(),
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = &mut *self;
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        if let Err(error) = this.guards.iter().try_for_each(|guard| guard.check()) {
            return this.fail(error.into());
        }
        source.report_messages();
        let polled = match this.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(source).poll_frame(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.end(&status_of(trailers), trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(status))) => this.fail(status),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match this.poll_guards(cx) {
                Poll::Ready(error) => this.fail(error.into()),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.source.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// The status in `headers` for guards; the client reads it itself.
fn status_of(headers: &HeaderMap) -> Status {
    status::of_headers(headers).unwrap_or_else(|| Status::unknown("the response has no status"))
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("ended", &self.source.is_none()).finish_non_exhaustive()
    }
}
