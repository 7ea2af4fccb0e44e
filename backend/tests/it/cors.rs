//! CORS: listed origins are allowed, others get no CORS headers.

use backend::Config;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use proto::helloworld::HelloRequest;

use crate::support::TestServer;
use crate::support::http::{Answer, Http, WebFrame, fetch, web_call, web_frames};

const LISTED: &str = "http://localhost:8080";
const STRANGER: &str = "https://evil.example";
const SAY_HELLO: &str = "/helloworld.Greeter/SayHello";

fn listing_one(config: &mut Config) {
    config.port.cors_origins = vec![LISTED.parse().unwrap()];
}

fn preflight(origin: &str) -> Request<Full<Bytes>> {
    Request::options(SAY_HELLO)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,grpc-timeout,x-grpc-web")
        .body(Full::default())
        .unwrap()
}

async fn call(server: &TestServer, path: &str, origin: &'static str) -> Answer {
    let mut call = web_call("application/grpc-web", path, &HelloRequest::default());
    call.headers_mut().insert("origin", HeaderValue::from_static(origin));
    fetch(server.addr, Http::One, call).await
}

fn list(answer: &Answer, header: &str) -> Vec<String> {
    let mut names: Vec<_> = answer.header(header).split(',').map(|name| name.trim().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn listed_origin_may_call_and_read_the_status() {
    let server = TestServer::start_with(listing_one).await;
    for path in [SAY_HELLO, "/unknown.Service/Method"] {
        let answer = call(&server, path, LISTED).await;

        assert_eq!(answer.header("access-control-allow-origin"), LISTED);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert!(answer.header("vary").contains("origin"));
        assert_eq!(
            list(&answer, "access-control-expose-headers"),
            [
                "grpc-accept-encoding",
                "grpc-encoding",
                "grpc-message",
                "grpc-retry-pushback-ms",
                "grpc-status",
                "grpc-status-details-bin"
            ]
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn preflight_of_a_listed_origin_is_answered_and_cacheable() {
    let server = TestServer::start_with(listing_one).await;
    for http in [Http::One, Http::Two] {
        let answer = fetch(server.addr, http, preflight(LISTED)).await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("access-control-allow-origin"), LISTED);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(answer.header("access-control-max-age"), "7200");
        assert_eq!(
            list(&answer, "access-control-allow-headers"),
            [
                "authorization",
                "content-type",
                "grpc-accept-encoding",
                "grpc-encoding",
                "grpc-timeout",
                "x-greeter-count",
                "x-greeter-interval-ms",
                "x-grpc-web",
                "x-user-agent"
            ]
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn unlisted_origin_gets_no_cors_headers() {
    let server = TestServer::start_with(listing_one).await;

    let preflight = fetch(server.addr, Http::One, preflight(STRANGER)).await;
    let answer = call(&server, SAY_HELLO, STRANGER).await;

    assert_eq!(preflight.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    server.shutdown().await;
}

#[tokio::test]
async fn without_a_list_no_origin_is_allowed() {
    let server = TestServer::start().await;

    let other = "http://localhost:3000";

    let preflight = fetch(server.addr, Http::One, preflight(other)).await;
    let answer = call(&server, SAY_HELLO, other).await;

    assert_eq!(preflight.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    // The page's own calls have an origin too.
    assert!(matches!(web_frames(answer.body)[..], [WebFrame::Message(_), WebFrame::Trailers(_)]));
    server.shutdown().await;
}
