//! The bodies of a call: the request's is sent as the server's window allows, the response's opens the window as it is
//! read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use super::connection::{OpenCall, Shared};
use super::engine::{Failure, Part};
use super::spawn;

/// The request's body on its way, until its call has ended.
pub(super) struct Upload {
    failure: Arc<OnceLock<Status>>,
}

impl Upload {
    /// Sends `body` as the request of call `id`; in a task of its own, unless all of it can be sent at once.
    pub(super) fn start(body: Body, connection: Arc<Shared>, id: u32) -> Self {
        let failure = Arc::<OnceLock<Status>>::default();
        let mut upload = Box::pin(upload(body, connection, id, Arc::clone(&failure)));
        if upload.as_mut().now_or_never().is_none() {
            spawn(upload);
        }
        Self { failure }
    }

    /// The status that the caller's stream of requests failed with.
    pub(super) fn failure(&self) -> Option<Status> {
        self.failure.get().cloned()
    }
}

async fn upload(mut body: Body, connection: Arc<Shared>, id: u32, failure: Arc<OnceLock<Status>>) {
    let mut next = |cx: &mut Context<'_>| {
        if ready!(connection.engine().poll_room(id, cx)) {
            Pin::new(&mut body).poll_frame(cx).map(|frame| frame.map(|frame| (frame, body.is_end_stream())))
        } else {
            Poll::Ready(None)
        }
    };
    while let Some((frame, is_last)) = poll_fn(&mut next).await {
        match frame {
            // Requests have no trailers.
            Ok(frame) => connection.engine().send(id, frame.into_data().unwrap_or_default()),
            Err(status) => {
                // Before the response fails because of the reset.
                failure.set(status).ok();
                connection.engine().cancel(id);
                return;
            }
        }
        if is_last {
            break;
        }
    }
    connection.engine().finish(id);
}

/// A response's body. Dropped before its end, it cancels the call.
pub(super) struct SocketBody {
    /// `None` after the end.
    open: Option<Open>,
}

struct Open {
    upload: Upload,
    call: OpenCall,
}

impl SocketBody {
    pub(super) fn new(upload: Upload, call: OpenCall) -> Self {
        Self { open: Some(Open { upload, call }) }
    }
}

impl Open {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(match ready!(self.call.poll_part(cx)) {
            Part::Data(bytes) => Some(Ok(Frame::data(bytes))),
            Part::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Part::End => None,
            Part::Failed(failure) => Some(Err(self.failed(failure))),
        })
    }

    fn failed(&self, failure: Failure) -> Status {
        self.upload.failure().unwrap_or_else(|| self.call.failed(failure))
    }
}

impl http_body::Body for SocketBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let frame = ready!(open.poll(cx));
        if !matches!(&frame, Some(Ok(frame)) if frame.is_data()) {
            self.open = None;
        }
        Poll::Ready(frame)
    }
}
