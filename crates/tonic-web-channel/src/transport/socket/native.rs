//! A WebSocket of `tokio-tungstenite`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::PROTOCOL;

/// An open WebSocket.
pub(super) struct WebSocket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
    unsent: Vec<u8>,
}

impl WebSocket {
    /// Opens a WebSocket to `url`. TLS needs one of the crate's features for it.
    ///
    /// # Errors
    ///
    /// The reason.
    pub(super) async fn connect(url: &str) -> Result<Self, String> {
        let mut request = url.into_client_request().map_err(to_text)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        // A server that answers without the protocol is an error of the handshake.
        let (inner, _response) = connect_async_with_config(request, None, true).await.map_err(to_text)?;
        Ok(Self { inner, unsent: Vec::new() })
    }

    /// The next message, or the reason of the end.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, String>> {
        loop {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)).transpose().map_err(to_text)? {
                Some(Message::Binary(bytes)) => return Poll::Ready(Ok(bytes)),
                Some(Message::Text(_)) => return Poll::Ready(Err("the server sent text".to_owned())),
                Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Some(Message::Close(_)) | None => {
                    return Poll::Ready(Err("the server closed the connection".to_owned()));
                }
            }
        }
    }

    /// Waits until a message can be sent, and the ones before it have left.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(to_text)
    }

    /// The bytes of the next message.
    pub(super) fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Sends the next message, if it has any bytes.
    pub(super) fn send(&mut self) -> Result<(), String> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let message = Message::Binary(std::mem::take(&mut self.unsent).into());
        Pin::new(&mut self.inner).start_send(message).map_err(to_text)
    }

    /// Closes the socket after the last bytes, which `write` gives.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&mut Vec<u8>),
    ) -> Poll<Result<(), String>> {
        write(&mut self.unsent);
        if !self.unsent.is_empty() {
            ready!(self.poll_ready(cx))?;
            self.send()?;
        }
        Pin::new(&mut self.inner).poll_close(cx).map_err(to_text)
    }
}

fn to_text(error: WebSocketError) -> String {
    error.to_string()
}
