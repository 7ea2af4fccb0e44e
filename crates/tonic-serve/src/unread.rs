//! What becomes of a request body that nobody reads to its end, or that does not come.
//!
//! Over HTTP/1.1 a server that answers early and closes loses the answer: what the client goes on sending
//! is met by a reset, and the client sees that instead. So the rest is read and thrown away, in the
//! background and within bounds. HTTP/2 has a way of saying that no more is wanted.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::options::ServeOptions;
use crate::pace::{Awaited, Pace, PaceLimits};
use crate::protocol::Protocol;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads the rest of bodies, and knows how slowly one may come.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    tasks: TaskTracker,
    max_bytes: u64,
    timeout: Duration,
    pace: PaceLimits,
}

impl Drain {
    /// Runs on `tasks`, where the end of the server waits for it.
    pub(crate) fn new(tasks: TaskTracker, options: &ServeOptions) -> Self {
        Self {
            tasks,
            max_bytes: options.max_unread_body,
            timeout: options.unread_body_timeout,
            pace: PaceLimits::new(options),
        }
    }

    /// Takes care of the body of `request`.
    pub(crate) fn watch(&self, request: Request<Incoming>) -> Request<RequestBody> {
        let drain = (request.version() < Version::HTTP_2).then(|| self.clone());
        let held_back = request.headers().contains_key(EXPECT);
        // The body of a call is timed where its messages are known.
        let is_call = Protocol::of(request.headers()).is_some();
        let pace = (!is_call).then(|| Pace::new(self.pace));
        request.map(|body| RequestBody { body: Some(body), drain, held_back, pace })
    }

    fn read(self, mut body: Incoming) {
        if body.is_end_stream() || body.size_hint().lower() > self.max_bytes {
            return;
        }
        // A body may be dropped when there is no runtime any more.
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
                    tracing::debug!("gave up reading a request that was answered already");
                }
            },
            &runtime,
        );
    }
}

/// A request's body. Dropped before its end, the rest is read in the background.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// Until it has ended.
    body: Option<Incoming>,
    drain: Option<Drain>,
    /// The client asked whether to send the body (`expect: 100-continue`), and nobody has said yes.
    held_back: bool,
    pace: Option<Pace>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        this.held_back = false;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let Poll::Ready(polled) = Pin::new(body).poll_frame(cx) else {
            let Some(pace) = &mut this.pace else { return Poll::Pending };
            let late = ready!(pace.poll_late(cx, Awaited::Rest));
            this.body = None;
            return Poll::Ready(Some(Err(late.into())));
        };
        if let (Some(pace), Some(Ok(frame))) = (&mut this.pace, &polled) {
            pace.came(frame.data_ref().map_or(0, Bytes::len));
        }
        if let None | Some(Err(_)) = polled {
            this.body = None;
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
        if let (Some(body), Some(drain), false) = (self.body.take(), self.drain.take(), self.held_back) {
            drain.read(body);
        }
    }
}
