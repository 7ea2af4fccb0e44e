//! Shutdown with clients that finish, clients that wait, and clients that do nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw;
use crate::support::{ENDLESS, HELD, Http1, Http2, PATIENCE, SILENT, Server, eventually};
use crate::tls::{connect, connect_over, self_signed, tls};

#[tokio::test]
async fn idle_connections_do_not_delay_a_shutdown() {
    let server = Server::start(|_| {}).await;
    let native = Http2::open(server.addr).await;
    let mut web = Http1::open(server.addr).await;
    drop(web.call("/unknown.Service/Method").await.into_body().collect().await.unwrap());
    let silent = TcpStream::connect(server.addr).await.unwrap();

    let took = server.stopped().await;

    assert!(took < Duration::from_secs(1), "it took {took:?}");
    drop((native, web, silent));
}

#[tokio::test]
async fn an_open_call_may_finish_while_no_connection_is_accepted() {
    let mut server = Server::start(|_| {}).await;
    let mut client = Http2::open(server.addr).await;
    let call = tokio::spawn(async move { client.call(HELD).await.status() });
    let held = server.watch.held.clone();
    eventually("the call arrives", || held.load(Ordering::SeqCst) == 1).await;

    server.begin_stop();
    let addr = server.addr;
    // A few may still get into the kernel's backlog; they are reset when the listener closes.
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!call.is_finished());
    server.watch.release.notify_one();

    assert_eq!(timeout(PATIENCE, call).await.unwrap().unwrap(), StatusCode::OK);
    let took = server.stopped().await;
    assert!(took < Duration::from_secs(1), "it took {took:?}");
}

#[tokio::test]
async fn calls_that_do_not_finish_end_with_unavailable() {
    let server = Server::start(|options| options.call_grace = Duration::from_millis(100)).await;
    let mut native = Http2::open(server.addr).await;
    let mut web = Http1::open(server.addr).await;
    let mut native_body = native.call(SILENT).await.into_body();
    let web_body = web.call(SILENT).await.into_body();

    let (took, trailers, web_bytes) = tokio::join!(server.stopped(), native_body.frame(), web_body.collect());

    let trailers = trailers.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "14");
    let web_bytes = web_bytes.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&web_bytes).contains("grpc-status:14\r\n"), "{web_bytes:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[tokio::test]
async fn clients_that_do_not_read_cannot_delay_a_shutdown() {
    let server = Server::start(|options| {
        options.call_grace = Duration::from_millis(100);
        options.drain_timeout = Duration::from_millis(300);
    })
    .await;
    let mut native = Http2::open(server.addr).await;
    let mut web = Http1::open(server.addr).await;
    // Neither body is read, so the status of neither stream can be sent.
    let native_body = native.call(ENDLESS).await.into_body();
    let web_body = web.call(ENDLESS).await.into_body();

    let streams = server.watch.streams.clone();
    let took = server.stopped().await;

    assert_eq!(streams.load(Ordering::SeqCst), 0, "the calls outlived the server");
    assert!(took >= Duration::from_millis(250), "it took only {took:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    drop((native_body, web_body));
}

#[tokio::test]
async fn peers_that_do_not_respond_cannot_delay_a_shutdown() {
    let server = Server::start(|_| {}).await;
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n").await.unwrap();
    // It acknowledges no ping, so the connection would never close.
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    let call = raw::call(1, "/unknown.Service/Method");
    let hello = [raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[]), &call].concat();
    silent.write_all(&hello).await.unwrap();
    assert!(raw::has_response(&mut silent, 1).await);

    let took = server.stopped().await;

    // Calls would have two seconds; these peers have no call.
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    drop((half, silent));
}

/// Opens two connections, stops the server once it has accepted both, and makes the first request on one. Whether it is answered.
async fn answers_a_first_request_at_the_stop(is_http2: bool) -> bool {
    let pair = self_signed();
    let mut server = Server::start(|options| options.tls = Some(tls(&pair))).await;
    let alpn: &[&str] = if is_http2 { &["h2"] } else { &["http/1.1"] };
    let stream = TcpStream::connect(server.addr).await.unwrap();
    // Connections are accepted in order, so the first one is, too.
    let later = connect(&server, &pair, None, alpn).await.unwrap();
    server.begin_stop();
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }

    let Ok(mut stream) = connect_over(stream, &pair, None, alpn).await else { return false };
    let is_answered = if is_http2 {
        let call = raw::call(1, "/unknown.Service/Method");
        let hello = [raw::PREFACE, &raw::frame(raw::SETTINGS, 0, 0, &[]), &call].concat();
        stream.write_all(&hello).await.is_ok() && raw::has_response(&mut stream, 1).await
    } else {
        let mut response = String::new();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await.ok();
        timeout(PATIENCE, stream.read_to_string(&mut response)).await.expect("it stays open").ok();
        response.contains("connection: close\r\n")
    };
    let took = server.stopped().await;
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    drop(later);
    is_answered
}

#[tokio::test]
async fn a_connection_that_was_accepted_before_the_stop_makes_its_first_request() {
    for is_http2 in [false, true] {
        // It has half a second, which a busy machine may take for itself.
        let mut tries = 1;
        while !answers_a_first_request_at_the_stop(is_http2).await {
            tries += 1;
            assert!(tries < 20, "no request is answered");
        }
    }
}
