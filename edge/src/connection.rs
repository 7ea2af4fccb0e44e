//! One connection from its first byte to its last: HTTP version, idleness, drain.
//!
//! Knows nothing of what the requests on it mean.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::app::AppService;
use crate::options::ServeOptions;

/// Length of the first bytes of HTTP/2, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`: with them the version is known.
const PREFACE_LEN: usize = 24;

/// Runs the tasks of a connection where the drain can see them.
#[derive(Clone, Debug)]
pub(crate) struct Tracked(pub(crate) TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) http: Arc<auto::Builder<Tracked>>,
    pub(crate) service: AppService,
    pub(crate) options: Arc<ServeOptions>,
    /// Cancelled when connections shall finish what they have and close.
    pub(crate) draining: CancellationToken,
    /// Cancelled when connections shall close whatever they have.
    pub(crate) cut: CancellationToken,
}

impl Connections {
    /// Serves one connection to its end.
    pub(crate) async fn run(self, stream: TcpStream) {
        let activity = Arc::new(Activity::default());
        let io = TokioIo::new(Metered { stream, activity: Arc::clone(&activity) });
        let service = {
            let (service, activity) = (self.service.clone(), Arc::clone(&activity));
            service_fn(move |request: Request<Incoming>| {
                let call = activity.begin();
                let response = service.clone().oneshot(request);
                async move { response.await.map(|response| response.map(|body| Counted { body, call })) }
            })
        };
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut turn = LastInLine::default();

        let mut closing = false;
        let mut idle = IdleWatch::new(&self.options);
        loop {
            tokio::select! {
                result = poll_fn(|cx| turn.poll(connection.as_mut(), cx)) => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = self.cut.cancelled() => return,
                () = self.draining.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(idle.next), if !closing => match idle.check(&activity) {
                    Verdict::Live => {}
                    Verdict::NeverSpoke => return,
                    Verdict::Idle => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                },
            }
        }
    }
}

/// Lets the tasks that are ready to run go before the connection.
///
/// A stream that has something to send wakes its connection, and tokio would run the connection next: one
/// write to the socket for every frame. Going to the end of the line once, the connection finds what all
/// its streams have to send, and writes it together.
#[derive(Debug, Default)]
struct LastInLine {
    waited: bool,
}

impl LastInLine {
    fn poll<F: Future>(&mut self, future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.waited = !self.waited;
        if self.waited {
            // A task that wakes itself while it runs is put behind the others.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        future.poll(cx)
    }
}

/// What a connection has done so far.
#[derive(Debug, Default)]
struct Activity {
    /// Bytes read, counted up to [`PREFACE_LEN`].
    first_bytes: AtomicUsize,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
}

impl Activity {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }
}

/// A request whose response has not ended yet.
#[derive(Debug)]
struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks at a connection from time to time, and knows when it has been silent for too long.
#[derive(Debug)]
struct IdleWatch {
    next: Instant,
    idle_timeout: std::time::Duration,
    handshake: bool,
    requests: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Live,
    /// Not enough came to know which HTTP it speaks.
    NeverSpoke,
    /// No call is open and none has been made since the last look.
    Idle,
}

impl IdleWatch {
    fn new(options: &ServeOptions) -> Self {
        Self {
            next: Instant::now() + options.handshake_timeout,
            idle_timeout: options.idle_timeout,
            handshake: true,
            requests: 0,
        }
    }

    fn check(&mut self, activity: &Activity) -> Verdict {
        let requests = activity.requests.load(Ordering::Relaxed);
        let silent = requests == self.requests && activity.in_flight.load(Ordering::Relaxed) == 0;
        let handshake = std::mem::replace(&mut self.handshake, false);
        self.requests = requests;
        self.next = Instant::now() + self.idle_timeout;
        match (handshake, silent) {
            (_, false) => Verdict::Live,
            (false, true) => Verdict::Idle,
            (true, true) if activity.first_bytes.load(Ordering::Relaxed) < PREFACE_LEN => Verdict::NeverSpoke,
            (true, true) => Verdict::Live,
        }
    }
}

pin_project! {
    /// A body that counts as in flight until it is dropped.
    struct Counted<B> {
        #[pin]
        body: B,
        call: InFlight,
    }
}

impl<B: Body<Data = Bytes>> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that counts its first bytes.
#[derive(Debug)]
struct Metered {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let seen = &self.activity.first_bytes;
        if seen.load(Ordering::Relaxed) < PREFACE_LEN {
            seen.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Waker;

    use super::*;

    /// How often a connection writes when a hundred streams of it have something to send at once.
    async fn writes(mut turn: Option<LastInLine>) -> usize {
        const STREAMS: usize = 100;
        let (waiting, connection) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let streams: Vec<_> = (0..STREAMS)
            .map(|_| {
                let (waiting, connection) = (Arc::clone(&waiting), Arc::clone(&connection));
                async move {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    if let Some(waker) = &*connection.lock().unwrap() {
                        waker.wake_by_ref();
                    }
                }
            })
            .collect();
        let (mut writes, mut written) = (0, 0);
        let mut connection = pin!(poll_fn(move |cx| {
            *connection.lock().unwrap() = Some(cx.waker().clone());
            let found = waiting.swap(0, Ordering::Relaxed);
            writes += usize::from(found > 0);
            written += found;
            if written == STREAMS { Poll::Ready(writes) } else { Poll::Pending }
        }));
        let mut streams = Some(streams);
        poll_fn(|cx| {
            let polled = match &mut turn {
                Some(turn) => turn.poll(connection.as_mut(), cx),
                None => connection.as_mut().poll(cx),
            };
            for stream in streams.take().into_iter().flatten() {
                tokio::spawn(stream);
            }
            polled
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_many_streams_send_at_once_is_written_together() {
        let one_by_one = tokio::spawn(writes(None)).await.unwrap();
        let together = tokio::spawn(writes(Some(LastInLine::default()))).await.unwrap();
        assert!(one_by_one > 20, "the runtime runs woken tasks first: {one_by_one} writes");
        assert!(together < 5, "{together} writes");
    }
}
