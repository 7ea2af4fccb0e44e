//! Calls over every kind of connection, and what comes back of them.

use std::collections::HashMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
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

/// How a call is made.
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

/// What came back of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Vec<String>,
    /// Those of the protocol and those of the handler, wherever they stood.
    pub(crate) trailers: HashMap<String, Vec<String>>,
}

impl Answer {
    /// The header's value, "" when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `grpc-status`, from the trailers or, in a response without a body, from the headers.
    pub(crate) fn code(&self) -> &str {
        self.trailers.get("grpc-status").map_or_else(|| self.header("grpc-status"), |values| &values[0])
    }
}

/// A call with a body of frames, encoded as `way` says.
pub(crate) fn call(way: Way, path: &str, frames: &[u8]) -> Request<Full<Bytes>> {
    let body = match way {
        Way::Text => STANDARD.encode(frames).into_bytes(),
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

/// Sends a request over HTTP/2 and waits for the head of the answer.
pub(crate) async fn send_for_head(addr: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    timeout(PATIENCE, sender.send_request(request)).await.expect("no answer in time").unwrap()
}

/// Sends a request over `io`, a connection on which nothing has been said.
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
    timeout(PATIENCE, answer).await.expect("no answer in time")
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let native = body.trailers().cloned().unwrap_or_default();
    let mut bytes = body.to_bytes();
    let content_type = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    if content_type.starts_with("application/grpc-web-text") {
        // Each part of a response has padding of its own, and all are whole groups.
        let groups = bytes.chunks(4).flat_map(|group| STANDARD.decode(group).unwrap());
        bytes = groups.collect::<Vec<_>>().into();
    }
    let (messages, mut trailers) = match content_type.starts_with("application/grpc") {
        true => echo::parse(&bytes),
        false => Default::default(),
    };
    for (name, value) in &native {
        trailers.entry(name.to_string()).or_default().push(value.to_str().unwrap().to_owned());
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
