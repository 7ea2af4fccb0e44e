//! The body of a response: it keeps the rules of its messages, ends at the deadline, and reports how the call
//! ended.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

use crate::attempt::Head;
use crate::channel::PresentedToken;
use crate::guard::Guard;
use crate::limits::Permit;
use crate::observe::OpenCall;
use crate::request_body::Repeatable;
use crate::status;
use crate::validate::{First, ValidatedBody};

type Polled = Poll<Option<Result<Frame<Bytes>, Status>>>;

/// The body of a response: gRPC frames, then trailers.
///
/// Dropping it cancels the call.
pub struct ResponseBody {
    // None when the call is over.
    source: Option<ValidatedBody>,
    first: Option<Frame<Bytes>>,
    guard: Guard,
    http_status: StatusCode,
    held: Held,
}

/// What a response's body holds until the call is over.
pub(crate) struct Held {
    pub(crate) call: OpenCall,
    pub(crate) permit: Option<Permit>,
    pub(crate) token: Option<PresentedToken>,
    pub(crate) request: Option<Repeatable>,
}

impl ResponseBody {
    /// The body of `head`, and what is left of its headers.
    pub(crate) fn new(head: Head, guard: Guard, held: Held) -> http::Response<Self> {
        let Head { parts, mut body, first, .. } = head;
        held.call.headers(&parts.headers);
        body.report_messages();
        let http_status = parts.status;
        let mut body = Self { source: Some(body), first: None, guard, http_status, held };
        match first {
            First::Unread => {}
            First::Frame(frame) => body.first = Some(frame),
            // The status is here, and nobody may read the body.
            First::None => body.end(&status_of(&parts.headers), &HeaderMap::new()),
        }
        http::Response::from_parts(parts, body)
    }

    fn fail(&mut self, status: Status) -> Polled {
        self.end(&status, &HeaderMap::new());
        Poll::Ready(Some(Err(status)))
    }

    fn end(&mut self, status: &Status, trailers: &HeaderMap) {
        self.source = None;
        self.held.permit = None;
        self.held.request = None;
        if let Some(token) = self.held.token.take().filter(|_| status.code() == Code::Unauthenticated) {
            token.was_refused();
        }
        self.held.call.end(status.code(), status.message(), trailers);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        if let Err(error) = this.guard.check() {
            return this.fail(error.into());
        }
        let frame = match this.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut *source).poll_frame(cx),
        };
        if frame.is_ready() || source.take_received() {
            this.guard.heard();
        }
        let Poll::Ready(frame) = frame else {
            let error = ready!(this.guard.poll(cx));
            return this.fail(error.into());
        };
        match frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.end(&status_of(trailers), trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(status)) => this.fail(status),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.source.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// The status in `headers`, for the record; `tonic` reads its own.
fn status_of(headers: &HeaderMap) -> Status {
    status::of_headers(headers).unwrap_or_else(|| Status::unknown("the response names no status"))
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("http_status", &self.http_status).finish_non_exhaustive()
    }
}
