//! Limits of connections and calls: evictions, and refusals.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{HELD, Http2, PATIENCE, SILENT, Server, closed, connect_from, eventually};
use crate::wire::{Way, call, exchange, read_until, send, send_over};

/// The head of an endless call, without its last line.
const SILENT_CALL: &str = "POST /test.Test/Silent HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\n\
                               content-length: 0\r\n";

async fn busy(mut stream: TcpStream, more_headers: &str) -> TcpStream {
    stream.write_all(format!("{SILENT_CALL}{more_headers}\r\n").as_bytes()).await.unwrap();
    // The head of the response shows that the call is counted.
    read_until(&mut stream, "HTTP/1.1 200").await.unwrap();
    stream
}

/// Whether the connection is neither closed nor reset.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    loop {
        match stream.try_read(&mut byte) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn one_address_cannot_take_the_connections_of_another() {
    let server = Server::start(|options| {
        options.max_connections = 20;
        options.max_connections_per_address = 10;
    })
    .await;
    let session = "cookie: session=1\r\n";
    let mut taken = Vec::new();
    for _ in 0..10 {
        taken.push(busy(connect_from(2, server.addr).await, session).await);
    }
    for _ in 0..30 {
        let mut refused = connect_from(2, server.addr).await;
        refused.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let answer = read_until(&mut refused, "open\n").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.contains("retry-after: 2\r\n") && answer.contains("connection: close\r\n"),
            "{answer}"
        );
        closed(&mut refused).await;
    }

    let mut other = Http2::over(connect_from(3, server.addr).await, 65_535).await;
    assert_eq!(other.call(SILENT).await.status(), StatusCode::OK);
    assert!(taken.iter().all(is_open));
    drop((taken, other));
    server.stopped().await;
}

#[tokio::test]
async fn a_burst_of_connections_waits_in_the_backlog() {
    let server = Server::start(|_| {}).await;
    let mut connection = Http2::open(server.addr).await;
    drop(connection.call(SILENT).await);
    // The server runs on this thread, so it accepts none of them meanwhile.
    let burst: Vec<_> = (0..500)
        .map(|_| std::net::TcpStream::connect_timeout(&server.addr, PATIENCE).expect("it was dropped"))
        .collect();

    assert_eq!(connection.call(SILENT).await.status(), StatusCode::OK);
    drop((burst, connection));
    server.stopped().await;
}

#[tokio::test]
async fn silent_connections_are_evicted_first_and_idle_ones_by_age() {
    let server = Server::start(|options| options.max_connections = 4).await;
    let older = Http2::open(server.addr).await;
    drop(older.clone().call(SILENT).await);
    let newer = Http2::open(server.addr).await;
    drop(newer.clone().call(SILENT).await);
    let busy = busy(TcpStream::connect(server.addr).await.unwrap(), "").await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();

    let mut first = Http2::open(server.addr).await;
    let first_body = first.call(SILENT).await;
    closed(&mut silent).await;
    assert!(!older.is_closed());

    let mut second = Http2::open(server.addr).await;
    let second_body = second.call(SILENT).await;
    eventually("the older idle connection closes", || older.is_closed()).await;
    assert!(!newer.is_closed());
    assert!(is_open(&busy));
    drop((first_body, second_body, first, second, newer, busy));
    server.stopped().await;
}

#[tokio::test]
async fn connections_with_sessions_are_not_evicted() {
    let server = Server::start(|options| options.max_connections = 3).await;
    let connect = || TcpStream::connect(server.addr);
    let with_cookie = busy(connect().await.unwrap(), "cookie: session=1\r\n").await;
    let mut anonymous = busy(connect().await.unwrap(), "").await;
    let with_token = busy(connect().await.unwrap(), "authorization: Bearer x\r\n").await;

    let third = busy(connect().await.unwrap(), "cookie: session=2\r\n").await;

    closed(&mut anonymous).await;
    let answer = exchange(server.addr, b"GET / HTTP/1.1\r\n\r\n", "open\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(is_open(&with_cookie) && is_open(&with_token) && is_open(&third));
    drop((with_cookie, with_token, third));
    server.stopped().await;
}

#[tokio::test]
async fn an_http2_connection_over_the_limit_gets_goaway() {
    let server = Server::start(|options| options.max_connections = 1).await;
    let held = busy(TcpStream::connect(server.addr).await.unwrap(), "cookie: session=1\r\n").await;

    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    timeout(PATIENCE, read).await.expect("it is not closed").unwrap();

    // SETTINGS, then GOAWAY with ENHANCE_YOUR_CALM.
    assert_eq!(answer, b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\x0b");
    drop(held);
    server.stopped().await;
}

#[tokio::test]
async fn silent_refused_connections_are_closed() {
    let server = Server::start(|options| options.max_connections = 1).await;
    let held = busy(TcpStream::connect(server.addr).await.unwrap(), "cookie: session=1\r\n").await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(server.addr).await.unwrap());
    }
    for stream in &mut silent {
        closed(stream).await;
    }
    assert!(is_open(&held));
    drop(held);
    server.stopped().await;
}

