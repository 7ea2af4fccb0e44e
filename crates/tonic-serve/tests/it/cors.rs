//! Calls from pages of other origins.

use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tonic_serve::CorsOptions;

use crate::echo::{UNARY, request};
use crate::support::Server;
use crate::wire::{Answer, Way, call, send};

const PAGE: &str = "http://page.example";
const STRANGER: &str = "http://stranger.example";

async fn preflight(server: &Server, origin: &str) -> Answer {
    let preflight = Request::options(UNARY)
        .header("host", "test")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-anything")
        .body(Full::default())
        .unwrap();
    send(server.addr, Way::Web, preflight).await
}

async fn calling(server: &Server, origin: &'static str, content_type: &'static str) -> Answer {
    let mut call = call(Way::Web, UNARY, &request(&["a"]));
    call.headers_mut().insert("origin", HeaderValue::from_static(origin));
    call.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
    send(server.addr, Way::Web, call).await
}

fn exposes(answer: &Answer, name: &str) -> bool {
    answer.header("access-control-expose-headers").split(',').any(|exposed| exposed == name)
}

#[tokio::test]
async fn listed_headers_may_be_sent_and_read() {
    let cors = CorsOptions::new([PAGE.parse().unwrap()])
        .allow_headers([HeaderName::from_static("x-anything")])
        .expose_headers([HeaderName::from_static("x-before")]);
    let server = Server::start_app(|_| {}, |app| app.cors(cors)).await;

    let preflight = preflight(&server, PAGE).await;
    let answer = calling(&server, PAGE, "application/grpc-web").await;

    for name in ["x-anything", "grpc-encoding", "grpc-accept-encoding", "grpc-timeout", "x-grpc-web"] {
        let allowed = preflight.header("access-control-allow-headers");
        assert!(allowed.split(',').any(|allowed| allowed == name), "{name} is not in {allowed}");
    }
    for name in ["x-before", "grpc-status", "grpc-encoding", "grpc-retry-pushback-ms"] {
        assert!(exposes(&answer, name), "{name} is not in {:?}", answer.headers);
    }
    server.stopped().await;
}

#[tokio::test]
async fn any_header_is_allowed_by_name_with_cookies() {
    let cors = CorsOptions::new([PAGE.parse().unwrap()]).any_header();
    let server = Server::start_app(|_| {}, |app| app.cors(cors)).await;

    let asked = preflight(&server, PAGE).await;
    let answer = calling(&server, PAGE, "application/grpc-web").await;
    let stranger = preflight(&server, STRANGER).await;
    let strangers = calling(&server, STRANGER, "application/grpc-web").await;

    assert_eq!(asked.header("access-control-allow-headers"), "content-type,x-anything");
    assert_eq!(asked.header("access-control-allow-credentials"), "true");
    assert!(exposes(&answer, "x-before"), "{:?}", answer.headers);
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    for refused in [stranger, strangers] {
        assert_eq!(refused.header("access-control-allow-origin"), "");
        assert!(!exposes(&refused, "x-before"));
    }
    server.stopped().await;
}

#[tokio::test]
async fn any_origin_may_call_without_cookies() {
    let server = Server::start_app(|_| {}, |app| app.cors(CorsOptions::any_origin())).await;

    for answer in
        [preflight(&server, STRANGER).await, calling(&server, STRANGER, "application/grpc-web").await]
    {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_page_of_another_origin_can_read_a_refusal() {
    let server = Server::start_app(|_| {}, |app| app.cors(CorsOptions::new([PAGE.parse().unwrap()]))).await;

    let answer = calling(&server, PAGE, "application/grpc-web+foo").await;

    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    server.stopped().await;
}

#[tokio::test]
async fn preflights_for_other_methods_go_to_the_applications_router() {
    let router = axum::Router::new()
        .route("/upload", axum::routing::options(async || [("access-control-allow-methods", "PUT")]));
    let cors = CorsOptions::new([PAGE.parse().unwrap()]);
    let server = Server::start_app(|_| {}, |app| app.http(router).cors(cors)).await;
    let asking = Request::options("/upload")
        .header("host", "test")
        .header("origin", PAGE)
        .header("access-control-request-method", "PUT")
        .body(Full::default())
        .unwrap();

    let answer = send(server.addr, Way::Web, asking).await;

    assert_eq!(answer.header("access-control-allow-methods"), "PUT");
    server.stopped().await;
}
