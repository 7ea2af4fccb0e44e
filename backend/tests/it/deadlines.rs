//! Deadlines as seen by a client that has no clock.

use std::time::{Duration, Instant};

use http::HeaderValue;
use proto::helloworld::HelloRequest;

use crate::support::TestServer;
use crate::support::http::{Http, WebFrame, fetch, web_call, web_frames};

const STREAM: &str = "/helloworld.Greeter/SayHelloStreamReply";

fn stream(content_type: &str, timeout: &'static str) -> http::Request<http_body_util::Full<bytes::Bytes>> {
    let mut call = web_call(content_type, STREAM, &HelloRequest { name: "World".to_owned() });
    call.headers_mut().insert("grpc-timeout", HeaderValue::from_static(timeout));
    call.headers_mut().insert("x-greeter-interval-ms", HeaderValue::from_static("40"));
    call
}

#[tokio::test]
async fn grpc_web_stream_ends_at_its_deadline_with_trailers() {
    let server = TestServer::start().await;
    for http in [Http::One, Http::Two] {
        let start = Instant::now();
        let answer = fetch(server.addr, http, stream("application/grpc-web+proto", "200m")).await;

        assert!(start.elapsed() >= Duration::from_millis(200));
        let mut frames = web_frames(answer.body);
        let Some(WebFrame::Trailers(trailers)) = frames.pop() else { panic!("no trailers") };
        assert!(trailers.contains("grpc-status:4\r\n"), "{trailers}");
        assert!(!frames.is_empty(), "no greeting came before the deadline");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn expired_deadline_is_answered_without_a_body() {
    let server = TestServer::start().await;

    let answer = fetch(server.addr, Http::One, stream("application/grpc-web+proto", "0m")).await;

    assert_eq!((answer.header("grpc-status"), answer.body.len()), ("4", 0), "{answer:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn malformed_deadline_is_refused_in_the_callers_protocol() {
    let server = TestServer::start().await;
    for (content_type, answered) in [
        ("application/grpc-web+proto", "application/grpc-web+proto"),
        ("application/grpc", "application/grpc"),
    ] {
        let answer = fetch(server.addr, Http::Two, stream(content_type, "123456789m")).await;

        assert_eq!(answer.header("content-type"), answered);
        assert_eq!(answer.header("grpc-status"), "3");
    }
    server.shutdown().await;
}
