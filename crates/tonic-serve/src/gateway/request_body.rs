//! The body of a request that goes on, and the failure of the caller that ends it.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// The status of a call whose request failed here, for example because a message is over a limit. The upstream only sees that
/// the call was reset, so its own failure says less.
pub(super) type CallerFailure = Arc<OnceLock<Status>>;

/// The body of a request.
pub(super) struct RequestBody {
    body: Body,
    failure: CallerFailure,
}

impl RequestBody {
    /// A failure of `body` is also put into `failure`.
    pub(super) fn new(body: Body, failure: CallerFailure) -> Self {
        Self { body, failure }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                // The end of a request often comes in a frame of its own. Sent before the end is known, it is an empty frame inside
                // a stream, and HTTP/2 servers close connections on which many of them come.
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Some(Err(status)) => {
                    self.failure.set(status.clone()).ok();
                    return Poll::Ready(Some(Err(status)));
                }
                polled => return Poll::Ready(polled),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
