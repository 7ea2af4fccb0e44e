//! A WebSocket of `tokio-tungstenite` as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Sink as _, Stream as _};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{MAX_MESSAGE, PROTOCOL};

/// An open WebSocket.
pub(super) struct WebSocket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The rest of a message.
    received: Bytes,
    /// Bytes of the next message.
    unsent: BytesMut,
    heard: Arc<AtomicBool>,
}

impl WebSocket {
    /// Opens a WebSocket to `url`. Sets `heard` whenever bytes come. TLS needs one of the crate's features for it.
    ///
    /// # Errors
    ///
    /// The reason.
    pub(super) async fn connect(url: &str, heard: Arc<AtomicBool>) -> Result<Self, String> {
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        // A server that answers without the protocol is an error of the handshake.
        let (inner, _response) =
            connect_async_with_config(request, None, true).await.map_err(|error| error.to_string())?;
        Ok(Self { inner, received: Bytes::new(), unsent: BytesMut::new(), heard })
    }

    /// Hands the unsent bytes to the socket as one message.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unsent.is_empty() {
            let mut inner = Pin::new(&mut self.inner);
            ready!(inner.as_mut().poll_ready(cx)).map_err(to_io)?;
            inner.start_send(Message::Binary(self.unsent.split().freeze())).map_err(to_io)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.received.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)).transpose().map_err(to_io)? {
                Some(Message::Binary(bytes)) => {
                    self.heard.store(true, Ordering::Relaxed);
                    self.received = bytes;
                }
                Some(Message::Text(_)) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the server sent text",
                    )));
                }
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Some(Message::Close(_)) | None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.received.len().min(buf.remaining());
        buf.put_slice(&self.received[..length]);
        self.received.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// Bytes wait for a flush, so that one message has all that a turn of the connection writes.
impl AsyncWrite for WebSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.unsent.len() >= MAX_MESSAGE {
            ready!(self.poll_send(cx))?;
        }
        self.unsent.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx).map_err(to_io)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_close(cx).map_err(to_io)
    }
}

fn to_io(error: WebSocketError) -> io::Error {
    match error {
        WebSocketError::Io(error) => error,
        WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed => {
            io::Error::new(io::ErrorKind::ConnectionAborted, error)
        }
        error => io::Error::other(error),
    }
}
