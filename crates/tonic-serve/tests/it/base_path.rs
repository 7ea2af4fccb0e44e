//! A server under a path of its origin: calls, sockets, the page and the paths of health.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tonic_serve::{AllowedHosts, App, BasePath, Page, Readiness};

use crate::echo::{UNARY, request};
use crate::socket::{PROTOCOL, bytes};
use crate::support::{PATIENCE, Server};
use crate::wire::{Way, call, send, send_over};

const DOCUMENT: &str = "<!doctype html><base href=\"/\"><script>start()</script>";
const SCRIPT: &str = "page-0123456789abcdef.js";

fn under(base: BasePath) -> impl FnOnce(App) -> App {
    let page = Page::in_memory([
        ("index.html", DOCUMENT.as_bytes()),
        ("index.html.br", b"compressed"),
        (SCRIPT, b"start"),
        ("page-0123456789abcdef.js.br", b"brotli"),
    ]);
    move |app: App| {
        app.base_path(base)
            .page(page)
            .health_paths(Readiness::new(|| Ok::<_, &str>(())))
            .allowed_hosts(AllowedHosts::new(["test".parse().unwrap()]))
    }
}

async fn start() -> Server {
    Server::start_app(|_| {}, under("/chat/".parse().unwrap())).await
}

async fn get(
    addr: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(path).header("host", "test").body(Empty::<Bytes>::new()).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let response =
        timeout(PATIENCE, sender.send_request(request)).await.expect("no response in time").unwrap();
    let (head, body): (_, _) = Response::into_parts(response);
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn calls_are_answered_under_the_path_alone() {
    let server = start().await;
    for way in Way::ALL {
        let below = send(server.addr, way, call(way, &format!("/chat{UNARY}"), &request(&["a"]))).await;
        let outside = send(server.addr, way, call(way, UNARY, &request(&["a"]))).await;

        assert_eq!((below.code(), &below.messages[..]), ("0", &["a".to_owned()][..]), "{way:?}");
        assert_eq!((outside.status, outside.code()), (StatusCode::OK, "12"), "{way:?}");
        assert_eq!(outside.message(), "this server is under /chat/", "{way:?}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn the_page_and_health_are_under_the_path_and_the_rest_is_not_found() {
    let server = start().await;
    for (path, text) in
        [("/chat/readyz", "ok\n"), ("/chat/healthz", "ok\n"), (&format!("/chat/{SCRIPT}"), "start")]
    {
        let (status, _, body) = get(server.addr, path, &[]).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, text), "{path}");
    }
    for path in ["/", "/readyz", "/healthz", "/room/general", "/chatter/", &format!("/{SCRIPT}")] {
        let (status, headers, body) = get(server.addr, path, &[]).await;
        assert_eq!((status, &body[..]), (StatusCode::NOT_FOUND, "this server is under /chat/\n"), "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
    }
    let (status, ..) = get(server.addr, "/", &[("host", "evil.example")]).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "a foreign name learns no path");
    server.stopped().await;
}

#[tokio::test]
async fn the_path_without_its_slash_is_redirected() {
    let server = start().await;
    let (status, headers, _) = get(server.addr, "/chat?a=b", &[]).await;
    assert_eq!(
        (status, &headers["location"]),
        (StatusCode::PERMANENT_REDIRECT, &"/chat/?a=b".parse().unwrap())
    );
    server.stopped().await;
}

#[tokio::test]
async fn the_document_names_the_path_and_its_compressed_neighbour_is_not_sent() {
    let server = start().await;
    for path in ["/chat/", "/chat/room/general/1", "/chat/index.html"] {
        let (status, headers, body) = get(server.addr, path, &[("accept-encoding", "br")]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(body, DOCUMENT.replace("href=\"/\"", "href=\"/chat/\""), "{path}");
        assert_eq!(headers["content-length"], body.len().to_string(), "{path}");
        assert!(!headers.contains_key("content-encoding"), "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("'sha256-") && policy.contains("base-uri 'self'"), "{policy}");
    }
    let (_, headers, body) = get(server.addr, &format!("/chat/{SCRIPT}"), &[("accept-encoding", "br")]).await;
    assert_eq!((&headers["content-encoding"], &body[..]), (&"br".parse().unwrap(), "brotli"));
    server.stopped().await;
}

#[tokio::test]
async fn the_document_of_a_relative_folder_names_the_path() {
    let dir = tempfile::tempdir_in(".").unwrap();
    std::fs::write(dir.path().join("index.html"), DOCUMENT).unwrap();
    let page = Page::new(dir.path().file_name().unwrap());
    let base: BasePath = "/chat/".parse().unwrap();
    let server = Server::start_app(|_| {}, |app| app.base_path(base).page(page)).await;
    let (_, _, body) = get(server.addr, "/chat/", &[]).await;
    assert!(body.contains("<base href=\"/chat/\">"), "{body}");
    server.stopped().await;
}

#[tokio::test]
async fn a_page_at_the_root_is_sent_as_it_was_built() {
    let server = Server::start_app(|_| {}, under("/".parse().unwrap())).await;
    let (_, headers, body) = get(server.addr, "/", &[("accept-encoding", "br")]).await;
    assert_eq!((&headers["content-encoding"], &body[..]), (&"br".parse().unwrap(), "compressed"));
    assert_eq!(get(server.addr, "/", &[]).await.2, DOCUMENT);
    server.stopped().await;
}

#[tokio::test]
async fn a_socket_is_opened_under_the_path_and_its_calls_have_none() {
    let server = start().await;
    let open = async |path: &str| {
        let mut handshake = format!("ws://test{path}").into_client_request().unwrap();
        handshake.headers_mut().insert("sec-websocket-protocol", PROTOCOL.parse().unwrap());
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let opening = tokio_tungstenite::client_async(handshake, stream);
        timeout(PATIENCE, opening).await.expect("no handshake in time")
    };
    let (io, _closed) = bytes(open("/chat/socket").await.unwrap().0);
    let answer = send_over(io, Way::Native, call(Way::Native, UNARY, &request(&["a"]))).await;
    assert_eq!((answer.code(), &answer.messages[..]), ("0", &["a".to_owned()][..]));
    match open("/socket").await.unwrap_err() {
        tokio_tungstenite::tungstenite::Error::Http(refusal) => assert_eq!(refusal.status(), 404),
        error => panic!("the handshake failed: {error}"),
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_path_that_a_proxy_removes_is_named_all_the_same() {
    let base: BasePath = "/chat/".parse().unwrap();
    let server = Server::start_app(|_| {}, under(base.stripped_by_proxy(true))).await;
    let answer = send(server.addr, Way::Native, call(Way::Native, UNARY, &request(&["a"]))).await;
    assert_eq!(answer.code(), "0");
    assert_eq!(get(server.addr, "/readyz", &[]).await.2, "ok\n");
    let (status, _, body) = get(server.addr, "/room/general", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("<base href=\"/chat/\">"), "{body}");
    server.stopped().await;
}
