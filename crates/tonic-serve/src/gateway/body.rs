//! The body of an upstream's response. A failure in the middle becomes trailers, which every caller can read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use grpc_wire::status::GRPC_STATUS;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::failure::classify;
use super::request_body::CallerFailure;
use crate::response::trailers;

/// The body of a response of an upstream.
pub(super) struct UpstreamBody {
    body: Body,
    /// Whether the status has come.
    has_status: bool,
    has_ended: bool,
    /// The call's share in its connection.
    _call: Arc<()>,
    caller_failure: CallerFailure,
}

impl UpstreamBody {
    pub(super) fn new(body: Body, head: &HeaderMap, call: Arc<()>, caller_failure: CallerFailure) -> Self {
        let has_status = head.contains_key(GRPC_STATUS);
        Self { body, has_status, has_ended: false, _call: call, caller_failure }
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.has_ended = true;
        // An upstream learns at once that nobody reads on.
        self.body = Body::default();
        Frame::trailers(trailers(status))
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx).map(|polled| match polled {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.has_status |= trailers.contains_key(GRPC_STATUS);
                    self.has_ended = true;
                    if !self.has_status {
                        return Some(Ok(self.end(&without_status())));
                    }
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let status = self.caller_failure.get().cloned();
                Some(Ok(self.end(&status.unwrap_or_else(|| classify(&error, true).into_status()))))
            }
            None if self.has_status => None,
            None => Some(Ok(self.end(&without_status()))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.has_status && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Trailers may follow.
        if self.has_ended { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

fn without_status() -> Status {
    Status::internal("the upstream ended its response without a status")
}
