//! Headers of responses: security, caching, and binary metadata.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use tonic_serve::{App, CorsOptions, Page};

use crate::echo::{BIDI, CLIENT_STREAM, SERVER_STREAM, UNARY, request};
use crate::support::Server;
use crate::tls::{connect, self_signed, tls};
use crate::wire::{Answer, Way, call, send, send_over};

const ORIGIN: &str = "https://app.example";
const HASHED: &str = "/page-0123456789abcdef.js";
const LOOP: &str = "/loop-0123456789abcdef.js";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

fn with_page(dir: &Path) -> impl FnOnce(App) -> App {
    fs::write(dir.join("index.html"), "<!doctype html>").unwrap();
    fs::write(dir.join(&HASHED[1..]), "0123456789").unwrap();
    let page = Page::new(dir);
    |app| app.page(page).cors(CorsOptions::new([ORIGIN.parse().unwrap()]))
}

async fn ask(addr: SocketAddr, way: Way, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let uri = if way.is_http2() { format!("http://test{path}") } else { path.to_owned() };
    let mut request = Request::builder().method(method).uri(uri).header("host", "test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(addr, way, request.body(Full::default()).unwrap()).await
}

fn assert_common(answer: &Answer, what: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
    assert!(answer.header("permissions-policy").contains("camera=()"), "{what}");
}

#[tokio::test]
async fn every_response_has_the_common_headers() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_app(|_| {}, with_page(dir.path())).await;
    for way in [Way::Web, Way::WebOverTwo] {
        for (method, path, headers) in [
            (Method::GET, "/", &[][..]),
            (Method::GET, HASHED, &[]),
            (Method::GET, "/missing.js", &[]),
            (Method::PUT, "/", &[]),
            (Method::POST, "/", &[]),
            (Method::POST, UNARY, &[("content-type", "application/grpc+json")]),
            (Method::GET, UNARY, &[("content-type", "application/grpc-web")]),
            (Method::OPTIONS, UNARY, &[("origin", ORIGIN), ("access-control-request-method", "POST")]),
        ] {
            let answer = ask(server.addr, way, method.clone(), path, headers).await;
            assert_common(&answer, &format!("{way:?} {method} {path}"));
        }
    }
    for way in Way::ALL {
        for path in [UNARY, "/unknown.Service/Method"] {
            let answer = send(server.addr, way, call(way, path, &request(&["a"]))).await;
            assert_common(&answer, &format!("{way:?} {path}"));
        }
    }
    let preflight = [("origin", ORIGIN), ("access-control-request-method", "POST")];
    let preflight = ask(server.addr, Way::Web, Method::OPTIONS, UNARY, &preflight).await;
    assert_eq!(preflight.header("access-control-max-age"), "7200");
    assert_eq!(preflight.header("cache-control"), "");
    server.stopped().await;
}

#[tokio::test]
async fn an_application_may_set_the_headers_itself() {
    let own = [("permissions-policy", "camera=(self)"), ("cache-control", "max-age=5")];
    let router = axum::Router::new().fallback(move || async move { (StatusCode::NOT_FOUND, own) });
    let server = Server::start_app(|_| {}, |app| app.http(router)).await;

    let answer = ask(server.addr, Way::Web, Method::GET, "/", &[]).await;

    assert_eq!(answer.header("permissions-policy"), "camera=(self)");
    assert_eq!(answer.header("cache-control"), "max-age=5");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    server.stopped().await;
}

/// The response with the `index.html` of a page.
async fn index(change: impl FnOnce(Page) -> Page) -> Answer {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<script>alert(1)</script>").unwrap();
    let page = change(Page::new(dir.path()));
    let server = Server::start_app(|_| {}, |app| app.page(page)).await;
    let answer = ask(server.addr, Way::Web, Method::GET, "/", &[]).await;
    server.stopped().await;
    answer
}

#[tokio::test]
async fn a_page_is_isolated_by_default() {
    let answer = index(|page| page).await;
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-"),
        "{policy}"
    );
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(answer.header("cross-origin-embedder-policy"), "");
}

