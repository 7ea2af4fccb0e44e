//! Responses over HTTP/1.1 that pause: they leave hyper at their first pause, which no client may notice.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::echo::{UNARY, request};
use crate::support::{PATIENCE, PAUSED, Server, closed, eventually};
use crate::wire::read_until;

/// A call of [`PAUSED`] close to the wire.
fn paused(bytes: usize, more: &str) -> String {
    format!(
        "POST {PAUSED} HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\nx-bytes: {bytes}\r\n\
         content-length: 0\r\n{more}\r\n"
    )
}

/// A unary call whose head has `padding` bytes more than usual.
fn unary(padding: usize) -> Vec<u8> {
    let body = request(&["a"]);
    let head = format!(
        "POST {UNARY} HTTP/1.1\r\nhost: test\r\ncontent-type: application/grpc-web\r\n\
         x-padding: {}\r\ncontent-length: {}\r\n\r\n",
        "x".repeat(padding),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn response_with_pauses_comes_whole_and_its_connection_goes_on() {
    let server = Server::start(|_| {}).await;
    let io = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    // Chunks that are copied, and longer ones that are not.
    for bytes in [1, 15, 16, 1_000, 1_100, 500_000] {
        let call = Request::post(PAUSED)
            .header("host", "test")
            .header("content-type", "application/grpc-web")
            .header("x-bytes", bytes);
        let call = call.body(Full::new(Bytes::from_static(b"\0\0\0\0\0"))).unwrap();
        let mut body = sender.send_request(call).await.unwrap().into_body();
        let mut received = Vec::new();
        for number in 0..3 {
            while received.len() < (number + 1) * bytes {
                let frame = timeout(PATIENCE, body.frame()).await.expect("nothing more in time");
                received.extend_from_slice(&frame.unwrap().unwrap().into_data().unwrap());
            }
            server.watch.release.notify_one();
        }
        let rest = body.collect().await.unwrap().to_bytes();
        let (messages, trailers) = received.split_at(3 * bytes);
        let expected = [b'a', b'b', b'c'].map(|byte| vec![byte; bytes]).concat();
        assert!(messages == expected, "the messages of {bytes} bytes");
        assert!(trailers.len() + rest.len() < 100, "only trailers follow");
        // The last notification was one too many.
        timeout(PATIENCE, server.watch.release.notified()).await.unwrap();
    }
    server.stopped().await;
}

#[tokio::test]
async fn request_that_comes_during_a_pause_is_answered_after_the_response() {
    let server = Server::start(|_| {}).await;
    // With more and fewer bytes than are read early.
    for padding in [0, 2_000] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(paused(3, "").as_bytes()).await.unwrap();
        read_until(&mut stream, "aaa").await.unwrap();
        stream.write_all(&unary(padding)).await.unwrap();
        server.watch.release.notify_one();
        let middle = read_until(&mut stream, "bbb").await.unwrap();
        assert!(!middle.contains("HTTP/1.1"), "the second response begins in the first: {middle}");
        server.watch.release.notify_one();
        let end = read_until(&mut stream, "grpc-status:0").await.unwrap();
        let (end, second) = end.split_once("HTTP/1.1 200").unwrap();
        assert!(end.contains("ccc") && end.ends_with("\r\n0\r\n\r\n"), "{end}");
        assert!(second.contains("x-before: head"), "{second}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn stream_is_dropped_when_its_client_leaves_in_a_pause() {
    let server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(paused(3, "").as_bytes()).await.unwrap();
    read_until(&mut stream, "aaa").await.unwrap();
    server.watch.release.notify_one();
    read_until(&mut stream, "bbb").await.unwrap();
    assert_eq!(server.watch.streams.load(Ordering::SeqCst), 1);
    drop(stream);
    eventually("the stream is dropped", || server.watch.streams.load(Ordering::SeqCst) == 0).await;
    server.stopped().await;
}

#[tokio::test]
async fn response_that_pauses_at_a_shutdown_is_finished_and_its_connection_closed() {
    let mut server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(paused(3, "").as_bytes()).await.unwrap();
    read_until(&mut stream, "aaa").await.unwrap();
    server.begin_stop();
    // The port is closed when the drain begins.
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for next in ["bbb", "ccc"] {
        server.watch.release.notify_one();
        read_until(&mut stream, next).await.unwrap();
    }
    read_until(&mut stream, "\r\n0\r\n\r\n").await.unwrap();
    closed(&mut stream).await;
    server.stopped().await;
}

#[tokio::test]
async fn response_that_pauses_ends_with_a_status_at_the_end_of_the_drain() {
    let server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(paused(3, "").as_bytes()).await.unwrap();
    read_until(&mut stream, "aaa").await.unwrap();
    let (read, _) = tokio::join!(read_until(&mut stream, "0\r\n\r\n"), server.stopped());
    let read = read.unwrap();
    assert!(read.contains("grpc-status: 14") || read.contains("grpc-status:14"), "{read}");
}

#[tokio::test]
async fn connection_that_is_not_kept_closes_after_a_response_with_pauses() {
    let server = Server::start(|_| {}).await;
    let old = paused(3, "").replace("HTTP/1.1", "HTTP/1.0");
    for call in [paused(3, "connection: close\r\n"), old] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(call.as_bytes()).await.unwrap();
        read_until(&mut stream, "aaa").await.unwrap();
        for next in ["bbb", "ccc"] {
            server.watch.release.notify_one();
            read_until(&mut stream, next).await.unwrap();
        }
        closed(&mut stream).await;
    }
    server.stopped().await;
}
