//! Requests that are too slow, and streams that may pause.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use grpc_wire::message;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::body::Body;
use tonic_serve::App;
use tower::service_fn;

use crate::echo::{BIDI, CLIENT_STREAM, UNARY, encoded, request};
use crate::raw::Client;
use crate::support::{PATIENCE, Server};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(400);

/// The pause between two bytes, well below every timeout.
const BETWEEN: Duration = Duration::from_millis(20);

/// A server with a total of [`SHORT`] for a body, that also accepts other requests than calls.
async fn start() -> Server {
    let change_app = |app: App| {
        app.http(service_fn(async |request: Request<Body>| {
            let body = request.into_body().collect().await;
            let text = body.map_or_else(|error| error.to_string(), |_| "whole".to_owned());
            Ok::<_, Infallible>(Response::new(text))
        }))
    };
    let change = |options: &mut tonic_serve::ServeOptions| {
        options.body_timeout = SHORT;
        options.min_body_rate = 1_000_000;
    };
    Server::start_app(change, change_app).await
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_times_out_over_http1() {
    let server = start().await;
    for (path, content_type, expected) in [
        (UNARY, "application/grpc-web", "grpc-status: 4\r\n"),
        (CLIENT_STREAM, "application/grpc-web", "grpc-status: 4\r\n"),
        ("/upload", "text/plain", "the request body was too slow"),
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: 1000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let drip = async {
            for byte in message::encode(0, &encoded(&"a".repeat(980))) {
                writing.write_all(&[byte]).await.unwrap();
                tokio::time::sleep(BETWEEN).await;
            }
        };
        let mut answer = String::new();
        let answered = async {
            while !answer.contains(expected) {
                let mut bytes = [0; 1000];
                let length = reading.read(&mut bytes).await.unwrap();
                assert!(length > 0, "{answer}");
                answer.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        };
        tokio::select! {
            () = drip => panic!("the whole body was accepted"),
            answered = timeout(PATIENCE, answered) => answered.expect("no response in time"),
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_times_out_over_http2() {
    let server = start().await;
    let mut client = Client::open(&server, 64 * 1024).await;
    for (path, content_type) in [
        (UNARY, "application/grpc"),
        (UNARY, "application/grpc-web"),
        (CLIENT_STREAM, "application/grpc"),
        ("/upload", "text/plain"),
    ] {
        let (response, mut sending) = client.begin(path, content_type).await;
        let drip = async {
            for byte in message::encode(0, &encoded(&"a".repeat(980))) {
                if sending.send_data(vec![byte].into(), false).is_err() {
                    // The response has come, and the stream was reset.
                    return std::future::pending().await;
                }
                tokio::time::sleep(BETWEEN).await;
            }
        };
        let answered = async {
            let mut response = response.await.unwrap();
            let mut text = String::new();
            while let Some(data) = response.body_mut().data().await {
                text.push_str(&String::from_utf8_lossy(&data.unwrap()));
            }
            let status = response.headers().get("grpc-status").cloned();
            (status, text)
        };
        let (status, text) = tokio::select! {
            () = drip => panic!("the whole body was accepted: {path}"),
            answered = timeout(PATIENCE, answered) => answered.expect("no response in time"),
        };
        match status {
            Some(status) => assert_eq!(status, "4", "{path}"),
            None => assert!(text.contains("the request body was too slow"), "{path}: {text}"),
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn only_a_bidirectional_stream_may_pause_between_messages() {
    let server = Server::start(|options| {
        options.body_timeout = SHORT;
        options.body_read_timeout = SHORT;
    })
    .await;
    let mut client = Client::open(&server, 64 * 1024).await;
    let (both, mut sending) = client.begin(BIDI, "application/grpc").await;
    sending.send_data(request(&["a"]).into(), false).unwrap();
    let mut answers = timeout(PATIENCE, both).await.unwrap().unwrap().into_body();
    let first: Bytes = timeout(PATIENCE, answers.data()).await.unwrap().unwrap().unwrap();
    assert_eq!(first, request(&["a"]));

    // A client stream may not. When it times out, the other has paused for as long.
    let (one, mut paused) = client.begin(CLIENT_STREAM, "application/grpc").await;
    paused.send_data(request(&["a"]).into(), false).unwrap();
    let ended = timeout(PATIENCE, one).await.expect("it goes on").unwrap();
    assert_eq!(ended.headers()["grpc-status"], "4");

    sending.send_data(request(&["b"]).into(), true).unwrap();
    let second: Bytes = timeout(PATIENCE, answers.data()).await.unwrap().unwrap().unwrap();
    assert_eq!(second, request(&["b"]));
    drop((client, answers));
    server.stopped().await;
}
