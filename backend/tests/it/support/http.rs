//! HTTP without a gRPC library, so that tests see the bytes on the wire.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// HTTP version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's value; "" when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// Sends on a new connection and returns when the head of the response arrives. Dropping the response closes the
/// connection.
pub(crate) async fn open(addr: SocketAddr, http: Http, request: Request<Full<Bytes>>) -> Response<Incoming> {
    open_over(TcpStream::connect(addr).await.unwrap(), addr, http, request).await
}

/// The same on `io`, an unused connection to `addr`.
pub(crate) async fn open_over(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    addr: SocketAddr,
    http: Http,
    mut request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let io = TokioIo::new(io);
    let response = match http {
        Http::One => {
            request.headers_mut().entry("host").or_insert(addr.to_string().parse().unwrap());
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            timeout(PATIENCE, sender.send_request(request)).await
        }
        Http::Two => {
            let absolute = format!("http://{addr}{}", request.uri());
            *request.uri_mut() = absolute.parse().unwrap();
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            timeout(PATIENCE, sender.send_request(request)).await
        }
    };
    response.expect("no response in time").unwrap()
}

/// Sends on a new connection and waits for the complete response.
pub(crate) async fn fetch(addr: SocketAddr, http: Http, request: Request<Full<Bytes>>) -> Answer {
    read(open(addr, http, request).await).await
}

/// Waits for the rest of a response.
pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect()).await.expect("the response did not end in time").unwrap();
    Answer { status: head.status, headers: head.headers, body: body.to_bytes() }
}

/// A GET with some headers.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fetch(addr, Http::One, request.body(Full::default()).unwrap()).await
}

/// A request without a body.
pub(crate) fn bare(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::default()).unwrap()
}

/// A gRPC-Web call with one message.
pub(crate) fn web_call(content_type: &str, path: &str, message: &impl Message) -> Request<Full<Bytes>> {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut frame).unwrap();
    let body = match content_type.contains("-text") {
        true => STANDARD.encode(&frame).into(),
        false => frame.freeze(),
    };
    Request::post(path)
        .header("content-type", content_type)
        .header("x-grpc-web", "1")
        .body(Full::new(body))
        .unwrap()
}

/// A frame of a gRPC-Web response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WebFrame {
    Message(Bytes),
    Trailers(String),
}

/// Parses the frames of a complete body. Panics if it is truncated.
pub(crate) fn web_frames(mut body: Bytes) -> Vec<WebFrame> {
    let mut frames = Vec::new();
    while body.has_remaining() {
        let flag = body.get_u8();
        let length = body.get_u32();
        let payload = body.split_to(length.try_into().unwrap());
        frames.push(match flag {
            0 => WebFrame::Message(payload),
            0x80 => WebFrame::Trailers(String::from_utf8(payload.into()).unwrap()),
            flag => panic!("an unknown flag {flag:#x}"),
        });
    }
    frames
}

/// Parses the frames of a complete base64 body, each part padded or not.
pub(crate) fn web_text_frames(body: &Bytes) -> Vec<WebFrame> {
    let mut decoded = BytesMut::new();
    for group in body.chunks(4) {
        decoded.extend_from_slice(&STANDARD.decode(group).unwrap());
    }
    web_frames(decoded.freeze())
}
