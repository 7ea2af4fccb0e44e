//! Calls in a socket: all four kinds, their client, cookies and origins, and the handshake.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::handshake;
use http::Request;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic_serve::{AllowedHosts, App, CorsOptions};

use crate::echo::{self, BIDI, CLIENT_STREAM, SERVER_STREAM, UNARY};
use crate::socket::{bytes, open, refusal};
use crate::support::{PATIENCE, SMALL, SMALL_CHUNK, SMALL_CHUNKS, Server};
use crate::wire::{Answer, Way, call, send, send_over};

/// Makes a call in a new socket.
async fn call_in_socket(addr: SocketAddr, headers: &[(&str, &str)], path: &str, texts: &[&str]) -> Answer {
    let (io, _closed) = bytes(open(addr, headers).await);
    send_over(io, Way::Native, call(Way::Native, path, &echo::request(texts))).await
}

/// The headers that a handler sees of a call with made-up ones, in a socket with these.
async fn seen(addr: SocketAddr, headers: &[(&str, &str)]) -> String {
    let (io, _closed) = bytes(open(addr, headers).await);
    let mut request = call(Way::Native, UNARY, &echo::request(&["headers"]));
    for name in ["cookie", "origin", "sec-fetch-site", "x-forwarded-for", "x-real-ip"] {
        request.headers_mut().insert(name, "same-origin".parse().unwrap());
    }
    let mut answer = send_over(io, Way::Native, request).await;
    assert_eq!(answer.code(), "0", "{}", answer.message());
    answer.messages.remove(0)
}

#[tokio::test]
async fn all_four_kinds_of_calls_work_in_a_socket() {
    let server = Server::start(|_| {}).await;
    for (path, texts, expected) in [
        (UNARY, &["a"][..], &["a"][..]),
        (SERVER_STREAM, &["a"], &["first", "a", "a"]),
        (CLIENT_STREAM, &["a", "b", "c"], &["abc"]),
        (BIDI, &["a", "b"], &["a", "b"]),
    ] {
        let answer = call_in_socket(server.addr, &[], path, texts).await;
        assert_eq!(answer.code(), "0", "{path}");
        assert_eq!(answer.messages, expected, "{path}");
    }
}

