//! Limits and timeouts of one connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic_serve::ServeOptions;

use crate::raw::{self, Client};
use crate::support::{ENDLESS, HELD, Http1, Http2, PATIENCE, SILENT, Server, closed, eventually};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn options_are_set_by_methods_named_like_their_fields() {
    let options = ServeOptions::default()
        .max_connections(7)
        .idle_timeout(SHORT)
        .trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
    assert_eq!((options.max_connections, options.idle_timeout), (7, SHORT));
    assert!(options.trusted_proxies.contains([10, 0, 0, 1].into()));
    assert_eq!(options.max_calls, ServeOptions::default().max_calls);
}

#[tokio::test]
async fn a_connection_without_a_known_http_version_is_closed() {
    let server = Server::start(|options| options.handshake_timeout = SHORT).await;
    for first_bytes in ["", "PRI * HTTP/2.0\r\n"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(first_bytes.as_bytes()).await.unwrap();

        assert!(closed(&mut stream).await >= SHORT / 2, "{first_bytes:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_incomplete_head_times_out() {
    let server = Server::start(|options| options.header_read_timeout = SHORT).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n").await.unwrap();

    assert!(closed(&mut stream).await >= SHORT / 2);
    server.stopped().await;
}

#[tokio::test]
async fn a_connection_stays_open_between_requests_for_longer_than_a_head_may_take() {
    let server = Server::start(|options| options.header_read_timeout = SHORT).await;
    let mut kept = Http1::open(server.addr).await;
    drop(kept.call("/unknown.Service/Method").await.into_body().collect().await.unwrap());
    // A second head on a kept connection has the time of a first one.
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    half.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 404");
    half.write_all(b"GET / HTTP/1.1\r\nhost: te").await.unwrap();

    closed(&mut half).await;

    drop(kept.call("/unknown.Service/Method").await.into_body().collect().await.unwrap());
    server.stopped().await;
}

#[tokio::test]
async fn only_idle_http1_connections_are_closed() {
    let server = Server::start(|options| {
        options.header_read_timeout = SHORT;
        options.http1_keep_alive = SHORT;
    })
    .await;
    let mut busy = Http1::open(server.addr).await;
    let body = busy.call(SILENT).await.into_body();
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();

    closed(&mut idle).await;

    assert_eq!(server.watch.streams.load(Ordering::SeqCst), 1, "the silent call was ended");
    drop(body);
    drop(busy);
    server.stopped().await;
}

#[tokio::test]
async fn only_idle_http2_connections_get_goaway() {
    let server = Server::start(|options| {
        options.handshake_timeout = SHORT;
        options.idle_timeout = SHORT;
    })
    .await;
    let mut busy = Http2::open(server.addr).await;
    let body = busy.call(SILENT).await.into_body();
    let idle = Http2::open(server.addr).await;

    eventually("the idle connection closes", || idle.is_closed()).await;

    assert_eq!(server.watch.streams.load(Ordering::SeqCst), 1);
    // It still accepts new calls.
    drop(busy.call(SILENT).await);
    drop(body);
    drop(busy);
    server.stopped().await;
}

#[tokio::test]
async fn a_peer_that_acknowledges_no_ping_is_closed() {
    let server = Server::start(|options| {
        options.keep_alive_interval = SHORT;
        options.keep_alive_timeout = SHORT;
    })
    .await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    // The preface and empty settings, and then nothing.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();

    assert!(closed(&mut stream).await >= SHORT);
    server.stopped().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_paused() {
    let server = Server::start(|_| {}).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let mut connection = Http2::open(server.addr).await;
    let mut slow = connection.call(ENDLESS).await.into_body();

    // Another stream on the same connection is read to twice what the slow one may hold. In that time the slow one was polled
    // as often as it could be.
    let mut fast = connection.call(ENDLESS).await.into_body();
    let mut read = 0;
    while read < 1024 * 1024 {
        let frame = timeout(PATIENCE, fast.frame()).await.expect("nothing comes").unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    drop(fast);
    eventually("the fast stream ends", || server.watch.streams.load(Ordering::SeqCst) == 1).await;

    // The client's window, the send buffer, and a chunk in transit to each.
    let held = produced() - read;
    assert!(held <= 2 * (64 + 32 + 2 * 16) * 1024, "{held} bytes wait for a reader that does not read");
    let before = produced();
    while produced() < before + 64 * 1024 {
        timeout(PATIENCE, slow.frame()).await.expect("the slow stream stands still").unwrap().unwrap();
    }
    drop(slow);
    drop(connection);
    server.stopped().await;
}

#[tokio::test]
async fn an_unread_connection_costs_little_with_any_window() {
    let server = Server::start(|_| {}).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let socket = TcpSocket::new_v4().unwrap();
    // The kernel of the client buffers little.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut greedy = socket.connect(server.addr).await.unwrap();
    greedy.write_all(&greedy_call(ENDLESS)).await.unwrap();
    eventually("its stream begins", || produced() > 0).await;

    // A client that reads, which gives the greedy one enough time.
    let mut reading = Http2::open(server.addr).await;
    let mut body = reading.call(ENDLESS).await.into_body();
    let mut read = 0;
    while read < 16 * 1024 * 1024 {
        let frame = timeout(PATIENCE, body.frame()).await.expect("nothing comes").unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    drop(body);
    eventually("the reading stream ends", || server.watch.streams.load(Ordering::SeqCst) == 1).await;

    let held = produced() - read;
    assert!(held <= 384 * 1024, "{held} bytes wait for a client that does not read");
    drop((greedy, reading));
    server.stopped().await;
}

/// The bytes of an HTTP/2 client with the largest windows that makes one call.
fn greedy_call(path: &str) -> Vec<u8> {
    const WINDOW: u32 = 0x7fff_0000;
    let initial_window = [&[0, 4], &WINDOW.to_be_bytes()[..]].concat();
    [
        raw::PREFACE.to_vec(),
        raw::frame(raw::SETTINGS, 0, 0, &initial_window),
        raw::frame(raw::WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes()),
        raw::call(1, path),
    ]
    .concat()
}

#[tokio::test]
async fn a_silent_stream_is_dropped_when_its_client_leaves() {
    let server = Server::start(|_| {}).await;
    let streams = || server.watch.streams.load(Ordering::SeqCst);
    let mut web = Http1::open(server.addr).await;
    let mut native = Http2::open(server.addr).await;
    let web_body = web.call(SILENT).await.into_body();
    let native_body = native.call(SILENT).await.into_body();
    assert_eq!(streams(), 2);

    // The page closes its connection; the native client resets one stream and keeps the connection.
    drop((web, web_body));
    eventually("the stream over HTTP/1.1 is dropped", || streams() == 1).await;
    drop(native_body);
    eventually("the stream over HTTP/2 is dropped", || streams() == 0).await;

    assert!(!native.is_closed());
    drop(native);
    server.stopped().await;
}

#[tokio::test]
async fn a_too_large_head_is_refused() {
    let server = Server::start(|_| {}).await;
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);

    let request = Request::get("/").header("host", "test").header("x-large", "x".repeat(100 * 1024));
    let response = sender.send_request(request.body(String::new()).unwrap()).await.unwrap();

    assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    server.stopped().await;
}

#[tokio::test]
async fn calls_beyond_the_limit_of_a_connection_are_queued() {
    let server = Server::start(|options| options.max_concurrent_streams = 2).await;
    let held = || server.watch.held.load(Ordering::SeqCst);
    let mut connection = Http2::open(server.addr).await;
    // After a response the client knows the server's limit.
    drop(connection.call("/unknown.Service/Method").await);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move { connection.call(HELD).await.status() })
        })
        .collect();

    eventually("two calls arrive", || held() == 2).await;
    // A call on another connection is not queued, and gives the third one time to arrive wrongly.
    let mut other = Http2::open(server.addr).await;
    drop(other.call(SILENT).await);
    assert_eq!(held(), 2, "the third call did not wait");
    server.watch.release.notify_one();
    eventually("the third call arrives", || held() == 3).await;
    server.watch.release.notify_one();
    server.watch.release.notify_one();
    for call in calls {
        server.watch.release.notify_waiters();
        assert_eq!(timeout(PATIENCE, call).await.unwrap().unwrap(), StatusCode::OK);
    }
    drop((connection, other));
    server.stopped().await;
}

#[tokio::test]
async fn small_requests_on_all_streams_leave_the_connection_open() {
    let server = Server::start(|options| options.connection_window = 65_535).await;
    let mut client = Client::open(&server, 1024).await;
    let mut calls = Vec::new();
    for _ in 1..ServeOptions::default().max_concurrent_streams {
        let (response, mut sending) = client.begin(HELD, "application/grpc").await;
        // The handler does not read it, and more of the request would follow.
        sending.send_data(Bytes::from_static(b"\0\0\0\0\x01a"), false).unwrap();
        calls.push((response, sending));
    }

    let mut body = client.body(ENDLESS, "application/grpc").await;

    assert!(timeout(PATIENCE, body.data()).await.expect("nothing comes").unwrap().is_ok());
    drop((calls, body, client));
    server.stopped().await;
}