#[tokio::test]
async fn a_closed_connection_makes_room() {
    let server = Server::start(|options| options.max_connections = 1).await;
    let session = "cookie: session=1\r\n";
    for _ in 0..20 {
        let held = busy(TcpStream::connect(server.addr).await.unwrap(), session).await;
        drop(held);
        eventually("the call ends", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
        // The connection's task ends just after its call.
        let free = async {
            loop {
                let mut stream = TcpStream::connect(server.addr).await.unwrap();
                stream.write_all(format!("{SILENT_CALL}{session}\r\n").as_bytes()).await.unwrap();
                if read_until(&mut stream, "HTTP/1.1 ").await.is_ok_and(|answer| answer.contains("200")) {
                    return;
                }
            }
        };
        timeout(PATIENCE, free).await.expect("the place stays taken");
        eventually("the call ends", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    }
    server.stopped().await;
}

/// Holds `count` calls open from 127.0.0.`host`.
async fn hold(server: &Server, host: u8, count: usize) -> JoinSet<()> {
    let before = server.watch.held.load(Ordering::SeqCst);
    let connection = Http2::over(connect_from(host, server.addr).await, 65_535).await;
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let mut connection = connection.clone();
        calls.spawn(async move { drop(connection.send(HELD).await) });
    }
    eventually("the calls arrive", || server.watch.held.load(Ordering::SeqCst) == before + count).await;
    calls
}

#[tokio::test]
async fn a_call_over_the_limit_is_refused_in_its_own_protocol_with_a_delay() {
    let server = Server::start_app(
        |options| options.max_calls = 8,
        |app| app.cors(tonic_serve::CorsOptions::new(["http://page.example".parse().unwrap()])),
    )
    .await;
    // A quarter of eight is reserved for sessions.
    let held = hold(&server, 1, 6).await;
    for way in Way::ALL {
        let mut request = call(way, crate::echo::UNARY, &crate::echo::request(&["a"]));
        request.headers_mut().insert("origin", "http://page.example".parse().unwrap());
        let answer = send(server.addr, way, request).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, "8"), "{way:?}: {answer:?}");
        assert_eq!(answer.status_header("grpc-retry-pushback-ms"), "2000", "{way:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "http://page.example");

        let mut request = call(way, crate::echo::UNARY, &crate::echo::request(&["a"]));
        request.headers_mut().insert("authorization", "Bearer x".parse().unwrap());
        assert_eq!(send(server.addr, way, request).await.code(), "0", "{way:?}: the reserve for sessions");
    }
    // A preflight carries no session.
    let preflight = "OPTIONS / HTTP/1.1\r\nhost: test\r\norigin: http://page.example\r\n\
                  access-control-request-method: POST\r\n\r\n";
    let allowed = exchange(server.addr, preflight.as_bytes(), "\r\n\r\n").await.unwrap_or_default();
    assert!(
        allowed.starts_with("HTTP/1.1 200 ") && allowed.contains("access-control-allow-origin"),
        "{allowed}"
    );
    let page = exchange(server.addr, b"GET / HTTP/1.1\r\nhost: test\r\n\r\n", "open\n").await;
    let page = page.unwrap_or_default();
    assert!(page.starts_with("HTTP/1.1 503 ") && page.contains("retry-after: 2\r\n"), "{page}");
    drop(held);
    server.stopped().await;
}

#[tokio::test]
async fn one_address_cannot_take_the_calls_of_another() {
    let server = Server::start(|options| options.max_calls_per_address = 8).await;
    let held = hold(&server, 2, 6).await;
    let unary = || call(Way::Native, crate::echo::UNARY, &crate::echo::request(&["a"]));

    let same = send_over(connect_from(2, server.addr).await, Way::Native, unary()).await;
    assert_eq!(same.code(), "8");
    let other = send_over(connect_from(3, server.addr).await, Way::Native, unary()).await;
    assert_eq!(other.code(), "0");
    drop(held);
    server.stopped().await;
}

#[tokio::test]
async fn a_call_counts_until_its_response_has_ended_or_was_dropped() {
    let limits: [fn(&mut tonic_serve::ServeOptions); 2] =
        [|options| options.max_calls = 4, |options| options.max_calls_per_address = 4];
    for limit in limits {
        let server = Server::start(limit).await;
        let mut connection = Http2::open(server.addr).await;
        for _ in 0..20 {
            // Callers without a session may have three.
            let mut open = Vec::new();
            for _ in 0..3 {
                let response = connection.call(SILENT).await;
                assert!(!response.headers().contains_key("grpc-status"), "{response:?}");
                open.push(response);
            }
            let refused = connection.call(SILENT).await;
            assert_eq!(refused.headers()["grpc-status"], "8");
            drop(open);
            eventually("the calls end", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
        }
        drop(connection);
        server.stopped().await;
    }
}

#[tokio::test]
async fn sequential_requests_on_a_connection_count_once_each() {
    let server = Server::start(|options| options.max_calls = 2).await;
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..50 {
        let request = Request::get("/").header("host", "test").header("cookie", "a=b");
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    }
    server.stopped().await;
}
