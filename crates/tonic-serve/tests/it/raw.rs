//! HTTP/2 close to the wire: clients with chosen windows, and raw frames.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::echo::request;
use crate::support::{PATIENCE, Server};

/// An HTTP/2 client that updates its windows only on request.
pub(crate) struct Client {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) async fn open(server: &Server, window: u32) -> Self {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let (requests, connection) =
            Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
        Self { requests, connection: tokio::spawn(connection) }
    }

    /// Makes a call whose messages follow.
    pub(crate) async fn begin(
        &mut self,
        path: &str,
        content_type: &str,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let mut requests = self.requests.clone().ready().await.unwrap();
        let head = Request::post(format!("http://test{path}")).header("content-type", content_type);
        requests.send_request(head.body(()).unwrap(), false).unwrap()
    }

    /// Makes a call and waits for the head of its response.
    pub(crate) async fn body(&mut self, path: &str, content_type: &str) -> RecvStream {
        let (response, mut sending) = self.begin(path, content_type).await;
        sending.send_data(request(&["a"]).into(), true).unwrap();
        timeout(PATIENCE, response).await.expect("no response in time").unwrap().into_body()
    }
}

/// The first bytes of a connection.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// Flags of HEADERS: the end of the request and of its head.
const END_STREAM_AND_HEADERS: u8 = 0x5;

/// The reason CANCEL.
const CANCEL: u32 = 8;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A gRPC call without a message.
pub(crate) fn call(stream: u32, path: &str) -> Vec<u8> {
    let literal = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    // Method and scheme are in HPACK's static table.
    let mut headers = vec![0x83, 0x86];
    for (name, value) in [(":path", path), (":authority", "test"), ("content-type", "application/grpc")] {
        headers.extend(literal(name, value));
    }
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &headers)
}

pub(crate) fn cancel(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// Reads until the head of a response on `stream`. `false`: the connection ended before.
pub(crate) async fn has_response(connection: &mut (impl AsyncRead + Unpin), stream: u32) -> bool {
    let reading = async {
        loop {
            let mut head = [0; 9];
            if connection.read_exact(&mut head).await.is_err() {
                return false;
            }
            let [a, b, c, kind, _flags, id @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
            if connection.read_exact(&mut payload).await.is_err() {
                return false;
            }
            if kind == HEADERS && u32::from_be_bytes(id) == stream {
                return true;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("neither a response nor an end came")
}
