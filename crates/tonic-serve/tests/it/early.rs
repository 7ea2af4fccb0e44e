//! Responses over HTTP/1.1 that come before the request has been read.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::echo::request;
use crate::support::{PATIENCE, Server, closed};
use crate::wire::read_until;

/// More than the buffers of two sockets.
const LARGE: usize = 12 * 1024 * 1024;

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(200);

fn head(first_line: &str, content_type: &str, more: &str) -> String {
    format!("{first_line} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\n{more}\r\n\r\n")
}

/// Requests that are refused before their body is read, and the responses.
fn refusals() -> Vec<(String, &'static str)> {
    let length = format!("content-length: {LARGE}");
    let web = "application/grpc-web+proto";
    vec![
        (head("DELETE /test.Echo/Unary", web, &length), "HTTP/1.1 405 "),
        (head("POST /test.Echo/Unary", "application/grpc-web+foo", &length), "HTTP/1.1 415 "),
        (head("POST /test.Echo/Unary", "image/jpeg", &length), "HTTP/1.1 415 "),
        (head("PUT /", "image/jpeg", &length), "HTTP/1.1 404 "),
        (head("POST /test.Echo/Unary", "application/grpc", &length), "HTTP/1.1 505 "),
        (head("POST /unknown.Service/Method", web, &length), "grpc-status: 12\r\n"),
        (
            head("POST /test.Echo/Unary", web, &format!("grpc-encoding: foo\r\n{length}")),
            "grpc-status: 12\r\n",
        ),
        (
            head("POST /test.Echo/Unary", web, &format!("grpc-timeout: soon\r\n{length}")),
            "grpc-status: 3\r\n",
        ),
        // The body begins with a length over the limit.
        (head("POST /test.Echo/Unary", web, &length), "grpc-status: 8\r\n"),
    ]
}

#[tokio::test]
async fn a_client_that_sends_everything_first_gets_the_response_and_may_go_on() {
    let server = Server::start(|_| {}).await;
    let body = vec![1; LARGE];
    for (head, expected) in refusals() {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap_or_else(|error| panic!("{error} while sending {head}"));

        let response = read_until(&mut stream, "\r\n\r\n").await.unwrap();

        assert!(response.contains(expected), "{head}{response}");
        let next = self::head("POST /test.Echo/Unary", "application/grpc-web", "content-length: 8");
        stream.write_all(next.as_bytes()).await.unwrap();
        stream.write_all(&request(&["a"])).await.unwrap();
        let next = read_until(&mut stream, "grpc-status:").await.unwrap();
        assert!(next.contains("x-before: head"), "{head}{next}");
    }
    server.stopped().await;
}

/// Whether the other side closes while this one sends.
async fn closes_while_sending(stream: &mut TcpStream) -> bool {
    let piece = vec![1; 64 * 1024];
    let sending = async {
        for _ in 0..LARGE / piece.len() {
            if stream.write_all(&piece).await.is_err() {
                return true;
            }
        }
        false
    };
    timeout(PATIENCE, sending).await.unwrap_or(false)
}

#[tokio::test]
async fn an_unread_body_is_discarded_up_to_the_limit() {
    let server = Server::start(|options| options.max_unread_body = 1024 * 1024).await;
    let known = head("POST /", "image/jpeg", &format!("content-length: {LARGE}"));
    let chunked = head("POST /", "image/jpeg", "transfer-encoding: chunked") + &format!("{LARGE:x}\r\n");
    for head in [known, chunked] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();

        assert!(closes_while_sending(&mut stream).await, "all was read: {head}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn discarding_a_body_that_does_not_come_times_out() {
    let server = Server::start(|options| options.unread_body_timeout = SHORT).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = head("POST /test.Echo/Unary", "image/jpeg", "content-length: 100");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"the beginning").await.unwrap();

    assert!(read_until(&mut stream, "gRPC-Web calls\n").await.unwrap().starts_with("HTTP/1.1 415 "));

    assert!(closed(&mut stream).await >= SHORT / 2);
    server.stopped().await;
}

#[tokio::test]
async fn a_call_whose_request_stops_coming_is_ended() {
    let server = Server::start(|options| {
        options.body_read_timeout = SHORT;
        options.unread_body_timeout = SHORT;
    })
    .await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = head("POST /test.Echo/Unary", "application/grpc-web", "content-length: 8");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&request(&["a"])[..4]).await.unwrap();

    let response = read_until(&mut stream, "\r\n\r\n").await.unwrap();

    assert!(response.contains("grpc-status: 4\r\n") && response.contains("no%20byte%20for"), "{response}");
    closed(&mut stream).await;
    server.stopped().await;
}

#[tokio::test]
async fn no_100_continue_is_sent_for_a_refused_request() {
    let server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let more = "expect: 100-continue\r\ncontent-length: 100";
    let refused = head("POST /test.Echo/Unary", "image/jpeg", more);
    stream.write_all(refused.as_bytes()).await.unwrap();

    assert!(read_until(&mut stream, "gRPC-Web calls\n").await.unwrap().starts_with("HTTP/1.1 415 "));
    closed(&mut stream).await;

    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let taken = head("POST /test.Echo/Unary", "application/grpc-web", more);
    stream.write_all(taken.as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 100 "));
    drop(stream);
    server.stopped().await;
}
