//! Shutdown with clients that finish, clients that wait, and clients that do nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw;
use crate::support::{ENDLESS, HELD, Http1, Http2, PATIENCE, SILENT, Server, eventually};

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
