//! The body of a response that may leave hyper while it has nothing to send.
//!
//! Only a body that hyper sends in chunks leaves, after a request that has been read to its end: then all that is left on the
//! connection until the next request are the chunks of this response.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use tonic::body::Body as TonicBody;

use super::activity::Activity;
use super::response_body::{ResponseBody, ResponseChunk};
use crate::listen::request_body::RequestEnd;

/// The place of a connection over HTTP/1.1 for the body that leaves hyper.
#[derive(Clone)]
pub(super) struct LeavingBody(Arc<Place>);

struct Place {
    activity: Arc<Activity>,
    body: Mutex<Option<ResponseBody<TonicBody>>>,
}

impl LeavingBody {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        Self(Arc::new(Place { activity: Arc::clone(activity), body: Mutex::new(None) }))
    }

    /// Whether a body has left, and the socket has taken everything before it. hyper writes all that it has whenever it is
    /// polled, so there is nothing left to write when the socket does not block.
    pub(super) fn is_ready(&self) -> bool {
        !self.0.activity.is_blocked() && self.lock().is_some()
    }

    pub(super) fn take(&self) -> Option<ResponseBody<TonicBody>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<ResponseBody<TonicBody>>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the body of `request`, if the response may leave.
pub(super) fn end_of<B>(request: &Request<B>) -> Option<RequestEnd> {
    let mut connection = request.headers().get_all(CONNECTION).iter();
    let is_kept = connection.all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive"));
    let is_chunked = request.version() == Version::HTTP_11 && request.method() == Method::POST;
    (is_kept && is_chunked).then(RequestEnd::default)
}

/// A response's body as HTTP gets it.
pub(super) struct SentBody {
    /// `None` after it has left.
    body: Option<ResponseBody<TonicBody>>,
    leaving: Option<(LeavingBody, RequestEnd)>,
}

impl SentBody {
    /// `leaving`: the place for the body, and the end of its request, if the request allows that it leaves.
    pub(super) fn in_response(
        response: Response<ResponseBody<TonicBody>>,
        leaving: Option<(LeavingBody, RequestEnd)>,
    ) -> Response<Self> {
        // With one of these headers a body is not simply chunked, or the connection is not kept.
        let framing = [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER, CONNECTION, UPGRADE];
        let is_chunked = response.status() == StatusCode::OK
            && response.body().size_hint().exact().is_none()
            && !framing.iter().any(|name| response.headers().contains_key(name));
        let leaving = leaving.filter(|_| is_chunked);
        response.map(|body| Self { body: Some(body), leaving })
    }
}

impl Body for SentBody {
    type Data = ResponseChunk;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<ResponseChunk>, tonic::Status>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Pending };
        let polled = Pin::new(body).poll_frame(cx);
        if polled.is_pending()
            && let Some((place, request)) = &this.leaving
            && request.is_reached()
        {
            *place.lock() = this.body.take();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
