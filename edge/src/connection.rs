//! One connection from its first byte to its last: TLS, HTTP version, idleness, drain.
//!
//! Knows nothing of what the requests on it mean.

mod activity;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;
use tower::ServiceExt as _;

use self::activity::{Activity, IdleWatch, Metered, Verdict};
use crate::app::AppService;
use crate::budget::{LEAVE_TIMEOUT, MeteredBody, Peer, Ticket};
use crate::client::ClientAddress;
use crate::options::ServeOptions;
use crate::tls::Tls;
use crate::unread::Drain;

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
    pub(crate) unread: Drain,
    pub(crate) options: Arc<ServeOptions>,
    /// Cancelled when connections shall finish what they have and close.
    pub(crate) draining: CancellationToken,
    /// Cancelled when connections shall close whatever they have.
    pub(crate) cut: CancellationToken,
}

impl Connections {
    /// Serves one connection to its end, or until its `place` is taken away.
    pub(crate) async fn run(self, stream: TcpStream, place: Ticket) {
        let peer = place.peer();
        tokio::select! {
            () = self.serve_peer(stream, peer) => {}
            () = peer.cut.cancelled() => {}
        }
    }

    async fn serve_peer(&self, stream: TcpStream, peer: &Arc<Peer>) {
        let accepted = Instant::now();
        let mut caller = Extensions::new();
        caller.insert(stream.connect_info());
        if let Ok(address) = stream.peer_addr() {
            caller.insert(ClientAddress(address.ip()));
        }
        match &self.options.tls {
            None => self.serve(stream, caller, accepted, peer).await,
            Some(tls) => {
                if let Some(stream) = self.handshake(tls, stream).await {
                    caller.insert(stream.connect_info());
                    self.serve(stream, caller, accepted, peer).await;
                }
            }
        }
    }

    /// `None`: it failed, took too long, or the server is stopping.
    async fn handshake(&self, tls: &Tls, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let handshake = timeout(self.options.handshake_timeout, tls.acceptor().accept(stream));
        tokio::select! {
            result = handshake => match result {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    None
                }
                Err(_elapsed) => {
                    tracing::debug!("a TLS handshake took too long");
                    None
                }
            },
            () = self.draining.cancelled() => None,
        }
    }

    /// Serves HTTP on `stream`. `caller` is what handlers find out about the other side.
    async fn serve<S>(&self, stream: S, caller: Extensions, accepted: Instant, peer: &Arc<Peer>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let io = TokioIo::new(Metered { stream, activity: Arc::clone(&activity) });
        let service = {
            let (service, unread) = (self.service.clone(), &self.unread);
            service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().extend(caller.clone());
                // From here on the request has the address of its client.
                let call = peer.open_call(&mut request);
                let response = service.clone().oneshot(unread.watch(request));
                async move { response.await.map(|response| response.map(|body| MeteredBody::new(body, call))) }
            })
        };
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut turn = LastInLine::default();

        let mut closing = false;
        let mut idle = IdleWatch::new(accepted, &self.options);
        let mut leave_until = None;
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
                () = peer.leave.cancelled(), if leave_until.is_none() => {
                    leave_until = Some(Instant::now() + LEAVE_TIMEOUT);
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(leave_until.unwrap_or(accepted)), if leave_until.is_some() => return,
                () = sleep_until(idle.next), if !closing => match idle.check(&activity, peer) {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
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
