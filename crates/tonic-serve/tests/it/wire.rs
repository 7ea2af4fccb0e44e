//! Calls over every kind of connection, and their responses.

use std::net::SocketAddr;

use bytes::Bytes;
use grpc_wire::web::text;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::echo;
use crate::support::PATIENCE;

/// A wire format and an HTTP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// gRPC over HTTP/2.
    Native,
    /// gRPC-Web over HTTP/1.1.
    Web,
    /// gRPC-Web in text over HTTP/1.1.
    Text,
    /// gRPC-Web over HTTP/2.
    WebOverTwo,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Native, Self::Web, Self::Text, Self::WebOverTwo];

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Native => "application/grpc",
            Self::Web | Self::WebOverTwo => "application/grpc-web+proto",
            Self::Text => "application/grpc-web-text+proto",
        }
    }

    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Native | Self::WebOverTwo)
    }
}

/// The response to a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Vec<String>,
    /// Trailers of the protocol and of the handler, from the body or from HTTP.
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// The header's value, "" when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The values of a trailer.
    pub(crate) fn trailer(&self, name: &str) -> Vec<&str> {
        self.trailers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// A status header, from the trailers or, in a response without a body, from the headers.
    pub(crate) fn status_header(&self, name: &str) -> &str {
        self.trailer(name).first().copied().unwrap_or_else(|| self.header(name))
    }

    /// `grpc-status`.
    pub(crate) fn code(&self) -> &str {
        self.status_header("grpc-status")
    }

    /// `grpc-message`, decoded.
    pub(crate) fn message(&self) -> String {
        grpc_wire::status::decode_message(self.status_header("grpc-message").as_bytes()).into_owned()
    }
}

/// A call with a body of frames.
pub(crate) fn call(way: Way, path: &str, frames: &[u8]) -> Request<Full<Bytes>> {
    let body = match way {
        Way::Text => text::encode(frames).into_bytes(),
        _ => frames.to_vec(),
    };
    let uri = if way.is_http2() { format!("http://test{path}") } else { path.to_owned() };
    Request::post(uri)
        .header("host", "test")
        .header("content-type", way.content_type())
        .body(Full::from(body))
        .unwrap()
}

/// Sends a request over a new connection.
pub(crate) async fn send(addr: SocketAddr, way: Way, request: Request<Full<Bytes>>) -> Answer {
    send_over(TcpStream::connect(addr).await.unwrap(), way, request).await
}

/// Sends a request over HTTP/2 and waits for the head of the response.
pub(crate) async fn send_for_head(addr: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    timeout(PATIENCE, sender.send_request(request)).await.expect("no response in time").unwrap()
}

/// Sends a request over `io`, a new connection.
pub(crate) async fn send_over<S>(io: S, way: Way, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    let answer = async {
        if way.is_http2() {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            read(sender.send_request(request).await.unwrap()).await
        } else {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            read(sender.send_request(request).await.unwrap()).await
        }
    };
    timeout(PATIENCE, answer).await.expect("no response in time")
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let http_trailers = body.trailers().cloned().unwrap_or_default();
    let mut bytes = body.to_bytes();
    let content_type = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    if content_type.starts_with("application/grpc-web-text") {
        let mut decoder = text::Decoder::default();
        bytes = decoder.decode(&bytes);
        assert!(!decoder.is_invalid() && !decoder.is_incomplete());
    }
    let (messages, mut trailers) = match content_type.starts_with("application/grpc") {
        true => echo::parse(&bytes),
        false => Default::default(),
    };
    for (name, value) in &http_trailers {
        trailers.append(name, value.clone());
    }
    Answer { status: head.status, headers: head.headers, messages, trailers }
}

/// Writes `bytes` and reads until the other side closes or `enough` has come.
pub(crate) async fn exchange(addr: SocketAddr, bytes: &[u8], enough: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(bytes).await?;
    read_until(&mut stream, enough).await
}

/// Reads until the other side closes or `enough` has come.
pub(crate) async fn read_until(stream: &mut TcpStream, enough: &str) -> std::io::Result<String> {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(enough) {
            if stream.read_buf(&mut read).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    };
    timeout(PATIENCE, reading).await.expect("nothing more in time")?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}
