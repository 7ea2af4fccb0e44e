//! One connection from its first byte to its last: the PROXY protocol, TLS, the HTTP version, idleness, drain.
//!
//! Knows nothing about the meaning of its requests.

mod activity;
mod joined_chunks;
mod open_calls;
mod open_connections;
mod response_body;
mod service;
mod tunnel;
mod watches;
mod yield_once;

use std::fmt::Display;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};

use bytes::BytesMut;
use http::Extensions;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::UpgradeableConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;

use self::activity::{Activity, MeteredStream, Socket};
use self::open_calls::OpenCalls;
pub(super) use self::open_connections::OpenConnections;
use self::service::{Client, ConnectionService};
use self::tunnel::PendingTunnel;
use self::watches::{DrainWatch, Http1Watch, IdleWatch, StallWatch, Verdict};
use self::yield_once::YieldOnce;
use super::request_body::BodyDrain;
use crate::app::AppService;
use crate::budget::{CLOSE_TIMEOUT, ConnectionPermit, Peer};
use crate::options::ServeOptions;
use crate::proxy::{Rewind, read_proxy_header};

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
        let peer = Arc::clone(permit.peer());
        let source = Source { address: client.unwrap_or(address.ip()), extensions, accepted, permit };
        tokio::select! {
            biased;
            // HTTP ends an aborted connection in its own way.
            () = self.serve_inside_tls(stream, source) => {}
            () = peer.abort.cancelled() => {}
        }
    }

    async fn serve_inside_tls(&self, stream: Rewind, mut source: Source) {
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

    /// Serves HTTP on `stream`, and then the socket that a request opened.
    async fn serve<S>(&self, stream: S, source: Source)
    where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pending = PendingTunnel::default();
        self.serve_requests(stream, &source, &pending).await;
        if let Some(opened) = pending.take() {
            // Most connections have none, and its future would make that of every connection larger.
            Box::pin(self.serve_tunnel::<S>(opened, source)).await;
        }
    }

    async fn serve_requests<S>(&self, stream: S, source: &Source, pending: &PendingTunnel)
    where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = source.permit.peer();
        let activity = Arc::new(
            Activity::new(&self.options, peer.is_proxy()).count_bytes(self.options.observer.clone()),
        );
        let _registration = self.open.register(&activity);
        let executor = CallExecutor { tasks: self.tasks.clone(), calls: Arc::clone(&activity.calls) };
        let io = TokioIo::new(MeteredStream { stream, activity: Arc::clone(&activity) });
        let client = Client::OfConnection {
            address: source.address,
            proxies: self.options.trusted_proxies.clone(),
            pending: pending.clone(),
        };
        let service = self.connection_service(client, source.extensions.clone(), &activity, peer);
        let service = service_fn(move |request| service.call(request));
        let http = self.options.http(executor);
        let connection = pin!(http.serve_connection_with_upgrades(io, service));
        let watched = Watched {
            activity: &activity,
            peer,
            accepted: source.accepted,
            shut_down: UpgradeableConnection::graceful_shutdown,
        };
        self.watch(connection, watched).await;
    }

    fn connection_service(
        &self,
        client: Client,
        extensions: Extensions,
        activity: &Arc<Activity>,
        peer: &Arc<Peer>,
    ) -> ConnectionService {
        ConnectionService {
            app: self.service.clone(),
            drain: self.drain.clone(),
            client,
            extensions,
            activity: Arc::clone(activity),
            peer: Arc::clone(peer),
            observer: self.options.observer.clone(),
            observed: OnceLock::new(),
        }
    }

    /// Drives `connection` until it ends or has to be closed. It is longer than the limit, because one
    /// `select!` has every event of a connection.
    async fn watch<C, E>(&self, mut connection: Pin<&mut C>, watched: Watched<'_, C>)
    where
        C: Future<Output = Result<(), E>>,
        E: Display,
    {
        let Watched { activity, peer, accepted, shut_down } = watched;
        let go_away = |connection: Pin<&mut C>| {
            activity.go_away();
            shut_down(connection);
        };
        let mut turn = YieldOnce::default();
        let (mut closing, mut draining) = (false, false);
        let mut idle = IdleWatch::new(accepted, peer.requests(), &self.options);
        let mut http1 = Http1Watch::new(&self.options);
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
                () = sleep_until(http1.next), if activity.may_be_http1() => if http1.check(activity, peer) {
                    tracing::debug!("closing a connection that waits for a request");
                    return;
                },
                _ = stalls.ticks.tick() => if stalls.check(activity) {
                    tracing::debug!("closing a connection whose client takes no bytes");
                    return activity.reset_on_close();
                },
                () = self.draining.cancelled(), if !draining => {
                    (closing, draining) = (true, true);
                    go_away(connection.as_mut());
                    drain.ticks.reset();
                }
                _ = drain.ticks.tick(), if draining => if drain.check(activity, peer.requests()) {
                    return;
                },
                () = peer.close.cancelled(), if close_at.is_none() => {
                    close_at = Some(Instant::now() + CLOSE_TIMEOUT);
                    closing = true;
                    go_away(connection.as_mut());
                }
                () = sleep_until(close_at.unwrap_or(accepted)), if close_at.is_some() => {
                    return activity.reset_on_close();
                }
                () = sleep_until(idle.next), if !closing => match idle.check(activity, peer) {
                    Verdict::Active => {}
                    Verdict::NoHttp => return,
                    Verdict::Idle => {
                        closing = true;
                        go_away(connection.as_mut());
                    }
                },
            }
        }
    }
}

/// The other side of a connection.
struct Source {
    /// The address of the peer, or of the client that its PROXY header names.
    address: IpAddr,
    /// Extensions that every request gets: addresses and certificates of the peer.
    extensions: Extensions,
    accepted: Instant,
    permit: ConnectionPermit,
}

/// A connection that is watched.
struct Watched<'a, C> {
    activity: &'a Activity,
    peer: &'a Peer,
    /// Begin of the connection.
    accepted: Instant,
    /// Asks the connection to finish its calls and to close.
    shut_down: fn(Pin<&mut C>),
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
