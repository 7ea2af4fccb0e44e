//! One connection from its first byte to its last: the PROXY protocol, TLS, HTTP version, idleness, drain.
//!
//! Knows nothing of what the requests on it mean.

mod activity;
mod calls;
mod census;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;
use tower::Service as _;

use self::activity::{Activity, IdleWatch, LeaveWatch, Metered, Socket, StallWatch, Verdict};
use self::calls::{Answer, Calls};
pub(crate) use self::census::{Census, Tally};
use crate::app::AppService;
use crate::budget::{LEAVE_TIMEOUT, MeteredBody, Peer, Ticket};
use crate::client::ClientAddress;
use crate::options::ServeOptions;
use crate::proxy::{Rewind, read_proxy_header};
use crate::unread::Drain;

/// Runs the tasks of a connection where the drain can see them, and where a call can be ended.
#[derive(Clone, Debug)]
struct Tracked {
    tasks: TaskTracker,
    calls: Arc<Calls>,
}

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // HTTP/2 spawns a call's task right after it was handed the request.
        self.calls.runs(self.tasks.spawn(future).abort_handle());
    }
}

/// What every connection shares.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) tasks: TaskTracker,
    pub(crate) service: AppService,
    pub(crate) unread: Drain,
    pub(crate) options: Arc<ServeOptions>,
    pub(crate) census: Arc<Census>,
    /// Cancelled when connections shall finish what they have and close.
    pub(crate) draining: CancellationToken,
    /// Cancelled when connections shall close whatever they have.
    pub(crate) cut: CancellationToken,
}

impl Connections {
    /// Serves one connection to its end, or until its `place` is taken away.
    pub(crate) async fn run(self, stream: TcpStream, place: Ticket) {
        let accepted = Instant::now();
        let mut caller = Extensions::new();
        caller.insert(stream.connect_info());
        // A socket without a peer is closed already.
        let Ok(address) = stream.peer_addr() else { return };
        let read = tokio::select! {
            read = self.in_time(accepted, self.read_client(stream, address.ip())) => read,
            () = place.peer().cut.cancelled() => None,
        };
        let Some((stream, client)) = read else { return };
        let place = match client {
            None => place,
            Some(client) => match place.pass_to(client) {
                Ok(place) => place,
                Err(_limit) => return,
            },
        };
        let (nearest, peer) = (client.unwrap_or(address.ip()), place.peer());
        tokio::select! {
            biased;
            // Once it serves HTTP it knows how to end a connection that is cut.
            () = self.serve_peer(stream, caller, nearest, accepted, peer) => {}
            () = peer.cut.cancelled() => {}
        }
    }

    async fn serve_peer(
        &self,
        stream: Rewind,
        mut caller: Extensions,
        nearest: IpAddr,
        accepted: Instant,
        peer: &Arc<Peer>,
    ) {
        match &self.options.tls {
            None => self.serve(stream, caller, nearest, accepted, peer).await,
            Some(tls) => {
                let handshake = tls.accept(stream);
                if let Some(stream) = self.in_time(accepted, handshake).await {
                    caller.insert(stream.connect_info());
                    self.serve(stream, caller, nearest, accepted, peer).await;
                }
            }
        }
    }

    /// The client that a trusted proxy names by a PROXY header, if it does, and the stream behind that.
    async fn read_client(&self, mut socket: TcpStream, peer: IpAddr) -> io::Result<(Rewind, Option<IpAddr>)> {
        if !self.options.trusted_proxies.contains(peer) {
            return Ok((Rewind { first: BytesMut::new(), socket }, None));
        }
        let (client, rest) = read_proxy_header(&mut socket).await?;
        Ok((Rewind { first: rest, socket }, client))
    }

    /// What a step before the first request comes to; `None`: it failed, took too long since `accepted`, or
    /// the server is stopping.
    async fn in_time<T>(&self, accepted: Instant, step: impl Future<Output = io::Result<T>>) -> Option<T> {
        tokio::select! {
            result = timeout_at(accepted + self.options.handshake_timeout, step) => match result {
                Ok(Ok(done)) => Some(done),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection failed before its first request");
                    None
                }
                Err(_elapsed) => {
                    tracing::debug!("a connection took too long to begin");
                    None
                }
            },
            () = self.draining.cancelled() => None,
        }
    }

    /// Serves HTTP on `stream`. `caller` is what handlers find out about the other side, `nearest` who has
    /// connected, which the requests of a proxy say more about.
    async fn serve<S>(
        &self,
        stream: S,
        caller: Extensions,
        nearest: IpAddr,
        accepted: Instant,
        peer: &Arc<Peer>,
    ) where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new(&self.options, peer.is_proxy()));
        let _entered = self.census.enter(&activity);
        let tracked = Tracked { tasks: self.tasks.clone(), calls: Arc::clone(&activity.calls) };
        let http = self.options.http(tracked);
        let io = TokioIo::new(Metered { stream, activity: Arc::clone(&activity) });
        let service = {
            let (service, activity, unread) = (self.service.clone(), Arc::clone(&activity), &self.unread);
            let proxies = self.options.trusted_proxies.clone();
            service_fn(move |mut request: Request<Incoming>| {
                let client = ClientAddress(proxies.client(nearest, request.headers()));
                request.extensions_mut().extend(caller.clone());
                request.extensions_mut().insert(client);
                let call = activity.calls.begin();
                // From here on the request has the address of its client.
                let open = peer.open_call(&mut request);
                // It is always ready, and waiting for that would make the future of every call larger.
                let response = service.clone().call(unread.watch(request));
                async move {
                    let mut response = response.await?;
                    let end = response.extensions_mut().remove();
                    let metered = response.map(|body| MeteredBody::new(body, open, end));
                    Ok::<_, Infallible>(metered.map(|body| Answer::new(body, call)))
                }
            })
        };
        let mut connection = pin!(http.serve_connection(io, service));
        let mut turn = LastInLine::default();

        let (mut closing, mut draining) = (false, false);
        let mut idle = IdleWatch::new(accepted, &self.options);
        let mut stalls = StallWatch::new(&self.options);
        let mut leave = LeaveWatch::new();
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
                () = peer.cut.cancelled() => return activity.give_up(),
                () = activity.calls.too_many_cancelled.notified() => {
                    tracing::debug!("a client cancels too many calls: its connection is closed");
                    return activity.give_up();
                }
                _ = stalls.looks.tick() => if stalls.look(&activity) {
                    tracing::debug!("a client takes nothing: its connection is closed");
                    return activity.give_up();
                },
                () = self.draining.cancelled(), if !draining => {
                    (closing, draining) = (true, true);
                    connection.as_mut().graceful_shutdown();
                    leave.looks.reset();
                }
                _ = leave.looks.tick(), if draining => if leave.look(&activity, peer.requests()) {
                    return;
                },
                () = peer.leave.cancelled(), if leave_until.is_none() => {
                    leave_until = Some(Instant::now() + LEAVE_TIMEOUT);
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(leave_until.unwrap_or(accepted)), if leave_until.is_some() => {
                    return activity.give_up();
                }
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
