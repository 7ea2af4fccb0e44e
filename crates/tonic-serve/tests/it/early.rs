//! Answers over HTTP/1.1 that come before the request has been read.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::echo::request;
use crate::support::{PATIENCE, Server, closed};
use crate::wire::read_until;

/// More than the buffers of two sockets take.
const LARGE: usize = 12 * 1024 * 1024;

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(200);

fn head(first_line: &str, content_type: &str, more: &str) -> String {
    format!("{first_line} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\n{more}\r\n\r\n")
}

/// What is answered before anything of the body is looked at, and with what.
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
        // The body begins with a length that is over the limit.
        (head("POST /test.Echo/Unary", web, &length), "grpc-status: 8\r\n"),
    ]
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_the_answer_and_may_go_on() {
    let server = Server::start(|_| {}).await;
    let body = vec![1; LARGE];
    for (head, expected) in refusals() {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap_or_else(|error| panic!("{error} while sending {head}"));

        let answer = read_until(&mut stream, "\r\n\r\n").await.unwrap();

        assert!(answer.contains(expected), "{head}{answer}");
        let next = self::head("POST /test.Echo/Unary", "application/grpc-web", "content-length: 8");
        stream.write_all(next.as_bytes()).await.unwrap();
        stream.write_all(&request(&["a"])).await.unwrap();
        let next = read_until(&mut stream, "grpc-status:").await.unwrap();
        assert!(next.contains("x-before: head"), "{head}{next}");
    }
    server.stopped().await;
}

/// Whether the other side closes, while this one goes on sending.
async fn gives_up(stream: &mut TcpStream) -> bool {
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
async fn no_more_is_read_than_allowed() {
    let server = Server::start(|options| options.max_unread_body = 1024 * 1024).await;
    let known = head("POST /", "image/jpeg", &format!("content-length: {LARGE}"));
    let chunked = head("POST /", "image/jpeg", "transfer-encoding: chunked") + &format!("{LARGE:x}\r\n");
    for head in [known, chunked] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();

        assert!(gives_up(&mut stream).await, "all was read: {head}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_longer_than_allowed() {
    let server = Server::start(|options| options.unread_body_timeout = SHORT).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = head("POST /test.Echo/Unary", "image/jpeg", "content-length: 100");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"the beginning").await.unwrap();

    assert!(read_until(&mut stream, "gRPC-Web\n").await.unwrap().starts_with("HTTP/1.1 415 "));

    assert!(closed(&mut stream).await >= SHORT / 2);
    server.stopped().await;
}

#[tokio::test]
async fn a_call_whose_request_stops_coming_is_ended_and_one_that_comes_slowly_is_not() {
    // A busy machine may make pauses of its own.
    let allowed = SHORT * 10;
    let server = Server::start(|options| {
        options.body_read_timeout = allowed;
        options.unread_body_timeout = SHORT;
    })
    .await;
    let head = head("POST /test.Echo/Unary", "application/grpc-web", "content-length: 8");
    let message = request(&["a"]);
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    silent.write_all(head.as_bytes()).await.unwrap();
    silent.write_all(&message[..4]).await.unwrap();
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    for byte in &message {
        slow.write_all(&[*byte]).await.unwrap();
        // All together take longer than one may.
        tokio::time::sleep(allowed / 6).await;
    }

    assert!(read_until(&mut slow, "grpc-status:").await.unwrap().contains("x-before: head"));
    let answer = read_until(&mut silent, "\r\n\r\n").await.unwrap();
    assert!(answer.contains("grpc-status: 4\r\n") && answer.contains("nothing%20of%20it%20came"), "{answer}");
    closed(&mut silent).await;
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_the_client_holds_back_is_not_asked_for() {
    let server = Server::start(|_| {}).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let more = "expect: 100-continue\r\ncontent-length: 100";
    let refused = head("POST /test.Echo/Unary", "image/jpeg", more);
    stream.write_all(refused.as_bytes()).await.unwrap();

    assert!(read_until(&mut stream, "gRPC-Web\n").await.unwrap().starts_with("HTTP/1.1 415 "));
    closed(&mut stream).await;

    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let taken = head("POST /test.Echo/Unary", "application/grpc-web", more);
    stream.write_all(taken.as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 100 "));
    drop(stream);
    server.stopped().await;
}
