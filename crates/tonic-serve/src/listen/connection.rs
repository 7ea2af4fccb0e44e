//! One connection from its first byte to its last: the PROXY protocol, TLS, the HTTP version, idleness, drain.
//!
//! Knows nothing about the meaning of its requests.

mod activity;
mod chunked;
mod http;
mod joined_chunks;
mod leaving;
mod open_calls;
mod open_connections;
mod opened_tunnel;
mod response_body;
mod service;
mod tunnel;
mod watch;
mod watches;
mod yield_once;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ::http::Extensions;
use bytes::BytesMut;
use hyper::rt::Executor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::Connected as _;

use self::activity::{Activity, MeteredStream, Socket};
use self::http::HttpConnection;
use self::open_calls::OpenCalls;
pub(super) use self::open_connections::OpenConnections;
use self::opened_tunnel::PendingTunnel;
use self::service::{Client, ConnectionService};
use self::watch::{Ending, Watch};
use self::watches::IDLE_GRACE;
use super::request_body::BodyDrain;
use crate::app::AppService;
use crate::budget::{ConnectionPermit, Peer};
use crate::options::ServeOptions;
use crate::proxy::{Rewind, read_proxy_header};
use crate::tls::Tls;
use crate::when_woken::WhenWoken;

/// The part that all connections share.
pub(super) struct ConnectionContext {
    pub(super) tasks: TaskTracker,
    pub(super) service: Arc<AppService>,
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
    pub(super) async fn run(self: Arc<Self>, stream: TcpStream, permit: ConnectionPermit) {
        // Most of the time a connection is in the last step, so the others have memory of their own.
        let Some((stream, source)) = Box::pin(self.read_source(stream, permit)).await else { return };
        let Some(tls) = &self.options.tls else { return self.serve(stream, source).await };
        Box::pin(self.serve_inside_tls(tls, stream, source)).await;
    }

    /// The connection behind its PROXY header, and its source.
    async fn read_source(&self, stream: TcpStream, permit: ConnectionPermit) -> Option<(Rewind, Source)> {
        let accepted = Instant::now();
        let mut extensions = Extensions::new();
        extensions.insert(stream.connect_info());
        // A socket without a peer is closed already.
        let address = stream.peer_addr().ok()?;
        let read = tokio::select! {
            read = self.before_first_request(accepted, self.read_client(stream, address.ip())) => read,
            () = permit.peer().abort.cancelled() => None,
        };
        let (stream, client) = read?;
        let permit = match client {
            None => permit,
            Some(client) => permit.pass_to(client)?,
        };
        Some((stream, Source { address: client.unwrap_or(address.ip()), extensions, accepted, permit }))
    }

    async fn serve_inside_tls(&self, tls: &Tls, stream: Rewind, mut source: Source) {
        let stream = tokio::select! {
            stream = self.before_first_request(source.accepted, tls.accept(stream)) => stream,
            () = source.permit.peer().abort.cancelled() => None,
        };
        if let Some(stream) = stream {
            source.extensions.insert(stream.connect_info());
            Box::pin(self.serve(stream, source)).await;
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

    /// The result of a step before the first request. `None` when it failed, timed out, or the server has been stopping for
    /// [`IDLE_GRACE`].
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
            () = async {
                self.draining.cancelled().await;
                sleep(IDLE_GRACE).await;
            } => None,
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
        let client = Client::OfConnection {
            address: source.address,
            proxies: self.options.trusted_proxies.clone(),
            pending: pending.clone(),
        };
        let service = self.connection_service(client, source.extensions.clone(), &activity, peer);
        let stream = MeteredStream::new(stream, &activity);
        let connection = HttpConnection::new(&self.options, stream, service, self.executor(&activity));
        self.watch(connection, Watch::new(self, &activity, peer, source.accepted), &activity).await;
    }

    fn executor(&self, activity: &Activity) -> CallExecutor {
        CallExecutor { tasks: self.tasks.clone(), calls: Arc::clone(&activity.calls) }
    }

    fn connection_service(
        &self,
        client: Client,
        extensions: Extensions,
        activity: &Arc<Activity>,
        peer: &Arc<Peer>,
    ) -> ConnectionService {
        ConnectionService {
            app: Arc::clone(&self.service),
            drain: self.drain.clone(),
            client,
            extensions,
            activity: Arc::clone(activity),
            peer: Arc::clone(peer),
            observer: self.options.observer.clone(),
            observed: OnceLock::new(),
            leaving: None,
        }
    }

    /// Drives `connection` until it ends or has to be closed.
    async fn watch<S>(&self, mut connection: HttpConnection<S>, watch: Watch<'_>, activity: &Activity)
    where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut endings = WhenWoken::new(Box::pin(watch.next()));
        loop {
            tokio::select! {
                biased;
                (ending, watch) = &mut endings => match ending {
                    Ending::Graceful => {
                        activity.go_away();
                        connection.graceful_shutdown();
                        endings = WhenWoken::new(Box::pin(watch.next()));
                    }
                    Ending::Close => return,
                    Ending::Reset => return activity.reset_on_close(),
                },
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
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
