//! The bodies of a call: the request's is sent as the server's window allows, the response's opens the window as it is
//! read.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use h2::{Reason, RecvStream, SendStream};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::body::Body;

use super::connection::OpenCall;
use super::spawn;

/// The request's body on its way. Dropped, it stops sending.
pub(super) struct Upload {
    failure: Arc<OnceLock<Status>>,
    _stop: DropGuard,
}

impl Upload {
    /// Sends `body`; in a task of its own, unless all of it can be sent at once.
    pub(super) fn start(body: Body, stream: SendStream<Bytes>) -> Self {
        let failure = Arc::<OnceLock<Status>>::default();
        let stop = CancellationToken::new();
        let mut upload = Box::pin(upload(body, stream, Arc::clone(&failure), stop.clone()));
        if upload.as_mut().now_or_never().is_none() {
            spawn(upload);
        }
        Self { failure, _stop: stop.drop_guard() }
    }

    /// The status that the caller's stream of requests failed with.
    pub(super) fn failure(&self) -> Option<Status> {
        self.failure.get().cloned()
    }
}

async fn upload(
    body: Body,
    mut stream: SendStream<Bytes>,
    failure: Arc<OnceLock<Status>>,
    stop: CancellationToken,
) {
    let failed = match select(pin!(send(body, &mut stream)), pin!(stop.cancelled())).await {
        Either::Left((result, _)) => result.err(),
        Either::Right(_) => None,
    };
    if let Some(status) = failed {
        // Before the response fails because of the reset.
        failure.set(status).ok();
        stream.send_reset(Reason::CANCEL);
    }
}

async fn send(mut body: Body, stream: &mut SendStream<Bytes>) -> Result<(), Status> {
    while let Some(frame) = body.frame().await {
        // Requests have no trailers.
        let mut data = frame?.into_data().unwrap_or_default();
        let is_last = body.is_end_stream();
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            while stream.capacity() == 0 {
                // The call is over otherwise.
                let Some(Ok(_)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Ok(()) };
            }
            let part = data.split_to(stream.capacity().min(data.len()));
            let is_end = is_last && data.is_empty();
            if stream.send_data(part, is_end).is_err() || is_end {
                return Ok(());
            }
        }
    }
    stream.send_data(Bytes::new(), true).ok();
    Ok(())
}

/// A response's body. Dropped before its end, it cancels the call.
pub(super) struct SocketBody {
    /// `None` after the end.
    open: Option<Open>,
}

struct Open {
    stream: RecvStream,
    upload: Upload,
    call: OpenCall,
    has_ended: bool,
}

impl SocketBody {
    pub(super) fn new(stream: RecvStream, upload: Upload, call: OpenCall) -> Self {
        Self { open: Some(Open { stream, upload, call, has_ended: false }) }
    }
}

impl Open {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.has_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // The window opens for bytes that are read, so that a slow reader slows the server down.
                    self.stream.flow_control().release_capacity(data.len()).ok();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(self.failed(&error)),
                None => self.has_ended = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => self.failed(&error),
        })
    }

    fn failed(&self, error: &h2::Error) -> Option<Result<Frame<Bytes>, Status>> {
        // A server that has answered resets the call without an error when it wants no more of the request.
        if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) {
            return None;
        }
        Some(Err(self.upload.failure().unwrap_or_else(|| self.call.failed(error))))
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