#[tokio::test]
async fn both_sides_of_a_stream_go_on_in_turn() {
    let server = Server::start(|_| {}).await;
    let (io, _closed) = bytes(open(server.addr, &[]).await);
    let (mut requests, connection) = handshake(io).await.unwrap();
    tokio::spawn(connection);
    let head = Request::post(format!("http://test{BIDI}")).header("content-type", "application/grpc");
    let (response, mut sending) = requests.send_request(head.body(()).unwrap(), false).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    for text in ["one", "two", "three"] {
        sending.send_data(echo::request(&[text]).into(), false).unwrap();
        let data = timeout(PATIENCE, body.data()).await.unwrap().unwrap().unwrap();
        assert_eq!(&data[..], echo::request(&[text]));
    }
    sending.send_data(Bytes::new(), true).unwrap();
    assert!(timeout(PATIENCE, body.data()).await.unwrap().is_none());
    let trailers = timeout(PATIENCE, body.trailers()).await.unwrap().unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn calls_get_the_cookies_of_the_handshake_and_never_made_up_ones() {
    let server = Server::start(|_| {}).await;
    let own = [("cookie", "session=1"), ("origin", "http://test")];
    assert_eq!(seen(server.addr, &own).await, "session=1 http://test - - -");
    // A program has no origin, and gets no cookie.
    assert_eq!(seen(server.addr, &[("cookie", "session=1")]).await, "- - - - -");
    assert_eq!(seen(server.addr, &[("origin", "http://test")]).await, "- http://test - - -");
}

#[tokio::test]
async fn a_cookie_cannot_be_set_in_a_socket() {
    let server = Server::start(|_| {}).await;
    let request = || call(Way::Native, UNARY, &echo::request(&["a"]));
    assert_eq!(send(server.addr, Way::Native, request()).await.header("set-cookie"), "a=b");
    let answer = call_in_socket(server.addr, &[], UNARY, &["a"]).await;
    assert_eq!((answer.header("set-cookie"), answer.header("x-before")), ("", "head"));
}

#[tokio::test]
async fn a_foreign_page_cannot_open_a_socket() {
    let server = Server::start(|_| {}).await;
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example"), ("cookie", "session=1")],
        &[("origin", "http://test"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(refusal(server.addr, headers).await, 403, "{headers:?}");
    }
}

#[tokio::test]
async fn the_list_of_origins_decides_about_cookies() {
    let page = [("cookie", "session=1"), ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
    let listed = CorsOptions::new(["https://app.example".parse().unwrap()]);
    let server = Server::start_app(|_| {}, |app| app.cors(listed)).await;
    assert_eq!(seen(server.addr, &page).await, "session=1 https://app.example cross-site - -");
    assert_eq!(refusal(server.addr, &[("origin", "https://evil.example")]).await, 403);

    let server = Server::start_app(|_| {}, |app| app.cors(CorsOptions::any_origin())).await;
    assert_eq!(seen(server.addr, &page).await, "- https://app.example cross-site - -");
    let own = [("cookie", "session=1"), ("origin", "http://test")];
    assert_eq!(seen(server.addr, &own).await, "session=1 http://test - - -");
}

#[tokio::test]
async fn the_host_of_the_handshake_is_checked() {
    let hosts = |app: App| app.allowed_hosts(AllowedHosts::new(["chat.example".parse().unwrap()]));
    let server = Server::start_app(|_| {}, hosts).await;
    assert_eq!(refusal(server.addr, &[("host", "evil.example")]).await, 421);
    // The calls inside name a host that is not allowed.
    let answer = call_in_socket(server.addr, &[("host", "chat.example")], UNARY, &["a"]).await;
    assert_eq!(answer.code(), "0", "{}", answer.message());
}

#[tokio::test]
async fn a_wrong_handshake_gets_a_plain_answer() {
    let server = Server::start(|_| {}).await;
    assert_eq!(refusal(server.addr, &[("sec-websocket-version", "8")]).await, 426);
    assert_eq!(refusal(server.addr, &[("sec-websocket-key", "short")]).await, 400);
    // Other subprotocols are not the server's.
    assert_eq!(refusal(server.addr, &[("sec-websocket-protocol", "grpc-websockets")]).await, 501);
    assert_eq!(refusal(server.addr, &[("content-length", "1")]).await, 400);
}

#[tokio::test]
async fn sockets_can_be_turned_off() {
    let server = Server::start(|options| options.web_sockets = false).await;
    assert_eq!(refusal(server.addr, &[]).await, 501);
}

#[tokio::test]
async fn a_socket_has_the_client_of_its_handshake() {
    let server = Server::start(|options| {
        options.trusted_proxies = ["127.0.0.1/32".parse().unwrap()].into_iter().collect()
    })
    .await;
    let headers = [("x-forwarded-for", "192.0.2.7")];
    let (io, _closed) = bytes(open(server.addr, &headers).await);
    let mut request = call(Way::Native, UNARY, &echo::request(&["client"]));
    request.headers_mut().insert("x-forwarded-for", "192.0.2.66".parse().unwrap());
    assert_eq!(send_over(io, Way::Native, request).await.messages, ["192.0.2.7"]);
    assert_eq!(seen(server.addr, &headers).await, "- - - 192.0.2.7 -");
}

#[tokio::test]
async fn small_chunks_that_are_ready_share_a_message() {
    let server = Server::start(|_| {}).await;
    let (io, seen) = bytes(open(server.addr, &[]).await);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 20).max_frame_size(1 << 16);
    let (mut requests, connection) = builder.handshake::<_, Bytes>(io).await.unwrap();
    tokio::spawn(connection);
    let head = Request::post(format!("http://test{SMALL}")).header("content-type", "application/grpc");
    let (response, _) = requests.send_request(head.body(()).unwrap(), true).unwrap();
    let mut body = timeout(PATIENCE, response).await.unwrap().unwrap().into_body();
    let mut length = 0;
    while let Some(data) = timeout(PATIENCE, body.data()).await.unwrap() {
        let data = data.unwrap();
        length += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(length, SMALL_CHUNKS * SMALL_CHUNK);
    // A message for each chunk would be thousands.
    assert!(seen.messages() < SMALL_CHUNKS / 16, "{} messages", seen.messages());
}

#[tokio::test]
async fn only_http2_is_spoken_in_a_socket() {
    let server = Server::start(|_| {}).await;
    let (io, _closed) = bytes(open(server.addr, &[]).await);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let request = call(Way::Web, UNARY, &echo::request(&["a"]));
    assert!(timeout(PATIENCE, sender.send_request(request)).await.unwrap().is_err());
    // The port itself goes on.
    assert!(TcpStream::connect(server.addr).await.is_ok());
}
