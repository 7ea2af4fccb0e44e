//! A connection after a request has opened a socket: HTTP/2 inside its WebSocket, with the watches and limits of a connection.
//!
//! It runs in the task of the connection, which holds its permit until the end.

use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::activity::{Activity, MeteredStream, Socket};
use super::http::HttpConnection;
use super::opened_tunnel::OpenedTunnel;
use super::service::Client;
use super::watch::Watch;
use super::{ConnectionContext, Source};
use crate::budget::ConnectionPermit;
use crate::client_address::ClientAddress;
use crate::websocket::{CloseCode, WebSocket};

impl ConnectionContext {
    /// Serves HTTP/2 in the socket of a connection that served HTTP/1.1 over `S`.
    pub(super) async fn serve_tunnel<S>(&self, opened: OpenedTunnel, source: Source)
    where
        S: Socket + AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let OpenedTunnel { upgrade, client, inherited } = opened;
        // The connection has ended already, in the switch or before it.
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<MeteredStream<S>>>() else { return };
        let mut stream = WebSocket::new(parts.io.into_inner(), parts.read_buf);
        let Some(permit) = permit_for(source.permit, client) else {
            stream.set_close_code(CloseCode::POLICY);
            // Nothing waits for a client that has no permit.
            pin!(stream.shutdown()).now_or_never();
            return;
        };
        let peer = permit.peer();
        let activity = Arc::new(Activity::new(&self.options, peer.is_proxy()));
        let _registration = self.open.register(&activity);
        let client = Client::OfSocket { address: client, inherited };
        let service = self.connection_service(client, source.extensions, &activity, peer);
        let stream = MeteredStream::new(stream, &activity);
        let connection = HttpConnection::http2(&self.options, stream, service, self.executor(&activity));
        self.watch(connection, Watch::new(self, &activity, peer, Instant::now()), &activity).await;
    }
}

/// A socket belongs to one client, also on a proxy's connection, which otherwise carries many. `None` when a limit refuses it.
fn permit_for(permit: ConnectionPermit, client: ClientAddress) -> Option<ConnectionPermit> {
    if permit.peer().is_proxy() { permit.pass_to(client.0) } else { Some(permit) }
}
