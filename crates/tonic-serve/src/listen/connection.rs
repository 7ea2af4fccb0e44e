//! One connection from its first byte to its last: the PROXY protocol, TLS, the HTTP version, idleness, drain.
//!
//! Knows nothing about the meaning of its requests.

mod activity;
mod open_calls;
mod open_connections;
mod response_body;
mod watches;
mod yield_once;

use std::convert::Infallible;
use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::BytesMut;
use http::{Extensions, Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::transport::server::Connected as _;
use tower::Service as _;

use self::activity::{Activity, MeteredStream, Socket};
use self::open_calls::OpenCalls;
pub(super) use self::open_connections::OpenConnections;
use self::response_body::ResponseBody;
use self::watches::{DrainWatch, IdleWatch, StallWatch, Verdict};
use self::yield_once::YieldOnce;
use super::request_body::BodyDrain;
use crate::app::AppService;
use crate::budget::{CLOSE_TIMEOUT, ConnectionPermit, Peer};
use crate::client_address::ClientAddress;
use crate::options::ServeOptions;
use crate::proxy::{Rewind, TrustedProxies, read_proxy_header};

/// The part that all connections share.
#[derive(Clone)]
pub(super) struct ConnectionContext {
    pub(super) tasks: TaskTracker,
    pub(super) service: AppService,
    pub(super) drain: BodyDrain,
    pub(super) options: Arc<ServeOptions>,
    pub(super) open: Arc<OpenConnections>,
    /// Cancelled when connections must finish their calls and close.
    pub(super) draining: CancellationToken,
    /// Cancelled when connections must close at once.
    pub(super) abort: CancellationToken,
}

impl ConnectionContext {
    /// Serves one connection to its end, or until the budget aborts it.
    pub(super) async fn run(self, stream: TcpStream, permit: ConnectionPermit) {
        let accepted = Instant::now();
        let mut extensions = Extensions::new();
        extensions.insert(stream.connect_info());
        // A socket without a peer is closed already.
        let Ok(address) = stream.peer_addr() else { return };
        let read = tokio::select! {
            read = self.before_first_request(accepted, self.read_client(stream, address.ip())) => read,
            () = permit.peer().abort.cancelled() => None,
        };
        let Some((stream, client)) = read else { return };
        let permit = match client {
            None => Some(permit),
            Some(client) => permit.pass_to(client),
        };
        let Some(permit) = permit else { return };
        let peer = permit.peer();
        let source = Source { address: client.unwrap_or(address.ip()), extensions, accepted, peer };
        tokio::select! {
            biased;
            // HTTP ends an aborted connection in its own way.
            () = self.serve_inside_tls(stream, source) => {}
            () = peer.abort.cancelled() => {}
        }
    }

    async fn serve_inside_tls(&self, stream: Rewind, mut source: Source<'_>) {
        match &self.options.tls {
            None => self.serve(stream, source).await,
            Some(tls) => {
                let handshake = tls.accept(stream);
                if let Some(stream) = self.before_first_request(source.accepted, handshake).await {
                    source.extensions.insert(stream.connect_info());
                    self.serve(stream, source).await;
                }
            }
        }
    }

    /// Reads the PROXY header of a trusted proxy: the client that it names, if any, and the stream behind it.
    async fn read_client(&self, mut socket: TcpStream, peer: IpAddr) -> io::Result<(Rewind, Option<IpAddr>)> {
        if !self.options.trusted_proxies.contains(peer) {
            return Ok((Rewind { first: BytesMut::new(), socket }, None));
        }
        let (client, rest) = read_proxy_header(&mut socket).await?;
        Ok((Rewind { first: rest, socket }, client))
    }

    /// The result of a step before the first request. `None` when it failed, timed out, or the server is stopping.
    async fn before_first_request<T>(
        &self,
        accepted: Instant,
        step: impl Future<Output = io::Result<T>>,
    ) -> Option<T> {
        tokio::select! {
            result = timeout_at(accepted + self.options.handshake_timeout, step) => match result {
                Ok(Ok(done)) => Some(done),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection failed before its first request");
                    None
                }
                Err(_elapsed) => {
                    tracing::debug!("a connection timed out before its first request");
                    None
                }
            },
            () = self.draining.cancelled() => None,
        }
    }

    /// Serves HTTP on `stream`.
    async fn serve<S>(&self, stream: S, source: Source<'_>)
    where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Source { address, extensions, accepted, peer } = source;
        let activity = Arc::new(Activity::new(&self.options, peer.is_proxy()));
        let _registration = self.open.register(&activity);
        let executor = CallExecutor { tasks: self.tasks.clone(), calls: Arc::clone(&activity.calls) };
        let http = self.options.http(executor);
        let io = TokioIo::new(MeteredStream { stream, activity: Arc::clone(&activity) });
        let service = ConnectionService {
            app: self.service.clone(),
            drain: self.drain.clone(),
            proxies: self.options.trusted_proxies.clone(),
            address,
            extensions,
            activity: Arc::clone(&activity),
            peer: Arc::clone(peer),
        };
        let service = service_fn(move |request| service.call(request));
        let connection = pin!(http.serve_connection(io, service));
        self.watch(connection, &activity, peer, accepted).await;
    }

    /// Drives `connection` until it ends or has to be closed. It is longer than the limit, because one
    /// `select!` has every event of a connection.
    async fn watch<C: GracefulConnection<Error: Display>>(
        &self,
        mut connection: Pin<&mut C>,
        activity: &Activity,
        peer: &Peer,
        accepted: Instant,
    ) {
        let mut turn = YieldOnce::default();
        let (mut closing, mut draining) = (false, false);
        let mut idle = IdleWatch::new(accepted, &self.options);
        let mut stalls = StallWatch::new(&self.options);
        let mut drain = DrainWatch::new();
        let mut close_at = None;
        loop {
            tokio::select! {
                result = poll_fn(|cx| turn.poll(connection.as_mut(), cx)) => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = self.abort.cancelled() => return,
                () = peer.abort.cancelled() => return activity.reset_on_close(),
                () = activity.calls.too_many_cancelled.notified() => {
                    tracing::debug!("closing a connection whose client cancels too many calls");
                    return activity.reset_on_close();
                }
                _ = stalls.ticks.tick() => if stalls.check(activity) {
                    tracing::debug!("closing a connection whose client takes no bytes");
                    return activity.reset_on_close();
                },
                () = self.draining.cancelled(), if !draining => {
                    (closing, draining) = (true, true);
                    connection.as_mut().graceful_shutdown();
                    drain.ticks.reset();
                }
                _ = drain.ticks.tick(), if draining => if drain.check(activity, peer.requests()) {
                    return;
                },
                () = peer.close.cancelled(), if close_at.is_none() => {
                    close_at = Some(Instant::now() + CLOSE_TIMEOUT);
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(close_at.unwrap_or(accepted)), if close_at.is_some() => {
                    return activity.reset_on_close();
                }
                () = sleep_until(idle.next), if !closing => match idle.check(activity, peer) {
                    Verdict::Active => {}
                    Verdict::NoHttp => return,
                    Verdict::Idle => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                },
            }
        }
    }
}

/// The other side of a connection.
struct Source<'a> {
    /// The address of the peer, or of the client that its PROXY header names.
    address: IpAddr,
    /// Extensions that every request gets: addresses and certificates of the peer.
    extensions: Extensions,
    accepted: Instant,
    peer: &'a Arc<Peer>,
}

