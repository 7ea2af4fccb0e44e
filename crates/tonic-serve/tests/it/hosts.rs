//! Requests for foreign host names, and calls of foreign pages with their visitors' cookies.

use std::net::SocketAddr;

use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tonic_serve::{AllowedHosts, App, CorsOptions, Page};

use crate::echo::{UNARY, request};
use crate::support::Server;
use crate::wire::{Answer, Way, call, exchange, send};

const LISTED: &str = "tauri://localhost";

fn listing(app: App) -> App {
    let hosts = AllowedHosts::new(["chat.example".parse().unwrap()]).hint("(allow it with --host)");
    app.allowed_hosts(hosts).cors(CorsOptions::new([LISTED.parse().unwrap()])).page(Page::new("/nonexistent"))
}

/// A call that asks for `host`, in `Host` or in `:authority`.
async fn call_to(addr: SocketAddr, way: Way, host: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut call = call(way, UNARY, &request(&["a"]));
    if way.is_http2() {
        call.headers_mut().remove("host");
        *call.uri_mut() = format!("http://{host}{UNARY}").parse().unwrap();
    } else {
        call.headers_mut().insert("host", host.parse().unwrap());
    }
    for (name, value) in headers {
        call.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    send(addr, way, call).await
}

#[tokio::test]
async fn a_call_for_a_foreign_host_is_refused_in_its_own_protocol() {
    let server = Server::start_app(|_| {}, listing).await;
    for way in Way::ALL {
        for host in ["chat.example:8443", "localhost:1", "127.0.0.1", "[::1]:50051"] {
            let answer = call_to(server.addr, way, host, &[]).await;
            assert_eq!(answer.messages, ["a"], "{way:?} {host}");
        }
        let answer = call_to(server.addr, way, "evil.example", &[]).await;

        assert_eq!((answer.status, answer.code()), (StatusCode::OK, "7"), "{way:?}");
        assert_eq!(answer.header("content-type"), way.content_type());
        let message = "this server does not accept requests for this host name (allow it with --host)";
        assert_eq!(answer.message(), message);
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_page_of_a_listed_origin_can_read_the_refusal() {
    let server = Server::start_app(|_| {}, listing).await;
    for way in Way::ALL {
        let answer = call_to(server.addr, way, "evil.example", &[("origin", LISTED)]).await;

        assert_eq!(answer.code(), "7", "{way:?}");
        assert_eq!(answer.header("access-control-allow-origin"), LISTED, "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn other_requests_for_a_foreign_host_are_misdirected() {
    let server = Server::start_app(|_| {}, listing).await;
    let get = |target: &str, host: &str| {
        let head = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        async move { exchange(server.addr, head.as_bytes(), "no such end").await.unwrap() }
    };
    for (target, host) in
        [("/", "evil.example"), ("/room/general", "evil.example:1"), ("http://evil.example/", "localhost")]
    {
        let answer = get(target, host).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("--host"), "{answer}");
        assert!(answer.contains("cache-control: no-store"), "{answer}");
    }
    let own = get("/", "chat.example").await;
    assert!(own.starts_with("HTTP/1.1 503 "), "the page is missing: {own}");
    let asking = Request::options(UNARY)
        .header("host", "evil.example")
        .header("origin", LISTED)
        .header("access-control-request-method", "POST")
        .body(Full::default())
        .unwrap();
    let preflight = send(server.addr, Way::Web, asking).await;
    assert_eq!(preflight.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(preflight.header("access-control-allow-origin"), "");
    server.stopped().await;
}

#[tokio::test]
async fn an_http_1_1_request_has_exactly_one_host() {
    for server in [Server::start(|_| {}).await, Server::start_app(|_| {}, listing).await] {
        for (head, status) in [
            ("GET / HTTP/1.1\r\n", "400"),
            ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", "400"),
            ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", "400"),
            ("GET / HTTP/1.1\r\nhost: local host\r\n", "400"),
            ("GET / HTTP/1.1\r\nhost:\r\n", "400"),
        ] {
            let answer = exchange(server.addr, format!("{head}\r\n").as_bytes(), "\r\n\r\n").await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}: {answer}");
        }
        let old = exchange(server.addr, b"GET / HTTP/1.0\r\n\r\n", "\r\n\r\n").await.unwrap();
        assert!(old.starts_with("HTTP/1.0 404 ") || old.starts_with("HTTP/1.0 503 "), "{old}");
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_foreign_page_may_not_call_with_a_cookie() {
    let server = Server::start_app(|_| {}, listing).await;
    for way in [Way::Web, Way::Text, Way::WebOverTwo] {
        for headers in [
            &[("cookie", "a=b"), ("origin", "https://evil.example")][..],
            &[("cookie", "a=b"), ("origin", "null")],
            &[("cookie", "a=b"), ("sec-fetch-site", "cross-site")],
            &[("cookie", "a=b"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            &[("cookie", "a=b"), ("sec-fetch-site", "same-site"), ("origin", "http://localhost:3000")],
        ] {
            let answer = call_to(server.addr, way, "localhost:50051", headers).await;
            assert_eq!((answer.code(), &answer.messages[..]), ("7", &[][..]), "{way:?} {headers:?}");
        }
        for headers in [
            &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")][..],
            &[("cookie", "a=b")],
            &[("cookie", "a=b"), ("origin", LISTED), ("sec-fetch-site", "cross-site")],
            &[("cookie", "a=b"), ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")],
            &[("cookie", "a=b"), ("origin", "http://localhost:50051")],
            // A proxy that sends its own address as the host.
            &[("cookie", "a=b"), ("origin", "https://chat.example")],
        ] {
            let answer = call_to(server.addr, way, "localhost:50051", headers).await;
            assert_eq!(answer.messages, ["a"], "{way:?} {headers:?}");
        }
    }
    server.stopped().await;
}
