//! Request bodies: the timeouts of requests that are not calls, and the rest of bodies that are not read to their end.
//!
//! A server that responds early over HTTP/1.1 and closes the connection loses the response: the client's next bytes are met by a
//! reset, which the client sees instead. So the rest is read and discarded in the background, within limits. HTTP/2 can tell a
//! client to stop.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::content_type::ContentType;
use http::header::{CONTENT_TYPE, EXPECT};
use http::{HeaderValue, Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::body_timeout::{Applies, BodyTimeouts, BodyTimer};
use crate::options::ServeOptions;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads and discards the rest of request bodies.
#[derive(Clone, Debug)]
pub(super) struct BodyDrain {
    tasks: TaskTracker,
    max_bytes: u64,
    timeout: Duration,
    timeouts: BodyTimeouts,
}

impl BodyDrain {
    /// Runs on `tasks`, which a shutdown waits for.
    pub(super) fn new(tasks: TaskTracker, options: &ServeOptions) -> Self {
        Self {
            tasks,
            max_bytes: options.max_unread_body,
            timeout: options.unread_body_timeout,
            timeouts: BodyTimeouts::new(options),
        }
    }

    /// Wraps the body of `request`. `end` is told when it has been read to its end.
    pub(super) fn wrap(&self, request: Request<Incoming>, end: Option<RequestEnd>) -> Request<RequestBody> {
        let drain = (request.version() < Version::HTTP_2).then(|| self.clone());
        let awaits_continue = request.headers().contains_key(EXPECT);
        // The bodies of calls are timed by message.
        let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let is_call = ContentType::parse(content_type) != ContentType::Other;
        let timer = (!is_call).then(|| BodyTimer::new(self.timeouts));
        request.map(|body| RequestBody { body: Some(body), drain, awaits_continue, timer, end }.check_end())
    }

    fn read(self, mut body: Incoming) {
        if body.is_end_stream() || body.size_hint().lower() > self.max_bytes {
            return;
        }
        // A body may be dropped after the runtime.
        let Ok(runtime) = Handle::try_current() else { return };
        let rest = async move {
            let mut left = self.max_bytes;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length as u64) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        self.tasks.spawn_on(
            async move {
                if tokio::time::timeout(self.timeout, rest).await.is_err() {
                    tracing::debug!("discarding the rest of a request body timed out");
                }
            },
            &runtime,
        );
    }
}

/// The end of a request's body.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestEnd(Arc<AtomicBool>);

impl RequestEnd {
    /// The body has been read to its end.
    fn reached(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_reached(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request body. If it is dropped before its end, the rest is read in the background.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// `None` after its end.
    body: Option<Incoming>,
    drain: Option<BodyDrain>,
    /// The client waits for 100 (Continue) before it sends the body, which has not been polled yet.
    awaits_continue: bool,
    timer: Option<BodyTimer>,
    end: Option<RequestEnd>,
}

impl RequestBody {
    /// Tells the end of the body, if it has come.
    fn check_end(self) -> Self {
        if let (Some(end), true) = (&self.end, self.is_end_stream()) {
            end.reached();
        }
        self
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        this.awaits_continue = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let Poll::Ready(polled) = Pin::new(body).poll_frame(cx) else {
            let Some(timer) = &mut this.timer else { return Poll::Pending };
            let error = ready!(timer.poll_timeout(cx, Applies::TotalAndPause));
            this.body = None;
            return Poll::Ready(Some(Err(error.into())));
        };
        if let (Some(timer), Some(Ok(frame))) = (&mut this.timer, &polled) {
            timer.received(frame.data_ref().map_or(0, Bytes::len));
        }
        if let None | Some(Err(_)) = polled {
            this.body = None;
        }
        if let (Some(end), Some(Ok(_)) | None, true) = (&this.end, &polled, this.is_end_stream()) {
            end.reached();
        }
        Poll::Ready(polled.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let (Some(body), Some(drain), false) = (self.body.take(), self.drain.take(), self.awaits_continue)
        {
            drain.read(body);
        }
    }
}
