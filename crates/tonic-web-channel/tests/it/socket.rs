//! The socket transport, natively, against an HTTP/2 server behind a WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::Response;
use proto::helloworld::HelloReply;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Auto, Channel, Error, InProcess, Route, Socket, Windows};

use crate::support::greeter::{self, named};
use crate::support::tunnel::{Mode, Tunnel};

async fn tunnel() -> Tunnel {
    Tunnel::start(greeter::start().await).await
}

fn client(socket: &Socket) -> GreeterClient<Channel> {
    let channel = Channel::with_transport(socket.clone()).retry(RetryPolicy::never()).build().unwrap();
    GreeterClient::new(channel)
}

fn reason(status: &tonic::Status) -> &Error {
    Error::from_status(status).unwrap_or_else(|| panic!("{status:?} has no error of the channel"))
}

#[tokio::test]
async fn all_four_kinds_of_call_share_one_socket() {
    let tunnel = tunnel().await;
    let mut client = client(&Socket::new(tunnel.uri()));

    let reply = client.say_hello(named("Ada")).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada!");

    let mut replies = client.say_hello_stream_reply(named("3")).await.unwrap().into_inner();
    for _ in 0..3 {
        assert_eq!(replies.message().await.unwrap().unwrap().message, "xxx");
    }

    let names = stream::iter(["Ada", "Grace"]).map(named);
    let reply = client.say_hello_client_stream(names).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada, Grace!");

    // Each name is sent after the reply to the one before it.
    let (names, requests) = mpsc::channel(1);
    let requests = ReceiverStream::new(requests);
    let mut replies = client.say_hello_bidi_stream(requests).await.unwrap().into_inner();
    for name in ["Ada", "Grace", "Barbara"] {
        names.send(named(name)).await.unwrap();
        assert_eq!(replies.message().await.unwrap().unwrap().message, format!("Hello, {name}!"));
    }
    drop(names);
    assert_eq!(replies.message().await.unwrap(), None);

    assert_eq!(tunnel.accepted(), 1);
}

