//! A client of sockets: HTTP/2 inside a WebSocket, by tokio-tungstenite.

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderName, HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use crate::support::PATIENCE;

/// The subprotocol.
pub(crate) const PROTOCOL: &str = "h2ts";

/// Opens a WebSocket with more headers in its handshake.
pub(crate) async fn open(addr: SocketAddr, headers: &[(&str, &str)]) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    open_over(stream, headers).await.unwrap().0
}

/// Opens a WebSocket over `stream`.
pub(crate) async fn open_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    headers: &[(&str, &str)],
) -> Result<(WebSocketStream<S>, Response<Option<Vec<u8>>>), Box<Error>> {
    let mut request = "ws://test/any/path".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    let opening = tokio_tungstenite::client_async(request, stream);
    timeout(PATIENCE, opening).await.expect("no handshake in time").map_err(Box::new)
}

/// The status that refuses a handshake.
pub(crate) async fn refusal(addr: SocketAddr, headers: &[(&str, &str)]) -> u16 {
    let stream = TcpStream::connect(addr).await.unwrap();
    match *open_over(stream, headers).await.unwrap_err() {
        Error::Http(response) => response.status().as_u16(),
        error => panic!("the handshake failed: {error}"),
    }
}

/// The close code that has come, and the number of messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    code: Arc<Mutex<Option<u16>>>,
    messages: Arc<AtomicUsize>,
}

impl Seen {
    /// The code of the server's Close frame, when that has come.
    pub(crate) fn code(&self) -> Option<u16> {
        *self.code.lock().unwrap()
    }

    /// The number of messages with bytes.
    pub(crate) fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }
}

/// The bytes in a WebSocket.
pub(crate) fn bytes<S>(
    socket: WebSocketStream<S>,
) -> (impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Seen)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let seen = Seen::default();
    let noted = seen.clone();
    let (sink, stream) = socket.split();
    let payloads = stream.filter_map(move |message| {
        ready(match message {
            Ok(Message::Binary(payload)) => {
                noted.messages.fetch_add(1, Ordering::Relaxed);
                Some(Ok(payload))
            }
            Ok(Message::Close(frame)) => {
                *noted.code.lock().unwrap() = frame.map(|frame| frame.code.into());
                None
            }
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        })
    });
    let message = |payload: Bytes| ready(Ok::<_, io::Error>(Message::Binary(payload)));
    let sink = sink.sink_map_err(io::Error::other).with(message);
    (tokio::io::join(StreamReader::new(payloads), SinkWriter::new(CopyToBytes::new(sink))), seen)
}

/// A WebSocket close to the wire.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    /// Opens a WebSocket.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let mut raw = Self(TcpStream::connect(addr).await.unwrap());
        let head = raw.handshake(b"").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    /// Sends a handshake and `more` bytes at once, and returns the head of the response.
    pub(crate) async fn handshake(&mut self, more: &[u8]) -> String {
        let head = format!(
            "GET / HTTP/1.1\r\nhost: test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: \
             dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: {PROTOCOL}\r\n\r\n"
        );
        self.send(&[head.as_bytes(), more].concat()).await;
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(timeout(PATIENCE, self.0.read_u8()).await.expect("no response in time").unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads frames until a Close frame and returns its code. `None`: the connection ended without one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        let reading = async {
            loop {
                let (opcode, payload) = self.frame().await?;
                if opcode == 8 {
                    return Some(u16::from_be_bytes([payload[0], payload[1]]));
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("no end in time")
    }

    /// The opcode and the payload of the next frame. `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, length] = self.0.read_u16().await.ok()?.to_be_bytes();
        let length = match length {
            126 => self.0.read_u16().await.ok()?.into(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        assert_eq!(first & 0xf0, 0x80, "a frame is fragmented or has reserved bits");
        Some((first & 0xf, payload))
    }
}

/// A frame from the client, masked with zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let header = match u8::try_from(length) {
        Ok(length) if length < 126 => vec![first, 0x80 | length],
        _ => [&[first, 0x80 | 126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [&header, &[0; 4][..], payload].concat()
}