#[tokio::test]
async fn sources_can_be_added_to_the_content_security_policy() {
    let answer = index(|page| page.allow_source("connect-src", "https://api.example").unwrap()).await;
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("; connect-src 'self' https://api.example; "), "{policy}");
    assert!(policy.contains(" 'sha256-"), "{policy}");
}

#[tokio::test]
async fn the_content_security_policy_can_be_replaced_and_removed() {
    let own = HeaderValue::from_static("default-src 'self'");
    assert_eq!(
        index(|page| page.content_security_policy(own)).await.header("content-security-policy"),
        "default-src 'self'"
    );
    assert_eq!(index(|page| page.content_security_policy(None)).await.header("content-security-policy"), "");
}

#[tokio::test]
async fn the_cross_origin_opener_policy_can_be_replaced_and_removed() {
    let own = HeaderValue::from_static("same-origin-allow-popups");
    let answer = index(|page| page.cross_origin_opener_policy(own)).await;
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin-allow-popups");
    assert_eq!(
        index(|page| page.cross_origin_opener_policy(None)).await.header("cross-origin-opener-policy"),
        ""
    );
}

#[tokio::test]
async fn the_cross_origin_resource_policy_can_be_replaced_and_removed() {
    let own = HeaderValue::from_static("cross-origin");
    let answer = index(|page| page.cross_origin_resource_policy(own)).await;
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    let answer = index(|page| page.cross_origin_resource_policy(None)).await;
    assert_eq!(answer.header("cross-origin-resource-policy"), "");
}

#[tokio::test]
async fn the_cross_origin_embedder_policy_can_be_set() {
    let own = HeaderValue::from_static("require-corp");
    let answer = index(|page| page.cross_origin_embedder_policy(own)).await;
    assert_eq!(answer.header("cross-origin-embedder-policy"), "require-corp");
}

#[cfg(unix)]
#[tokio::test]
async fn an_error_is_never_cached() {
    let dir = tempfile::tempdir().unwrap();
    // Opening it fails with another error than "not found".
    std::os::unix::fs::symlink(&LOOP[1..], dir.path().join(&LOOP[1..])).unwrap();
    let server = Server::start_app(|_| {}, with_page(dir.path())).await;
    for (method, path, headers, status, caching) in [
        (Method::GET, HASHED, &[][..], StatusCode::OK, IMMUTABLE),
        (Method::HEAD, HASHED, &[], StatusCode::OK, IMMUTABLE),
        (Method::GET, HASHED, &[("range", "bytes=0-3")], StatusCode::PARTIAL_CONTENT, IMMUTABLE),
        (
            Method::GET,
            HASHED,
            &[("if-modified-since", "Wed, 01 Jan 2200 00:00:00 GMT")],
            StatusCode::NOT_MODIFIED,
            IMMUTABLE,
        ),
        (Method::GET, LOOP, &[], StatusCode::INTERNAL_SERVER_ERROR, "no-store"),
        (Method::GET, HASHED, &[("range", "bytes=100-")], StatusCode::RANGE_NOT_SATISFIABLE, "no-store"),
        (
            Method::GET,
            HASHED,
            &[("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT")],
            StatusCode::PRECONDITION_FAILED,
            "no-store",
        ),
        (Method::GET, "/gone-0123456789abcdef.js", &[], StatusCode::NOT_FOUND, "no-store"),
        (Method::DELETE, HASHED, &[], StatusCode::METHOD_NOT_ALLOWED, "no-store"),
        (Method::POST, HASHED, &[], StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-store"),
    ] {
        let answer = ask(server.addr, Way::Web, method.clone(), path, headers).await;
        assert_eq!((answer.status, answer.header("cache-control")), (status, caching), "{method} {path}");
    }
    fs::remove_file(dir.path().join("index.html")).unwrap();
    let answer = ask(server.addr, Way::Web, Method::GET, "/", &[]).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (StatusCode::SERVICE_UNAVAILABLE, "no-store")
    );
    server.stopped().await;
}