#[tokio::test]
async fn status_of_the_server_comes_through() {
    let tunnel = tunnel().await;
    let status = client(&Socket::new(tunnel.uri())).say_hello(named("nobody")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is nobody"));
    assert_eq!(Error::from_status(&status), None);
}

#[tokio::test]
async fn boundaries_of_messages_mean_nothing() {
    let tunnel = tunnel().await;
    tunnel.cut_into_bytes();
    let reply = client(&Socket::new(tunnel.uri())).say_hello(named("Ada")).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada!");
}

#[tokio::test]
async fn refused_handshake_fails_the_call_and_delays_the_next_attempt() {
    let tunnel = tunnel().await;
    tunnel.set(Mode::Refusing);
    let socket = Socket::new(tunnel.uri());
    let mut client = client(&socket);

    let status = client.say_hello(named("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(matches!(reason(&status), Error::Connect { reason, .. } if reason.contains("404")), "{status:?}");
    assert!(!socket.is_open());

    client.say_hello(named("Ada")).await.unwrap_err();
    assert_eq!(tunnel.accepted(), 1);

    tunnel.set(Mode::Open);
    socket.reopen();
    client.say_hello(named("Ada")).await.unwrap();
    assert!(socket.is_open());
}

#[tokio::test]
async fn server_without_the_subprotocol_is_refused() {
    let tunnel = tunnel().await;
    tunnel.set(Mode::OtherProtocol);
    let status = client(&Socket::new(tunnel.uri())).say_hello(named("Ada")).await.unwrap_err();
    assert!(matches!(reason(&status), Error::Connect { .. }), "{status:?}");
}

#[tokio::test]
async fn lost_connection_ends_its_calls_and_the_next_call_opens_another() {
    let tunnel = tunnel().await;
    let socket = Socket::new(tunnel.uri());
    let mut client = client(&socket);
    let mut replies = client.say_hello_stream_reply(named("1")).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();

    tunnel.set(Mode::Refusing);
    let status = loop {
        match replies.message().await {
            Ok(reply) => assert!(reply.is_some(), "the stream ended as if it were complete"),
            Err(status) => break status,
        }
    };
    assert!(matches!(reason(&status), Error::ConnectionLost { .. }), "{status:?}");

    tunnel.set(Mode::Open);
    client.say_hello(named("Ada")).await.unwrap();
    assert_eq!(tunnel.accepted(), 2);
}

#[tokio::test(start_paused = true)]
async fn silent_connection_is_given_up() {
    let tunnel = tunnel().await;
    let socket = Socket::new(tunnel.uri());
    let mut client = client(&socket);
    client.say_hello(named("Ada")).await.unwrap();

    tunnel.set(Mode::Silent);
    let status = client.say_hello(named("hang")).await.unwrap_err();
    let lost = matches!(reason(&status), Error::ConnectionLost { reason } if reason.contains("ping"));
    assert!(lost, "{status:?}");
    assert!(!socket.is_open());
}

#[tokio::test]
async fn slow_reader_stops_its_own_stream_alone() {
    const WINDOW: u32 = 64 * 1024;
    let tunnel = tunnel().await;
    let socket = Socket::new(tunnel.uri()).windows(Windows { stream: WINDOW, connection: 4 * WINDOW });
    let mut client = client(&socket);
    // Nobody reads it; it fills its window.
    let slow = client.say_hello_stream_reply(named("1000")).await.unwrap();
    let mut fast = client.say_hello_stream_reply(named("1000")).await.unwrap().into_inner();
    for _ in 0..2_000 {
        fast.message().await.unwrap().unwrap();
    }
    client.say_hello(named("Ada")).await.unwrap();
    drop(slow);
}

#[tokio::test]
async fn handler_that_does_not_read_stops_the_sender() {
    let tunnel = tunnel().await;
    let mut client = client(&Socket::new(tunnel.uri()));
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let (progress, mut progressed) = mpsc::channel(1_024);
    let requests = stream::repeat_with(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        progress.try_send(()).unwrap();
        named("x".repeat(16 * 1024))
    });
    let mut request = Request::new(requests);
    request.metadata_mut().insert("x-unread", "yes".parse().unwrap());
    let call = tokio::spawn(async move { client.say_hello_client_stream(request).await });

    // It stops when the server's windows and the sockets on the way are full.
    let mut last = 0;
    loop {
        while tokio::time::timeout(Duration::from_millis(300), progressed.recv()).await.is_ok() {}
        let now = taken.load(Ordering::Relaxed);
        if now == last {
            break;
        }
        last = now;
    }
    assert!(last > 0 && last < 16 * 64, "{last} messages of 16 KiB were taken");
    call.abort();
}

#[tokio::test]
async fn thousands_of_cancelled_calls_leave_the_connection_open() {
    let tunnel = tunnel().await;
    // Small windows, because the server fills them for each call.
    let socket = Socket::new(tunnel.uri()).windows(Windows { stream: 2_000, connection: 1 << 20 });
    let mut client = client(&socket);
    for _ in 0..2_000 {
        let mut replies = client.say_hello_stream_reply(named("100")).await.unwrap().into_inner();
        replies.message().await.unwrap().unwrap();
    }
    client.say_hello(named("Ada")).await.unwrap();
    assert_eq!(tunnel.accepted(), 1);
}

#[tokio::test]
async fn failed_request_stream_ends_the_call_with_its_status() {
    use futures_util::TryStreamExt as _;
    let tunnel = tunnel().await;
    let channel = Channel::with_transport(Socket::new(tunnel.uri())).build().unwrap();
    let body = stream::iter([
        Ok(http_body::Frame::data(bytes::Bytes::from_static(b"\0\0\0\0\0"))),
        Err(tonic::Status::aborted("changed my mind")),
    ]);
    let body = tonic::body::Body::new(http_body_util::StreamBody::new(body.into_stream()));
    let mut request = http::Request::new(body);
    *request.uri_mut() = "/helloworld.Greeter/SayHelloClientStream".parse().unwrap();
    *request.method_mut() = http::Method::POST;
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let result = tower_service::Service::call(&mut channel.clone(), request).await;
    assert_eq!(result.map(drop).unwrap_err().code(), Code::Aborted);
}

/// A channel with methods by `auto`, whose `fetch` answers "by fetch".
fn auto(socket: &Socket, adjust: impl FnOnce(Auto) -> Auto) -> GreeterClient<Channel> {
    let fetch = InProcess::new(tower::service_fn(async |_: http::Request<tonic::body::Body>| {
        let message = prost_message("by fetch");
        let response = Response::builder().header("content-type", "application/grpc");
        let frames = [
            Ok::<_, tonic::Status>(http_body::Frame::data(message)),
            Ok(http_body::Frame::trailers([("grpc-status", "0")].into_iter().map(header).collect())),
        ];
        let body = http_body_util::StreamBody::new(stream::iter(frames));
        Ok::<_, std::convert::Infallible>(response.body(body).unwrap())
    }));
    let auto = adjust(Auto::new(fetch, socket.clone()));
    let channel =
        Channel::with_transport(auto).methods(proto::METHODS.iter().copied()).retry(RetryPolicy::never());
    GreeterClient::new(channel.build().unwrap())
}

fn header((name, value): (&'static str, &'static str)) -> (http::HeaderName, http::HeaderValue) {
    (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
}

/// A reply as a message with its prefix.
fn prost_message(text: &str) -> bytes::Bytes {
    let mut message = vec![0, 0, 0, 0, 2 + text.len() as u8, 10, text.len() as u8];
    message.extend_from_slice(text.as_bytes());
    message.into()
}

fn route<T>(response: &tonic::Response<T>) -> Route {
    *response.extensions().get().unwrap()
}

#[tokio::test]
async fn each_kind_of_call_has_its_transport() {
    let tunnel = tunnel().await;
    let socket = Socket::new(tunnel.uri());
    let mut client = auto(&socket, |auto| auto);

    assert_eq!(route(&client.say_hello(named("Ada")).await.unwrap()), Route::Fetch);
    let replies = client.say_hello_stream_reply(named("1")).await.unwrap();
    assert_eq!(route(&replies), Route::FetchWithoutSocket);
    assert_eq!(tunnel.accepted(), 0);

    let reply = client.say_hello_client_stream(stream::iter([named("Ada")])).await.unwrap();
    assert_eq!((route(&reply), reply.get_ref().message.as_str()), (Route::SocketForStream, "Hello, Ada!"));
    let replies = client.say_hello_bidi_stream(stream::iter([named("Ada")])).await.unwrap();
    assert_eq!(route(&replies), Route::SocketForStream);

    // The socket is open now.
    let replies = client.say_hello_stream_reply(named("1")).await.unwrap();
    assert_eq!(route(&replies), Route::Socket);
    assert_eq!(route(&client.say_hello(named("Ada")).await.unwrap()), Route::Fetch);

    let mut client = auto(&socket, |auto| auto.unary_by_socket(["/helloworld.Greeter/Other"]));
    assert_eq!(route(&client.say_hello(named("Ada")).await.unwrap()), Route::Socket);
    let mut client = auto(&socket, |auto| auto.unary_by_socket(["/helloworld.Greeter/SayHello"]));
    assert_eq!(route(&client.say_hello(named("Ada")).await.unwrap()), Route::Fetch);
}

#[tokio::test]
async fn without_sockets_fetch_carries_everything_but_conversations() {
    let tunnel = tunnel().await;
    tunnel.set(Mode::Refusing);
    let mut client = auto(&Socket::new(tunnel.uri()), |auto| auto.unary_by_socket(["/none"]));

    let reply = client.say_hello_client_stream(stream::iter([named("Ada")])).await.unwrap();
    assert_eq!((route(&reply), reply.into_inner()), (Route::FetchAfterSocket, by_fetch()));
    let reply = client.say_hello(named("Ada")).await.unwrap();
    assert_eq!((route(&reply), reply.into_inner()), (Route::FetchWithoutSocket, by_fetch()));

    let status = client.say_hello_bidi_stream(stream::iter([named("Ada")])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(matches!(reason(&status), Error::NeedsSocket { .. }), "{status:?}");
}

fn by_fetch() -> HelloReply {
    HelloReply { message: "by fetch".into() }
}

#[test]
fn a_choice_by_the_kind_of_method_needs_the_method_table() {
    let socket = Socket::new("http://127.0.0.1:1".parse().unwrap());
    let channel = || Channel::with_transport(Auto::new(socket.clone(), socket.clone()));
    assert!(matches!(channel().build(), Err(tonic_web_channel::BuildError::NoMethods)));
    assert!(channel().methods(proto::METHODS.iter().copied()).build().is_ok());
}
