//! All four kinds of Greeter calls over native gRPC.

use std::time::Duration;

use proto::helloworld::HelloRequest;
use proto::helloworld::greeter_client::GreeterClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::TestServer;

fn hello(name: impl Into<String>) -> HelloRequest {
    HelloRequest { name: name.into() }
}

fn paced(name: &str, metadata: &[(&'static str, &str)]) -> Request<HelloRequest> {
    let mut request = Request::new(hello(name));
    for (key, value) in metadata {
        request.metadata_mut().insert(*key, value.parse().unwrap());
    }
    request
}

async fn client(server: &TestServer) -> GreeterClient<Channel> {
    GreeterClient::new(server.channel())
}

/// The code of a refusal, and the field that it names.
fn refused(status: &Status) -> (Code, Option<String>) {
    let violations = status.get_details_bad_request().map(|details| details.field_violations);
    (status.code(), violations.and_then(|violations| Some(violations.first()?.field.clone())))
}

#[tokio::test]
async fn name_is_greeted() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    for (name, greeting) in [("World", "Hello, World!"), ("", "Hello, !"), ("世界 👋", "Hello, 世界 👋!")]
    {
        let reply = greeter.say_hello(hello(name)).await.unwrap();
        assert_eq!(reply.into_inner().message, greeting);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn name_is_limited_to_a_thousand_characters() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    let longest = "\u{1f600}".repeat(1000);
    assert!(greeter.say_hello(hello(longest.clone())).await.is_ok());
    let status = greeter.say_hello(hello(longest + "x")).await.unwrap_err();

    assert_eq!(refused(&status), (Code::InvalidArgument, Some("name".to_owned())));
    assert_eq!(status.message(), "the name is longer than 1000 characters");
    server.shutdown().await;
}

#[tokio::test]
async fn stream_sends_the_requested_number_of_greetings() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    let request = paced("World", &[("x-greeter-count", "1000"), ("x-greeter-interval-ms", "0")]);
    let mut replies = greeter.say_hello_stream_reply(request).await.unwrap().into_inner();

    let mut received = 0;
    while let Some(reply) = replies.message().await.unwrap() {
        assert_eq!(reply.message, "Hello, World!");
        received += 1;
    }
    assert_eq!(received, 1000);
    server.shutdown().await;
}

#[tokio::test]
async fn stream_without_count_ends_at_its_deadline() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    let mut request = paced("World", &[("x-greeter-interval-ms", "20")]);
    request.set_timeout(Duration::from_secs(1));
    let mut replies = greeter.say_hello_stream_reply(request).await.unwrap().into_inner();

    let mut received = 0;
    let status = loop {
        match replies.message().await {
            Ok(Some(_)) => received += 1,
            Ok(None) => panic!("the stream ended by itself"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!((2..=51).contains(&received), "{received} greetings");
    server.shutdown().await;
}

#[tokio::test]
async fn invalid_count_or_interval_is_refused_naming_the_key() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    for (key, value) in [
        ("x-greeter-count", "0"),
        ("x-greeter-count", "100001"),
        ("x-greeter-count", "many"),
        ("x-greeter-count", "-1"),
        ("x-greeter-interval-ms", "60001"),
        ("x-greeter-interval-ms", "1.5"),
        // Not allowed without a count.
        ("x-greeter-interval-ms", "0"),
    ] {
        let status = greeter.say_hello_stream_reply(paced("World", &[(key, value)])).await.unwrap_err();
        assert_eq!(refused(&status), (Code::InvalidArgument, Some(key.to_owned())), "{key}: {value}");
        assert!(status.message().contains(key), "{}", status.message());
    }
    server.shutdown().await;
}

#[tokio::test]
async fn bidi_stream_greets_each_name_as_it_arrives() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;
    let (names, sent) = mpsc::channel(1);

    let mut replies = greeter.say_hello_bidi_stream(ReceiverStream::new(sent)).await.unwrap().into_inner();

    for name in ["Ada", "Grace", "Edsger"] {
        names.send(hello(name)).await.unwrap();
        let reply = replies.message().await.unwrap().unwrap();
        assert_eq!(reply.message, format!("Hello, {name}!"));
    }
    drop(names);
    assert_eq!(replies.message().await.unwrap(), None);
    server.shutdown().await;
}

#[tokio::test]
async fn client_stream_gets_one_greeting_for_all_names() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;

    for (names, greeting) in [
        (vec!["Ada"], "Hello, Ada!"),
        (vec!["Ada", "Grace"], "Hello, Ada and Grace!"),
        (vec!["Ada", "Grace", "Edsger"], "Hello, Ada, Grace and Edsger!"),
    ] {
        let names = tokio_stream::iter(names.into_iter().map(hello).collect::<Vec<_>>());
        let reply = greeter.say_hello_client_stream(names).await.unwrap();
        assert_eq!(reply.into_inner().message, greeting);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn client_stream_without_names_or_with_too_many_is_refused() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await;
    let count = |count| tokio_stream::iter(vec![hello("x"); count]);

    let nobody = greeter.say_hello_client_stream(count(0)).await.unwrap_err();
    let crowd = greeter.say_hello_client_stream(count(1001)).await.unwrap_err();

    assert_eq!(nobody.code(), Code::InvalidArgument);
    assert_eq!(crowd.code(), Code::ResourceExhausted);
    assert!(greeter.say_hello_client_stream(count(1000)).await.is_ok());
    let long = |count| tokio_stream::iter(vec![hello("x".repeat(1000)); count]);
    assert!(greeter.say_hello_client_stream(long(16)).await.is_ok());
    let too_long = greeter.say_hello_client_stream(long(17)).await.unwrap_err();
    assert_eq!(too_long.code(), Code::ResourceExhausted);
    server.shutdown().await;
}

#[tokio::test]
async fn compressed_requests_are_accepted_by_every_method() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await.send_compressed(Gzip);
    let names = || tokio_stream::iter([hello("Ada"), hello("Grace")]);

    let unary = greeter.say_hello(hello("Ada")).await.unwrap().into_inner();
    let stream = greeter.say_hello_stream_reply(paced("Ada", &[("x-greeter-count", "1")])).await.unwrap();
    let joined = greeter.say_hello_client_stream(names()).await.unwrap().into_inner();
    let bidi = greeter.say_hello_bidi_stream(names()).await.unwrap();

    assert_eq!(unary.message, "Hello, Ada!");
    assert_eq!(stream.into_inner().message().await.unwrap().unwrap().message, "Hello, Ada!");
    assert_eq!(joined.message, "Hello, Ada and Grace!");
    assert_eq!(bidi.into_inner().message().await.unwrap().unwrap().message, "Hello, Ada!");
    server.shutdown().await;
}

#[tokio::test]
async fn greetings_are_compressed_for_clients_that_accept_it() {
    let server = TestServer::start().await;
    let mut greeter = client(&server).await.accept_compressed(Gzip);
    let name = "x".repeat(1_000);

    let long = greeter.say_hello(hello(&name)).await.unwrap();
    let names = tokio_stream::iter([hello(&name)]);
    let joined = greeter.say_hello_client_stream(names).await.unwrap();
    let stream = greeter.say_hello_stream_reply(paced(&name, &[("x-greeter-count", "1")])).await.unwrap();

    for compressed in [long.metadata(), joined.metadata()] {
        assert_eq!(compressed.get("grpc-encoding").unwrap(), "gzip");
    }
    assert_eq!(long.into_inner().message, format!("Hello, {name}!"));
    assert!(!stream.metadata().contains_key("grpc-encoding"), "streams are not compressed");
    assert_eq!(greeter.say_hello(hello("Ada")).await.unwrap().into_inner().message, "Hello, Ada!");
    server.shutdown().await;
}
