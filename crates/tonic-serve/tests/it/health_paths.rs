//! The paths by which load balancers ask for the health of a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic_serve::{AllowedHosts, App, CorsOptions, Page, Readiness};

use crate::support::{Http1, Http2, PATIENCE, SILENT, Server};

/// The status and the whole text of the response to a request over HTTP/1.
async fn ask(addr: SocketAddr, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("no end in time").unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in {text:?}")), text)
}

async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    ask(addr, &format!("GET {path} HTTP/1.1\r\nhost: 10.0.0.7\r\nconnection: close\r\n\r\n")).await
}

/// A server that is ready while the returned flag is set, with a page, a list of hosts and one of origins.
async fn start(change: impl FnOnce(&mut tonic_serve::ServeOptions)) -> (Server, Arc<AtomicBool>, Readiness) {
    let can_write = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&can_write);
    let check = move || if flag.load(Ordering::SeqCst) { Ok(()) } else { Err("the disk is full") };
    let readiness = Readiness::new(check);
    let own = readiness.clone();
    let change_app = |app: App| {
        app.health_paths(readiness)
            .allowed_hosts(AllowedHosts::new(["chat.example", "test"].map(|name| name.parse().unwrap())))
            .cors(CorsOptions::new(["https://app.example".parse().unwrap()]))
            .page(Page::new("/nonexistent"))
    };
    (Server::start_app(change, change_app).await, can_write, own)
}

#[tokio::test]
async fn readiness_follows_the_application_and_health_does_not() {
    let (server, can_write, _) = start(|_| {}).await;
    let (status, text) = get(server.addr, "/readyz").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.ends_with("\r\n\r\nok\n"), "{text}");

    can_write.store(false, Ordering::SeqCst);

    let (status, text) = get(server.addr, "/readyz").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.ends_with("\r\n\r\nthe disk is full\n"), "{text}");
    assert!(text.contains("cache-control: no-store\r\n"), "{text}");
    let (status, text) = get(server.addr, "/healthz").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("cache-control: no-store\r\n") && text.ends_with("\r\n\r\nok\n"), "{text}");
    can_write.store(true, Ordering::SeqCst);
    assert_eq!(get(server.addr, "/readyz").await.0, 200);
    server.stopped().await;
}

#[tokio::test]
async fn warning_is_the_second_line_of_a_ready_server_while_it_lasts() {
    let (server, can_write, readiness) = start(|_| {}).await;
    let warns = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&warns);
    readiness.set_warning(move || flag.load(Ordering::SeqCst).then_some("the disk is slow"));
    let (status, text) = get(server.addr, "/readyz").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("content-length: 29\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nok\nwarning: the disk is slow\n"), "{text}");
    assert!(get(server.addr, "/healthz").await.1.ends_with("\r\n\r\nok\n"));
    can_write.store(false, Ordering::SeqCst);
    assert!(get(server.addr, "/readyz").await.1.ends_with("\r\n\r\nthe disk is full\n"));
    can_write.store(true, Ordering::SeqCst);
    warns.store(false, Ordering::SeqCst);
    assert!(get(server.addr, "/readyz").await.1.ends_with("\r\n\r\nok\n"));
    server.stopped().await;
}

#[tokio::test]
async fn head_is_answered_without_a_body_and_other_methods_are_refused() {
    let (server, can_write, _) = start(|_| {}).await;
    can_write.store(false, Ordering::SeqCst);
    for (path, status, length) in [("/healthz", 200, 3), ("/readyz", 503, 17)] {
        let head = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let (answered, text) = ask(server.addr, &head).await;
        assert_eq!(answered, status, "{text}");
        assert!(text.contains(&format!("content-length: {length}\r\n")), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");

        let (refused, text) = ask(
            server.addr,
            &head.replace("HEAD", "PUT").replace("\r\n\r\n", "\r\ncontent-length: 0\r\n\r\n"),
        )
        .await;
        assert_eq!(refused, 405, "{text}");
        assert!(text.contains("allow: GET, HEAD\r\n"), "{text}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn load_balancers_ask_under_any_name_and_without_one() {
    let (server, _, _) = start(|_| {}).await;
    for head in [
        "GET /readyz HTTP/1.0\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET /readyz?from=balancer HTTP/1.1\r\nhost: backend-7.internal:8080\r\nconnection: close\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nhost: a\r\norigin: https://evil.example\r\nsec-fetch-site: cross-site\r\nconnection: close\r\n\r\n",
    ] {
        let (status, text) = ask(server.addr, head).await;
        assert_eq!(status, 200, "{head}: {text}");
    }
    // Every other path still has the check.
    let (status, text) =
        ask(server.addr, "GET / HTTP/1.1\r\nhost: backend-7.internal\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status, 421, "{text}");
    server.stopped().await;
}

#[tokio::test]
async fn server_without_room_for_a_call_is_not_ready_but_alive() {
    // A quarter is reserved for sessions, which three calls leave free.
    let (server, _, readiness) = start(|options| options.max_calls = 4).await;
    let mut client = Http2::open(server.addr).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(client.call(SILENT).await.into_body());
    }

    let (status, text) = get(server.addr, "/readyz").await;

    assert_eq!(status, 503, "{text}");
    assert!(text.ends_with("the limit of open calls is reached\n"), "{text}");
    assert_eq!(readiness.check().unwrap_err().to_string(), "the limit of open calls is reached");
    assert_eq!(get(server.addr, "/healthz").await.0, 200);
    drop((bodies, client));
    let ready = async {
        // The request itself is a call, too.
        while get(server.addr, "/readyz").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ready).await.expect("not ready again in time");
    server.stopped().await;
}

#[tokio::test]
async fn server_without_room_for_a_connection_is_not_ready() {
    let (server, _, readiness) = start(|options| options.max_connections = 2).await;
    let mut first = Http1::open(server.addr).await;
    let silent = first.call(SILENT).await;
    assert_eq!(silent.status(), StatusCode::OK);
    assert!(readiness.check().is_ok());

    let (status, text) = get(server.addr, "/readyz").await;

    assert_eq!(status, 503, "{text}");
    assert!(text.ends_with("the limit of open connections is reached\n"), "{text}");
    drop(silent);
    server.stopped().await;
}

#[tokio::test]
async fn shutdown_makes_the_server_not_ready() {
    let (server, _, readiness) = start(|_| {}).await;
    assert!(readiness.check().is_ok());

    let (_, ()) = tokio::join!(server.stopped(), readiness.draining());

    assert_eq!(readiness.check().unwrap_err().to_string(), "the server is shutting down");
}

#[tokio::test]
async fn drain_that_the_application_begins_is_told_while_connections_are_accepted() {
    let (server, _, readiness) = start(|_| {}).await;
    readiness.begin_drain();

    let (status, text) = get(server.addr, "/readyz").await;

    assert_eq!(status, 503, "{text}");
    assert!(text.ends_with("the server is shutting down\n"), "{text}");
    server.stopped().await;
}
