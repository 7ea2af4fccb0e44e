//! A relay between a WebSocket of the page and a server on this machine: a page cannot open a TCP connection itself.
//!
//! It copies bytes and knows nothing about them. It connects only to loopback addresses that its owner allows, because every
//! page in a browser of this machine can reach it.

use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{Path, Request};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// The subprotocol: HTTP/2 as the bytes of the WebSocket.
const PROTOCOL: &str = "h2ts";

/// The relay, for a path with `{host}` and `{port}`. `is_allowed` decides about each address when a page asks for it.
pub fn route<S>(is_allowed: impl Fn(SocketAddr) -> bool + Clone + Send + Sync + 'static) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async move |Path((host, port)): Path<(String, u16)>, request: Request| {
        match address(&host, port).filter(|address| is_allowed(*address)) {
            Some(address) => open(address, request),
            None => (StatusCode::FORBIDDEN, "no open case names this address").into_response(),
        }
    })
}

/// The address of a server on this machine.
pub(crate) fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let host: IpAddr = host.parse().ok()?;
    host.is_loopback().then(|| (host, port).into())
}

fn open(address: SocketAddr, mut request: Request) -> Response {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        return (StatusCode::BAD_REQUEST, "this is the address of a WebSocket").into_response();
    };
    let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let relayed = async {
            let upgraded = upgrade.await.map_err(io::Error::other)?;
            let server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            relay(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await, server)
                .await
        };
        // The page sees the end, and the suite judges the case.
        relayed.await.ok();
    });
    let headers = [
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL)),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Copies bytes until both sides have ended, or one has failed.
async fn relay<S>(socket: WebSocketStream<S>, mut server: TcpStream) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = socket.split();
    let payloads = stream.filter_map(|message| {
        ready(match message {
            Ok(Message::Binary(payload)) => Some(Ok(payload)),
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        })
    });
    let message = |payload: Bytes| ready(Ok::<_, io::Error>(Message::Binary(payload)));
    let sink = SinkWriter::new(CopyToBytes::new(sink.sink_map_err(io::Error::other).with(message)));
    let mut page = tokio::io::join(StreamReader::new(payloads), sink);
    let copied = copy_bidirectional(&mut page, &mut server).await;
    page.shutdown().await.ok();
    copied.map(drop)
}
