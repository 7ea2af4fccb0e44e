//! The body of a request that goes on, and the failure of the caller that ends it.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

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
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(status))) = &polled {
            self.failure.set(status.clone()).ok();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
