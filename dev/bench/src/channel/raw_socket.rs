//! The server of raw WebSockets: the limit of what a page can have. It sends a message back, sends bytes, or counts them.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// Bytes of a message that is sent, as in the page's script.
const PIECE: usize = 64 * 1024;

/// Listens on a free port until this program ends.
pub(crate) async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The page reports what it misses.
            tokio::spawn(async move { serve(stream).await.ok() });
        }
    });
    Ok(addr)
}

async fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the type is the library's")]
    let keep_path = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok::<_, ErrorResponse>(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, keep_path).await?;
    let mut parts = path.trim_start_matches('/').split('/');
    let kind = parts.next().unwrap_or_default();
    let wanted =
        |bytes: Option<&str>| bytes.and_then(|bytes| bytes.parse::<usize>().ok()).context("how many bytes?");
    match kind {
        "down" => {
            let mut left = wanted(parts.next())?;
            let piece = Bytes::from(vec![b'x'; PIECE]);
            while left > 0 {
                let length = left.min(PIECE);
                socket.send(Message::Binary(piece.slice(..length))).await?;
                left -= length;
            }
        }
        "up" => {
            let wanted = wanted(parts.next())?;
            let mut bytes = 0;
            while bytes < wanted {
                bytes += socket.next().await.context("the page has gone")??.len();
            }
            socket.send(Message::text(bytes.to_string())).await?;
        }
        _ => {
            while let Some(message) = socket.next().await {
                let message = message?;
                if message.is_binary() {
                    socket.send(message).await?;
                }
            }
        }
    }
    // Until the page closes it.
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}