/// Runs the tasks of a connection where the drain finds them and where a call can be ended.
#[derive(Clone, Debug)]
struct CallExecutor {
    tasks: TaskTracker,
    calls: Arc<OpenCalls>,
}

impl<F> Executor<F> for CallExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // HTTP/2 spawns the task of a call right after it has passed the request to the service.
        self.calls.set_task(self.tasks.spawn(future).abort_handle());
    }
}

/// Counts the calls of a connection, and passes them to the application.
struct ConnectionService {
    app: AppService,
    drain: BodyDrain,
    proxies: TrustedProxies,
    address: IpAddr,
    extensions: Extensions,
    activity: Arc<Activity>,
    peer: Arc<Peer>,
}

impl ConnectionService {
    fn call(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<ResponseBody<Body>>, Infallible>> + use<> {
        let client = ClientAddress(self.proxies.client(self.address, request.headers()));
        request.extensions_mut().extend(self.extensions.clone());
        request.extensions_mut().insert(client);
        let open = self.peer.open_call(&mut request);
        let progress = self.activity.calls.begin(Arc::clone(open.account()));
        // The application is always ready, and waiting for that would make the future of every call larger.
        let response = self.app.clone().call(self.drain.wrap(request));
        async move {
            let mut response = response.await?;
            let termination = response.extensions_mut().remove();
            Ok(response.map(|body| ResponseBody::new(body, open, progress, termination)))
        }
    }
}