#[tokio::test]
async fn over_tls_named_hosts_get_strict_transport_security() {
    let pair = self_signed();
    let secure = Server::start(|options| options.tls = Some(tls(&pair))).await;
    let cleartext = Server::start(|_| {}).await;
    for (host, hsts) in
        [("chat.example:8443", "max-age=31536000"), ("localhost", ""), ("192.0.2.7", ""), ("[::1]", "")]
    {
        let mut call = call(Way::Web, UNARY, &request(&["a"]));
        call.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
        let stream = connect(&secure, &pair, None, &["http/1.1"]).await.unwrap();
        let answer = send_over(stream, Way::Web, call.clone()).await;
        assert_eq!(answer.header("strict-transport-security"), hsts, "{host}");
        let answer = send(cleartext.addr, Way::Web, call).await;
        assert_eq!(answer.header("strict-transport-security"), "", "{host}");
    }
    secure.stopped().await;
    cleartext.stopped().await;
}

#[tokio::test]
async fn a_handler_gets_joined_binary_values_separately() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (sent, received) in [
            (&["AAEC, AwQ="][..], "[0, 1, 2] [3, 4]"),
            (&["AAEC,AwQ,"], "[0, 1, 2] [3, 4] []"),
            (&["AAEC", "AwQ"], "[0, 1, 2] [3, 4]"),
        ] {
            let mut call = call(way, UNARY, &request(&["binary"]));
            for value in sent {
                call.headers_mut().append("x-data-bin", HeaderValue::from_static(value));
            }
            assert_eq!(send(server.addr, way, call).await.messages, [received], "{way:?} {sent:?}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_service_worker_is_revalidated_and_has_the_policy_of_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_app(|_| {}, with_page(dir.path())).await;
    fs::write(dir.path().join("service-worker.js"), "addEventListener('fetch', () => {})").unwrap();
    let page = ask(server.addr, Way::Web, Method::GET, "/", &[]).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("worker-src 'self'"), "{policy}");

    let worker = ask(server.addr, Way::Web, Method::GET, "/service-worker.js", &[]).await;

    assert_eq!(worker.header("cache-control"), "no-cache");
    assert_eq!(worker.header("content-type"), "text/javascript");
    assert_eq!(worker.header("content-security-policy"), policy);
    // A document's script has the document's policy.
    let script = ask(server.addr, Way::Web, Method::GET, HASHED, &[]).await;
    assert_eq!(script.header("content-security-policy"), "");
    server.stopped().await;
}

#[tokio::test]
async fn headers_of_the_page_can_be_set() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
    let page = Page::new(dir.path())
        .header(HeaderName::from_static("permissions-policy"), HeaderValue::from_static("camera=(self)"))
        .header(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    let server = Server::start_app(|_| {}, |app| app.page(page)).await;

    for path in ["/", "/missing.js"] {
        let answer = ask(server.addr, Way::Web, Method::GET, path, &[]).await;
        assert_eq!(answer.header("permissions-policy"), "camera=(self)", "{path}");
        assert_eq!(answer.header("x-robots-tag"), "noindex", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "the others stay: {path}");
    }
    // They are the page's: a call has those of the server.
    let called = send(server.addr, Way::Web, call(Way::Web, UNARY, &request(&["a"]))).await;
    assert_common(&called, "a call");
    assert_eq!(called.header("x-robots-tag"), "");
    server.stopped().await;
}

#[tokio::test]
async fn proxies_are_asked_not_to_collect_streams() {
    let server = Server::start(|_| {}).await;
    for way in Way::ALL {
        for (path, expected) in [(SERVER_STREAM, "no"), (BIDI, "no"), (UNARY, ""), (CLIENT_STREAM, "")] {
            let answer = send(server.addr, way, call(way, path, &request(&["a"]))).await;
            assert_eq!(answer.header("x-accel-buffering"), expected, "{way:?} {path}");
        }
        // A method that nobody declared may be a stream.
        let undeclared = send(server.addr, way, call(way, "/unknown.Service/Method", &[])).await;
        assert_eq!(undeclared.header("x-accel-buffering"), "no", "{way:?}");
    }
    server.stopped().await;
}
