//! The limits of a connection and of HTTP/2 apply in a socket.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::echo::{self, UNARY};
use crate::raw;
use crate::socket::{Raw, Seen, bytes, frame, open};
use crate::support::{ENDLESS, PATIENCE, SILENT, Server, eventually};
use crate::wire::{self, Way, call, read_until};

/// A client of one socket, which updates windows only on request.
struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    closed: Seen,
}

impl Client {
    async fn open(addr: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let (io, closed) = bytes(open(addr, headers).await);
        let (requests, connection) = Builder::new()
            .initial_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_concurrent_reset_streams(0)
            .handshake(io)
            .await
            .unwrap();
        Self { requests, connection: tokio::spawn(connection), closed }
    }

    /// Begins a call with `message` that carries a session.
    async fn begin(&mut self, path: &str, message: Vec<u8>) -> Result<ResponseFuture, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let head = Request::post(format!("http://test{path}"))
            .header("content-type", "application/grpc")
            .header("authorization", "Bearer x");
        let (response, mut sending) = requests.send_request(head.body(()).unwrap(), false)?;
        sending.send_data(message.into(), true)?;
        Ok(response)
    }

    async fn body(&mut self, path: &str) -> RecvStream {
        let response = self.begin(path, echo::request(&["a"])).await.unwrap();
        timeout(PATIENCE, response).await.expect("no response in time").unwrap().into_body()
    }

    /// Makes a call and returns its first bytes.
    async fn unary(&mut self) -> Bytes {
        let mut body = self.body(UNARY).await;
        let data = timeout(PATIENCE, body.data()).await.expect("no message in time").unwrap().unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        data
    }
}

#[tokio::test]
async fn messages_and_streams_are_limited() {
    let server = Server::start(|options| options.max_concurrent_streams = 3).await;
    let mut client = Client::open(server.addr, &[]).await;
    let long = "x".repeat(echo::MAX_MESSAGE + 1);
    let response = client.begin(UNARY, echo::request(&[&long])).await.unwrap().await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "8");
    assert_eq!(client.requests.current_max_send_streams(), 3);
}

#[tokio::test]
async fn deadlines_are_kept() {
    let server = Server::start(|_| {}).await;
    let (io, _closed) = bytes(open(server.addr, &[]).await);
    let mut request = call(Way::Native, UNARY, &echo::request(&["wait"]));
    request.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
    assert_eq!(wire::send_over(io, Way::Native, request).await.code(), "4");
}

#[tokio::test]
async fn a_socket_counts_as_a_connection_until_its_end() {
    let server = Server::start(|options| options.max_connections = 1).await;
    let mut client = Client::open(server.addr, &[]).await;
    let body = client.body(SILENT).await;
    let answer = || async {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await.unwrap_or_default()
    };
    assert!(answer().await.starts_with("HTTP/1.1 503 "));

    client.connection.abort();
    drop(body);
    let streams = server.watch.streams.clone();
    eventually("the call ends", || streams.load(Ordering::SeqCst) == 0).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !answer().await.starts_with("HTTP/1.1 404 ") {
        assert!(tokio::time::Instant::now() < deadline, "the connection is still counted");
    }
}

#[tokio::test]
async fn sockets_behind_a_proxy_count_by_their_clients() {
    let server = Server::start(|options| {
        options.trusted_proxies = ["127.0.0.1/32".parse().unwrap()].into_iter().collect();
        options.max_connections_per_address = 1;
    })
    .await;
    let (one, two) = ([("x-forwarded-for", "192.0.2.7")], [("x-forwarded-for", "192.0.2.8")]);
    let mut first = Client::open(server.addr, &one).await;
    let _body = first.body(SILENT).await;
    let mut other = Client::open(server.addr, &two).await;
    assert_eq!(other.unary().await, echo::request(&["a"]));

    let second = Client::open(server.addr, &one).await;
    assert!(timeout(PATIENCE, second.connection).await.is_ok());
    assert_eq!(second.closed.code(), Some(1008));
    assert_eq!(first.unary().await, echo::request(&["a"]));
}

#[tokio::test]
async fn a_slow_reader_stops_only_its_own_stream() {
    let server = Server::start(|_| {}).await;
    let mut client = Client::open(server.addr, &[]).await;
    let slow = client.body(ENDLESS).await;
    let produced = server.watch.produced.clone();
    for _ in 0..500 {
        assert_eq!(client.unary().await, echo::request(&["a"]));
    }
    let bytes = produced.load(Ordering::SeqCst);
    assert!(bytes <= 256 * 1024, "the handler produced {bytes} bytes for a window of 64 KiB");
    drop(slow);
    let streams = server.watch.streams.clone();
    eventually("the handler is dropped", || streams.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed() {
    let server = Server::start(|options| options.stall_timeout = Duration::from_millis(300)).await;
    let mut client = Raw::open(server.addr).await;
    let largest = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    let hello = [
        raw::PREFACE,
        &raw::frame(raw::SETTINGS, 0, 0, &largest),
        &raw::frame(raw::WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0]),
        &raw::call(1, ENDLESS),
    ];
    client.send(&frame(0x82, &hello.concat())).await;
    let (streams, produced) = (server.watch.streams.clone(), server.watch.produced.clone());
    eventually("the stream begins", || streams.load(Ordering::SeqCst) == 1).await;

    eventually("the call is ended", || streams.load(Ordering::SeqCst) == 0).await;

    // The bytes that the kernel took, and a few more.
    assert!(produced.load(Ordering::SeqCst) < 64 * 1024 * 1024);
    drop(client);
}

#[tokio::test]
async fn five_thousand_cancelled_calls_leave_nothing_behind() {
    const CALLS: usize = 5_000;
    let server = Server::start(|options| options.cancel_burst = 10_000).await;
    let mut client = Client::open(server.addr, &[]).await;
    for number in 0..CALLS {
        let response = client.begin(SILENT, Vec::new()).await.unwrap();
        // Some are cancelled before the handler has them.
        if number % 3 == 0 {
            timeout(PATIENCE, response).await.unwrap().unwrap();
        }
    }
    let streams = server.watch.streams.clone();
    eventually("the handlers are dropped", || streams.load(Ordering::SeqCst) == 0).await;
    assert_eq!(client.unary().await, echo::request(&["a"]));
    assert!(!client.connection.is_finished());
}

#[tokio::test]
async fn a_client_that_keeps_cancelling_loses_its_socket() {
    let server = Server::start(|options| options.cancel_burst = 50).await;
    let mut client = Client::open(server.addr, &[]).await;
    let cancelling = async {
        while let Ok(response) = client.begin(SILENT, Vec::new()).await {
            if response.await.is_err() {
                break;
            }
        }
    };
    timeout(PATIENCE, cancelling).await.expect("the socket stays open");
    assert!(timeout(PATIENCE, client.connection).await.is_ok());
}
