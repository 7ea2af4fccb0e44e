//! Sizes of requests and responses: limits, and compression.

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
