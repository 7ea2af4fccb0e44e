//! What one connection may cost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tonic_serve::ServeOptions;

use crate::raw::{self, Client};
use crate::support::{ENDLESS, HELD, Http1, Http2, PATIENCE, SILENT, Server, closed, eventually};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_connection_that_does_not_say_what_it_speaks_is_closed() {
    let server = Server::start(|options| options.handshake_timeout = SHORT).await;
    for first_bytes in ["", "PRI * HTTP/2.0\r\n"] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(first_bytes.as_bytes()).await.unwrap();

        assert!(closed(&mut stream).await >= SHORT / 2, "{first_bytes:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn half_a_head_is_waited_for_no_longer_than_allowed() {
    let server = Server::start(|options| options.header_read_timeout = SHORT).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n").await.unwrap();

    assert!(closed(&mut stream).await >= SHORT / 2);
    server.stopped().await;
}

#[tokio::test]
async fn an_idle_http1_connection_is_closed_and_one_with_a_call_is_not() {
    let server = Server::start(|options| options.header_read_timeout = SHORT).await;
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
async fn an_idle_http2_connection_is_told_to_go_and_one_with_a_call_is_not() {
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
    // It still takes new calls.
    drop(busy.call(SILENT).await);
    drop(body);
    drop(busy);
    server.stopped().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let server = Server::start(|options| {
        options.keep_alive_interval = SHORT;
        options.keep_alive_timeout = SHORT;
    })
    .await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    // HTTP/2 and empty settings; from then on nothing.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();

    assert!(closed(&mut stream).await >= SHORT);
    server.stopped().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_not_written_for() {
    let server = Server::start(|_| {}).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let mut connection = Http2::open(server.addr).await;
    let mut slow = connection.call(ENDLESS).await.into_body();

    // Another stream on the same connection, read to twice what the slow one may hold: in that time the
    // slow one was asked as often as it wanted.
    let mut fast = connection.call(ENDLESS).await.into_body();
    let mut read = 0;
    while read < 1024 * 1024 {
        let frame = timeout(PATIENCE, fast.frame()).await.expect("nothing comes").unwrap().unwrap();
        read += frame.into_data().unwrap().len();
    }
    drop(fast);
    eventually("the fast stream ends", || server.watch.streams.load(Ordering::SeqCst) == 1).await;

    // The client's window, the send buffer, and a chunk on its way into each.
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
async fn a_connection_that_nobody_reads_costs_little_however_much_it_asks_for() {
    let server = Server::start(|_| {}).await;
    let produced = || server.watch.produced.load(Ordering::SeqCst);
    let socket = TcpSocket::new_v4().unwrap();
    // What the client's kernel takes is the client's memory; here it is little.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut greedy = socket.connect(server.addr).await.unwrap();
    greedy.write_all(&greedy_call(ENDLESS)).await.unwrap();
    eventually("its stream begins", || produced() > 0).await;

    // The same for a client that reads, so that the greedy one has had the time it needs.
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

/// The bytes of an HTTP/2 client that opens its windows as far as they go and makes one call.
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
async fn a_client_that_leaves_is_noticed_while_nothing_is_sent() {
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
async fn a_head_that_is_too_large_is_refused() {
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
async fn calls_beyond_the_limit_of_a_connection_wait_for_their_turn() {
    let server = Server::start(|options| options.max_concurrent_streams = 2).await;
    let held = || server.watch.held.load(Ordering::SeqCst);
    let mut connection = Http2::open(server.addr).await;
    // Once it is answered, the client knows the server's limit.
    drop(connection.call("/unknown.Service/Method").await);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move { connection.call(HELD).await.status() })
        })
        .collect();

    eventually("two calls arrive", || held() == 2).await;
    // A call on another connection is not held back, and gives the third one time to be wrong.
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
async fn small_requests_on_all_calls_that_a_connection_may_have_leave_it_alive() {
    let server = Server::start(|options| options.connection_window = 65_535).await;
    let mut client = Client::open(&server, 1024).await;
    let mut calls = Vec::new();
    for _ in 1..ServeOptions::default().max_concurrent_streams {
        let (response, mut sending) = client.begin(HELD, "application/grpc").await;
        // Nobody reads it, and more of the request follows.
        sending.send_data(Bytes::from_static(b"\0\0\0\0\x01a"), false).unwrap();
        calls.push((response, sending));
    }

    let mut body = client.body(ENDLESS, "application/grpc").await;

    assert!(timeout(PATIENCE, body.data()).await.expect("nothing comes").unwrap().is_ok());
    drop((calls, body, client));
    server.stopped().await;
}
