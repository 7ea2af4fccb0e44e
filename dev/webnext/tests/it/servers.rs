//! Both servers with the same requests: each test is a row of the table in `docs/socket.md`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::select_all;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tonic::body::Body;
use tonic_serve::ServeOptions;
use tonic_web_channel::{Socket, Transport as _};
use webnext::{Kind, Server, http2, open};

/// Time for any step before a test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The message `HelloRequest { name }` with its prefix.
fn message(name: &str) -> Bytes {
    let length = name.len() as u8;
    [&[0, 0, 0, 0, length + 2, 10, length], name.as_bytes()].concat().into()
}

/// The frames of a call that has a deadline on the wire and none in its client, at most `max`, and its status.
async fn frames_until_the_end(kind: Kind, max: usize) -> (usize, Option<String>) {
    let server = Server::start(kind).await;
    let body = Body::new(http_body_util::Full::new(message("Ada")).map_err(|never| match never {}));
    let request = Request::post("/helloworld.Greeter/SayHelloStreamReply")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "200m")
        .body(body)
        .unwrap();
    let mut body = Socket::new(server.uri()).call(request).await.unwrap().into_body();
    let mut frames = 0;
    while frames < max {
        match body.frame().await.unwrap().unwrap().into_trailers() {
            Ok(trailers) => return (frames, Some(trailers["grpc-status"].to_str().unwrap().to_owned())),
            Err(_) => frames += 1,
        }
    }
    (frames, None)
}

#[tokio::test]
async fn our_server_alone_keeps_the_deadline_of_a_stream() {
    // One reply in 10 ms: these take five times the deadline.
    const REPLIES: usize = 100;
    let (frames, status) = frames_until_the_end(Kind::Ours, REPLIES).await;
    assert_eq!(status.as_deref(), Some("4"), "after {frames} frames");
    assert_eq!(frames_until_the_end(Kind::Theirs, REPLIES).await, (REPLIES, None));
}

#[tokio::test]
async fn our_server_alone_refuses_the_socket_of_a_foreign_page() {
    let foreign = [("origin", "https://evil.example"), ("cookie", "session=1")];
    let ours = Server::start(Kind::Ours).await;
    assert_eq!(open(ours.addr, &foreign).await.err(), Some(StatusCode::FORBIDDEN));
    let theirs = Server::start(Kind::Theirs).await;
    assert!(open(theirs.addr, &foreign).await.is_ok());
}

/// The cookie that a handler sees of a call with `made_up` in the socket of a page that has `session=1`.
async fn cookie(kind: Kind, made_up: Option<&str>) -> String {
    let server = Server::start(kind).await;
    let origin = format!("http://{}", server.addr);
    let socket = open(server.addr, &[("origin", &origin), ("cookie", "session=1")]).await.unwrap();
    let mut requests = http2(socket).await;
    let mut head = Request::post(format!("{origin}/helloworld.Greeter/SayHello"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(made_up) = made_up {
        head = head.header("cookie", made_up);
    }
    let (response, mut body) = requests.send_request(head.body(()).unwrap(), false).unwrap();
    body.send_data(message("cookie"), true).unwrap();
    let reply = response.await.unwrap().into_body().data().await.unwrap().unwrap();
    String::from_utf8(reply[7..].to_vec()).unwrap()
}

#[tokio::test]
async fn our_server_alone_gives_calls_the_cookies_of_the_page() {
    assert_eq!(cookie(Kind::Ours, None).await, "session=1");
    assert_eq!(cookie(Kind::Ours, Some("session=2")).await, "session=1");
    assert_eq!(cookie(Kind::Theirs, None).await, "none");
    assert_eq!(cookie(Kind::Theirs, Some("session=2")).await, "session=2");
}

/// As many sockets of one address as our server keeps open, and one more.
async fn many(server: &Server) -> Vec<WebSocketStream<TcpStream>> {
    let mut sockets = Vec::new();
    for _ in 0..=ServeOptions::default().max_connections_per_address {
        sockets.push(open(server.addr, &[]).await.unwrap());
    }
    sockets
}

#[tokio::test]
async fn our_server_alone_bounds_the_sockets_of_an_address() {
    let server = Server::start(Kind::Ours).await;
    let mut sockets = many(&server).await;
    // One makes room: the server closes it.
    let ends = sockets.iter_mut().map(|socket| Box::pin(socket.next()));
    timeout(PATIENCE, select_all(ends)).await.expect("all of them stay open");

    let server = Server::start(Kind::Theirs).await;
    for socket in many(&server).await {
        let mut requests = http2(socket).await.ready().await.unwrap();
        let head = Request::post(format!("http://{}/helloworld.Greeter/SayHello", server.addr))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let (response, mut body) = requests.send_request(head.body(()).unwrap(), false).unwrap();
        body.send_data(message("Ada"), true).unwrap();
        assert!(response.await.unwrap().into_body().data().await.unwrap().is_ok());
    }
}
