//! All four kinds of call over a WebSocket to the application's server.

use futures_util::{Stream, StreamExt as _, stream};
use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::sync::mpsc::{Sender, channel};
use tonic::{Code, Request};
use tonic_web_channel::retry::RetryPolicy;
use tonic_web_channel::{Auto, Channel, Error, Fetch, Route, Socket};
use wasm_bindgen_test::wasm_bindgen_test;

use super::support::within;

/// The test runner starts the application's server on the port after the page's.
fn backend() -> http::Uri {
    let port: u16 = web_sys::window().unwrap().location().port().unwrap().parse().unwrap();
    format!("http://127.0.0.1:{}", port + 1).parse().unwrap()
}

fn client(socket: &Socket) -> GreeterClient<Channel> {
    GreeterClient::new(Channel::with_transport(socket.clone()).build().unwrap())
}

fn named(name: &str) -> HelloRequest {
    HelloRequest { name: name.to_owned() }
}

/// Requests that are sent when the test sends them.
fn requests() -> (Sender<HelloRequest>, impl Stream<Item = HelloRequest>) {
    let (sender, receiver) = channel(4);
    let requests = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    (sender, requests)
}

#[wasm_bindgen_test]
async fn all_four_kinds_of_call_work_from_a_page() {
    let mut client = client(&Socket::new(backend()));

    let reply = within(client.say_hello(named("Ada"))).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada!");

    let mut request = Request::new(named("Ada"));
    request.metadata_mut().insert("x-greeter-count", 3.into());
    request.metadata_mut().insert("x-greeter-interval-ms", 1.into());
    let replies = within(client.say_hello_stream_reply(request)).await.unwrap().into_inner();
    assert!(within(replies.collect::<Vec<_>>()).await.iter().all(Result::is_ok));

    let names = stream::iter(["Ada", "Grace"]).map(named);
    let reply = within(client.say_hello_client_stream(names)).await.unwrap();
    assert_eq!(reply.get_ref().message, "Hello, Ada and Grace!");

    // Each name is sent after the reply to the one before it.
    let (names, requests) = requests();
    let mut replies = within(client.say_hello_bidi_stream(requests)).await.unwrap().into_inner();
    for name in ["Ada", "Grace", "Barbara"] {
        names.try_send(named(name)).unwrap();
        let reply = within(replies.message()).await.unwrap().unwrap();
        assert_eq!(reply.message, format!("Hello, {name}!"));
    }
    drop(names);
    assert_eq!(within(replies.message()).await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn cancelled_conversations_leave_the_socket_open() {
    // More than `h2` remembers; fewer than the 1,000 that this server allows at once.
    const CANCELLED: usize = 900;
    let socket = Socket::new(backend());
    let mut client = client(&socket);
    for turn in 0..CANCELLED {
        let (names, requests) = requests();
        names.try_send(named("Ada")).unwrap();
        let mut replies = within(client.say_hello_bidi_stream(requests)).await.unwrap().into_inner();
        // Every other one is cancelled before its first reply.
        if turn % 2 == 0 {
            within(replies.message()).await.unwrap().unwrap();
        }
    }
    assert!(socket.is_open());
    within(client.say_hello(named("Ada"))).await.unwrap();
}

#[wasm_bindgen_test]
async fn refused_socket_says_so_and_fetch_carries_the_rest() {
    // Nothing listens there.
    let socket = Socket::new("http://127.0.0.1:9".parse().unwrap());
    let auto = Auto::new(Fetch::new(backend()), socket);
    let channel = Channel::with_transport(auto).methods(proto::METHODS.iter().copied());
    let mut client = GreeterClient::new(channel.retry(RetryPolicy::never()).build().unwrap());

    let reply = within(client.say_hello_client_stream(stream::iter([named("Ada")]))).await.unwrap();
    assert_eq!(reply.extensions().get(), Some(&Route::FetchAfterSocket));
    assert_eq!(reply.get_ref().message, "Hello, Ada!");

    let status = within(client.say_hello_bidi_stream(stream::iter([named("Ada")]))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(matches!(Error::from_status(&status), Some(Error::NeedsSocket { .. })), "{status:?}");
}

#[wasm_bindgen_test]
async fn page_that_is_left_closes_its_socket_and_opens_another_when_it_is_back() {
    let socket = Socket::new(backend());
    let mut client = client(&socket);
    let (names, requests) = requests();
    names.try_send(named("Ada")).unwrap();
    let mut replies = within(client.say_hello_bidi_stream(requests)).await.unwrap().into_inner();
    within(replies.message()).await.unwrap().unwrap();

    web_sys::window().unwrap().dispatch_event(&web_sys::Event::new("pagehide").unwrap()).unwrap();
    let status = within(replies.message()).await.unwrap_err();
    let lost = matches!(Error::from_status(&status), Some(Error::ConnectionLost { reason }) if reason.contains("left"));
    assert!(lost, "{status:?}");
    assert!(!socket.is_open());

    within(client.say_hello(named("Ada"))).await.unwrap();
    assert!(socket.is_open());
}
