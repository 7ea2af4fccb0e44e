//! Sizes of requests and responses: limits, and compression.

use std::io::Write as _;

use http::{HeaderValue, Request};
use http_body_util::Full;
use proto::chat::v1::{ListEventsRequest, SubscribeRequest};
use proto::helloworld::HelloRequest;

use crate::chat_client::Person;
use crate::support::TestServer;
use crate::support::http::{Http, fetch, open, web_call};

const WEB: &str = "application/grpc-web+proto";

#[tokio::test]
async fn request_over_the_limit_of_its_service_is_resource_exhausted() {
    let server = TestServer::start().await;
    for (content_type, http) in [(WEB, Http::One), (WEB, Http::Two), ("application/grpc", Http::Two)] {
        for method in ["SayHello", "SayHelloStreamReply"] {
            let path = format!("/helloworld.Greeter/{method}");
            let request = HelloRequest { name: "x".repeat(64 * 1024) };

            let answer = fetch(server.addr, http, web_call(content_type, &path, &request)).await;

            assert_eq!(answer.header("grpc-status"), "8", "{content_type} {http:?} {path}");
        }
    }
    server.shutdown().await;
}

/// Compressed zeros: about a thousandth of `bytes`.
fn compression_bomb(bytes: usize) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; bytes]).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn compressed_request_that_exceeds_the_limit_when_decompressed_is_refused() {
    let server = TestServer::start().await;
    let ada = Person::join(server.channel(), "Ada").await;
    let bomb = compression_bomb(64 * 1024 * 1024);
    assert!(bomb.len() < 68 * 1024, "{} bytes", bomb.len());
    // It fits into the Greeter's limit for compressed messages.
    for (path, bomb) in [
        ("/helloworld.Greeter/SayHello", compression_bomb(32 * 1024 * 1024)),
        ("/helloworld.Greeter/SayHelloBidiStream", compression_bomb(32 * 1024 * 1024)),
        ("/chat.v1.ChatService/SendMessage", bomb),
    ] {
        let mut call = web_call(WEB, path, &HelloRequest::default());
        call.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
        call.headers_mut().insert("authorization", format!("Bearer {}", ada.token).parse().unwrap());
        let prefix = [&[1][..], &u32::try_from(bomb.len()).unwrap().to_be_bytes()].concat();
        *call.body_mut() = Full::new([prefix, bomb].concat().into());

        let answer = fetch(server.addr, Http::Two, call).await;

        let trailers = String::from_utf8_lossy(&answer.body).into_owned();
        let status = answer.header("grpc-status");
        assert!(status == "8" || trailers.contains("grpc-status:8\r\n"), "{path}: {status} {trailers}");
    }
    server.shutdown().await;
}

/// A call with a session; `encodings` are accepted for the response.
fn call(
    token: &str,
    method: &str,
    request: &impl prost::Message,
    encodings: Option<&'static str>,
) -> Request<Full<bytes::Bytes>> {
    let mut call = web_call(WEB, &format!("/chat.v1.ChatService/{method}"), request);
    call.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    if let Some(encodings) = encodings {
        call.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static(encodings));
    }
    call
}

#[tokio::test]
async fn history_is_compressed_on_request_and_the_live_stream_never() {
    let server = TestServer::start().await;
    let mut ada = Person::join(server.channel(), "Ada").await;
    // Prose of realistic length.
    let prose = include_str!("../../../ARCHITECTURE.md").lines().filter(|line| line.len() > 40).cycle();
    for text in prose.take(100) {
        ada.send("general", text).await;
    }
    let page = ListEventsRequest { room_id: "general".to_owned(), ..Default::default() };
    let sizes = async |encodings| {
        let answer = fetch(server.addr, Http::One, call(&ada.token, "ListEvents", &page, encodings)).await;
        (answer.header("grpc-encoding").to_owned(), answer.body.len())
    };

    let (plain, compressed) = (sizes(None).await, sizes(Some("gzip")).await);

    println!("a page of 100 messages: {} bytes, compressed {}", plain.1, compressed.1);
    assert_eq!((plain.0.as_str(), compressed.0.as_str()), ("", "gzip"));
    assert!(compressed.1 * 2 < plain.1, "{} of {} bytes", compressed.1, plain.1);
    let live = call(&ada.token, "Subscribe", &SubscribeRequest::default(), Some("gzip"));
    let live = open(server.addr, Http::One, live).await;
    assert!(!live.headers().contains_key("grpc-encoding"), "{:?}", live.headers());
    drop(live);
    server.shutdown().await;
}
