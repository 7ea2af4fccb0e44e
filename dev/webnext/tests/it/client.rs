//! Our client with the server of grpc-webnext.

use futures_util::{StreamExt as _, stream};
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::sync::mpsc;
use tonic::Code;
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Channel, Error, Socket, Windows};
use webnext::{Kind, Server};

fn client(socket: &Socket) -> GreeterClient<Channel> {
    let channel = Channel::with_transport(socket.clone()).retry(RetryPolicy::never()).build().unwrap();
    GreeterClient::new(channel)
}

fn named(name: impl Into<String>) -> HelloRequest {
    HelloRequest { name: name.into() }
}

/// Requests that are sent when the test sends them.
fn requests() -> (mpsc::Sender<HelloRequest>, impl futures_util::Stream<Item = HelloRequest>) {
    let (send, receive) = mpsc::channel(4);
    (send, stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive))))
}

#[tokio::test]
async fn all_four_kinds_of_call_work() {
    let server = Server::start(Kind::Theirs).await;
    let mut client = client(&Socket::new(server.uri()));

    let reply = client.say_hello(named("Ada")).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada!");

    let mut replies = client.say_hello_stream_reply(named("Ada")).await.unwrap().into_inner();
    for _ in 0..3 {
        assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Ada!");
    }
    drop(replies);

    let reply = client.say_hello_client_stream(stream::iter(["Ada", "Grace"]).map(named)).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada, Grace!");

    let (names, requests) = requests();
    names.send(named("Ada")).await.unwrap();
    let mut replies = client.say_hello_bidi_stream(requests).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Ada!");
    // It is sent after the reply to the one before it.
    names.send(named("Grace")).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Grace!");
    drop(names);
    assert_eq!(replies.message().await.unwrap(), None);
}

#[tokio::test]
async fn status_and_metadata_come_through() {
    let server = Server::start(Kind::Theirs).await;
    let status = client(&Socket::new(server.uri())).say_hello(named("nobody")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is nobody"));
    assert_eq!(status.metadata().get_bin("x-detail-bin").unwrap().to_bytes().unwrap(), &[0, 255][..]);
    assert_eq!(Error::from_status(&status), None);
}

#[tokio::test]
async fn large_messages_pass_in_both_directions() {
    const LENGTH: usize = 3 << 20;
    let server = Server::start(Kind::Theirs).await;
    let reply = client(&Socket::new(server.uri())).say_hello(named("x".repeat(LENGTH))).await.unwrap();
    assert_eq!(reply.get_ref().message.len(), LENGTH + "Hello, !".len());
}

#[tokio::test]
async fn slow_reader_stops_its_own_stream_alone() {
    const WINDOW: u32 = 64 * 1024;
    let server = Server::start(Kind::Theirs).await;
    let socket = Socket::new(server.uri()).windows(Windows { stream: WINDOW, connection: 4 * WINDOW });
    let mut client = client(&socket);
    let slow = client.say_hello_stream_reply(named("1000")).await.unwrap();
    let mut fast = client.say_hello_stream_reply(named("1000")).await.unwrap().into_inner();
    for _ in 0..2_000 {
        fast.message().await.unwrap().unwrap();
    }
    drop(slow);
}

#[tokio::test]
async fn cancelled_calls_leave_the_socket_open() {
    let server = Server::start(Kind::Theirs).await;
    let socket = Socket::new(server.uri()).windows(Windows { stream: 2_000, connection: 1 << 20 });
    let mut client = client(&socket);
    for _ in 0..500 {
        let mut replies = client.say_hello_stream_reply(named("100")).await.unwrap().into_inner();
        replies.message().await.unwrap().unwrap();
    }
    client.say_hello(named("Ada")).await.unwrap();
    assert!(socket.is_open());
}

#[tokio::test]
async fn open_conversation_goes_on_while_their_server_drains() {
    let mut server = Server::start(Kind::Theirs).await;
    let socket = Socket::new(server.uri());
    let mut client = client(&socket);
    let (names, requests) = requests();
    names.send(named("Ada")).await.unwrap();
    let mut replies = client.say_hello_bidi_stream(requests).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();

    server.begin_stop();
    // Its GOAWAY comes between two of these.
    while socket.is_open() {
        names.send(named("Grace")).await.unwrap();
        assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Grace!");
    }
    names.send(named("Barbara")).await.unwrap();
    assert_eq!(replies.message().await.unwrap().unwrap().message, "Hello, Barbara!");
    let status = client.say_hello(named("Ada")).await.unwrap_err();
    assert!(matches!(Error::from_status(&status), Some(Error::Connect { .. })), "{status:?}");
    drop(names);
    assert_eq!(replies.message().await.unwrap(), None);
    server.stopped().await;
}
