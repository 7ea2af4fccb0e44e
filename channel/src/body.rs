//! The bodies of a call: a request's whose messages are counted, and a response's that ends at the
//! deadline and reports how the call ended.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};

use crate::observe::{CallEventKind, MessageCounter, OpenCall, Reporter};
use crate::status;
use crate::timer::Sleep;

/// The body of a response: gRPC frames, then trailers.
///
/// Dropping it cancels the call.
pub struct ResponseBody {
    inner: Option<tonic::body::Body>,
    http_status: StatusCode,
    deadline: Option<Sleep>,
    received: MessageCounter,
    call: OpenCall,
}

impl ResponseBody {
    pub(crate) fn new(
        inner: tonic::body::Body,
        http_status: StatusCode,
        deadline: Option<Sleep>,
        call: OpenCall,
    ) -> Self {
        Self { inner: Some(inner), http_status, deadline, received: MessageCounter::default(), call }
    }

    fn fail(&mut self, status: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = None;
        self.call.end(status.code(), status.message(), HeaderMap::new());
        Poll::Ready(Some(Err(status)))
    }

    fn seen(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            let call = &self.call;
            self.received.count(data, |bytes| call.message_received(bytes));
        } else if let Some(trailers) = frame.trailers_ref() {
            let status = status::of_headers(trailers)
                .unwrap_or_else(|| Status::unknown("the trailers name no status"));
            self.call.end(status.code(), status.message(), trailers.clone());
        }
    }

    fn ended_without_trailers(&mut self) {
        self.inner = None;
        let message = format!("the response ended without a status (HTTP {})", self.http_status.as_u16());
        self.call.end(Code::Unknown, &message, HeaderMap::new());
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if let Some(deadline) = &mut this.deadline
            && Pin::new(deadline).poll(cx).is_ready()
        {
            return this.fail(status::deadline_exceeded());
        }
        match ready!(Pin::new(inner).poll_frame(cx)) {
            Some(Ok(frame)) => {
                this.seen(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(status)) => this.fail(status),
            None => {
                this.ended_without_trailers();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("http_status", &self.http_status).finish_non_exhaustive()
    }
}

/// A request's body whose messages are reported as they are read for sending.
pub(crate) struct CountedBody {
    inner: tonic::body::Body,
    sent: MessageCounter,
    reporter: Reporter,
}

impl CountedBody {
    pub(crate) fn new(inner: tonic::body::Body, reporter: Reporter) -> Self {
        Self { inner, sent: MessageCounter::default(), reporter }
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
            let reporter = &this.reporter;
            this.sent.count(data, |bytes| {
                reporter.report(|| CallEventKind::MessageSent { bytes, flags: 0, content: Bytes::new() })
            });
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
